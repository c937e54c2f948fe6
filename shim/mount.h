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

/* Mounts all of a struct mount_plan, or, having undone what it did, nothing. */
int mount_all(void *plan);

/* Unmounts whatever is mounted on or below a path, deepest first. Nothing there is fine. */
int mount_undo(void *path);
