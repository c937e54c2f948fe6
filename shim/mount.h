/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's rootfs (contract 6). mount(2) and umount2(2) may sleep in the
 * kernel for as long as a disk or a server likes, so both functions are made to
 * run in a child (command_call()): they write what went wrong to descriptor 2
 * and return an exit status.
 */
#pragma once

#include <stddef.h>

/* One entry of CreateTaskRequest.rootfs; borrowed strings, "" where absent. */
struct mount {
	const char *type, *source, *target;
	char *const *options;
	size_t n_options;
};

struct mount_plan {
	const char *rootfs; /* the directory; targets are below it */
	const struct mount *mounts;
	size_t n;
};

/* Exit statuses, beside 0. */
enum {
	MOUNT_FAILED =
		1, /* mount_all() has undone what it had mounted, and nothing else */
	MOUNT_LEFT, /* it could not */
};

/* Mounts all of a struct mount_plan in order, or nothing. */
int mount_all(void *plan);

/*
 * Unmounts whatever is mounted on or below a path, deepest first. Nothing there,
 * or no such path, is fine. What is busy is tried for 2.5 s after the last
 * success (contract 6.3); nothing is detached lazily.
 */
int mount_undo(void *path);
