/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweep for orphans, when there are more children than are looked at in one go; and a
 * kernel that is too old.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/limits.h"
#include "shim/reap.h"

static bool is_linux_5_3; /* which knows pidfds, but not how to wait for one */

int waitid(idtype_t type, id_t id, siginfo_t *si, int options)
{
	if (is_linux_5_3 && type != P_ALL && type != P_PID && type != P_PGID) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_waitid, type, id, si, options, NULL);
}

static void kernel_too_old(void **state)
{
	(void)state;
	assert_int_equal(reap_supported(), 0);
	is_linux_5_3 = true;
	assert_int_equal(reap_supported(), -ENOSYS);
	is_linux_5_3 = false;
}

/* Children end when our end of their pipe is closed. */
static int theirs[2], parents[2];

static _Noreturn void await_end(const int line[2])
{
	char c;

	close(theirs[1]);
	close(parents[1]);
	_exit(read(line[0], &c, 1) != 0);
}

static pid_t make_child(bool ends)
{
	pid_t pid = fork();

	if (pid == 0 && ends)
		_exit(0);
	if (pid == 0)
		await_end(theirs);
	assert_true(pid > 0);
	return pid;
}

/* Has a child, of which it tells the pid. */
static pid_t make_parent(pid_t *grandchild)
{
	int tell[2];
	pid_t pid;

	assert_int_equal(pipe(tell), 0);
	pid = fork();
	if (pid == 0) {
		pid_t child = fork();

		if (child == 0)
			await_end(theirs);
		if (write(tell[1], &child, sizeof(child)) == sizeof(child))
			await_end(parents);
		_exit(1);
	}
	assert_int_equal(read(tell[0], grandchild, sizeof(*grandchild)),
			 sizeof(*grandchild));
	close(tell[0]);
	close(tell[1]);
	return pid;
}

static void await_zombie(pid_t pid)
{
	siginfo_t si;

	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
}

static bool is_zombie(pid_t pid)
{
	siginfo_t si = { 0 };

	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT | WNOHANG) == 0 &&
	       si.si_pid == pid;
}

/*
 * LIMIT_LOOK_AT_ONCE, LIMIT_LOOK_PART_MS: behind a zombie that must wait, and many that
 * live, is one that must not.
 */
static void looks_in_parts(void **st)
{
	struct birth b = { 0 };
	pid_t parent, orphan, young;
	struct reaper r;
	struct loop l;
	uint64_t begin;

	(void)st;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		print_message("no PR_SET_CHILD_SUBREAPER, which qemu's users have not\n");
		skip();
	}
	assert_int_equal(pipe(theirs), 0);
	assert_int_equal(pipe(parents), 0);
	assert_int_equal(loop_init(&l), 0);
	reaper_init(&r, &l);
	parent = make_parent(&orphan);
	poll(NULL, 0, 30); /* the kernel tells times apart from 10 ms on */
	reaper_birth_begin(&r, &b);
	young = make_child(true);
	for (int i = 0; i < 2 * LIMIT_LOOK_AT_ONCE + 10; i++)
		make_child(false);
	close(parents[1]);
	await_zombie(parent);
	kill(orphan, SIGKILL);
	await_zombie(orphan);
	await_zombie(young);

	begin = loop_now();
	reaper_sweep(&r);
	loop_round(&l, 0);
	assert_false(is_zombie(parent));
	assert_true(is_zombie(orphan));
	assert_true(r.look_due <= loop_now() + LIMIT_LOOK_PART_MS * LOOP_MSEC);
	loop_round(&l, -1);
	assert_true(is_zombie(orphan));
	loop_round(&l, -1);
	assert_false(is_zombie(orphan));
	assert_true(loop_now() - begin >= 2 * LIMIT_LOOK_PART_MS * LOOP_MSEC);
	assert_true(r.look_due > loop_now() + LIMIT_LOOK_PART_MS * LOOP_MSEC);
	assert_true(is_zombie(young));
	reaper_birth_end(&r, &b);
	loop_round(&l, 0);
	assert_false(is_zombie(young));

	close(theirs[1]);
	close(theirs[0]);
	close(parents[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	reaper_fini(&r);
	loop_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kernel_too_old),
					    cmocka_unit_test(looks_in_parts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
