/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log files: a process of ours writes them, so that a disk that stands still
 * (fsfreeze(8)) holds up nobody but who writes to it, and what was written is there
 * when it goes on.
 */
#include "tests/e2e/disk.h"
#include "tests/e2e/tool.h"

#include <stdlib.h>
#include <sys/stat.h>

#define COUNT "while [ ! -e " DIR_OF_TEST "/go ]; do sleep 0.01; done; "

static char *log_name(void)
{
	return text("file://%s/disk/log", DIR_OF_TEST);
}

static char *log_text(size_t *len)
{
	return read_file(text("%s/disk/log", DIR_OF_TEST), len);
}

static pid_t writer_of(const char *id)
{
	struct run *r = TOOL("inspect", id, "--compact");
	char *at = strstr(r->out, "\"logger_pid\":");

	if (r->status != 0)
		fail_at(HERE, "inspect: %s", r->err);
	return at ? (pid_t)strtol(at + strlen("\"logger_pid\":"), NULL, 10) : 0;
}

/* All calls but the one that waits for the disk. */
static void pod_lives(void)
{
	struct bundle like = { .id = "c2",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };

	ok(ask_state("c1", NULL));
	ok(ask_pids("c1"));
	ok(ask_connect("c1"));
	create(bundle_like(&like, "exit 3"));
	start("c2", NULL);
	assert_int_equal(wait_exit("c2", NULL)->exit_status, 3);
	delete_task("c2", NULL);
}

/* The lines 1, 2, 3, … and perhaps the beginning of one more. */
static void is_beginning_of_count(const char *data, size_t len)
{
	const char *at = data;

	for (long n = 1; at < data + len; n++) {
		char *line = text("%ld\n", n);
		size_t left = (size_t)(data + len - at), size = strlen(line);

		assert_memory_equal(at, line, left < size ? left : size);
		at += size;
	}
}

static void disk_stands_still(void **st)
{
	struct bundle like = { .id = "c1",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };
	struct stdio io = { .out = log_name() };
	struct answer *deleting;
	struct bundle *b;
	pid_t writer;
	size_t len;
	char *data;

	(void)st;
	disk_make(in_dir("disk"));
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	b = bundle_like(&like, COUNT "exec seq 1 200000");
	start_shim(b);
	create_io(b, &io);
	writer = writer_of("c1");
	start("c1", NULL);
	disk_freeze();
	write_file(in_dir("go"), "", 0);
	until(disk_holds(writer));
	pod_lives();
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	deleting = ask_delete("c1", NULL);
	ok(ask_connect("c1"));
	ok(deleting);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	assert_true(disk_holds(writer));
	shutdown_shim();
	/* What the container had written by then is written when the disk goes on. */
	disk_thaw();
	until(!is_alive(writer));
	data = log_text(&len);
	assert_true(len >= 65536);
	is_beginning_of_count(data, len);
	disk_end();
}

static void disk_stands_still_at_create(void **st)
{
	struct stdio io = { .out = log_name() };
	struct bundle *b;

	(void)st;
	disk_make(in_dir("disk"));
	e2e.extra_env[0] = "BRASS_FIFO_TIMEOUT_MS=300";
	b = shim_for("c1", "exit 0");
	disk_freeze();
	fails_with(ask_create(b, &io), TTRPC_DEADLINE_EXCEEDED,
		   text("open %s/disk/log: its disk did not answer in time",
			DIR_OF_TEST));
	disk_thaw();
	until(!other_processes());
	/* And it can be repeated. */
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	disk_end();
}

/* Another one takes over, and nothing is lost that the first had not read. */
static void writer_is_killed(void **st)
{
	struct stdio io = { .out = text("file://%s", in_dir("log")) };
	struct bundle *b = shim_for("c1", "seq 1 100; " COUNT "seq 101 50000");
	char *all;
	size_t len;
	pid_t first;

	(void)st;
	create_io(b, &io);
	first = writer_of("c1");
	start("c1", NULL);
	until((all = read_file(in_dir("log"), NULL)) && strstr(all, "\n100\n"));
	kill(first, SIGKILL);
	until(!is_alive(first));
	write_file(in_dir("go"), "", 0);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	assert_int_not_equal(writer_of("c1"), first);
	delete_task("c1", NULL);
	all = read_file(in_dir("log"), &len);
	is_beginning_of_count(all, len);
	assert_string_equal(all + len - 7, "\n50000\n");
	shutdown_shim();
}

