/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting a rootfs, entry by entry, in the steps of contract 6.2; in a child of
 * the shim that does nothing else. See mount.h. What the entries ask for beside
 * mount(2) is in mount-*.c.
 */
#include "shim/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "shim/compat.h"
#include "shim/err.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

#define BIND_RO (MS_BIND | MS_RDONLY)
/* Of the data: a whole page would leave no room in an error for what was wrong. */
#define SHOWN_DATA 360

/* One entry on its way. */
struct entry {
	const struct mount_plan *plan;
	const struct mount *mount;
	struct mount_options options;
	char *data; /* NULL: none */
	const char *source; /* the entry's, or its loop device */
	char device[32];
	int loop; /* -1: none */
	int place; /* what is mounted on */
	char target[PATH_MAX]; /* its path */
	char *layers_dir, *layers; /* see overlay_compact() */
	bool mounted;
};

static void entry_release(struct entry *e)
{
	mount_options_release(&e->options);
	free(e->data);
	free(e->layers_dir);
	free(e->layers);
	closep(&e->loop);
	closep(&e->place);
}

/* As Go's %q, for what occurs here: what is quoted must not end the quotes. */
static void quote(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 5 < size; s++) {
		if (*s == '"' || *s == '\\')
			out[n++] = '\\';
		out[n++] = *s;
	}
	n += (size_t)snprintf(out + n, size - n, "%s", *s ? "..." : "");
	out[n] = 0;
}

static int fail_mount(const struct entry *e, int error)
{
	char source[160], target[300], data[SHOWN_DATA];

	quote(source, sizeof(source), e->source);
	quote(target, sizeof(target), e->target);
	quote(data, sizeof(data), e->data ? e->data : "");
	return mount_fail(
		"mount source: \"%s\", target: \"%s\", fstype: %.64s, flags: %lu, "
		"data: \"%s\", err: %s",
		source, target, e->mount->type, e->options.flags, data,
		err_strerror(error));
}

/* Opens the place again: what is mounted on it now. */
static int find_place(const struct entry *e)
{
	_cleanup_close_ int root = open(e->plan->rootfs, O_PATH | O_CLOEXEC);

	if (root < 0)
		return -errno;
	return target_open(root, e->mount->target);
}

static int open_place(struct entry *e)
{
	char link[64];
	ssize_t n;

	snprintf(e->target, sizeof(e->target), "%s%s%s", e->plan->rootfs,
		 *e->mount->target && *e->mount->target != '/' ? "/" : "",
		 e->mount->target);
	e->place = find_place(e);
	if (e->place < 0)
		return fail_mount(e, -e->place);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", e->place);
	n = readlink(link, e->target, sizeof(e->target) - 1);
	if (n < 0)
		return mount_fail("readlink %s: %s", link, err_strerror(errno));
	e->target[n] = 0;
	return 0;
}

static int prepare_data(struct entry *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct mount_options *o = &e->options;

	if (strcmp(e->mount->type, "overlay") == 0 &&
	    mount_options_size(o) >= page - LIMIT_MOUNT_SPARE &&
	    overlay_compact(o, &e->layers_dir, &e->layers) < 0)
		return mount_fail("out of memory");
	if (o->n_data == 0)
		return 0;
	e->data = mount_options_join(o);
	if (!e->data)
		return mount_fail("out of memory");
	return strlen(e->data) >= page ? mount_fail("mount options is too long") : 0;
}

static int attach_loop(struct entry *e)
{
	if (!e->options.loop)
		return 0;
	e->loop = loop_attach(e->source, &e->options, e->device);
	e->source = e->device;
	return e->loop < 0 ? -e->loop : 0;
}

/* --------------------------------------------------------------- mount */

/*
 * Does @work in the directory that the layers of an overlay are in, if they are
 * relative. That is why all of this needs a process of its own: the directory of
 * the shim stays.
 */
static int among_layers(struct entry *e, int (*work)(struct entry *e, const char *path),
			const char *path)
{
	_cleanup_close_ int cwd = -1;
	int r;

	if (!e->layers_dir)
		return work(e, path);
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0 || chdir(e->layers_dir) < 0)
		return mount_fail("chdir %s: %s", e->layers_dir, err_strerror(errno));
	r = work(e, path);
	if (fchdir(cwd) < 0 && r == 0)
		return mount_fail("chdir: %s", err_strerror(errno));
	return r;
}

static int call_mount(struct entry *e, const char *path)
{
	int r = mount(e->source, path, e->mount->type, e->options.flags, e->data);

	return r < 0 ? fail_mount(e, errno) : 0;
}

