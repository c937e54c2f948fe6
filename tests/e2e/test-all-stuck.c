/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 1 of the design, all at once: in one pod "runc create", "runc exec", "runc
 * delete", umount2(2), loggers, FIFOs and the sink hang, and a container's output
 * is full. What a call to any container of the pod takes then is compared with what
 * it takes in a shim that has nothing of that, asked in turns with it, so that a
 * busy machine is no excuse, and no reason to fail.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/faults.h"
#include "tests/e2e/mounts.h"

#define POD "io.kubernetes.cri.sandbox-id"
#define CALLS 10000
#define LIMIT (5 * LOOP_MSEC)

static struct faults *faults;
static struct ttrpc_client quiet; /* to the other shim */
static char *quiet_path;

static struct bundle *in_pod(const char *id)
{
	struct bundle like = { .id = id, .annotation = POD, .group = "c1" };

	return bundle_like(&like, "exec sleep 1000");
}

static struct answer *hanging(const char *name, struct answer *a)
{
	until(exists(in_dir(name)));
	return a;
}

/* A script of fake-runc, or a program, that says when it hangs. */
static char *until_go(const char *name)
{
	return text("touch %s\nwait_for %s\n", in_dir(name), in_dir("go"));
}

static char *hanging_logger(const char *name)
{
	char *path = in_dir(text("logger-%s", name)), *sh;

	sh = text("#!/bin/sh\n: >%s\nwhile [ ! -e %s ]; do sleep 0.05; done\n",
		  in_dir(name), in_dir("go"));
	write_file(path, sh, strlen(sh));
	chmod(path, 0755);
	return text("binary://%s", path);
}

/* ------------------------------------------------------------- measuring */

/* Whom the calls are for. */
struct target {
	struct ttrpc_client *client;
	char *id, *done; /* done: the exec that has ended, or "" for an init that has */
};

static struct answer *call(const struct target *t, int i)
{
	Task__ConnectRequest connect = TASK__CONNECT_REQUEST__INIT;
	Task__StateRequest state = TASK__STATE_REQUEST__INIT;
	Task__PidsRequest pids = TASK__PIDS_REQUEST__INIT;
	Task__KillRequest kill = TASK__KILL_REQUEST__INIT;
	Task__StatsRequest stats = TASK__STATS_REQUEST__INIT;
	Task__WaitRequest wait = TASK__WAIT_REQUEST__INIT;

	connect.id = state.id = pids.id = kill.id = stats.id = wait.id = t->id;
	wait.exec_id = t->done;
	kill.signal = SIGCONT;
	switch (i % 6) {
	case 0:
		return ask_on(t->client, V3, "Connect", &connect);
	case 1:
		return ask_on(t->client, V3, "State", &state);
	case 2:
		return ask_on(t->client, V3, "Pids", &pids);
	case 3:
		return ask_on(t->client, V3, "Kill", &kill);
	case 4:
		return ask_on(t->client, V3, "Stats", &stats);
	default:
		return ask_on(t->client, V3, "Wait", &wait);
	}
}

/* How long the call took; it must have been answered as it should. */
static uint64_t measure(const struct target *t, int i)
{
	struct answer *a = await(call(t, i));

	if (a->code != TTRPC_OK &&
	    strcmp(a->text, "process already finished: not found") != 0)
		fail_at(HERE, "call %d on %s: %s", i % 6, t->id, a->text);
	return a->ns;
}

static int by_time(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, uint64_t *ns, int n)
{
	qsort(ns, (size_t)n, sizeof(*ns), by_time);
	print_message("# %s: %d calls, p50 %.3f ms, p99 %.3f ms, longest %.3f ms\n", what,
		      n, (double)ns[n / 2] / LOOP_MSEC,
		      (double)ns[n / 100 * 99] / LOOP_MSEC,
		      (double)ns[n - 1] / LOOP_MSEC);
}

static void compare(const struct target *stuck, size_t n_stuck,
		    const struct target *free_)
{
	static uint64_t there[CALLS], here[CALLS];
	int n = CALLS / e2e.slow;

	for (int i = 0; i < n; i++) {
		there[i] = measure(&stuck[(size_t)(i / 6) % n_stuck], i);
		here[i] = measure(free_, i);
	}
	report("all of it hangs", there, n);
	report("nothing hangs", here, n);
	for (int k = 50; k <= 99; k++) {
		uint64_t p = there[n / 100 * k], q = here[n / 100 * k];

		if (p >= LIMIT && 2 * p > 3 * q)
			fail_at(HERE, "p%d is %.3f ms, and %.3f ms where nothing hangs",
				k, (double)p / LOOP_MSEC, (double)q / LOOP_MSEC);
	}
}

