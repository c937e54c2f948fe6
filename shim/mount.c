/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting and unmounting, in a child of the shim that does nothing else: it
 * may sleep, change its directory and use stdio. See mount.h.
 */
#include "shim/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "shim/err.h"
#include "shim/util.h"

#define UNMOUNT_TRIES 50
#define UNMOUNT_PAUSE_NS 50000000L

struct word {
	const char *name;
	bool clear;
	unsigned long flag;
};

static const struct word words[] = {
	{ "async", true, MS_SYNCHRONOUS }, { "atime", true, MS_NOATIME },
	{ "bind", false, MS_BIND }, { "dev", true, MS_NODEV },
	{ "diratime", true, MS_NODIRATIME }, { "dirsync", false, MS_DIRSYNC },
	{ "exec", true, MS_NOEXEC }, { "mand", false, MS_MANDLOCK },
	{ "noatime", false, MS_NOATIME }, { "nodev", false, MS_NODEV },
	{ "nodiratime", false, MS_NODIRATIME }, { "noexec", false, MS_NOEXEC },
	{ "nomand", true, MS_MANDLOCK }, { "norelatime", true, MS_RELATIME },
	{ "nostrictatime", true, MS_STRICTATIME }, { "nosuid", false, MS_NOSUID },
	{ "rbind", false, MS_BIND | MS_REC }, { "relatime", false, MS_RELATIME },
	{ "remount", false, MS_REMOUNT }, { "ro", false, MS_RDONLY },
	{ "rw", true, MS_RDONLY }, { "strictatime", false, MS_STRICTATIME },
	{ "suid", true, MS_NOSUID }, { "sync", false, MS_SYNCHRONOUS },
};

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vdprintf(2, format, ap);
	va_end(ap);
	return 1;
}

static const struct word *find_word(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, option) == 0)
			return &words[i];
	return NULL;
}

/* Appends an option to the comma-separated data. */
static bool add_data(char **data, const char *option)
{
	char *more = *data ? str_printf("%s,%s", *data, option) : strdup(option);

	free(*data);
	*data = more;
	return more != NULL;
}

static int parse_options(const struct mount *m, unsigned long *flags, char **data)
{
	for (size_t i = 0; i < m->n_options; i++) {
		const char *option = m->options[i];
		const struct word *w = find_word(option);

		if (w)
			*flags = w->clear ? *flags & ~w->flag : *flags | w->flag;
		else if (strncmp(option, "X-containerd.", 13) == 0)
			return fail("internal mount option \"%s\" was not consumed by the mount "
				    "manager", option);
		else if (strcmp(option, "loop") == 0 || strncmp(option, "uidmap=", 7) == 0 ||
			 strncmp(option, "gidmap=", 7) == 0)
			return fail("mount option \"%s\" is not supported", option);
		else if (!add_data(data, option))
			return fail("out of memory");
	}
	return 0;
}

/* The length of the common directory of all colon-separated paths, with its slash. */
static size_t common_directory(const char *dirs, size_t len)
{
	const char *end = dirs + len;
	size_t common = strcspn(dirs, ":");

	for (const char *p = dirs; p < end;) {
		size_t n = 0;

		while (n < common && p + n < end && p[n] != ':' && p[n] == dirs[n])
			n++;
		common = n;
		p += strcspn(p, ":,") + 1;
	}
	while (common > 0 && dirs[common - 1] != '/')
		common--;
	return common;
}

/*
 * An overlay of many layers has options of more than a page, which the kernel
 * cuts off: lowerdir becomes relative to the directory that all layers share.
 * That is why this runs in a child: the directory of the shim stays.
 */
static int compact_overlay(char **data)
{
	_cleanup_free_ char *old = *data, *dir = NULL;
	char *lower = strstr(old, "lowerdir="), *out;
	size_t len, common;

	*data = NULL;
	while (lower && lower != old && lower[-1] != ',')
		lower = strstr(lower + 1, "lowerdir=");
	if (!lower) {
		*data = TAKE(old);
		return 0;
	}
	lower += strlen("lowerdir=");
	len = strcspn(lower, ",");
	common = common_directory(lower, len);
	if (common <= 1 || !memchr(lower, ':', len)) {
		*data = TAKE(old);
		return 0;
	}
	dir = strndup(lower, common);
	*data = out = malloc(strlen(old) + 1);
	if (!dir || !out)
		return fail("out of memory");
	if (chdir(dir) < 0)
		return fail("chdir %s: %s", dir, err_strerror(errno));
	memcpy(out, old, (size_t)(lower - old));
	out += lower - old;
	for (const char *p = lower, *end = lower + len; p < end;) {
		size_t n = strcspn(p, ":,");

		memcpy(out, p + common, n - common);
		out += n - common;
		p += n;
		if (p < end)
			*out++ = *p++;
	}
	memcpy(out, lower + len, strlen(lower + len) + 1);
	return 0;
}

