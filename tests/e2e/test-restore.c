/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kill while a container is being restored: it is answered at once, ends the restore,
 * and the container can be restored again or deleted. (What criu itself does is shown by
 * tests/host/checkpoint.bats.)
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>

static struct answer *ask_create_from_checkpoint(const struct bundle *b, const char *out)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;

	q.id = text("c1");
	q.bundle = text("%s", b->dir);
	q.checkpoint = in_dir("images");
	q.stdout = text("%s", out);
	q.options = runc_options();
	return ask("Create", &q);
}

static void assert_nothing_is_left(void)
{
	const Task__StateResponse *s = state("c1", NULL);

	assert_int_equal(s->status, TYPES__STATUS__CREATED);
	assert_int_equal(s->pid, 0);
	assert_false(exists(text("%s/" NS "/c1", e2e.root)));
	until(!other_processes());
}

static void killed(struct answer *starting)
{
	struct answer *kills[2];

	fails(ask_kill("c1", NULL, SIGTERM, false), TTRPC_FAILED_PRECONDITION,
	      "container c1 is being restored: failed precondition");
	/* At once: when that has ended there is nothing left to kill. */
	kills[0] = ask_kill("c1", NULL, SIGKILL, false);
	kills[1] = ask_kill("c1", NULL, SIGKILL, true);
	ok(kills[0]);
	ok(kills[1]);
	fails(starting, TTRPC_UNKNOWN,
	      "OCI runtime restore failed: killed before it had started");
	assert_nothing_is_left();
	fails(ask_kill("c1", NULL, SIGKILL, false), TTRPC_NOT_FOUND,
	      "no such container: not found");
}

static void live(const struct reader *r)
{
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	until(!r || r->eof);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* The runtime hangs, with the container there already or not yet. */
static void while_the_runtime_hangs(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	ok(ask_create_from_checkpoint(b, ""));
	for (int after = 0; after < 2; after++) {
		char *at = text("%s/at%d", DIR_OF_TEST, after);
		struct answer *starting;

		script("restore", text("%stouch %s\nhang\n", after ? "after\n" : "", at));
		starting = ask_start("c1", NULL);
		until(exists(at));
		killed(starting);
	}
	script("restore", "");
	live(NULL);
}

/* The container is there, and its client is not: a signal is for the process, SIGKILL is the end. */
static void while_nobody_reads(void **st)
{
	struct bundle *b = shim_for("c1", text("trap : TERM; touch %s; while :; do sleep 1; done",
					       in_dir("trapped")));
	char *out = make_fifo("out");
	struct answer *starting;

	(void)st;
	ok(ask_create_from_checkpoint(b, out));
	starting = ask_start("c1", NULL);
	until(state("c1", NULL)->pid != 0);
	until(exists(in_dir("trapped")));
	kill_task("c1", NULL, SIGTERM);
	kill_task("c1", NULL, SIGKILL);
	fails(starting, TTRPC_UNKNOWN,
	      "OCI runtime restore failed: killed before it had started");
	assert_nothing_is_left();
	live(reader_open(out));
}

/* What it has begun is being undone: that takes its time, and Kill does not wait for it. */
static void while_it_is_undone(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *starting;

	(void)st;
	ok(ask_create_from_checkpoint(b, ""));
	script("restore", "after\nkill_self 9\n");
	script("delete", text("touch %s\nwait_for %s\n", in_dir("at"), in_dir("on")));
	starting = ask_start("c1", NULL);
	until(exists(in_dir("at")));
	kill_task("c1", NULL, SIGKILL);
	assert_false(starting->done);
	write_file(in_dir("on"), "", 0);
	fails_with(starting, TTRPC_UNKNOWN, "OCI runtime restore failed: ");
	assert_nothing_is_left();
	script("restore", "");
	script("delete", "");
	live(NULL);
}

/* Who waits for the end of what was never restored is let go when it is deleted. */
static void waited_for_and_deleted(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	const Task__WaitResponse *w;
	struct answer *waiting;

	(void)st;
	ok(ask_create_from_checkpoint(b, ""));
	waiting = ask_wait("c1", NULL);
	script("delete", "error container does not exist\n");
	delete_task("c1", NULL);
	w = ok(waiting);
	assert_int_equal(w->exit_status, 137);
	assert_int_equal(w->exited_at->seconds, ZERO_TIME);
	shutdown_shim();
}

E2E_GROUP(E2E(while_the_runtime_hangs), E2E(while_nobody_reads), E2E(while_it_is_undone),
	  E2E(waited_for_and_deleted))
