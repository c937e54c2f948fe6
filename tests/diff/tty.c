/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: output, sizes, stdin's end, of the init and of execs. */
#include "tests/diff/diff.h"

#include <unistd.h>

/* "stderr" is empty: a terminal has but one output. */
static struct stdio terminal(const char *id, bool in)
{
	struct stdio io = in ? io_with_stdin(id) : io_of(id);

	io.err = NULL;
	io.terminal = true;
	return io;
}

static void output(void)
{
	struct box b = { .id = "c1",
			 .terminal = true,
			 .command = "echo hello; echo oops >&2; exit 7" };

	b.io = terminal("c1", false);
	boot(&b);
	do_create(&b);
	do_state("c1", NULL);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	say_output(b.io.out, true);
	do_delete("c1", NULL);
	say("ptmx in the shim", "%d",
	    count_fds_of(e2e.server, "/dev/ptmx") +
		    count_fds_of(e2e.server, "/dev/pts/ptmx"));
	finish();
}

static void megabyte(void)
{
	struct box b = { .id = "c1",
			 .terminal = true,
			 .command = "yes 0123456789abcde | head -n 65536" };

	b.io = terminal("c1", false);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	say_output(b.io.out, true);
	do_delete("c1", NULL);
	finish();
}

static void sizes(void)
{
	struct box b = { .id = "c1",
			 .terminal = true,
			 .command = "stty size; read x; stty size; read x; exit 2" };
	int fd;

	b.io = terminal("c1", true);
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_resize("c1", NULL, 123, 45);
	do_start("c1", NULL);
	wait_output(b.io.out, "45 123");
	do_resize("c1", NULL, 65536 + 100, 65536 + 50); /* cut to 16 bits */
	if (write(fd, "\n", 1) != 1)
		fail_at(HERE, "write");
	wait_output(b.io.out, "50 100");
	if (write(fd, "\n", 1) != 1)
		fail_at(HERE, "write");
	do_wait("c1", NULL);
	do_resize("c1", NULL, 80, 25);
	say_output(b.io.out, true);
	close(fd);
	do_close_io("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

/* The end of stdin hangs the terminal up. */
static void stdin_end(void)
{
	struct box b = { .id = "c1",
			 .terminal = true,
			 .command =
				 "trap '' HUP; echo ready; while read x; do echo got $x; "
				 "done; exit 4" };
	int fd;

	b.io = terminal("c1", true);
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	wait_output(b.io.out, "ready");
	if (write(fd, "line\n", 5) != 5)
		fail_at(HERE, "write");
	wait_output(b.io.out, "got line");
	close(fd);
	do_state("c1", NULL);
	do_close_io("c1", NULL);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void control_c(void)
{
	struct box b = {
		.id = "c1",
		.terminal = true,
		.command = "trap 'exit 9' INT; echo ready; while :; do read x; done"
	};
	int fd;

	b.io = terminal("c1", true);
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	wait_output(b.io.out, "ready");
	if (write(fd, "\3", 1) != 1)
		fail_at(HERE, "write");
	do_wait("c1", NULL);
	say_output(b.io.out, true);
	close(fd);
	do_delete("c1", NULL);
	finish();
}

static void of_exec(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = terminal("e1", true);
	int fd = io_writer(io.in);

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "stty size; read x; stty size; exit 6", &io);
	do_start("c1", "e1");
	do_state("c1", "e1");
	wait_output(io.out, "standard input"); /* it has no size yet */
	do_resize("c1", "e1", 100, 50);
	if (write(fd, "\n", 1) != 1)
		fail_at(HERE, "write");
	do_wait("c1", "e1");
	say_output(io.out, true);
	do_resize("c1", "e1", 80, 25);
	do_state("c1", "e1");
	do_delete("c1", "e1");
	close(fd);
	do_end("c1", NULL);
	finish();
}

/* There is no terminal yet that could have a size. */
static void exec_resized_early(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = terminal("e1", false);

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "stty size; exit 6", &io);
	do_resize("c1", "e1", 100, 50);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	say_output(io.out, true);
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void exec_megabyte(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = terminal("e1", false);

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "yes 0123456789abcde | head -n 65536", &io);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	say_output(io.out, true);
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void killed(void)
{
	struct box b = { .id = "c1", .terminal = true, .command = "exec sleep 1000" };

	b.io = terminal("c1", true);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_pids("c1");
	do_end("c1", NULL);
	say_output(b.io.out, true);
	finish();
}

static void deleted_before_start(void)
{
	struct box b = { .id = "c1", .terminal = true, .command = "exec sleep 1000" };

	b.io = terminal("c1", false);
	boot(&b);
	do_create(&b);
	do_resize("c1", NULL, 80, 25);
	do_kill("c1", NULL, SIGKILL, false);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void create_fails(void)
{
	struct box b = { .id = "c1", .terminal = true, .args = "[\"/no/such/program\"]" };

	b.io = terminal("c1", false);
	boot(&b);
	do_create(&b);
	do_state("c1", NULL);
	finish();
}

static void exec_fails(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = terminal("e1", false);

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1",
			   "{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
			   "\"env\":[],\"args\":[\"/no/such/program\"]}",
			   &io),
	     "Exec c1/e1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

const struct scenario tty_scenarios[] = {
	{ "tty-output", output },
	{ "tty-megabyte", megabyte },
	{ "tty-sizes", sizes },
	{ "tty-stdin-end", stdin_end },
	{ "tty-control-c", control_c },
	{ "tty-exec", of_exec },
	{ "tty-exec-resized-early", exec_resized_early },
	{ "tty-exec-megabyte", exec_megabyte },
	{ "tty-killed", killed },
	{ "tty-deleted-before-start", deleted_before_start },
	{ "tty-create-fails", create_fails },
	{ "tty-exec-fails", exec_fails },
	{ NULL, NULL },
};