static int mount_at(const struct mount *m, const char *target)
{
	_cleanup_free_ char *data = NULL;
	unsigned long flags = 0;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int r;

	r = parse_options(m, &flags, &data);
	if (r == 0 && data && strcmp(m->type, "overlay") == 0 && strlen(data) >= page - 512)
		r = compact_overlay(&data);
	if (r)
		return r;
	if (data && strlen(data) >= page)
		return fail("mount options is too long");
	/* A remount without data only sets the flags, below. */
	if ((!(flags & MS_REMOUNT) || data) &&
	    mount(m->source, target, m->type, flags, data) < 0)
		return fail("mount source: \"%s\", target: \"%s\", fstype: %s, flags: %lu, "
			    "data: \"%s\", err: %s", m->source, target, m->type, flags,
			    data ? data : "", err_strerror(errno));
	/* A bind mount takes no flags: read-only needs a second call (mount(2)). */
	if ((flags & (MS_BIND | MS_RDONLY)) == (MS_BIND | MS_RDONLY) &&
	    mount("", target, "", flags | MS_REMOUNT, NULL) < 0)
		return fail("remount %s read-only: %s", target, err_strerror(errno));
	return 0;
}

/*
 * The place of a target below the rootfs, where symbolic links made by an image
 * must not lead out: the kernel resolves it with the rootfs as root, and the
 * descriptor stands for what it found.
 */
static int open_target(const char *rootfs, const char *target)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	_cleanup_close_ int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, target, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int mount_one(const char *rootfs, const struct mount *m)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	if (!str_is_set(m->target) || strcmp(m->target, "/") == 0)
		return mount_at(m, rootfs);
	fd = open_target(rootfs, m->target);
	if (fd < 0)
		return fail("mount target \"%s\" in %s: %s", m->target, rootfs,
			    err_strerror(-fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return mount_at(m, path);
}

int mount_all(void *arg)
{
	const struct mount_plan *plan = arg;

	for (size_t i = 0; i < plan->n; i++) {
		if (mount_one(plan->rootfs, &plan->mounts[i])) {
			mount_undo((void *)plan->rootfs);
			return 1;
		}
	}
	return 0;
}

/* ------------------------------------------------------------ unmount */

static int unmount(const char *path)
{
	const struct timespec pause = { .tv_nsec = UNMOUNT_PAUSE_NS };

	for (int i = 0; i < UNMOUNT_TRIES; i++) {
		if (umount2(path, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return fail("unmount %s: %s", path, err_strerror(errno));
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

struct points {
	char **v;
	size_t n;
};

static int read_points(const char *top, struct points *p)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t size = 0, len = strlen(top);
	char *line = NULL;

	if (!f)
		return fail("open /proc/self/mountinfo: %s", err_strerror(errno));
	while (getline(&line, &size, f) > 0) {
		char *s = line, *point = NULL, **more;

		for (int i = 0; i < 5 && s; i++)
			point = strsep(&s, " ");
		if (!s)
			continue;
		unescape(point);
		if (strncmp(point, top, len) || (point[len] && point[len] != '/'))
			continue;
		more = realloc(p->v, (p->n + 1) * sizeof(*more));
		if (!more)
			return fail("out of memory");
		p->v = more;
		p->v[p->n] = strdup(point);
		if (!p->v[p->n++])
			return fail("out of memory");
	}
	free(line);
	fclose(f);
	return 0;
}

int mount_undo(void *arg)
{
	char top[PATH_MAX];
	struct points p = { 0 };
	int r;

	/* As the kernel writes it: no symbolic links. The child exits: nothing is freed. */
	if (!realpath(arg, top))
		return errno == ENOENT ? 0 : fail("%s: %s", (char *)arg, err_strerror(errno));
	r = read_points(top, &p);
	/* Later lines are mounted over or below earlier ones. */
	while (r == 0 && p.n > 0)
		r = unmount(p.v[--p.n]);
	return r;
}