/* The same when nobody waits for it any more: Delete starts one for what is left. */
static void writer_is_killed_at_the_end(void **st)
{
	struct stdio io = { .out = text("file://%s", in_dir("log")) };
	struct bundle *b = shim_for("c1", "seq 1 1000");
	size_t len;
	pid_t first;
	char *all;

	(void)st;
	create_io(b, &io);
	first = writer_of("c1");
	kill(first, SIGSTOP);
	start("c1", NULL);
	wait_exit("c1", NULL);
	kill(first, SIGKILL);
	until(!writer_of("c1"));
	delete_task("c1", NULL);
	all = read_file(in_dir("log"), &len);
	is_beginning_of_count(all, len);
	assert_string_equal(all + len - 6, "\n1000\n");
	shutdown_shim();
}

/*
 * An exec's output is a file whose writer is slow, so that its end is what its Delete has
 * waited for: nothing of the exec is there any more when that was told.
 */
static void exec_deleted_before_its_writer(bool terminal)
{
	struct stdio io = { .out = text("file://%s", in_dir("log")), .terminal = terminal };
	struct answer *deleting;
	pid_t writer;
	size_t len;
	char *all;

	run_c1("exec sleep 1000");
	ok(ask_exec("c1", "e1", COUNT "exec seq 1 1000", &io));
	start("c1", "e1");
	writer = writer_of("c1");
	assert_true(writer > 0);
	kill(writer, SIGSTOP);
	write_file(in_dir("go"), "", 0);
	wait_exit("c1", "e1");
	deleting = ask_delete("c1", "e1");
	loop_for(50);
	assert_false(deleting->done);
	kill(writer, SIGCONT);
	ok(deleting);
	fails_with(ask_state("c1", "e1"), TTRPC_NOT_FOUND, "");
	all = read_file(in_dir("log"), &len);
	assert_int_equal(len, terminal ? 4893 : 3893);
	assert_non_null(strstr(all, terminal ? "999\r\n1000\r\n" : "999\n1000\n"));
	end_c1();
}

static void exec_is_deleted(void **st)
{
	(void)st;
	exec_deleted_before_its_writer(false);
}

static void exec_is_deleted_later(void **st)
{
	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=1";
	exec_deleted_before_its_writer(false);
}

static void exec_with_terminal_is_deleted(void **st)
{
	(void)st;
	exec_deleted_before_its_writer(true);
}

/* A child of the container holds its output open: Delete waits, then nobody writes. */
static void leftover_child(void **st)
{
	struct stdio io = { .out = text("file://%s", in_dir("log")) };
	struct answer *deleting;
	struct bundle *b;
	pid_t child, writer;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	e2e.no_cgroup = true; /* or "delete" would fail while the child lives */
	b = shim_for("c1", text("echo hello; sleep 1000 & echo $! >%s; exit 2",
				in_dir("child")));
	create_io(b, &io);
	writer = writer_of("c1");
	start("c1", NULL);
	wait_exit("c1", NULL);
	child = (pid_t)strtol(read_file(in_dir("child"), NULL), NULL, 10);
	deleting = ask_delete("c1", NULL);
	ok(ask_connect("c1"));
	ok(deleting);
	assert_true(deleting->ns >= 250 * LOOP_MSEC);
	until(!is_alive(writer));
	assert_string_equal(read_file(in_dir("log"), NULL), "hello\n");
	kill(child, SIGKILL);
	shutdown_shim();
}

/* Runs a container whose output is a log file, to its end; what is in it then. */
static char *logged(struct bundle *b, struct stdio io)
{
	io.out = text("file://%s", in_dir("log"));
	create_io(b, &io);
	assert_int_equal(count_fds_of(e2e.server, in_dir("log")), 0);
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	return read_file(in_dir("log"), NULL);
}

static void two_outputs(void **st)
{
	char *all = logged(shim_for("c1", "echo out; echo err >&2"),
			   (struct stdio){ .err = "x" });

	(void)st;
	assert_int_equal(strlen(all), 8);
	assert_non_null(strstr(all, "out\n"));
	assert_non_null(strstr(all, "err\n"));
}

static void terminal(void **st)
{
	(void)st;
	assert_string_equal(logged(shim_for("c1", "echo out; echo err >&2"),
				   (struct stdio){ .terminal = true }),
			    "out\r\nerr\r\n");
}

/* Through the shim, which counts, and then the writer. */
static void log_policy(void **st)
{
	struct bundle like = { .id = "c1",
			       .annotation = "io.brass.log.rate",
			       .group = "1000" };
	struct bundle *b = bundle_like(&like, "seq 1 100");
	char *all;

	(void)st;
	start_shim(b);
	all = logged(b, (struct stdio){ 0 });
	is_beginning_of_count(all, strlen(all));
	assert_int_equal(strlen(all), 292);
}

E2E_GROUP(E2E(disk_stands_still), E2E(disk_stands_still_at_create), E2E(writer_is_killed),
	  E2E(writer_is_killed_at_the_end), E2E(exec_is_deleted), E2E(exec_is_deleted_later),
	  E2E(exec_with_terminal_is_deleted), E2E(leftover_child), E2E(two_outputs),
	  E2E(terminal), E2E(log_policy))
