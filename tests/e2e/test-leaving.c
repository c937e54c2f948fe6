/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a shim leaves and when it stays: Shutdown, leases, signals; and that it
 * does nothing while there is nothing to do.
 */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"

static void shutdown_with_container(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	for (int i = 0; i < 10; i++)
		ok(ask_shutdown());
	assert_true(exists(e2e.path));
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	ok(ask_shutdown()); /* stopped, not deleted: still there */
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A connection that is open at Shutdown is closed, not left hanging. */
static void shutdown_closes_connections(void **st)
{
	struct ttrpc_client other;
	Task__ConnectRequest q = TASK__CONNECT_REQUEST__INIT;
	struct answer *a;

	(void)st;
	run_c1("exit 0");
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	ok(ask_on(&other, V2, "Connect", &q));
	shutdown_shim();
	until(!other.conn);
	a = ask_on(&other, V2, "Connect", &q);
	assert_int_equal(await(a)->code, TTRPC_UNAVAILABLE);
	ttrpc_client_close(&other);
}

/* Nobody ever connects. */
static void lease_without_connection(void **st)
{
	struct bundle *b = bundle("c1", "true");
	struct run *r;
	char *path;

	(void)st;
	e2e.extra_env[0] = "BRASS_LEASE_MS=300";
	r = run_start(b->dir, "c1");
	path = r->out + 7;
	assert_true(exists(path));
	until(!exists(path)); /* the end of the test looks for the process */
}

static void lease_after_connection(void **st)
{
	pid_t server;

	(void)st;
	/* More than it takes us to connect. */
	e2e.extra_env[0] = text("BRASS_LEASE_MS=%d", 600 * e2e.slow);
	shim_for("c1", "true");
	server = e2e.server;
	loop_for(800 * (uint64_t)e2e.slow); /* connected: it stays */
	assert_true(is_alive(server));
	ok(ask_connect(""));
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(e2e.path));
}

/* With a container it stays, connected or not, and also when that has stopped. */
static void no_lease_with_container(void **st)
{
	char *path;

	(void)st;
	e2e.extra_env[0] = "BRASS_LEASE_MS=200";
	run_c1("exec sleep 1000");
	ttrpc_client_close(&e2e.client);
	loop_for(500);
	path = text("%s", e2e.path);
	connect_shim(path);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	ttrpc_client_close(&e2e.client);
	loop_for(500);
	connect_shim(path);
	assert_int_equal(delete_task("c1", NULL)->exit_status, 137);
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(path));
}

static void sigterm_without_container(void **st)
{
	(void)st;
	for (int i = 0; i < 2; i++) {
		shim_for(text("c%d", i), "true");
		kill(e2e.server, i ? SIGINT : SIGTERM);
		assert_int_equal(shim_ended(), 0);
		assert_false(exists(e2e.path));
	}
}

/* It goes when the last container has ended; the true status is on record. */
static void sigterm_with_container(void **st)
{
	struct bundle *b = run_c1(
		text("while [ ! -e %s ]; do sleep 0.01; done; exit 6", in_dir("go")));
	Task__DeleteResponse *d;
	struct run *r;

	(void)st;
	kill(e2e.server, SIGTERM);
	loop_for(200);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	write_file(in_dir("go"), "", 0);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(e2e.path));
	expect_events("create c1", "start c1", "exit c1 c1 6");
	r = run_delete(b->dir, "c1");
	assert_int_equal(r->status, 0);
	d = (void *)protobuf_c_message_unpack(&task__delete_response__descriptor, NULL,
					      r->out_len, (uint8_t *)r->out);
	assert_non_null(d);
	assert_int_equal(d->exit_status, 6);
	protobuf_c_message_free_unpacked(&d->base, NULL);
}