static bool in_user_namespace(void)
{
	_cleanup_free_ char *map = NULL;
	unsigned inside, outside, n;
	size_t len;

	if (file_read("/proc/self/uid_map", 65536, &map, &len) < 0)
		return false;
	return sscanf(map, "%u %u %u", &inside, &outside, &n) != 3 || inside || outside ||
	       n != UINT_MAX;
}

/* Flags that the kernel does not let a user namespace take away, so they must be kept. */
static unsigned long locked_flags(const char *path)
{
	static const struct {
		__fsword_t has; /* ST_…, of which not all are in glibc's headers */
		unsigned long flag;
	} flags[] = {
		{ 1, MS_RDONLY },      { 2, MS_NOSUID },     { 4, MS_NODEV },
		{ 8, MS_NOEXEC },      { 1024, MS_NOATIME }, { 2048, MS_NODIRATIME },
		{ 4096, MS_RELATIME },
	};
	unsigned long found = 0;
	struct statfs st;

	if (!in_user_namespace() || statfs(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (st.f_flags & flags[i].has)
			found |= flags[i].flag;
	return found;
}

/* A bind mount takes no flags: read-only needs a second call (mount(2)). */
static int make_read_only(struct entry *e)
{
	_cleanup_close_ int fd = find_place(e);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0)
		return fail_mount(e, -fd);
	e->options.flags |= MS_REMOUNT | locked_flags(path);
	if (mount("", path, "", e->options.flags, NULL) < 0)
		return mount_fail("remount %s read-only: %s", e->target,
				  err_strerror(errno));
	return 0;
}

static int mount_plain(struct entry *e)
{
	unsigned long flags = e->options.flags;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", e->place);
	/* A remount without data only sets the flags, and only those of a bind mount. */
	if (!(flags & MS_REMOUNT) || e->data) {
		r = among_layers(e, call_mount, path);
		if (r)
			return r;
		e->mounted = !(flags & MS_REMOUNT);
	}
	return (flags & BIND_RO) == BIND_RO ? make_read_only(e) : 0;
}

static int mount_on_rootfs(void *arg)
{
	struct entry *e = arg;

	/* Goes there anew, since idmapped layers are mounted there by now. */
	return among_layers(e, call_mount, e->plan->rootfs);
}

static int attach_idmapped(struct entry *e, const char *rootfs)
{
	const struct mount_options *o = &e->options;
	_cleanup_close_ int userns = userns_open(o->uidmap, o->gidmap), tree = -1;
	int r;

	if (userns < 0)
		return MOUNT_FAILED;
	if (o->flags & MS_BIND)
		tree = idmap_clone(e->source, o, userns);
	else
		tree = idmap_apart(rootfs, o, strcmp(e->mount->type, "overlay") == 0,
				   userns, mount_on_rootfs, e);
	if (tree < 0)
		return MOUNT_FAILED;
	r = sys_attach_mount(tree, e->place);
	e->mounted = r == 0;
	return r < 0 ? fail_mount(e, -r) : 0;
}

/*
 * Mounts one entry. Also if it fails: *@target is where it has mounted something,
 * malloc()ed, or NULL.
 */
static int mount_entry(const struct mount_plan *plan, const struct mount *m,
		       char **target)
{
	struct entry e = {
		.plan = plan, .mount = m, .source = m->source, .loop = -1, .place = -1
	};
	int r;

	if (fuse_helper(m->type)) {
		r = open_place(&e);
		if (r == 0)
			r = fuse_mount(m, e.target);
		e.mounted = r == 0;
	} else {
		r = mount_options_parse(m, &e.options);
		if (r == 0)
			r = prepare_data(&e);
		if (r == 0)
			r = open_place(&e);
		if (r == 0)
			r = attach_loop(&e);
		if (r == 0)
			r = e.options.uidmap
				    ? among_layers(&e, attach_idmapped, plan->rootfs)
				    : mount_plain(&e);
	}
	*target = e.mounted ? strdup(e.target) : NULL;
	if (e.mounted && !*target)
		r = mount_fail("out of memory");
	entry_release(&e);
	return r;
}

int mount_all(void *arg)
{
	const struct mount_plan *plan = arg;
	char **targets = calloc(plan->n + 1, sizeof(*targets));
	size_t n = 0;
	int r = 0;

	if (!targets)
		return mount_fail("out of memory");
	while (r == 0 && n < plan->n) {
		r = mount_entry(plan, &plan->mounts[n], &targets[n]);
		n++;
	}
	while (n > 0) {
		n--;
		if (r && targets[n] && unmount_last(targets[n]))
			r = MOUNT_LEFT;
		free(targets[n]);
	}
	free(targets);
	return r;
}
