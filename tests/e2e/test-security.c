/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody who is not trusted (.github/SECURITY.md) might have put in the way:
 * links among the files of a bundle and where output goes, pid files that lie about
 * an exec. And what must not reach a runtime or a logger: descriptors, variables.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *victim;

static void make_victim(void)
{
	victim = in_dir("victim");
	write_file(victim, "precious", 8);
}

static void is_untouched(void)
{
	struct stat st;
	size_t len;

	assert_string_equal(read_file(victim, &len), "precious");
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

/* Whatever the shim writes into a bundle, it does not write through a link. */
static void links_in_the_bundle(void **st)
{
	static const char *const names[] = { "address",	    "options.json", "runtime",
					     "shim",	    "init.pid",	    "exit",
					     "exec-e1.pid", "address.new",  "exit.new" };
	struct bundle *b = bundle("c1", "exec sleep 1000");

	(void)st;
	make_victim();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(symlink(victim, text("%s/%s", b->dir, names[i])), 0);
	start_shim(b);
	create(b);
	start("c1", NULL);
	exec_add("c1", "e1", "exit 3");
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 3);
	delete_task("c1", "e1");
	end_c1();
	run_delete(b->dir, "c1");
	is_untouched();
}

/* Nor does "delete" believe what is behind one. */
static void links_that_delete_reads(void **st)
{
	struct bundle *b = bundle("c1", "exec sleep 1000");
	char *record = in_dir("record");
	struct run *r;

	(void)st;
	write_file(record, "1 0 5 0\n", 8);
	assert_int_equal(symlink(record, text("%s/exit", b->dir)), 0);
	assert_int_equal(symlink(record, text("%s/init.pid", b->dir)), 0);
	assert_int_equal(symlink(record, text("%s/shim", b->dir)), 0);
	r = run_delete(b->dir, "c1");
	assert_int_equal(r->status, 0);
	assert_true(is_alive(1));
	/* 137, a varint of two bytes: nobody knows how it ended (contract 1.12). */
	assert_non_null(memmem(r->out, r->out_len, "\x10\x89\x01", 3));
}

/* A log, and FIFOs, in a folder that others can write to. */
static void links_where_output_goes(void **st)
{
	struct bundle *b;
	char *open_dir = in_dir("open"), *link = in_dir("open/link");
	struct stdio io = { .out = text("file://%s", link) };

	(void)st;
	make_victim();
	mkdir(open_dir, 0755);
	chmod(open_dir, 0777);
	assert_int_equal(symlink(victim, link), 0);
	b = shim_for("c1", "echo hello; exec sleep 1000");
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
		   "too many levels of symbolic links");
	io.out = link;
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
		   "too many levels of symbolic links");
	io = (struct stdio){ .in = link };
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
		   "too many levels of symbolic links");
	/* A link to nothing must not make a file somewhere. */
	unlink(link);
	assert_int_equal(symlink(in_dir("made"), link), 0);
	io = (struct stdio){ .out = text("file://%s", link) };
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
		   "too many levels of symbolic links");
	assert_false(exists(in_dir("made")));
	is_untouched();
	/* Another user's link, wherever it is. */
	chmod(open_dir, 0755);
	if (lchown(link, 65534, 65534) == 0)
		fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
			   "too many levels of symbolic links");
	/* One's own, where nobody else can put one, is followed. */
	unlink(link);
	assert_int_equal(symlink(in_dir("made"), link), 0);
	create_io(b, &io);
	start("c1", NULL);
	until(read_file(in_dir("made"), NULL));
	until(!strcmp(read_file(in_dir("made"), NULL), "hello\n"));
	end_c1();
}

static void exec_pid_files_that_lie(void **st)
{
	static const char *const lies[] = {
		"0", "-1", "1", "", "no", "12 ", "4194303", "99999999999999999999"
	};
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	pid_t stranger = getpid();

	(void)st;
	create(b);
	start("c1", NULL);
	exec_add("c1", "e1", "exit 3");
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		print_message("# \"%s\"\n", lies[i]);
		script("exec", text("init_exits 0\npid_file_says %s\n", lies[i]));
		fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "exec pid");
	}
	/* They are there, and not the shim's: the shim, its subreaper's parent. */
	script("exec", text("init_exits 0\npid_file_says %d\n", e2e.server));
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "no child of this shim");
	script("exec", text("init_exits 0\npid_file_says %d\n", stranger));
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "exec pid");
	/* Nor is anybody killed because a runtime that was killed has named him. */
	script("exec",
	       text("init_exits 0\npid_file_says %d\nafter\nkill_self 9\n", e2e.server));
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "illed");
	script("exec", text("init_exits 0\npid_file_says %u\nafter\nkill_self 9\n",
			    state("c1", NULL)->pid));
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "illed");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	script("exec", "");
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 3);
	delete_task("c1", "e1");
	end_c1();
}

