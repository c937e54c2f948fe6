/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to a cgroup: those who are in it get them, and nobody else. */
#include "tests/unit/stats-common.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shim/limits.h"

#define V1 "sys/fs/cgroup/pids/k8s/c1/"
#define V2 "sys/fs/cgroup/c1/"

/* What cgroup.procs is from the moment on when a process is about to be held; NULL: the same. */
static const char *then;

/* The calls that have no function in an older C library. */
long syscall(long number, ...)
{
	int fd, signo;
	pid_t pid;
	va_list ap;

	va_start(ap, number);
	if (number == SYS_pidfd_open) {
		pid = va_arg(ap, pid_t);
		va_end(ap);
		if (then)
			put(V1 "cgroup.procs", then);
		return pidfd_open(pid, 0);
	}
	assert_int_equal(number, SYS_pidfd_send_signal);
	fd = va_arg(ap, int);
	signo = va_arg(ap, int);
	va_end(ap);
	return pidfd_send_signal(fd, signo, NULL, 0);
}

static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* How it ended. */
static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void assert_lives(pid_t pid)
{
	/* Whoever has been sent SIGTERM dies of it when SIGKILL comes later. */
	kill(pid, SIGKILL);
	assert_int_equal(end_of(pid), SIGKILL);
}

static const char *list(const pid_t *pids, size_t n)
{
	static char lines[16384];
	size_t at = 0;

	lines[0] = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(lines + at, sizeof(lines) - at, "%d\n", pids[i]);
	return lines;
}

static void find_v1(void)
{
	then = NULL;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
}

static void find_v2(void)
{
	then = NULL;
	put("proc/self/cgroup", "0::/shim\n");
	put("proc/77/cgroup", "0::/c1\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
}

/* A pid that was listed is another one's by now, who is not in it. */
static void who_has_left(void **st)
{
	pid_t pids[2] = { child(), child() };
	char rest[16];

	(void)st;
	find_v1();
	put(V1 "cgroup.procs", list(pids, 2));
	snprintf(rest, sizeof(rest), "%s", list(pids + 1, 1));
	then = rest;
	assert_int_equal(cgroup_kill(&cg, SIGTERM), 0);
	assert_int_equal(end_of(pids[1]), SIGTERM);
	assert_lives(pids[0]);
}

static void many(void **st)
{
	pid_t pids[2 * LIMIT_KILL_AT_ONCE + 1];
	size_t n = ARRAY_SIZE(pids);

	(void)st;
	for (size_t i = 0; i < n; i++)
		pids[i] = child();
	find_v1();
	put(V1 "cgroup.procs", list(pids, n));
	assert_int_equal(cgroup_kill(&cg, SIGTERM), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(end_of(pids[i]), SIGTERM);
}

/* They are there after each round. */
static void who_does_not_die(void **st)
{
	pid_t pid = child();

	(void)st;
	find_v1();
	put(V1 "cgroup.procs", list(&pid, 1));
	assert_int_equal(cgroup_kill(&cg, SIGKILL), 0);
	assert_int_equal(end_of(pid), SIGKILL);
}

static void without_descriptors(void **st)
{
	pid_t pids[4] = { child(), child(), child(), child() };
	int next = open("/", O_PATH | O_CLOEXEC);
	struct rlimit old, few;

	(void)st;
	close(next);
	find_v1();
	put(V1 "cgroup.procs", list(pids, 4));
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	/* Enough for the list, which takes two. */
	few.rlim_cur = (rlim_t)next + 2;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(cgroup_kill(&cg, SIGTERM), 0);
	setrlimit(RLIMIT_NOFILE, &old);
	for (int i = 0; i < 4; i++)
		assert_int_equal(end_of(pids[i]), SIGTERM);
}

static void kernel_does_it(void **st)
{
	pid_t pid = child();
	char said[8] = "";
	int fd;

	(void)st;
	find_v2();
	put(V2 "cgroup.procs", list(&pid, 1));
	put(V2 "cgroup.kill", "");
	assert_int_equal(cgroup_kill(&cg, SIGKILL), 0);
	fd = open(in_root(V2 "cgroup.kill"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, said, sizeof(said) - 1), 1);
	close(fd);
	assert_string_equal(said, "1");
	/* This one knows no other signal, so it was not that one's doing. */
	assert_int_equal(cgroup_kill(&cg, SIGTERM), 0);
	assert_int_equal(end_of(pid), SIGTERM);
	/* A kernel that cannot do it. */
	pid = child();
	put(V2 "cgroup.procs", list(&pid, 1));
	away(V2 "cgroup.kill");
	assert_int_equal(cgroup_kill(&cg, SIGKILL), 0);
	assert_int_equal(end_of(pid), SIGKILL);
}

/* Whatever it is, it is no container's. */
static void we_are_in_it(void **st)
{
	pid_t pids[2] = { child(), getpid() };

	(void)st;
	find_v2();
	put(V2 "cgroup.procs", list(pids, 2));
	put(V2 "cgroup.kill", "");
	assert_int_equal(cgroup_kill(&cg, SIGKILL), -EPERM);
	assert_lives(pids[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_has_left),	   TEST(many),		 TEST(who_does_not_die),
		TEST(without_descriptors), TEST(kernel_does_it), TEST(we_are_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
