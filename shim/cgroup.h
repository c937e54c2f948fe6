/* SPDX-License-Identifier: Apache-2.0 */
/* A container's cgroup, as far as its processes go (contract 8.1, 8.5); v1 and v2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cgroup {
	char *dir; /* in one hierarchy that has every process of it; NULL: unknown */
	bool unified; /* cgroup v2 */
};

/*
 * Finds the cgroup of a living process. Negative errno; -EXDEV: it is one that
 * we are in ourselves, so it is not the container's alone.
 */
int cgroup_find(struct cgroup *cg, pid_t pid);
void cgroup_release(struct cgroup *cg);

/*
 * All processes in it and below it; *pids is malloc()ed. A cgroup that is gone
 * has none. Negative errno: ENOMEM, ENOENT (never found).
 */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n);

/*
 * Sends a signal to every process in it, with SIGKILL until none is left. A
 * cgroup that we are in ourselves is no container's: -EPERM.
 */
int cgroup_kill(const struct cgroup *cg, int signo);
