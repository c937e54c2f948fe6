/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's bytes: every one arrives, once, in order, whatever the client
 * does with its ends of the FIFOs; and the end of file comes when it should.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/limits.h"

#define MIB (1u << 20)

static void end(void)
{
	delete_task("c1", NULL);
	shutdown_shim();
}

/* 3 MiB on each of stdout and stderr at the same time. */
static void byte_for_byte(void **st)
{
	struct bundle *b = shim_for("c1", two_files_command());

	(void)st;
	two_files_pass(b, NULL);
	end();
}

/* Single bytes, and a reader that sees each when it is written. */
static void bytes_arrive_at_once(void **st)
{
	struct bundle *b =
		shim_for("c1", text("for i in 1 2 3; do printf $i; "
				    "while [ ! -e %s$i ]; do sleep 0.01; done; done",
				    in_dir("go")));
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);

	(void)st;
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	for (size_t i = 1; i <= 3; i++) {
		until(out->len == i);
		write_file(text("%s%zu", in_dir("go"), i), "", 0);
	}
	until(out->eof);
	assert_string_equal(out->data, "123");
	wait_exit("c1", NULL);
	end();
}

/* The client does not read: the container waits, nothing is lost, calls are answered. */
static void slow_reader(void **st)
{
	struct bundle *b =
		shim_for("c1", text("cat %s; touch %s", in_dir("a"), in_dir("written")));
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	char *x = noise(MIB, 44);

	(void)st;
	reader_open(io.err);
	write_file(in_dir("a"), x, MIB);
	reader_pause(out, true);
	create_io(b, &io);
	start("c1", NULL);
	loop_for(200);
	assert_false(exists(in_dir("written")));
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	reader_pause(out, false);
	wait_exit("c1", NULL);
	until(out->eof);
	assert_int_equal(out->len, MIB);
	assert_true(memcmp(out->data, x, MIB) == 0);
	end();
}

/* The reader goes away and another one comes, 20 times: as containerd restarts. */
static void reader_comes_and_goes(void **st)
{
	struct bundle *b = shim_for("c1", text("cat %s", in_dir("a")));
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	char *x = noise(4 * MIB, 45), *got = forget_later(malloc(8 * MIB));
	size_t len = 0;

	(void)st;
	reader_open(io.err);
	write_file(in_dir("a"), x, 4 * MIB);
	create_io(b, &io);
	start("c1", NULL);
	for (size_t i = 0; i < 20; i++) {
		until(out->len > 100000 || out->eof);
		if (out->eof)
			break;
		reader_close(out);
		memcpy(got + len, out->data, out->len);
		len += out->len;
		ok(ask_state("c1", NULL));
		out = reader_open(io.out);
	}
	until(out->eof);
	memcpy(got + len, out->data, out->len);
	len += out->len;
	assert_int_equal(len, 4 * MIB);
	assert_true(memcmp(got, x, len) == 0);
	wait_exit("c1", NULL);
	end();
}

static int open_writer(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	return fd;
}

/* stdin through cat and back, 2 MiB; end of file after close and CloseIO. */
static void stdin_and_its_end(void **st)
{
	struct bundle *b = shim_for("c1", "exec cat");
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	char *x = noise(2 * MIB, 46);
	size_t sent = 0;
	int fd;

	(void)st;
	reader_open(io.err);
	io.in = make_fifo("in");
	create_io(b, &io);
	start("c1", NULL);
	fd = open_writer(io.in);
	while (sent < 2 * MIB) {
		ssize_t n = write(fd, x + sent, 2 * MIB - sent);

		sent += n > 0 ? (size_t)n : 0;
		loop_round(&e2e.loop, n > 0 ? 0 : 2);
	}
	until(out->len == 2 * MIB);
	assert_true(memcmp(out->data, x, 2 * MIB) == 0);
	close(fd);
	loop_for(100); /* the shim's own end keeps it open */
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	ok(ask_close_io("c1", NULL));
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	until(out->eof);
	ok(ask_close_io("c1", NULL)); /* again: harmless */
	end();
}

/* A client detaches from stdin and another one attaches. */
static void stdin_reattached(void **st)
{
	struct bundle *b = shim_for("c1", "exec cat");
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	int fd;

	(void)st;
	reader_open(io.err);
	io.in = make_fifo("in");
	create_io(b, &io);
	start("c1", NULL);
	for (int i = 1; i <= 3; i++) {
		fd = open_writer(io.in);
		assert_int_equal(write(fd, "hello\n", 6), 6);
		close(fd);
		until(out->len == (size_t)i * 6);
	}
	/* CloseIO first, the client's end later: the end comes with the last of them. */
	fd = open_writer(io.in);
	ok(ask_close_io("c1", NULL));
	assert_int_equal(write(fd, "bye\n", 4), 4);
	until(out->len == 22);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	close(fd);
	wait_exit("c1", NULL);
	assert_string_equal(out->data, "hello\nhello\nhello\nbye\n");
	end();
}