/* --------------------------------------------------------------- the pod */

static void run(const char *id)
{
	ok(ask_start(id, NULL));
}

static void stop(const char *id)
{
	kill_task(id, NULL, SIGKILL);
	wait_exit(id, NULL);
}

/* An exec that has ended and is not deleted, so that a Wait has an answer. */
static void ended_exec(const char *id)
{
	exec_add(id, "done", "exit 4");
	start(id, "done");
	wait_exit(id, "done");
}

static void start_quiet_shim(void)
{
	create(shim_for("q1", "exec sleep 1000"));
	run("q1");
	ended_exec("q1");
	quiet_path = text("%s", e2e.path);
	ttrpc_client_init(&quiet, &e2e.loop, quiet_path);
}

static void end_quiet_shim(void)
{
	ttrpc_client_close(&quiet);
	connect_shim(quiet_path);
	stop("q1");
	delete_task("q1", "done");
	delete_task("q1", NULL);
	shutdown_shim();
}

/* c1 writes more than its client reads, c2 only runs, c3 and c4 are about to be deleted. */
static void start_pod(const struct stdio *full)
{
	struct bundle like = { .id = "c1", .annotation = POD, .group = "c1" };
	struct bundle *b = bundle_like(&like, "yes & exec sleep 1000");

	start_shim(b);
	reader_pause(reader_open(full->out), true);
	reader_open(full->err);
	create_io(b, full);
	run("c1");
	ended_exec("c1");
	create(in_pod("c2"));
	run("c2");
	ended_exec("c2");
	create(in_pod("c3"));
	CREATE(in_pod("c4"), TMPFS);
	for (int i = 3; i <= 4; i++) {
		run(text("c%d", i));
		stop(text("c%d", i));
	}
}

struct stuck {
	struct answer *exec, *exec_fifo, *exec_logger; /* Start of e1, e2, e3 in c1 */
	struct answer *delete, *unmount; /* Delete of c3, c4 */
	struct answer *create, *fifo, *logger; /* Create of c5, c6, c7 */
	struct answer *waiting; /* for c1 */
	struct stdio exec_io, fifo_io;
};

static void let_execs_hang(struct stuck *s)
{
	struct stdio logger = { .out = hanging_logger("l1") };

	s->exec_io = (struct stdio){ .out = make_fifo("out2") };
	logger.err = logger.out;
	script("exec.e1", until_go("e1"));
	exec_add("c1", "e1", "exit 4");
	ok(ask_exec("c1", "e2", "exec sleep 2000", &s->exec_io));
	ok(ask_exec("c1", "e3", "exit 4", &logger));
	s->exec = hanging("e1", ask_start("c1", "e1"));
	s->exec_fifo = ask_start("c1", "e2");
	s->exec_logger = hanging("l1", ask_start("c1", "e3"));
}

static void let_containers_hang(struct stuck *s)
{
	struct stdio logger = { .out = hanging_logger("l2") };

	logger.err = logger.out;
	s->fifo_io = (struct stdio){ .out = make_fifo("out6"), .err = make_fifo("err6") };
	script("delete.c3", until_go("d3"));
	s->delete = hanging("d3", ask_delete("c3", NULL));
	faults->kind = FAULT_UMOUNT;
	faults->hang = faults->armed = 1;
	s->unmount = ask_delete("c4", NULL);
	until(faults->seen > 0);
	script("create.c5", until_go("c5"));
	s->create = hanging("c5", ask_create(in_pod("c5"), NULL));
	s->fifo = ask_create(in_pod("c6"), &s->fifo_io);
	until(calls_of("c6") == 1);
	s->logger = hanging("l2", ask_create(in_pod("c7"), &logger));
}

static void all_still_hang(const struct stuck *s)
{
	assert_false(s->exec->done || s->exec_fifo->done || s->exec_logger->done);
	assert_false(s->delete->done || s->unmount->done || s->waiting->done);
	assert_false(s->create->done || s->fifo->done || s->logger->done);
}

