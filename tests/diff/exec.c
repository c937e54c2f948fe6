/* SPDX-License-Identifier: Apache-2.0 */
/* Execs: their lives, and how they end with their container. */
#include "tests/diff/diff.h"

#include <stdlib.h>
#include <unistd.h>

static struct box sleeper = { .id = "c1", .command = "exec sleep 1000" };

static void running(void)
{
	sleeper.io = io_of("c1");
	boot(&sleeper);
	do_create(&sleeper);
	do_start("c1", NULL);
}

static void exec_life(void)
{
	struct stdio io = io_with_stdin("e1");
	int fd = io_writer(io.in);
	struct answer *w;

	running();
	do_exec("c1", "e1", "cat; echo err >&2; exit 4", &io);
	do_state("c1", "e1");
	w = ask_wait("c1", "e1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	say_events(4);
	if (write(fd, "input\n", 6) != 6)
		fail_at(HERE, "write");
	wait_output(io.out, "input");
	do_pids("c1");
	close(fd);
	do_state("c1", "e1");
	do_close_io("c1", "e1");
	told(w, "Wait c1/e1, asked before Start");
	do_wait("c1", "e1");
	do_state("c1", "e1");
	say_output(io.out, true);
	say_output(io.err, true);
	do_delete("c1", "e1");
	do_state("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void several(void)
{
	static const char *const names[] = { "e1", "e2", "e3" };

	running();
	for (int i = 0; i < 3; i++) {
		do_exec("c1", names[i], "exec sleep 1000", NULL);
		do_start("c1", names[i]);
	}
	do_pids("c1");
	for (int i = 0; i < 3; i++) {
		do_kill("c1", names[i], SIGTERM, false);
		do_wait("c1", names[i]);
		say_events(1);
		do_delete("c1", names[i]);
	}
	do_end("c1", NULL);
	finish();
}

static void deleted_unstarted(void)
{
	running();
	do_exec("c1", "e1", "exit 1", NULL);
	do_delete("c1", "e1");
	do_exec("c1", "e1", "exit 1", NULL);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void left_behind(void)
{
	running();
	do_exec("c1", "e1", "exit 1", NULL);
	do_exec("c1", "e2", "exit 2", NULL);
	do_start("c1", "e2");
	do_wait("c1", "e2");
	do_end("c1", NULL);
	do_state("c1", "e1");
	finish();
}

static void dies_with_init(void)
{
	struct answer *w;

	running();
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_start("c1", "e1");
	w = ask_wait("c1", "e1");
	do_kill("c1", NULL, SIGKILL, false);
	told(w, "Wait c1/e1");
	do_wait("c1", NULL);
	do_state("c1", "e1");
	do_state("c1", NULL);
	do_delete("c1", "e1");
	do_delete("c1", NULL);
	finish();
}

/* In the host's pid namespace: an exec would survive, but for kill-all. */
static void outlives_init(void)
{
	struct box b = { .id = "c1", .command = "echo ready; read x", .host_pid = true };
	struct answer *w;
	int fd;

	b.io = io_with_stdin("c1");
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	wait_output(b.io.out, "ready");
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_start("c1", "e1");
	w = ask_wait("c1", "e1");
	close(fd);
	do_close_io("c1", NULL);
	do_wait("c1", NULL);
	told(w, "Wait c1/e1");
	do_delete("c1", "e1");
	do_delete("c1", NULL);
	finish();
}

/* Its child holds stdout open: Delete waits, but not for ever. */
static void child_holds_pipe(void)
{
	struct stdio io = io_of("e1");

	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=2000"; /* that of stock */
	running();
	do_exec("c1", "e1", "sleep 1000 & echo done", &io);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	do_delete("c1", "e1");
	say_output(io.out, true);
	do_end("c1", NULL);
	finish();
}

static void in_created(void)
{
	sleeper.io = io_of("c1");
	boot(&sleeper);
	do_create(&sleeper);
	do_exec("c1", "e1", "exit 9", NULL);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	do_delete("c1", "e1");
	do_state("c1", NULL);
	do_start("c1", NULL);
	do_end("c1", NULL);
	finish();
}

/* All that a document can say reaches the process. */
static void document(void)
{
	struct stdio io = io_of("e1");

	running();
	told(ask_exec_json(
		     "c1", "e1",
		     "{\"terminal\":true,\"user\":{\"uid\":1000,\"gid\":1001,"
		     "\"umask\":63,\"additionalGids\":[5,6]},\"cwd\":\"/tmp\","
		     "\"env\":[\"PATH=/bin\",\"A=b c\",\"U=\\u00e4\\n\"],\"args\":"
		     "[\"/bin/sh\",\"-c\",\"id; pwd; echo $A.$U; umask; ulimit -n; cat "
		     "/proc/self/oom_score_adj; head -n 50 /proc/self/status | tr -d '\\t' "
		     "| busybox grep -E '^(Cap|NoNew)'\"],\"rlimits\":[{\"type\":"
		     "\"RLIMIT_NOFILE\",\"soft\":200,\"hard\":200}],\"oomScoreAdj\":"
		     "500,\"noNewPrivileges\":true,\"capabilities\":{\"bounding\":"
		     "[\"CAP_KILL\"],\"ambient\":[],\"effective\":[]},\"future\":"
		     "{\"key\":[1,2.5,null]}}",
		     &io),
	     "Exec c1/e1");
	do_start("c1", "e1");
	do_wait("c1", "e1");
	say_output(io.out, true);
	say_output(io.err, true);
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void long_argument(void)
{
	struct stdio io = io_of("e1");
	char *x = forget_later(malloc(20001));

	memset(x, 'x', 20000);
	x[20000] = 0;
	running();
	do_exec("c1", "e1", text("echo %s | wc -c", x), &io);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	say_output(io.out, true);
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

const struct scenario exec_scenarios[] = {
	{ "exec-life", exec_life },
	{ "exec-several", several },
	{ "exec-deleted-unstarted", deleted_unstarted },
	{ "exec-left-behind", left_behind },
	{ "exec-dies-with-init", dies_with_init },
	{ "exec-outlives-init", outlives_init },
	{ "exec-child-holds-pipe", child_holds_pipe },
	{ "exec-in-created", in_created },
	{ "exec-document", document },
	{ "exec-long-argument", long_argument },
	{ NULL, NULL },
};