/* A stdin that nobody reads does not hold up the shim. */
static void stdin_nobody_reads(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct stdio io = out_and_err();
	char *x = noise(65536, 47);
	int fd;

	(void)st;
	reader_open(io.out);
	reader_open(io.err);
	io.in = make_fifo("in");
	create_io(b, &io);
	start("c1", NULL);
	fd = open_writer(io.in);
	for (int i = 0; i < 10; i++) {
		while (write(fd, x, 65536) > 0)
			;
		loop_for(10);
	}
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	close(fd);
	end();
}

/* Something that the container started holds stdout open after the init's exit. */
static void leftover_child(void **st)
{
	struct bundle *b;
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	struct answer *deleting;
	pid_t child;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	e2e.no_cgroup = true; /* or "delete" would fail while the child lives */
	b = shim_for("c1", text("echo hello; sleep 1000 & echo $! >%s; exit 2",
				in_dir("child")));
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 2);
	child = (pid_t)strtol(read_file(in_dir("child"), NULL), NULL, 10);
	assert_true(is_alive(child));
	deleting = ask_delete("c1", NULL);
	ok(ask_connect("c1"));
	ok(deleting);
	assert_true(deleting->ns >= 250 * LOOP_MSEC);
	assert_true(deleting->ns < 2000 * LOOP_MSEC * (uint64_t)e2e.slow);
	until(out->eof); /* closed by the Delete */
	assert_string_equal(out->data, "hello\n");
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), 0);
	kill(child, SIGKILL);
	shutdown_shim();
}

/* A containerd of before June 2023 loses what it has not read when it knows of the exit. */
static void end_unread(struct stdio *io)
{
	struct reader *out = reader_open(io->out);
	struct answer *waiting;
	struct bundle *b;

	e2e.extra_env[0] = "BRASS_UNREAD_TIMEOUT_MS=60000";
	b = shim_for("c1", text("printf end; touch %s", in_dir("written")));
	if (io->err)
		reader_open(io->err);
	reader_pause(out, true);
	create_io(b, io);
	start("c1", NULL);
	waiting = ask_wait("c1", NULL);
	until(exists(in_dir("written")));
	loop_for(50);
	assert_false(waiting->done);
	reader_pause(out, false);
	until(out->eof);
	assert_string_equal(out->data, "end");
	ok(waiting);
	end();
}

static void exit_is_told_when_all_is_read(void **st)
{
	struct stdio io = out_and_err();

	(void)st;
	end_unread(&io);
}

static void exit_is_told_when_a_terminal_is_read(void **st)
{
	struct stdio io = { .out = make_fifo("out"), .terminal = true };

	(void)st;
	end_unread(&io);
}