/* Whoever comes late, or is slow, gets what the container has written. */
static void sigterm_and_a_late_reader(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *first = reader_open(io.out), *late;
	char *data = noise(100000, 7);
	struct bundle *b = shim_for("c1", text("while [ ! -e %s ]; do sleep 0.01; done; cat %s",
					       in_dir("go"), in_dir("data")));

	(void)st;
	write_file(in_dir("data"), data, 100000);
	create_io(b, &io);
	start("c1", NULL);
	reader_close(first);
	kill(e2e.server, SIGTERM);
	write_file(in_dir("go"), "", 0);
	expect_events("create c1", "start c1", "exit c1 c1 0");
	loop_for(100); /* it would leave at once, if it did */
	assert_true(is_alive(e2e.server));
	late = reader_open(io.out);
	until(late->eof);
	assert_int_equal(late->len, 100000);
	assert_memory_equal(late->data, data, 100000);
	assert_int_equal(shim_ended(), 0);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

/* What fits into the FIFO is there for who comes later still; for so long it stays. */
static void sigterm_and_nobody_reads(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *first = reader_open(io.out);
	uint64_t since = loop_now();
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	b = shim_for("c1", "echo unread");
	create_io(b, &io);
	reader_close(first);
	kill(e2e.server, SIGTERM);
	start("c1", NULL);
	assert_int_equal(shim_ended(), 0);
	assert_true(loop_now() - since >= 300 * LOOP_MSEC);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

/* The container has ended, and nobody was told yet, since what it wrote is being read. */
static void sigterm_before_the_exit_is_told(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *out = reader_open(io.out);
	struct bundle *b;
	pid_t pid;

	(void)st;
	reader_pause(out, true);
	b = shim_for("c1", "echo unread; exit 3");
	pid = (pid_t)create_io(b, &io);
	start("c1", NULL);
	until(!is_alive(pid));
	kill(e2e.server, SIGTERM);
	expect_events("create c1", "start c1", "exit c1 c1 3");
	reader_pause(out, false);
	until(out->eof);
	assert_string_equal(out->data, "unread\n");
	assert_int_equal(shim_ended(), 0);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

/* stdout and stderr of a process, to a shell script that is its logger. */
static struct stdio logged_by(const char *lines)
{
	char *path = in_dir("logger"), *all = text("#!/bin/sh\n%s", lines);
	struct stdio io = { .out = text("binary://%s", path), .err = text("binary://%s", path) };

	write_file(path, all, strlen(all));
	chmod(path, 0755);
	return io;
}

/* A logger has read all, and has still to write it when the shim is told to end. */
static void sigterm_and_a_slow_logger(void **st)
{
	struct stdio io = logged_by(text("exec 5>&-\nall=$(cat <&3); touch %s\n"
					 "while [ ! -e %s ]; do sleep 0.01; done\n"
					 "echo \"$all\" >%s\n",
					 in_dir("has_read"), in_dir("go"), in_dir("log")));
	struct bundle *b = shim_for("c1", "echo the end");

	(void)st;
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	until(exists(in_dir("has_read")));
	kill(e2e.server, SIGTERM);
	loop_for(100); /* it would leave at once, if it did */
	assert_true(is_alive(e2e.server));
	write_file(in_dir("go"), "", 0);
	assert_int_equal(shim_ended(), 0);
	assert_string_equal(read_file(in_dir("log"), NULL), "the end\n");
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

/* It is waited for as long as other output is, then asked to end; it may write on. */
static void sigterm_and_a_logger_that_stays(void **st)
{
	struct stdio io = logged_by(text("trap 'echo asked >%s' TERM\nexec 5>&-\n"
					 "while [ ! -e %s ]; do sleep 0.01; done\n",
					 in_dir("log"), in_dir("go")));
	uint64_t since = loop_now();
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	b = shim_for("c1", "exec sleep 1000");
	create_io(b, &io);
	start("c1", NULL);
	kill(e2e.server, SIGTERM);
	loop_for(50); /* while its container runs it is not asked to do anything */
	assert_false(exists(in_dir("log")));
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(shim_ended(), 0);
	assert_true(loop_now() - since >= 300 * LOOP_MSEC);
	until(exists(in_dir("log")));
	write_file(in_dir("go"), "", 0);
	until(!other_processes());
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

static void other_signals(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	kill(e2e.server, SIGUSR1);
	kill(e2e.server, SIGPIPE);
	kill(e2e.server, SIGHUP);
	kill(e2e.server, SIGUSR2);
	kill(e2e.server, SIGRTMAX);
	kill(e2e.server, SIGCHLD);
	ok(ask_state("c1", NULL));
	loop_for(50);
	assert_true(is_alive(e2e.server));
	end_c1();
}

/* Orphans of the container are reaped. */
static void orphans_are_reaped(void **st)
{
	pid_t child;

	(void)st;
	run_c1(text("sh -c 'sleep 0.05 & echo $! >%s'; exec sleep 1000",
		    in_dir("child")));
	until(exists(in_dir("child")) && strlen(read_file(in_dir("child"), NULL)) > 1);
	child = (pid_t)strtol(read_file(in_dir("child"), NULL), NULL, 10);
	until(!exists(text("/proc/%d", child)));
	end_c1();
}

/* The log is full and nobody reads it: calls go on. */
static void log_full(void **st)
{
	struct bundle *b = bundle("c1", "exec sleep 1000");
	struct reader *log;
	struct run *r;
	int fd;

	(void)st;
	list_for_each(log, &e2e.readers, link)
		reader_pause(log, true);
	fd = open(text("%s/log", b->dir), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	while (write(fd, "x", 1) == 1)
		;
	r = run_shim(b->dir, NULL, 0, true, ARGS("c1", "-debug", "start"));
	assert_int_equal(r->status, 0);
	connect_shim(r->out + 7);
	create(b);
	start("c1", NULL);
	for (int i = 0; i < 20; i++) {
		char *id = text("e%d", i);

		exec_add("c1", id, "exit 1");
		start("c1", id);
		wait_exit("c1", id);
		delete_task("c1", id);
	}
	close(fd);
	end_c1();
}

/* The log's reader is gone, as when containerd was killed. */
static void log_broken(void **st)
{
	struct bundle *b = bundle("c1", "exec sleep 1000");
	struct reader *log;
	struct run *r = run_shim(b->dir, NULL, 0, true, ARGS("c1", "-debug", "start"));

	(void)st;
	assert_int_equal(r->status, 0);
	connect_shim(r->out + 7);
	list_for_each(log, &e2e.readers, link)
		reader_close(log);
	create(b);
	start("c1", NULL);
	end_c1();
}

static long switches(pid_t pid)
{
	return strtol(proc_status(pid, "voluntary_ctxt_switches"), NULL, 10) +
	       strtol(proc_status(pid, "nonvoluntary_ctxt_switches"), NULL, 10);
}

/* Three seconds with a container, its stdio, a Wait and a connection: not one wake-up. */
static void idle(void **st)
{
	struct bundle *b;
	struct stdio io = { .in = make_fifo("in"),
			    .out = make_fifo("out"),
			    .err = make_fifo("err") };
	struct answer *waiting;
	long before;

	(void)st;
	e2e.extra_env[0] = "BRASS_REST_MS=30";
	b = shim_for("c1", "exec sleep 1000");
	reader_open(io.out);
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	waiting = ask_wait("c1", NULL);
	ok(ask_state("c1", NULL));
	expect_events("create c1", "start c1");
	loop_for(300); /* the acknowledgement of the last event, and a rest */
	before = switches(e2e.server);
	loop_for(3000);
	assert_int_equal(switches(e2e.server), before);
	assert_false(waiting->done);
	end_c1();
}

/* With events that nobody takes: a few wake-ups in two seconds, not hundreds. */
static void idle_without_containerd(void **st)
{
	long before;

	(void)st;
	sink_close();
	run_c1("exec sleep 1000");
	/* Eight tries, each after twice the pause, are over by then: the next is a minute off. */
	loop_for(3000);
	before = switches(e2e.server);
	loop_for(3000);
	assert_int_equal(switches(e2e.server), before);
	sink_open();
	expect_events("create c1", "start c1");
	end_c1();
}

/* Its folder cannot be watched, since it is not there; but somebody connects when it is back. */
static void containerd_out_of_sight(void **st)
{
	struct ttrpc_client other;

	(void)st;
	sink_close();
	snprintf(e2e.ttrpc_address, sizeof(e2e.ttrpc_address), "%s", in_dir("later/ttrpc"));
	run_c1("exec sleep 1000");
	loop_for(3000); /* as above */
	make_folder(in_dir("later"));
	sink_open();
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	assert_int_equal(ttrpc_client_connect(&other), 0);
	until_within(2000, sink_count() == 2);
	ttrpc_client_close(&other);
	expect_events("create c1", "start c1");
	end_c1();
}

/* Its folder is another one when it comes back: that was not the one that was watched. */
static void containerd_elsewhere(void **st)
{
	(void)st;
	sink_close();
	snprintf(e2e.ttrpc_address, sizeof(e2e.ttrpc_address), "%s", in_dir("there/ttrpc"));
	make_folder(in_dir("there"));
	run_c1("exec sleep 1000");
	loop_for(3000); /* as above */
	assert_int_equal(rmdir(in_dir("there")), 0);
	make_folder(in_dir("there"));
	sink_open();
	until_within(2 * LIMIT_EVENT_BLIND_MS, sink_count() == 2);
	expect_events("create c1", "start c1");
	end_c1();
}

E2E_GROUP(E2E(shutdown_with_container), E2E(shutdown_closes_connections),
	  E2E(lease_without_connection), E2E(lease_after_connection),
	  E2E(no_lease_with_container), E2E(sigterm_without_container),
	  E2E(sigterm_with_container),
	  E2E(sigterm_and_a_late_reader), E2E(sigterm_and_nobody_reads),
	  E2E(sigterm_before_the_exit_is_told), E2E(sigterm_and_a_slow_logger),
	  E2E(sigterm_and_a_logger_that_stays), E2E(other_signals), E2E(orphans_are_reaped),
	  E2E(log_full), E2E(log_broken), E2E(idle), E2E(idle_without_containerd),
	  E2E(containerd_out_of_sight), E2E(containerd_elsewhere))
