/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 1 of the design: while a runtime command of one process hangs, everything
 * else of the pod is answered at once. Two containers share one shim here.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <unistd.h>

#define POD "io.kubernetes.cri.sandbox-id"
#define AT_ONCE (50 * LOOP_MSEC)

static struct bundle *second(const char *id)
{
	struct bundle like = { .id = id, .annotation = POD, .group = "c1" };

	return bundle_like(&like, "exec sleep 1000");
}

/* c1 runs in a shim of its own, c2 is about to be created in it. */
static struct bundle *pod(void)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000"), *b2 = second("c2");
	struct run *r;

	create(b);
	start("c1", NULL);
	r = run_start(b2->dir, "c2");
	assert_int_equal(r->status, 0);
	assert_string_equal(r->out + 7, e2e.path);
	return b2;
}

static void at_once(struct where w, struct answer *a)
{
	ok_at(w, a);
	if (a->ns > AT_ONCE * (uint64_t)e2e.slow)
		fail_at(w, "answered after %d ms", (int)(a->ns / LOOP_MSEC));
}

/* All calls that must not hang, on container @id, many times. */
static void answers(struct where w, const char *id)
{
	struct answer *waiting = ask_wait(id, NULL);

	for (int i = 0; i < 20; i++) {
		at_once(w, ask_connect(id));
		at_once(w, ask_state(id, NULL));
		at_once(w, ask_pids(id));
		at_once(w, ask_kill(id, NULL, SIGCONT, false));
		at_once(w, ask_shutdown()); /* there are containers: nothing happens */
	}
	if (waiting->done)
		fail_at(w, "Wait was answered: %s", waiting->text);
}

static const char *until_go(void)
{
	return text("touch %s\nwait_for %s\n", in_dir("hangs"), in_dir("go"));
}

static void go(void)
{
	write_file(in_dir("go"), "", 0);
}

static void create_of_another_hangs(void **st)
{
	struct bundle *b2 = pod();
	struct answer *hanging;

	(void)st;
	script("create.c2", until_go());
	hanging = ask_create(b2, NULL);
	until(exists(in_dir("hangs")));
	answers(HERE, "c1");
	at_once(HERE, ask_connect("c2"));
	fails(ask_state("c2", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	/* Longer work goes on as well. */
	exec_add("c1", "e1", "exit 4");
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 4);
	delete_task("c1", "e1");
	assert_false(hanging->done);
	go();
	ok(hanging);
	delete_task("c2", NULL);
	end_c1();
}

static void start_hangs(void **st)
{
	struct bundle *b2 = pod();
	struct answer *hanging;

	(void)st;
	create(b2);
	script("start.c2", until_go());
	hanging = ask_start("c2", NULL);
	until(exists(in_dir("hangs")));
	answers(HERE, "c1");
	answers(HERE, "c2");
	assert_false(hanging->done);
	go();
	ok(hanging);
	ok(ask_kill("c2", NULL, SIGKILL, false));
	wait_exit("c2", NULL);
	delete_task("c2", NULL);
	end_c1();
}

static void exec_hangs(void **st)
{
	struct answer *hanging;

	(void)st;
	pod();
	script("exec.e1", until_go());
	exec_add("c1", "e1", "exit 4");
	hanging = ask_start("c1", "e1");
	until(exists(in_dir("hangs")));
	answers(HERE, "c1");
	at_once(HERE, ask_exec("c1", "e2", "exit 5", NULL));
	start("c1", "e2");
	assert_int_equal(wait_exit("c1", "e2")->exit_status, 5);
	assert_false(hanging->done);
	go();
	ok(hanging);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 4);
	end_c1();
}

static void delete_hangs(void **st)
{
	struct bundle *b2 = pod();
	struct answer *hanging, *again;

	(void)st;
	create(b2);
	start("c2", NULL);
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	script("delete.c2", until_go());
	hanging = ask_delete("c2", NULL);
	until(exists(in_dir("hangs")));
	answers(HERE, "c1");
	at_once(HERE, ask_state("c2", NULL));
	at_once(HERE, ask_wait("c2", NULL));
	at_once(HERE, ask_connect("c2"));
	again = ask_delete("c2", NULL); /* the client gave up and tries again */
	at_once(HERE, ask_state("c2", NULL));
	assert_false(hanging->done);
	go();
	ok(hanging);
	await(again);
	assert_true(again->code == TTRPC_OK || again->code == TTRPC_NOT_FOUND);
	fails(ask_delete("c2", NULL), TTRPC_NOT_FOUND,
	      "container not created: not found");
	end_c1();
}

/* A runtime whose "kill" hangs keeps its Kill, and nothing else. */
static void kill_hangs(void **st)
{
	struct answer *a;
	uint32_t pid;

	(void)st;
	pod();
	pid = state("c1", NULL)->pid;
	script("kill.c1", until_go());
	a = ask_kill("c1", NULL, SIGKILL, false);
	for (int i = 0; i < 20; i++) {
		at_once(HERE, ask_connect("c1"));
		at_once(HERE, ask_state("c1", NULL));
	}
	go();
	await(a);
	wait_exit("c1", NULL);
	assert_false(is_alive((pid_t)pid));
	delete_task("c1", NULL);
	shutdown_shim();
}

/* The FIFO of another container is opened by nobody. */
static void fifo_hangs(void **st)
{
	struct bundle *b2 = pod();
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	struct answer *hanging = ask_create(b2, &io);

	(void)st;
	until(calls_of("create") == 2);
	answers(HERE, "c1");
	assert_false(hanging->done);
	reader_open(io.out);
	reader_open(io.err);
	ok(hanging);
	delete_task("c2", NULL);
	end_c1();
}

/* The sink is silent. */
static void sink_hangs(void **st)
{
	struct bundle *b2;

	(void)st;
	sink_set(SINK_SILENT);
	b2 = pod();
	answers(HERE, "c1");
	create(b2);
	start("c2", NULL);
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	delete_task("c2", NULL);
	sink_set(SINK_TAKE);
	expect_events("create c1", "start c1", "create c2", "start c2", "exit c2 c2 137",
		      "delete c2 137");
	end_c1();
}

/* The client hangs up in the middle of Create: the shim lives on. */
static void client_hangs_up(void **st)
{
	struct bundle *b2 = pod();
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	struct ttrpc_client other;
	struct answer *a;

	(void)st;
	script("create.c2", until_go());
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	q.id = text("c2");
	q.bundle = text("%s", b2->dir);
	q.options = runc_options();
	ask_on(&other, V2, "Create", &q);
	until(exists(in_dir("hangs")));
	ttrpc_client_close(&other);
	answers(HERE, "c1");
	go();
	/* Either finished or undone, but soon; and it can be deleted. */
	until((a = await(ask_create(b2, NULL)))->code != TTRPC_ALREADY_EXISTS ||
	      await(ask_state("c2", NULL))->code == TTRPC_OK);
	delete_task("c2", NULL);
	end_c1();
}

E2E_GROUP(E2E(create_of_another_hangs), E2E(start_hangs), E2E(exec_hangs),
	  E2E(delete_hangs), E2E(kill_hangs), E2E(fifo_hangs), E2E(sink_hangs),
	  E2E(client_hangs_up))
