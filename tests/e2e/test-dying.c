/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An init that is dead and whose exit is yet to be told, since something delays it: calls
 * that come then find a stopped container, nobody asks the runtime for it, and the exit
 * is neither put off nor forgotten.
 */
#include "tests/e2e/harness.h"

static struct answer *ask_checkpoint(void)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;

	q.id = text("c1");
	q.path = in_dir("images");
	return ask("Checkpoint", &q);
}

/* "runc exec" hangs until end_exec(), and with it the init's exit. */
static struct answer *hanging_exec(void)
{
	struct answer *starting;

	script("exec", text("wait_for %s\nerror no init\n", in_dir("exec-ends")));
	exec_add("c1", "e1", "true");
	starting = ask_start("c1", "e1");
	until(calls_of("exec") == 1);
	return starting;
}

static void end_exec(struct answer *starting)
{
	write_file(in_dir("exec-ends"), "", 0);
	fails(starting, TTRPC_UNKNOWN, "OCI runtime exec failed: no init");
}

/* Its end has been seen when it is on record. */
static void die(const struct bundle *b)
{
	kill((pid_t)state("c1", NULL)->pid, SIGKILL);
	until(exists(text("%s/exit", b->dir)));
}

/* The exit has been told, and was the last event. */
static void end(void)
{
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	delete_task("c1", NULL);
	expect_events("delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

static void of_a_running_one(void **st)
{
	struct bundle *b = run_c1("exec sleep 1000");
	struct answer *starting = hanging_exec();

	(void)st;
	die(b);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	fails(ask_pause("c1"), TTRPC_UNKNOWN, "cannot pause a stopped container");
	fails(ask_resume("c1"), TTRPC_UNKNOWN, "cannot resume a stopped container");
	fails(ask_update("c1"), TTRPC_UNKNOWN, "cannot update a stopped container");
	fails(ask_checkpoint(), TTRPC_UNKNOWN, "cannot checkpoint a stopped container");
	fails(ask_start("c1", NULL), TTRPC_UNKNOWN, "cannot start a stopped process");
	assert_int_equal(calls_of("pause") + calls_of("resume") + calls_of("update") +
				 calls_of("checkpoint"), 0);
	end_exec(starting);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137");
	end();
}

/* However often it is called: the bound of the delay holds. */
static void of_a_running_one_again_and_again(void **st)
{
	struct answer *starting, *waiting;
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_EXEC_DRAIN_TIMEOUT_MS=500";
	b = run_c1("exec sleep 1000");
	starting = hanging_exec();
	waiting = ask_wait("c1", NULL);
	die(b);
	until((await(ask_pause("c1")), waiting->done));
	fails_with(starting, TTRPC_UNKNOWN, "killed before it had started");
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137");
	delete_task("c1", "e1");
	end();
}

/* The runtime is killing what it has left behind: it is asked for that once. */
static void while_the_rest_is_killed(void **st)
{
	struct bundle like = { .id = "c1", .host_pid = true };
	struct bundle *b = bundle_like(&like, "exec sleep 1000");

	(void)st;
	e2e.no_cgroup = true;
	start_shim(b);
	create(b);
	start("c1", NULL);
	script("kill", text("touch %s\nwait_for %s\n", in_dir("kills"), in_dir("go")));
	die(b);
	until(exists(in_dir("kills")));
	await(ask_pause("c1"));
	ok(ask_connect("c1"));
	await(ask_pause("c1"));
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	assert_int_equal(calls_of("kill"), 1);
	write_file(in_dir("go"), "", 0);
	expect_events("create c1", "start c1", "exit c1 c1 137");
	end();
}

/* What the runtime would let go nobody brings back to life (as runc does, on cgroup v2). */
static void of_a_paused_one(void **st)
{
	struct bundle *b = run_c1("exec sleep 1000");
	struct answer *starting = hanging_exec(), *resuming;

	(void)st;
	ok(ask_pause("c1"));
	script("resume", text("wait_for %s\nexit 0\n", in_dir("go")));
	die(b);
	resuming = ask_resume("c1");
	ok(ask_connect("c1"));
	end_exec(starting);
	write_file(in_dir("go"), "", 0);
	await(resuming);
	expect_events("create c1", "start c1", "exec-added c1 e1", "paused c1",
		      "exit c1 c1 137");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	fails(resuming, TTRPC_UNKNOWN, "cannot resume a stopped container");
	end();
}

static void of_a_created_one(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *execing, *starting;

	(void)st;
	create(b);
	execing = hanging_exec();
	script("start", text("wait_for %s\nexit 0\n", in_dir("go")));
	die(b);
	starting = ask_start("c1", NULL);
	ok(ask_connect("c1"));
	end_exec(execing);
	write_file(in_dir("go"), "", 0);
	await(starting);
	expect_events("create c1", "exec-added c1 e1", "exit c1 c1 137");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	fails(starting, TTRPC_UNKNOWN, "cannot start a stopped process");
	end();
}

/* A Delete that comes then waits for the exit. */
static void delete_of_a_created_one(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *execing, *deleting;

	(void)st;
	create(b);
	execing = hanging_exec();
	die(b);
	deleting = ask_delete("c1", NULL);
	ok(ask_connect("c1"));
	assert_false(deleting->done);
	end_exec(execing);
	assert_int_equal(as_delete(ok(deleting))->exit_status, 137);
	expect_events("create c1", "exec-added c1 e1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

E2E_GROUP(E2E(of_a_running_one), E2E(of_a_running_one_again_and_again),
	  E2E(while_the_rest_is_killed), E2E(of_a_paused_one), E2E(of_a_created_one),
	  E2E(delete_of_a_created_one))
