/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of mount.h share. All of this runs in a child of the shim that
 * does nothing else: it may sleep, change its directory and leak until it exits.
 * A function that returns "0 or MOUNT_FAILED" has said why on descriptor 2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shim/mount.h"

int mount_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------ mount-options.c (contract 6.1) */

struct mount_options {
	unsigned long flags; /* MS_… */
	bool loop, direct_io;
	const char *uidmap, *gidmap; /* both or none; borrowed */
	const char *
		*data; /* what is for the file system, in order; strings are borrowed */
	size_t n_data;
};

/* Sorts a mount's options. 0 or MOUNT_FAILED; release in both cases. */
int mount_options_parse(const struct mount *m, struct mount_options *o);
void mount_options_release(struct mount_options *o);
/* The bytes of all data, commas included. */
size_t mount_options_size(const struct mount_options *o);
/* All data, comma-joined, malloc()ed; NULL: out of memory. "" without any. */
char *mount_options_join(const struct mount_options *o);

/* ------------------------------------------------------------- mount-overlay.c */

/*
 * An overlay of many layers has more options than the page that the kernel
 * takes. Makes lowerdir relative to the directory that all layers share, and
 * moves it to the end: *@dir is where the caller is to go before it mounts,
 * *@word is the new option, which @o borrows; the caller frees both. They stay
 * NULL if there is nothing to share. Returns 0 or -ENOMEM.
 */
int overlay_compact(struct mount_options *o, char **dir, char **word);

/*
 * Walks the lower layers: the path of the next one, unescaped and malloc()ed, in
 * *@path. *@at is NULL at first. Returns 1, 0 after the last one, or -ENOMEM.
 */
int overlay_next_layer(const struct mount_options *o, const char **at, char **path);

/* -------------------------------------------------------------- mount-target.c */

/*
 * Resolves @target with @root (a directory's descriptor) as root directory, as
 * chroot(2) would: neither ".." nor a symbolic link leads out of it. Returns an
 * O_PATH descriptor or a negative errno.
 */
int target_open(int root, const char *target);
/* The same for kernels that have no openat2(2). */
int target_walk(int root, const char *target);

/* ---------------------------------------------------------------- mount-loop.c */

/*
 * Attaches a file to a free loop device, which lives until the descriptor that
 * is returned and all mounts of it are gone. -MOUNT_FAILED.
 */
int loop_attach(const char *file, const struct mount_options *o, char device[static 32]);

/* --------------------------------------------------------------- mount-idmap.c */

/*
 * Each returns a descriptor or -MOUNT_FAILED. The maps of a user namespace are
 * "CONTAINER:HOST:SIZE[,…]".
 */
int userns_open(const char *uidmap, const char *gidmap);

/* A copy of what is mounted at @path, for rbind with all below it, idmapped. */
int idmap_clone(const char *path, const struct mount_options *o, int userns);

/*
 * Lets @mount mount something on @dir in a mount namespace of its own, where
 * nobody sees it, and brings it from there. An overlay's layers are idmapped
 * there before, another file system afterwards.
 */
int idmap_apart(const char *dir, const struct mount_options *o, bool overlay, int userns,
		int (*mount)(void *arg), void *arg);

/* ---------------------------------------------------------------- mount-fuse.c */

/* The helper program for a type ("mount.fuse3" for "fuse3.x"), or NULL. */
const char *fuse_helper(const char *type);
/* Lets the helper mount. 0 or MOUNT_FAILED. */
int fuse_mount(const struct mount *m, const char *target);
/* fusermount3 or fusermount -u; true if one of them has done it. */
bool fuse_unmount(const char *path);
bool fuse_is_type(const char *type);
#define FUSE_MAGIC 0x65735546

/* ---------------------------------------------------------------- mount-undo.c */

/* Unmounts what was mounted last on @path, with all below that. 0 or MOUNT_FAILED. */
int unmount_last(const char *path);