/* Kill finds its exec in whatever its Start is stuck. */
static void kill_execs(const struct stuck *s)
{
	fails(ask_kill("c1", "e1", SIGTERM, false), TTRPC_FAILED_PRECONDITION,
	      "process not created: failed precondition");
	for (int i = 1; i <= 3; i++) {
		struct answer *a = ask_kill("c1", text("e%d", i), SIGKILL, false);

		ok(a);
		if (a->ns > LOOP_SEC * (uint64_t)e2e.slow)
			fail_at(HERE, "Kill of e%d: %d ms", i, (int)(a->ns / LOOP_MSEC));
	}
	fails(s->exec, TTRPC_UNKNOWN,
	      "OCI runtime exec failed: killed before it had started");
	fails_with(s->exec_fifo, TTRPC_UNKNOWN, "killed before it had started");
	fails_with(s->exec_logger, TTRPC_UNKNOWN, "killed before it had started");
	until(!strstr(other_processes(), "sleep 2000"));
	for (int i = 1; i <= 3; i++) {
		wait_exit("c1", text("e%d", i));
		delete_task("c1", text("e%d", i));
	}
}

static void let_go(const struct stuck *s)
{
	write_file(in_dir("go"), "", 0);
	faults->hang = 0;
	sink_set(SINK_TAKE);
	reader_open(s->fifo_io.out);
	reader_open(s->fifo_io.err);
	ok(s->delete);
	ok(s->unmount);
	ok(s->create);
	ok(s->fifo);
	ok(s->logger);
	assert_null(own_mounts());
}

static void all_at_once(void **st)
{
	char c1[] = "c1", c2[] = "c2", c3[] = "c3", c4[] = "c4", q1[] = "q1",
	     done[] = "done", init[] = "";
	const struct target pod[] = { { &e2e.client, c1, done },
				      { &e2e.client, c2, done },
				      { &e2e.client, c3, init },
				      { &e2e.client, c4, init } };
	const struct target other = { &quiet, q1, done };
	const struct stdio full = { .out = make_fifo("out"), .err = make_fifo("err") };
	struct stuck s;

	(void)st;
	faults = faults_open(FAULT_SERVER);
	/* Longer than the slowest machine measures. */
	e2e.extra_env[3] = "BRASS_FIFO_TIMEOUT_MS=600000";
	e2e.extra_env[4] = "BRASS_MOUNT_TIMEOUT_MS=600000";
	start_quiet_shim();
	sink_set(SINK_SILENT);
	start_pod(&full);
	let_execs_hang(&s);
	let_containers_hang(&s);
	s.waiting = ask_wait("c1", NULL);
	compare(pod, 4, &other);
	all_still_hang(&s);
	kill_execs(&s);
	ok(ask_kill("c1", NULL, SIGKILL, true));
	assert_int_equal(as_wait(ok(s.waiting))->exit_status, 137);
	let_go(&s);
	for (int i = 1; i <= 7; i++)
		if (i < 3 || i > 4)
			await(ask_kill(text("c%d", i), NULL, SIGKILL, true));
	for (int i = 1; i <= 7; i++)
		if (i < 3 || i > 4)
			delete_task(text("c%d", i), NULL);
	shutdown_shim();
	end_quiet_shim();
	faults_close(faults);
}

/* "runc exec" has put its process into the container, and hangs: that one is killed, too. */
static void kill_after_the_pid_file(void **st)
{
	struct answer *starting;

	(void)st;
	create(shim_for("c1", "exec sleep 1000"));
	run("c1");
	script("exec.e1", text("ignore_term\nafter\n%s", until_go("e1")));
	exec_add("c1", "e1", "exec sleep 2000");
	starting = hanging("e1", ask_start("c1", "e1"));
	until(strstr(other_processes(), "sleep 2000")); /* forked, and then executed */
	ok(ask_kill("c1", "e1", SIGKILL, false));
	fails_with(starting, TTRPC_UNKNOWN, "killed before it had started");
	until(!strstr(other_processes(), "sleep 2000"));
	/* It can be started again. */
	script("exec.e1", "");
	start("c1", "e1");
	kill_task("c1", "e1", SIGKILL);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 137);
	delete_task("c1", "e1");
	stop("c1");
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 137", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
}

E2E_GROUP(E2E(all_at_once), E2E(kill_after_the_pid_file))
