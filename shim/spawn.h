/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting processes. Only spawn.c forks; what it starts is waited for by
 * reap.h. A new process has an empty signal mask, default dispositions and no
 * descriptor but those listed for it.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spawn {
	const char *path; /* of the program; see spawn_find() */
	char *const *argv;
	char *const *envp;
	const char *cwd;  /* NULL: ours; one that is not there: / */
	const int *fds;   /* fds[i] becomes descriptor i of the program; borrowed */
	unsigned n_fds;   /* at least 3 */
	bool own_group;   /* leads a process group of its own (setpgid(2)) */
	bool dies_with_us; /* gets SIGKILL when our only thread ends (PR_SET_PDEATHSIG) */
};

/*
 * Lets us have as many descriptors as the hard limit says, as each program in Go does:
 * the soft one, often 1024, is for who calls select(2). What is started has the old one.
 */
void spawn_raise_files(void);

/*
 * Finds a program as execvp(3) does: a name without "/" in the directories of
 * $PATH. Returns 0, -ENOENT, or -EACCES if all that was found cannot be run.
 */
int spawn_find(const char *name, char path[static PATH_MAX]);

/*
 * Starts a program: *@pid is a child of ours then. Returns a negative errno if
 * there could be no process, or if chdir(2) or execve(2) failed in it (ENOEXEC:
 * the file is no program for this machine).
 */
int spawn_exec(const struct spawn *s, pid_t *pid);

/*
 * Runs @fn in a forked child, for system calls that may sleep in the kernel for
 * ever; what it returns is the exit status. It is single-threaded, sees @arg as
 * it is now, and has the descriptors of @s (of which fds and dies_with_us count)
 * and no other. Negative errno: there could be no process.
 */
int spawn_fork(const struct spawn *s, int (*fn)(void *arg), void *arg, pid_t *pid);

/* The same for one that dies with us, with /dev/null as descriptors 0 and 1, @out_fd as 2. */
int spawn_call(int (*fn)(void *arg), void *arg, int out_fd, pid_t *pid);
