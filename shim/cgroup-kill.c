/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals to all processes of a cgroup. In v2 the kernel kills them itself (cgroup.kill,
 * since 5.14). Else a pid that was read may be another one's by the time it is used, so
 * the process is held by a pidfd while it is looked whether that pid is still listed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/cgroup.h"
#include "shim/limits.h"
#include "shim/util.h"

/* A container's cgroup, or, without one, that of a directory. */
struct target {
	const struct cgroup *cg;
	int dir;
};

static int list_pids(const struct target *t, pid_t **pids, size_t *n)
{
	return t->cg ? cgroup_pids(t->cg, pids, n) : cgroup_pids_in(t->dir, pids, n);
}

static int compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* @fd: its pidfd, or why there is none. */
static void send_signal(pid_t pid, int fd, int signo)
{
	if (fd >= 0)
		syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0U);
	else if (fd != -ESRCH)
		kill(pid, signo); /* no descriptors, or no memory */
}

static int signal_some(const struct target *t, const pid_t *pids, size_t n, int signo)
{
	int fds[LIMIT_KILL_AT_ONCE];
	_cleanup_free_ pid_t *now = NULL;
	size_t n_now = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0U);
		if (fds[i] < 0)
			fds[i] = -errno;
	}
	r = list_pids(t, &now, &n_now);
	if (r == 0 && n_now > 0)
		qsort(now, n_now, sizeof(*now), compare);
	for (size_t i = 0; i < n; i++) {
		/* Without descriptors for that look: better a signal too many than none. */
		if (r < 0 || (n_now > 0 && bsearch(&pids[i], now, n_now, sizeof(*now), compare)))
			send_signal(pids[i], fds[i], signo);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? 0 : r;
}

static bool kernel_kills(const struct target *t)
{
	_cleanup_close_ int own = -1, fd = -1;
	int dir;

	if (t->cg && !t->cg->unified)
		return false;
	if (t->cg)
		own = cgroup_open(t->cg, CGROUP_PIDS);
	dir = t->cg ? own : t->dir;
	fd = dir < 0 ? -1 : openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write_all(fd, "1", 1) == 0;
}

static int kill_all(const struct target *t, int signo)
{
	for (int round = 0; round < LIMIT_KILL_ROUNDS; round++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t n, some;
		int r = list_pids(t, &pids, &n);

		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (pids[i] == getpid())
				return -EPERM;
		if (n == 0 || (signo == SIGKILL && kernel_kills(t)))
			return 0;
		for (size_t i = 0; i < n; i += some) {
			some = n - i < LIMIT_KILL_AT_ONCE ? n - i : LIMIT_KILL_AT_ONCE;
			r = signal_some(t, pids + i, some, signo);
			if (r < 0)
				return r;
		}
		if (signo != SIGKILL)
			return 0;
	}
	return 0;
}

int cgroup_kill(const struct cgroup *cg, int signo)
{
	return kill_all(&(struct target){ .cg = cg, .dir = -1 }, signo);
}

int cgroup_kill_in(int dir)
{
	return kill_all(&(struct target){ .dir = dir }, SIGKILL);
}
