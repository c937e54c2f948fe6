/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What users of other shims suffer from (tests/pains), where no other test is
 * about it already; each is named after its row.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How often the runtime was run so far. */
static size_t runtime_calls(void)
{
	char *at = read_file(text("%s/calls", e2e.scripts), NULL);
	size_t n = 0;

	for (; at && (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* An exec's whole life: one runtime command, and no other process. */
static void pain_3_one_command_per_exec(void **st)
{
	size_t before;

	(void)st;
	run_c1("exec sleep 1000");
	before = runtime_calls();
	exec_add("c1", "e1", "exit 4");
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 4);
	state("c1", "e1");
	delete_task("c1", "e1");
	assert_int_equal(runtime_calls(), before + 1);
	end_c1();
}

/* One thread: there is nothing to lock, and so nothing that can be locked for ever. */
static void pain_8_one_thread(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exec sleep 1000");
	start("c1", "e1");
	assert_string_equal(proc_status(e2e.server, "Threads"), "1");
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	end_c1();
}

/* A thousand failures leave nothing in the bundle, where others grow a log.json. */
static void pain_12_failures_leave_no_file(void **st)
{
	struct bundle *b = run_c1("exec sleep 1000");

	(void)st;
	script("exec", "log_bytes 20000\nerror no luck\n");
	exec_add("c1", "e1", "true");
	for (int i = 0; i < 50; i++)
		fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "no luck");
	assert_false(exists(text("%s/log.json", b->dir)));
	assert_false(exists(text("%s/exec-e1.pid", b->dir)));
	assert_int_equal(count_fds_of(e2e.server, "/memfd:"), 0);
	end_c1();
}

/* Kill, State, Pids and Stats come from cgroup files and pidfds. */
static void pain_20_no_runtime_where_a_file_does(void **st)
{
	Task__StatsRequest q = TASK__STATS_REQUEST__INIT;
	size_t before;

	(void)st;
	if (!e2e.cgroup[0]) {
		print_message("# no cgroup for us\n");
		skip();
	}
	run_c1("exec sleep 1000");
	loop_for(50); /* Pids right after Start waits a little: see limits.h */
	before = runtime_calls();
	state("c1", NULL);
	ok(ask_pids("c1"));
	q.id = text("c1");
	ok(ask("Stats", &q));
	ok(ask_kill("c1", NULL, SIGCONT, false));
	ok(ask_kill("c1", NULL, SIGCONT, true));
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	assert_int_equal(runtime_calls(), before);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A second Start is an error, and nothing else: one exit of the exec, one of the init. */
static void pain_31_start_twice(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exec sleep 1000");
	start("c1", "e1");
	for (int i = 0; i < 3; i++)
		fails(ask_start("c1", "e1"), TTRPC_UNKNOWN,
		      "cannot start a running process");
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 137", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* A data frame for a stream that does not exist. */
static void pain_34_thirteen_bytes(void **st)
{
	static const char frame[13] = "\0\0\0\3\0\0\0\5\3\0abc";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)st;
	run_c1("exec sleep 1000");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", e2e.path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail_at(HERE, "connect: %s", strerror(errno));
	for (int i = 0; i < 10; i++)
		assert_int_equal(send(fd, frame, sizeof(frame), MSG_NOSIGNAL),
				 sizeof(frame));
	loop_for(50);
	close(fd);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	end_c1();
}

E2E_GROUP(E2E(pain_3_one_command_per_exec), E2E(pain_8_one_thread),
	  E2E(pain_12_failures_leave_no_file), E2E(pain_20_no_runtime_where_a_file_does),
	  E2E(pain_31_start_twice), E2E(pain_34_thirteen_bytes))