/* One that does not read delays it a little, and loses nothing. */
static void exit_is_told_though_nobody_reads(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *out = reader_open(io.out);
	uint64_t since = loop_now();

	(void)st;
	reader_pause(out, true);
	create_io(shim_for("c1", "printf end"), &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	assert_true(loop_now() - since >= LIMIT_UNREAD_MS * LOOP_MSEC);
	reader_pause(out, false);
	until(out->eof);
	assert_string_equal(out->data, "end");
	end();
}

/* A child that goes on writing for a while: Delete waits, nothing is cut off. */
static void late_writer(void **st)
{
	struct bundle *b = shim_for("c1", text("(while [ ! -e %s ]; do sleep 0.01; done; "
					       "echo late) & exit 0",
					       in_dir("go")));
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	struct answer *deleting;

	(void)st;
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	deleting = ask_delete("c1", NULL);
	loop_for(50);
	assert_false(deleting->done);
	write_file(in_dir("go"), "", 0);
	ok(deleting);
	until(out->eof);
	assert_string_equal(out->data, "late\n");
	shutdown_shim();
}

/* stdout and stderr to files: appended, also when both are the same. */
static void regular_files(void **st)
{
	struct bundle *b = shim_for("c1", "echo one; echo two >&2; echo three");
	struct stdio io = { .out = in_dir("file"), .err = in_dir("file") };

	(void)st;
	write_file(io.out, "zero\n", 5);
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	/* Two pipes: what is on stderr may overtake. */
	assert_int_equal(strlen(read_file(io.out, NULL)), 19);
	assert_memory_equal(read_file(io.out, NULL), "zero\n", 5);
	assert_non_null(strstr(read_file(io.out, NULL), "one\n"));
	assert_non_null(strstr(read_file(io.out, NULL), "two\n"));
	assert_non_null(strstr(read_file(io.out, NULL), "three\n"));
	shutdown_shim();
}

static void only_stdout(void **st)
{
	struct bundle *b = shim_for("c1", "echo out; echo err >&2; read x; echo eof $?");
	struct stdio io = { .out = make_fifo("out") };
	struct reader *out = reader_open(io.out);

	(void)st;
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	until(out->eof);
	assert_string_equal(out->data, "out\neof 1\n");
	end();
}

/* Without stdio all three are /dev/null, and can be written. */
static void null_io(void **st)
{
	struct bundle *b = shim_for("c1", "echo x || exit 3; echo y >&2 || exit 4; "
					  "read z && exit 5; exit 0");

	(void)st;
	create(b);
	start("c1", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	end();
}

/* A failed Create leaves nothing: neither pipe nor process, and can be repeated. */
static void create_fails_clean(const struct bundle *b, const struct stdio *io,
			       const char *part)
{
	int fds = count_fds(e2e.server);

	fails_with(ask_create(b, io), TTRPC_UNKNOWN, part);
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), 0);
	assert_int_equal(count_fds(e2e.server), fds);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
}

static void bad_paths(void **st)
{
	struct bundle *b = shim_for("c1", "exit 0");
	struct stdio io = { .out = in_dir("absent"), .err = in_dir("absent") };
	struct answer *a;

	(void)st;
	a = await(ask_create(b, &io));
	assert_int_not_equal(a->code, TTRPC_OK);
	assert_non_null(strstr(a->text, in_dir("absent")));
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), 0);
	io.out = io.err = "gopher://host/path";
	create_fails_clean(b, &io, "unknown STDIO scheme gopher");
	/* A socket is no FIFO that somebody may open yet. */
	io.out = io.err = e2e.ttrpc_address;
	create_fails_clean(b, &io, text("open %s: no such device or address", e2e.ttrpc_address));
	io = out_and_err();
	reader_open(io.out);
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	end();
	expect_events("create c1", "start c1", "exit c1 c1 0", "delete c1 0");
	expect_no_more_events();
}

/* A FIFO that nobody opens: a bounded wait, an error, nothing is left. */
static void fifo_nobody_opens(void **st)
{
	struct bundle *b;
	struct stdio io = out_and_err();
	struct answer *a;
	int fds;

	(void)st;
	e2e.extra_env[0] = "BRASS_FIFO_TIMEOUT_MS=300";
	b = shim_for("c1", "exec sleep 1000");
	fds = count_fds(e2e.server);
	a = ask_create(b, &io);
	ok(ask_connect("c1"));
	await(a);
	assert_int_not_equal(a->code, TTRPC_OK);
	assert_non_null(strstr(a->text, io.out));
	assert_true(a->ns >= 250 * LOOP_MSEC);
	until(count_fds(e2e.server) == fds);
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), 0);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	shutdown_shim(); /* the end of the test looks for processes */
	expect_no_more_events();
}

/* The client is late, but within the bound. */
static void fifo_opened_late(void **st)
{
	struct bundle *b = shim_for("c1", "echo hello");
	struct stdio io = out_and_err();
	struct answer *creating = ask_create(b, &io);
	struct reader *out;

	(void)st;
	loop_for(100);
	assert_false(creating->done);
	out = reader_open(io.out);
	reader_open(io.err);
	ok(creating);
	start("c1", NULL);
	wait_exit("c1", NULL);
	until(out->eof);
	assert_string_equal(out->data, "hello\n");
	end();
}

E2E_GROUP(E2E(byte_for_byte), E2E(bytes_arrive_at_once), E2E(slow_reader),
	  E2E(reader_comes_and_goes), E2E(stdin_and_its_end), E2E(stdin_reattached),
	  E2E(stdin_nobody_reads), E2E(leftover_child), E2E(late_writer),
	  E2E(exit_is_told_when_all_is_read), E2E(exit_is_told_when_a_terminal_is_read),
	  E2E(exit_is_told_though_nobody_reads),
	  E2E(regular_files), E2E(only_stdout), E2E(null_io), E2E(bad_paths),
	  E2E(fifo_nobody_opens), E2E(fifo_opened_late))
