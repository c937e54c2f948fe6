/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime that misbehaves, by each command and each way that there is for it: what
 * the client is told, and that the container can be used, or deleted, afterwards.
 * test-runtime.c has what concerns one command only.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>

/* One command: how it is called, and how a failure begins. */
struct command {
	const char *name, *script;
	const char *prefix;
	struct answer *(*ask)(void);
	void (*undo)(void); /* after it has succeeded: may be called again; NULL */
};

static struct bundle *b;

static struct answer *ask_the_create(void)
{
	return ask_create(b, NULL);
}

static struct answer *ask_the_start(void)
{
	return ask_start("c1", NULL);
}

static struct answer *ask_the_exec(void)
{
	return ask_start("c1", "e1");
}

static struct answer *ask_the_pause(void)
{
	return ask_pause("c1");
}

static struct answer *ask_the_resume(void)
{
	return ask_resume("c1");
}

static struct answer *ask_the_update(void)
{
	return ask_update("c1");
}

static struct answer *ask_the_delete(void)
{
	return ask_delete("c1", NULL);
}

static void stop_exec(void)
{
	kill_task("c1", "e1", SIGKILL);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 137);
	delete_task("c1", "e1");
}

static void stop_init(void)
{
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
}

static void add_exec(void)
{
	exec_add("c1", "e1", "exec sleep 1000");
}

/* In the order of a life; .undo is what has to be done before the next one. */
static const struct command commands[] = {
	{ "create", "create", "OCI runtime create failed: ", ask_the_create, NULL },
	{ "start", "start", "OCI runtime start failed: ", ask_the_start, add_exec },
	{ "exec", "exec", "OCI runtime exec failed: ", ask_the_exec, stop_exec },
	{ "update", "update", "", ask_the_update, NULL },
	{ "pause", "pause", "OCI runtime pause failed: ", ask_the_pause, NULL },
	{ "resume", "resume", "OCI runtime resume failed: ", ask_the_resume, stop_init },
	{ "delete", "delete", "failed to delete task: ", ask_the_delete, NULL },
};

#define MEGABYTES "log_bytes 3000000\n"

/* How it misbehaves, and what the text of the error has in it. */
static const struct {
	const char *script, *says;
} ways[] = {
	{ "exit 1\n", "exit status 1" },
	{ "exit 125\n", "exit status 125" },
	{ "exit 255\n", "exit status 255" },
	{ "print a word\nexit 3\n", "exit status 3" },
	{ "error its own words\n", "its own words" },
	{ "kill_self 9\n", "signal: killed" },
	{ "kill_self 15\n", "signal: terminated" },
	{ "kill_self 11\n", "signal: segmentation fault" },
	{ MEGABYTES "error at last\n", "at last" },
	{ "ignore_term\nhang\n", "did not end within" },
};

static void misbehave(const struct command *c, const char *how, const char *says)
{
	char *first = text("%.*s", (int)strcspn(how, "\n"), how);
	struct answer *a;

	script(c->script, how);
	a = await(c->ask());
	if (a->code == TTRPC_OK || !strstr(a->text, says) ||
	    strncmp(a->text, c->prefix, strlen(c->prefix)))
		fail_at(HERE, "%s, %s: %d \"%s\"", c->name, first, a->code, a->text);
	/* An init that was created and not started is still a fake-runc, of "create". */
	until(!strstr(other_processes() ? other_processes() : "",
		      text("json %s ", c->name)));
	ok(ask_connect("c1"));
	script(c->script, "");
}

/* Create and Start that hang are in test-runtime.c and test-stuck.c. */
#define HANGS_FROM 2

/* Each way of failing, or only that it hangs, and then success. */
static void live(bool hangs, const char *success)
{
	b = shim_for("c1", "exec sleep 1000");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++)
			if (hangs == (strstr(ways[k].script, "hang") != NULL) &&
			    (!hangs || i >= HANGS_FROM))
				misbehave(c, ways[k].script, ways[k].says);
		script(c->script, success);
		ok(c->ask());
		script(c->script, "");
		if (c->undo)
			c->undo();
	}
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 137");
	shutdown_shim();
}

static void each_command_fails(void **st)
{
	(void)st;
	live(false, MEGABYTES "delay_ms 50\n");
}

static void each_command_hangs(void **st)
{
	(void)st;
	/* What does not hang must keep within it on a busy machine, too. */
	e2e.extra_env[0] = "BRASS_RUNTIME_TIMEOUT_MS=4000";
	live(true, "");
}

/* A terminal that the runtime never hands over. */
static void no_console(void **st)
{
	struct stdio io = { .out = make_fifo("out"), .terminal = true };

	(void)st;
	e2e.extra_env[0] = "BRASS_FIFO_TIMEOUT_MS=400";
	b = shim_for("c1", "exec sleep 1000");
	reader_open(io.out);
	script("create", "no_console\n");
	assert_int_not_equal(await(ask_create(b, &io))->code, TTRPC_OK);
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN, "console");
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	until(!other_processes());
	script("create", "");
	create(b);
	start("c1", NULL);
	ok(ask_exec("c1", "e1", "exec sleep 2000", &io));
	script("exec", "no_console\n");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "console");
	until(!strstr(other_processes(), "sleep 2000"));
	delete_task("c1", "e1");
	stop_init();
	delete_task("c1", NULL);
	shutdown_shim();
}

static size_t count_pids(void)
{
	return ((const Task__PidsResponse *)ok(ask_pids("c1")))->n_processes;
}

/* It lives, and nobody has said which process it is: it is ended, and no other one. */
static void exec_that_nobody_names(void **st)
{
	static const char *const scripts[] = { "no_pid_file\n", "pid_file_says \n",
					       "pid_file_says 4194303\n",
					       "die_before_pid_file\n" };
	struct answer *starting;

	(void)st;
	if (!e2e.cgroup[0])
		skip();
	create(shim_for("c1", "exec sleep 1000"));
	start("c1", NULL);
	exec_add("c1", "lives", "exec sleep 1000");
	start("c1", "lives");
	add_exec();
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		script("exec.e1", scripts[i]);
		assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
		until(count_pids() == 2);
	}
	/* While another one is being made, it may be that one. */
	script("exec.slow", text("after\ntouch %s\nwait_for %s\n", in_dir("at"), in_dir("go")));
	exec_add("c1", "slow", "exec sleep 1000");
	starting = ask_start("c1", "slow");
	until(exists(in_dir("at")));
	assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
	assert_int_equal(count_pids(), 4);
	write_file(in_dir("go"), "", 0);
	ok(starting);
	until(count_pids() == 3);
	assert_int_equal(state("c1", "slow")->status, TYPES__STATUS__RUNNING);
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* An exec whose runtime ends well, and has not said which process it is. */
static void exec_without_pid_file(void **st)
{
	(void)st;
	create(shim_for("c1", "exec sleep 1000"));
	start("c1", NULL);
	add_exec();
	script("exec", "init_exits 0\nno_pid_file\n");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "exec pid");
	script("exec", "leave_child_holding_stdout\n");
	start("c1", "e1");
	script("exec", "");
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	delete_task("c1", "e1");
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

E2E_GROUP(E2E(each_command_fails), E2E(each_command_hangs), E2E(no_console),
	  E2E(exec_without_pid_file), E2E(exec_that_nobody_names))
