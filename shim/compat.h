/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and constants that the C library or its headers may be too old
 * for. The sys_…() functions return a negative errno: -ENOSYS on a kernel that
 * is older than the one named. Descriptors that they make are CLOEXEC.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all architectures but alpha and mips. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#define MOUNT_ATTR_NOEXEC 0x08
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef RESOLVE_NO_SYMLINKS
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_IN_ROOT 0x10
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000
#endif

/* Linux 5.8. */
#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
	uint32_t fd, block_size;
	struct loop_info64 info;
	uint64_t reserved[8];
};
#endif

/* openat2(2), Linux 5.6. */
static inline int sys_openat2(int dir, const char *path, int flags, uint64_t resolve)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { (uint64_t)(flags | O_CLOEXEC), 0, resolve };
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* A detached copy of the mount at a path, with those below it or not; Linux 5.2. */
static inline int sys_clone_mount(const char *path, bool recursive)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
			      OPEN_TREE_CLONE | O_CLOEXEC |
				      (recursive ? AT_RECURSIVE : 0));

	return fd < 0 ? -errno : fd;
}

/* Attaches a detached mount where a descriptor points to; Linux 5.2. */
static inline int sys_attach_mount(int tree, int target)
{
	return syscall(SYS_move_mount, tree, "", target, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/*
 * Sets MOUNT_ATTR_… of a detached mount and of all below it, @userns is for
 * MOUNT_ATTR_IDMAP; Linux 5.12.
 */
static inline int sys_mount_setattr(int tree, uint64_t set, int userns)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attr = { set, 0, MS_PRIVATE, (uint64_t)userns };

	return syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
		       sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

/*
 * The magic number of the file system that is mounted at a path, 0 if it is no
 * mount point. Unlike statfs(2) this never asks the file system, which may hang;
 * Linux 6.8.
 */
static inline int64_t sys_mount_magic(const char *path)
{
	struct {
		uint32_t size, spare;
		uint64_t id, mask;
	} request = { .size = 24, .mask = 1 /* STATMOUNT_SB_BASIC */ };
	struct {
		uint32_t size, options;
		uint64_t mask;
		uint32_t major, minor;
		uint64_t magic;
		uint8_t more[480];
	} answer = { 0 };
	struct statx st;

	if (statx(AT_FDCWD, path,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_MNT_ID_UNIQUE, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID_UNIQUE))
		return -ENOSYS;
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	/* glibc's struct may end before stx_mnt_id, at byte 144 since Linux 5.8. */
	memcpy(&request.id, (const char *)&st + 144, sizeof(request.id));
	if (syscall(SYS_statmount, &request, &answer, sizeof(answer), 0U) < 0)
		return -errno;
	return (int64_t)answer.magic;
}
