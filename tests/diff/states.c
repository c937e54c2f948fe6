/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state tables (contract 4.3, 4.4): each method in each state that can be
 * reached, with the State before and after.
 */
#include "tests/diff/diff.h"

static const char exec_args[] = "{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"env\":"
				"[\"PATH=/bin\"],\"args\":[\"/bin/true\"]}";

/* What is no legal way out of a state, or changes nothing. */
static void harmless_calls(const char *id)
{
	do_state(id, NULL);
	do_resume(id);
	do_checkpoint(id);
	do_update(id, "{\"pids\":{\"limit\":100}}");
	do_resize(id, NULL, 80, 25);
	do_close_io(id, NULL);
	do_state(id, "nope");
	do_start(id, "nope");
	do_delete(id, "nope");
	do_kill(id, "nope", SIGTERM, false);
	do_wait(id, "nope");
	do_resize(id, "nope", 80, 25);
	do_close_io(id, "nope");
	do_state(id, NULL);
	do_connect(id);
}

static void in_created(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	harmless_calls("c1");
	do_pause("c1");
	do_pids("c1");
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	do_state("c1", "e1");
	do_state("c1", NULL);
	do_delete("c1", "e1");
	do_kill("c1", NULL, 0, false);
	do_state("c1", NULL);
	do_start("c1", NULL);
	do_end("c1", NULL);
	finish();
}

static void in_running(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	harmless_calls("c1");
	do_start("c1", NULL);
	do_delete("c1", NULL);
	do_pids("c1");
	do_state("c1", NULL);
	do_create(&b);
	do_state("c1", NULL);
	do_end("c1", NULL);
	finish();
}

static void in_paused(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	do_pause("c1");
	do_state("c1", NULL);
	do_state("c1", "e1");
	do_pause("c1");
	do_start("c1", NULL);
	do_delete("c1", NULL);
	do_update("c1", "{\"pids\":{\"limit\":100}}");
	do_resize("c1", NULL, 80, 25);
	told(ask_exec_json("c1", "e2", exec_args, NULL), "Exec c1/e2");
	do_pids("c1");
	do_close_io("c1", NULL);
	do_state("c1", NULL);
	do_resume("c1");
	do_state("c1", NULL);
	do_state("c1", "e1");
	do_resume("c1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

/* What the freezer has of a container are its execs as well. */
static void execs_in_paused(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	do_exec("c1", "e2", "exec sleep 1000", NULL);
	do_start("c1", "e2");
	do_exec("c1", "e3", "exit 3", NULL);
	do_start("c1", "e3");
	do_wait("c1", "e3");
	do_pause("c1");
	for (const char *const *e = (const char *const[]){ "e1", "e2", "e3", NULL }; *e;
	     e++) {
		do_state("c1", *e);
		do_resize("c1", *e, 80, 25);
		do_close_io("c1", *e);
		do_kill("c1", *e, 0, false);
	}
	do_wait("c1", "e3");
	do_start("c1", "e2");
	do_start("c1", "e3");
	do_delete("c1", "e1");
	do_delete("c1", "e2");
	do_delete("c1", "e3");
	do_state("c1", NULL);
	do_checkpoint("c1");
	do_kill("c1", NULL, 0, false);
	do_stats("c1");
	do_resume("c1");
	do_state("c1", "e2");
	do_end("c1", "e2");
	do_end("c1", NULL);
	finish();
}

/* The runtime refuses, so that it is still one that was never started. */
static void exec_started_in_paused(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	do_pause("c1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_resume("c1");
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void in_stopped(void)
{
	struct box b = { .id = "c1", .command = "exit 5" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	do_start("c1", NULL);
	do_wait("c1", NULL);
	harmless_calls("c1");
	do_start("c1", NULL);
	do_pause("c1");
	told(ask_exec_json("c1", "e2", exec_args, NULL), "Exec c1/e2");
	do_state("c1", "e1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_kill("c1", NULL, SIGTERM, false);
	do_kill("c1", NULL, SIGKILL, false);
	do_kill("c1", NULL, SIGKILL, true);
	do_kill("c1", NULL, 0, false);
	do_pids("c1");
	do_state("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void unknown_container(void)
{
	struct box b = { .id = "c1", .command = "exit 5" };

	boot(&b);
	harmless_calls("nope");
	do_start("nope", NULL);
	do_delete("nope", NULL);
	do_pause("nope");
	do_wait("nope", NULL);
	do_pids("nope");
	do_kill("nope", NULL, SIGKILL, false);
	do_kill("nope", NULL, SIGKILL, true);
	do_stats("nope");
	told(ask_exec_json("nope", "e1", exec_args, NULL), "Exec nope/e1");
	do_state("", NULL);
	finish();
}

static void after_delete(void)
{
	struct box b = { .id = "c1", .command = "exit 5" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	harmless_calls("c1");
	do_start("c1", NULL);
	do_delete("c1", NULL);
	do_pause("c1");
	do_wait("c1", NULL);
	do_pids("c1");
	do_kill("c1", NULL, SIGKILL, false);
	do_stats("c1");
	told(ask_exec_json("c1", "e1", exec_args, NULL), "Exec c1/e1");
	finish();
}

/* The state table of execs; "c1" runs. */
static void exec_states(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_state("c1", "e1");
	do_kill("c1", "e1", SIGTERM, false);
	do_kill("c1", "e1", SIGKILL, true);
	do_resize("c1", "e1", 80, 25);
	do_close_io("c1", "e1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_pids("c1");
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_start("c1", "e1");
	do_delete("c1", "e1");
	do_resize("c1", "e1", 80, 25);
	do_close_io("c1", "e1");
	do_kill("c1", "e1", 0, false);
	do_state("c1", "e1");
	do_kill("c1", "e1", SIGKILL, false);
	do_wait("c1", "e1");
	do_state("c1", "e1");
	do_start("c1", "e1");
	do_kill("c1", "e1", SIGKILL, false);
	do_resize("c1", "e1", 80, 25);
	do_close_io("c1", "e1");
	do_wait("c1", "e1");
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_pids("c1");
	do_delete("c1", "e1");
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_wait("c1", "e1");
	do_exec("c1", "e1", "exit 0", NULL);
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

const struct scenario states_scenarios[] = {
	{ "states-created", in_created },
	{ "states-running", in_running },
	{ "states-paused", in_paused },
	{ "states-stopped", in_stopped },
	{ "states-paused-execs", execs_in_paused },
	{ "states-paused-start", exec_started_in_paused },
	{ "states-unknown", unknown_container },
	{ "states-deleted", after_delete },
	{ "states-exec", exec_states },
	{ NULL, NULL },
};