static int count_of(const char *in, const char *what)
{
	int n = 0;

	while ((in = strstr(in, what)) && in++)
		n++;
	return n;
}

/* Says what it has got, then copies. */
static char *make_logger(void)
{
	char *path = in_dir("logger"), *sh;

	sh = text(
		"#!/bin/sh\nls -l /proc/$$/fd >%s\ntr '\\0' '\\n' </proc/$$/environ >%s\n"
		"exec 5>&-\ncat <&4 >%s & cat <&3 >%s\nwait\n",
		in_dir("fds"), in_dir("environ"), in_dir("err"), in_dir("out"));
	write_file(path, sh, strlen(sh));
	chmod(path, 0755);
	return text("binary://%s?k=v", path);
}

/* Two loggers: each has its two pipes and its word "ready", its two variables, all bytes. */
static void what_a_logger_gets(void **st)
{
	struct bundle *b = shim_for("c1", "seq 100000; echo err >&2; exec sleep 1000");
	struct stdio io = { .out = make_logger() };
	int before = count_fds_of(e2e.server, "pipe:");
	char *fds;
	pid_t pid;
	size_t len;

	(void)st;
	io.err = io.out;
	create_io(b, &io);
	start("c1", NULL);
	until(exists(in_dir("out")) && (read_file(in_dir("out"), &len), len == 588895));
	until(!strcmp(read_file(in_dir("err"), NULL), "err\n"));
	assert_string_equal(read_file(in_dir("environ"), NULL),
			    "CONTAINER_ID=c1\nCONTAINER_NAMESPACE=" NS "\n");
	/* stdio, the pipes, the word; the script itself, and where ls writes. */
	fds = read_file(in_dir("fds"), NULL);
	assert_int_equal(count_of(fds, "-> /dev/null"), 3);
	assert_int_equal(count_of(fds, "-> pipe:"), 3);
	assert_in_range(count_of(fds, "-> "), 6, 8);
	assert_int_equal(count_of(fds, "socket:") + count_of(fds, "anon_inode:"), 0);
	/* The container has the pipes, and none of the logger's others. */
	pid = (pid_t)state("c1", NULL)->pid;
	assert_int_equal(count_fds(pid), 3);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), before);
	assert_null(other_processes());
	shutdown_shim();
}

/* It says nothing and lives: Create goes on when its time is up, with an error. */
static void logger_is_never_ready(void **st)
{
	struct stdio io;
	struct bundle *b;
	char *path = in_dir("logger"), *sh = text("#!/bin/sh\nexec sleep 3000\n");
	int before;

	(void)st;
	e2e.extra_env[0] = "BRASS_FIFO_TIMEOUT_MS=300";
	b = shim_for("c1", "exec sleep 1000");
	write_file(path, sh, strlen(sh));
	chmod(path, 0755);
	io = (struct stdio){ .out = text("binary://%s", path) };
	io.err = io.out;
	before = count_fds(e2e.server);
	for (int i = 0; i < 3; i++)
		fails_with(ask_create(b, &io), TTRPC_UNKNOWN,
			   "logging binary did not call ready in time");
	until(!other_processes());
	until(count_fds(e2e.server) == before);
	shutdown_shim();
}

/* NOTIFY_SOCKET is systemd's word to containerd, and nobody else's (contract 4.1). */
static void what_the_runtime_gets(void **st)
{
	char *wrapper = in_dir("wrapper"), *sh, *env;
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "NOTIFY_SOCKET=/run/systemd/notify";
	e2e.extra_env[1] = "OF_THE_DAEMON=1";
	sh = text("#!/bin/sh\nenv >>%s\nls -l /proc/$$/fd >>%s\nexec %s \"$@\"\n",
		  in_dir("environ"), in_dir("fds"), e2e.fake);
	write_file(wrapper, sh, strlen(sh));
	chmod(wrapper, 0755);
	e2e.binary_name = wrapper;
	b = shim_for("c1", "exec sleep 1000");
	create(b);
	start("c1", NULL);
	env = read_file(in_dir("environ"), NULL);
	assert_non_null(strstr(env, "OF_THE_DAEMON=1"));
	assert_null(strstr(env, "NOTIFY_SOCKET"));
	/* Neither sockets nor epoll: stdio, and the script itself. */
	env = read_file(in_dir("fds"), NULL);
	assert_null(strstr(env, "socket:"));
	assert_null(strstr(env, "anon_inode:"));
	end_c1();
}

E2E_GROUP(E2E(links_in_the_bundle), E2E(links_that_delete_reads),
	  E2E(links_where_output_goes), E2E(exec_pid_files_that_lie),
	  E2E(what_a_logger_gets), E2E(logger_is_never_ready), E2E(what_the_runtime_gets))
