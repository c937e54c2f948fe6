/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroups (contract 8.1, 8.5): where they are, v1 and v2, and its
 * processes. What is in their other files is for stats.c and oom.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The hierarchies of v1 that are used; in v2 all are the same directory. */
enum cgroup_controller {
	/* Those that a runtime always joins, the best one for listing first. */
	CGROUP_PIDS,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_SYSTEMD,
	/* Those that are only read. */
	CGROUP_CPUACCT,
	CGROUP_BLKIO,
	CGROUP_HUGETLB,
	CGROUP_RDMA,
	N_CGROUP_CONTROLLERS,
};

struct cgroup {
	bool unified; /* cgroup v2 */
	uint16_t shared; /* bits of controllers: we are in that cgroup ourselves */
	/*
	 * A directory is a mount point and a path below it. Most of them occur more
	 * than once, so each is kept once: in @text, found by its offset.
	 */
	struct cgroup_place {
		uint16_t point; /* 0: there is no such hierarchy */
		uint16_t path;
	} place[N_CGROUP_CONTROLLERS];
	uint16_t text_len;
	char *text; /* NULL: unknown */
};

/*
 * Finds the cgroups of a living process. Negative errno; -EXDEV: the one that
 * would tell its processes is one that we are in ourselves, so it is not the
 * container's alone: it can be read, but cgroup_pids() and cgroup_kill() see none.
 */
int cgroup_find(struct cgroup *cg, pid_t pid);
void cgroup_release(struct cgroup *cg);

/* The same for a machine whose files are below @root, which is a v2 one if @unified. */
int cgroup_find_below(struct cgroup *cg, const char *root, bool unified, pid_t pid);

static inline bool cgroup_is_known(const struct cgroup *cg)
{
	return cg->text;
}

static inline bool cgroup_has(const struct cgroup *cg, enum cgroup_controller c)
{
	return cg->text && cg->place[c].point;
}

/* It has this controller, in a cgroup that we are not in ourselves. */
static inline bool cgroup_owns(const struct cgroup *cg, enum cgroup_controller c)
{
	return cgroup_has(cg, c) && !(cg->shared & 1u << c);
}

/* Where the directory is, for messages: two strings, one behind the other. */
const char *cgroup_point(const struct cgroup *cg, enum cgroup_controller c);
const char *cgroup_path(const struct cgroup *cg, enum cgroup_controller c);

/* A path of /proc/PID/cgroup, as seen from a mount of which @root is the visible part. */
const char *cgroup_seen_below(const char *path, const char *root);

/* Its directory, for openat(2), or a negative errno; -ENOENT: none, or it is gone. */
int cgroup_open(const struct cgroup *cg, enum cgroup_controller c);

/*
 * v2: has all cgroups above it hand down all controllers of the machine, so that
 * Stats finds what it counts. Negative errno: the one right above it does not.
 */
int cgroup_enable_controllers(const struct cgroup *cg);

/*
 * All processes in it and below it; *pids is malloc()ed. A cgroup that is gone
 * has none. Negative errno: ENOMEM, ENOENT (never found).
 */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n);
/* The same of the cgroup whose directory @dir is. */
int cgroup_pids_in(int dir, pid_t **pids, size_t *n);

/*
 * Sends a signal to every process in it, with SIGKILL until none is left. A
 * cgroup that we are in ourselves is no container's: -EPERM.
 */
int cgroup_kill(const struct cgroup *cg, int signo);
/* SIGKILL to all in the cgroup whose directory @dir is. */
int cgroup_kill_in(int dir);

/*
 * Removes what a runtime that was killed has left of the cgroups of container @id, in
 * all hierarchies, and ends who is in them. @path: linux.cgroupsPath, or NULL; if its
 * last part is not @id they may be another's, and stay. In a child of the shim or of
 * "delete"; @root as above. What cannot be removed is named on descriptor 2: negative
 * errno.
 */
int cgroup_remove(const char *root, const char *path, const char *id);

/*
 * Lets a paused container run, so that it can die of a SIGKILL; in v2 it dies of that
 * frozen as well, but runc calls paused, and does not delete, what is dead and frozen.
 * Negative errno.
 */
int cgroup_thaw(const struct cgroup *cg);
