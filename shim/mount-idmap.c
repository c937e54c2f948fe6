/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idmapped mounts: a container that has a user namespace sees the files of its
 * rootfs as owned by its own users. The kernel takes the maps as a descriptor of
 * a user namespace, and idmaps detached mounts only, so what is to be idmapped
 * is made out of sight and attached at last.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "shim/compat.h"
#include "shim/err.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/reap.h"
#include "shim/spawn.h"
#include "shim/util.h"


/* ------------------------------------------------------ user namespace */

/* Runs in the helper: it keeps a user namespace alive until nobody listens any more. */
static int hold_userns(void *unused)
{
	struct pollfd p = { .fd = 2 };
	char error = unshare(CLONE_NEWUSER) < 0 ? (char)errno : 0;

	(void)unused;
	if (write(2, &error, 1) != 1 || error)
		return 1;
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	return 0;
}

/* "C:H:N[,C:H:N…]" as the lines "C H N" of a map; NULL: it is no map. */
static char *map_lines(const char *map)
{
	char *lines = str_printf("%s\n", map);
	unsigned colons = 0;

	for (char *p = lines; p && *p; p++) {
		if (*p == ':' && ++colons <= 2) {
			*p = ' ';
		} else if ((*p == ',' || *p == '\n') && colons == 2) {
			*p = '\n';
			colons = 0;
		} else if (*p < '0' || *p > '9') {
			free(lines);
			return NULL;
		}
	}
	return lines;
}

static int write_map(pid_t pid, const char *name, const char *map)
{
	_cleanup_free_ char *lines = map_lines(map);
	_cleanup_close_ int fd = -1;
	char path[64];
	int r;

	if (!lines)
		return mount_fail("\"%s\" is no %s (CONTAINER:HOST:SIZE,…)", map, name);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* The kernel wants all of it at once. */
	r = fd < 0 || write(fd, lines, strlen(lines)) < 0 ? errno : 0;
	return r ? mount_fail("%s \"%s\": %s", name, map, err_strerror(r)) : 0;
}

static int open_of(pid_t pid, const char *uidmap, const char *gidmap)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -mount_fail("open %s: %s", path, err_strerror(errno));
	if (write_map(pid, "uid_map", uidmap) || write_map(pid, "gid_map", gidmap))
		return -MOUNT_FAILED;
	return TAKE_FD(fd);
}

int userns_open(const char *uidmap, const char *gidmap)
{
	int ends[2], r, fd = -MOUNT_FAILED;
	char error = EIO;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -mount_fail("pipe: %s", err_strerror(errno));
	r = spawn_call(hold_userns, NULL, ends[1], &pid);
	closep(&ends[1]);
	if (r < 0)
		mount_fail("fork: %s", err_strerror(-r));
	else if (read(ends[0], &error, 1) != 1 || error)
		mount_fail("create a user namespace: %s", err_strerror(error));
	else
		fd = open_of(pid, uidmap, gidmap);
	/* The helper ends when it sees this; the descriptor keeps the namespace. */
	closep(&ends[0]);
	if (r == 0)
		reap_wait(pid, LIMIT_IDMAP_MS);
	return fd;
}

/* --------------------------------------------------------------- mounts */

static int set_idmap(int tree, const char *path, uint64_t attributes, int userns)
{
	int r = sys_mount_setattr(tree, MOUNT_ATTR_IDMAP | attributes, userns);
	const char *hint = "";

	if (r == -EINVAL)
		hint = " (can its file system do that?)";
	if (r == -ENOSYS)
		hint = " (that needs Linux 5.12)";
	return r < 0 ? mount_fail("idmap %s: %s%s", path, err_strerror(-r), hint) : 0;
}

static int clone_mount(const char *path, bool recursive)
{
	int fd = sys_clone_mount(path, recursive);

	return fd < 0 ? -mount_fail("clone the mount of %s: %s", path, err_strerror(-fd))
		      : fd;
}

int idmap_clone(const char *path, const struct mount_options *o, int userns)
{
	static const struct {
		unsigned long flag;
		uint64_t attribute;
	} attributes[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	};
	_cleanup_close_ int fd = clone_mount(path, o->flags & MS_REC);
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (o->flags & attributes[i].flag)
			set |= attributes[i].attribute;
	if (fd < 0 || set_idmap(fd, path, set, userns))
		return -MOUNT_FAILED;
	return TAKE_FD(fd);
}

/* Mounts an idmapped, read-only copy of a directory over itself. */
static int cover(const char *path, int userns)
{
	_cleanup_close_ int tree = clone_mount(path, false), place = -1;
	int r;

	if (tree < 0 || set_idmap(tree, path, MOUNT_ATTR_RDONLY, userns))
		return MOUNT_FAILED;
	place = open(path, O_PATH | O_CLOEXEC);
	r = place < 0 ? -errno : sys_attach_mount(tree, place);
	return r < 0 ? mount_fail("attach the idmapped %s: %s", path, err_strerror(-r))
		     : 0;
}

static int cover_layers(const struct mount_options *o, int userns)
{
	const char *at = NULL;
	char *path;
	int r;

	while ((r = overlay_next_layer(o, &at, &path)) > 0) {
		r = cover(path, userns);
		free(path);
		if (r)
			return r;
	}
	return r < 0 ? mount_fail("out of memory") : 0;
}

static int make_apart(const char *dir, const struct mount_options *o, bool overlay,
		      int userns, int (*mount_it)(void *arg), void *arg)
{
	_cleanup_close_ int tree = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -mount_fail("make a mount namespace private: %s",
				   err_strerror(errno));
	if ((overlay && cover_layers(o, userns)) || mount_it(arg))
		return -MOUNT_FAILED;
	tree = clone_mount(dir, false);
	if (tree < 0 || (!overlay && set_idmap(tree, dir, 0, userns)))
		return -MOUNT_FAILED;
	return TAKE_FD(tree);
}

int idmap_apart(const char *dir, const struct mount_options *o, bool overlay, int userns,
		int (*mount_it)(void *arg), void *arg)
{
	_cleanup_close_ int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int tree;

	if (ns < 0 || root < 0 || cwd < 0)
		return -mount_fail("open our mount namespace: %s", err_strerror(errno));
	if (unshare(CLONE_NEWNS) < 0)
		return -mount_fail("create a mount namespace: %s", err_strerror(errno));
	tree = make_apart(dir, o, overlay, userns, mount_it, arg);
	/* setns(2) changes the root directory too, which need not have been that one. */
	if (setns(ns, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0 ||
	    fchdir(cwd) < 0) {
		mount_fail("return to our mount namespace: %s", err_strerror(errno));
		/* What was mounted before cannot be undone from here. */
		_exit(MOUNT_LEFT);
	}
	return tree;
}
