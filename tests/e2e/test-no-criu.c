/* SPDX-License-Identifier: Apache-2.0 */
/* A shim that was built without criu (CRIU=no) says so, and does everything else. */
#include <stdio.h>

#include "tests/e2e/harness.h"

#define REFUSAL \
	"this shim was built without checkpoint and restore (CRIU=no): not implemented"

/* It lies beside the other one. */
static int setup(void **st)
{
	int r = e2e_setup(st);
	char *slash = strrchr(e2e.shim, '/');

	if (r == 0 && slash)
		snprintf(slash + 1, sizeof(e2e.shim) - (size_t)(slash + 1 - e2e.shim),
			 "shim-without-criu");
	return r;
}

static void checkpoint_is_refused(void **st)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;

	(void)st;
	create(shim_for("c1", "exec sleep 1000"));
	q.id = text("c1");
	q.path = in_dir("images");
	fails(ask("Checkpoint", &q), TTRPC_UNIMPLEMENTED, REFUSAL);
	start("c1", NULL);
	fails(ask("Checkpoint", &q), TTRPC_UNIMPLEMENTED, REFUSAL);
	assert_int_equal(calls_of("checkpoint"), 0);
	assert_false(exists(q.path));
	/* An unknown container is what it is without criu, too. */
	q.id = text("c2");
	fails(ask("Checkpoint", &q), TTRPC_NOT_FOUND, "container not created: not found");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void restore_is_refused(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;

	(void)st;
	q.id = text("c1");
	q.bundle = text("%s", b->dir);
	q.checkpoint = in_dir("images");
	q.options = runc_options();
	fails(ask("Create", &q), TTRPC_UNIMPLEMENTED, REFUSAL);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, NULL);
	expect_no_more_events();
	/* The id is free. */
	create(b);
	delete_task("c1", NULL);
	shutdown_shim();
}

#define NO_CRIU(test) cmocka_unit_test_setup_teardown(test, setup, e2e_teardown)

E2E_GROUP(NO_CRIU(checkpoint_is_refused), NO_CRIU(restore_is_refused))
