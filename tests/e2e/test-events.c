/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events while containerd is away, silent or refusing: all of them arrive, once,
 * in order, when it is back.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>

/* A whole life of @id in the shim that is there. */
static void live(const char *id, int status)
{
	struct bundle like = { .id = id,
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };
	struct bundle *b = bundle_like(&like, text("exit %d", status));

	create(b);
	start(id, NULL);
	wait_exit(id, NULL);
	delete_task(id, NULL);
}

static void expect_life(const char *id, int status)
{
	expect_events(text("create %s", id), text("start %s", id),
		      text("exit %s %s %d", id, id, status),
		      text("delete %s %d", id, status));
}

static void shim(void)
{
	struct bundle like = { .id = "pause",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };

	start_shim(bundle_like(&like, "true"));
}

static void sink_comes_late(void **st)
{
	(void)st;
	sink_close();
	shim();
	for (int i = 0; i < 20; i++)
		live(text("c%d", i), i);
	assert_int_equal(sink_count(), 0);
	sink_open();
	for (int i = 0; i < 20; i++)
		expect_life(text("c%d", i), i);
	shutdown_shim();
	expect_no_more_events();
}

/* containerd restarts ten times, at any moment. */
static void sink_comes_and_goes(void **st)
{
	(void)st;
	shim();
	for (int i = 0; i < 10; i++) {
		live(text("a%d", i), 1);
		sink_close();
		live(text("b%d", i), 2);
		sink_open();
	}
	for (int i = 0; i < 10; i++) {
		expect_life(text("a%d", i), 1);
		expect_life(text("b%d", i), 2);
	}
	shutdown_shim();
	expect_no_more_events();
}

/* It hangs with an event in hand, and dies: that event was not acknowledged. */
static void sink_dies_with_an_event(void **st)
{
	(void)st;
	sink_set(SINK_SILENT);
	shim();
	live("c1", 1);
	sink_close();
	live("c2", 2);
	sink_open();
	sink_set(SINK_TAKE);
	expect_life("c1", 1);
	expect_life("c2", 2);
	shutdown_shim();
	expect_no_more_events();
}

/* It hangs with an event in hand, and has a successor before it closes the connection. */
static void sink_has_a_successor(void **st)
{
	static struct ttrpc_client other;

	(void)st;
	sink_set(SINK_SILENT);
	shim();
	live("c1", 1);
	sink_supersede();
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	assert_int_equal(ttrpc_client_connect(&other), 0);
	live("c2", 2);
	sink_open();
	expect_life("c1", 1);
	expect_life("c2", 2);
	ttrpc_client_close(&other);
	shutdown_shim();
	expect_no_more_events();
}

/* It refuses for a while: tried again, in order. */
static void sink_refuses(void **st)
{
	(void)st;
	sink_set(SINK_REFUSE);
	shim();
	live("c1", 1);
	live("c2", 2);
	sink_set(SINK_TAKE);
	until_within(20000, sink_count() == 8);
	expect_life("c1", 1);
	expect_life("c2", 2);
	shutdown_shim();
	expect_no_more_events();
}

/* Its answers are errors for a while: the same. */
static void sink_fails(void **st)
{
	(void)st;
	sink_set(SINK_FAIL);
	shim();
	live("c1", 1);
	live("c2", 2);
	until(sink_failed() > 3);
	sink_set(SINK_TAKE);
	expect_life("c1", 1);
	expect_life("c2", 2);
	shutdown_shim();
	expect_no_more_events();
}

/* 300 execs while nobody listens: the order of each is kept, no exit is lost. */
static void many_events(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	sink_close();
	create(b);
	start("c1", NULL);
	for (int i = 0; i < 300; i++) {
		char *id = text("e%d", i);

		exec_add("c1", id, "exit 3");
		start("c1", id);
		wait_exit("c1", id);
		delete_task("c1", id);
	}
	sink_open();
	expect_events("create c1", "start c1");
	for (int i = 0; i < 300; i++)
		expect_events(text("exec-added c1 e%d", i),
			      text("exec-started c1 e%d", i), text("exit c1 e%d 3", i));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	expect_events("exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* After Shutdown the last events are still offered, and not for ever. */
static void shutdown_without_sink(void **st)
{
	uint64_t begin;
	pid_t server;

	(void)st;
	shim();
	live("c1", 1);
	expect_life("c1", 1);
	sink_close();
	live("c2", 2);
	server = e2e.server;
	begin = loop_now();
	ok(ask_shutdown());
	assert_false(exists(e2e.path));
	ttrpc_client_close(&e2e.client);
	loop_for(300);
	assert_true(is_alive(server));
	sink_open();
	expect_life("c2", 2);
	assert_int_equal(shim_ended(), 0);
	assert_true(loop_now() - begin < 5 * LOOP_SEC);
}

/* Nobody ever comes: it ends all the same. */
static void shutdown_and_no_sink_ever(void **st)
{
	(void)st;
	sink_close();
	shim();
	live("c1", 1);
	ok(ask_shutdown());
	ttrpc_client_close(&e2e.client);
	shim_ended_at(HERE, 12000);
	sink_open();
}

E2E_GROUP(E2E(sink_comes_late), E2E(sink_comes_and_goes), E2E(sink_dies_with_an_event),
	  E2E(sink_has_a_successor), E2E(sink_refuses), E2E(sink_fails), E2E(many_events), E2E(shutdown_without_sink),
	  E2E(shutdown_and_no_sink_ever))
