/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork and exec. Programs are started with vfork(2): it copies no page tables,
 * and the child's errno comes back through shared memory, so that "not found"
 * and "exec format error" are known at once, without a pipe. Between vfork and
 * exec only system calls are made, on data that was prepared before.
 */
#include "shim/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/util.h"

#define MAX_FDS 8

/* How many descriptors we were allowed to have; 0: we have not changed that. */
static struct rlimit given;

void spawn_raise_files(void)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &given) < 0)
		return;
	all = given;
	all.rlim_cur = all.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &all) < 0)
		given.rlim_max = 0;
}

int spawn_find(const char *name, char path[static PATH_MAX])
{
	const char *dirs = getenv("PATH"), *end;
	int result = -ENOENT;

	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(path, name, strlen(name) + 1);
		return 0;
	}
	if (!*name || !dirs)
		return -ENOENT;
	for (;; dirs = end + 1) {
		struct stat st;
		size_t len, name_len = strlen(name);

		end = strchrnul(dirs, ':');
		len = (size_t)(end - dirs);
		/* Go, whose users these are, does not run what lies in the current directory. */
		if (len > 0 && len + 1 + name_len < PATH_MAX) {
			memcpy(path, dirs, len);
			path[len] = '/';
			memcpy(path + len + 1, name, name_len + 1);
			if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
				if (access(path, X_OK) == 0)
					return 0;
				result = -EACCES;
			}
		}
		if (!*end)
			return result;
	}
}

/* Async-signal-safe from here on: this runs in a child that shares our memory. */

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* The only dispositions that this program changes. */
	sigaction(SIGPIPE, &dfl, NULL);
	sigaction(SIGXFSZ, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Makes fds[i] descriptor i, without CLOEXEC; a source may be any number. */
static int place_fds(const int *fds, unsigned n)
{
	int moved[MAX_FDS];

	for (unsigned i = 0; i < n; i++) {
		moved[i] = fds[i];
		if (fds[i] < (int)n && fds[i] != (int)i)
			moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, (int)n);
		if (moved[i] < 0)
			return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (moved[i] == (int)i ? fcntl((int)i, F_SETFD, 0) < 0 :
					 dup2(moved[i], (int)i) < 0)
			return -1;
	}
	return 0;
}

/*
 * What was handed to us without CLOEXEC, by whoever started containerd, goes no
 * further. Ours have CLOEXEC anyway, so an old kernel (before 5.11) may refuse.
 */
static void hide_fds(unsigned first)
{
#ifdef SYS_close_range
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4U
#endif
	syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC);
#else
	(void)first;
#endif
}

static void die_with(const struct spawn *s, pid_t parent)
{
	if (!s->dies_with_us)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

static __attribute__((noinline, noreturn)) void exec_child(const struct spawn *s, pid_t parent,
							   volatile int *error)
{
	if (s->own_group)
		setpgid(0, 0);
	die_with(s, parent);
	/* A folder that was removed must not keep what ran in it from being cleaned up. */
	if ((!s->cwd || chdir(s->cwd) == 0 || chdir("/") == 0) && place_fds(s->fds, s->n_fds) == 0) {
		reset_signals();
		hide_fds(s->n_fds);
		if (given.rlim_max)
			setrlimit(RLIMIT_NOFILE, &given);
		execve(s->path, s->argv, s->envp);
	}
	*error = errno;
	_exit(127);
}

int spawn_exec(const struct spawn *s, pid_t *pid)
{
	volatile int error = 0;
	pid_t self = getpid(), child;

	if (s->n_fds > MAX_FDS)
		return -EINVAL;
	child = vfork();
	if (child == 0)
		exec_child(s, self, &error);
	if (child < 0)
		return -errno;
	/* After a failure the child is a zombie that the next sweep takes (reap.h). */
	if (error)
		return -error;
	*pid = child;
	return 0;
}

/* By a list, not by counting: where there is no bound that anybody has set it is a billion. */
static void close_listed(int first)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (fd >= first && fd != dirfd(d))
			close(fd);
	}
	if (d)
		closedir(d);
}

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return;
#endif
	/* A kernel before 5.9. */
	close_listed(first);
}

int spawn_fork(const struct spawn *s, int (*fn)(void *arg), void *arg, pid_t *pid)
{
	pid_t self = getpid(), child;

	if (s->n_fds > MAX_FDS)
		return -EINVAL;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		die_with(s, self);
		if (place_fds(s->fds, s->n_fds) < 0)
			_exit(127);
		close_from((int)s->n_fds);
		reset_signals();
		_exit(fn(arg));
	}
	*pid = child;
	return 0;
}

int spawn_call(int (*fn)(void *arg), void *arg, int out_fd, pid_t *pid)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = { null, null, out_fd };
	const struct spawn s = { .fds = fds, .n_fds = ARRAY_SIZE(fds), .dies_with_us = true };

	return null < 0 ? -errno : spawn_fork(&s, fn, arg, pid);
}
