/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unmounting (contract 6.3): what is mounted on or below a path, as mountinfo
 * has it now, deepest first, again and again while that makes progress. Nothing
 * is detached lazily: when this says that it is done, it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "shim/compat.h"
#include "shim/err.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

#define UNMOUNT_PAUSE_NS 50000000L

/* ------------------------------------------------------------ mountinfo */

struct point {
	int id, parent;
	bool fuse, chosen;
	char *path;
};

struct points {
	struct point *v;
	size_t n, size;
};

static void points_clear(struct points *p)
{
	while (p->n > 0)
		free(p->v[--p->n].path);
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
					(s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL]… - TYPE SOURCE OPTIONS" */
static bool parse_line(char *line, struct point *p)
{
	char *dash = strstr(line, " - "), *fields[5];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i] = strsep(&line, " ");
	if (!line || !dash)
		return false;
	dash += strlen(" - ");
	dash[strcspn(dash, " ")] = 0;
	*p = (struct point){
		.id = (int)strtol(fields[0], NULL, 10),
		.parent = (int)strtol(fields[1], NULL, 10),
		.fuse = fuse_is_type(dash),
		.path = fields[4],
	};
	unescape(p->path);
	return true;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/');
}

static bool add_point(struct points *p, const struct point *one)
{
	if (p->n == p->size) {
		size_t size = p->size ? 2 * p->size : 16;
		struct point *more = realloc(p->v, size * sizeof(*more));

		if (!more)
			return false;
		p->v = more;
		p->size = size;
	}
	p->v[p->n] = *one;
	p->v[p->n].path = strdup(one->path);
	return p->v[p->n].path && ++p->n;
}

/* All mounts on or below @top. */
static int read_points(const char *top, struct points *p)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	struct point one;
	bool ok = true;

	points_clear(p);
	if (!f)
		return mount_fail("open /proc/self/mountinfo: %s", err_strerror(errno));
	while (ok && getline(&line, &size, f) > 0)
		if (parse_line(line, &one) && is_below(one.path, top))
			ok = add_point(p, &one);
	free(line);
	fclose(f);
	return ok ? 0 : mount_fail("out of memory");
}

/* Deepest first, and of those on one path the latest. */
static int compare(const void *a, const void *b)
{
	const struct point *p = a, *q = b;
	size_t m = strlen(p->path), n = strlen(q->path);

	if (m != n)
		return m > n ? -1 : 1;
	return q->id > p->id ? 1 : -1;
}

/* -------------------------------------------------------------- unmount */

/*
 * Goes to the directory above first, without symbolic links on the way: whoever
 * can rename directories in there must not make us unmount something else.
 */
static int unmount_point(const char *path)
{
	_cleanup_free_ char *parent =
		strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	_cleanup_close_ int fd = -1;
	int r;

	if (!parent)
		return -ENOMEM;
	fd = sys_openat2(AT_FDCWD, parent, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (fd == -ENOSYS || fd == -EPERM)
		fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (fd < 0)
		return fd;
	if (fd < 0 || fchdir(fd) < 0)
		return -errno;
	r = umount2(strrchr(path, '/') + 1, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
	/* Not to be in the way of what comes next. */
	if (chdir("/") < 0 && r == 0)
		r = -errno;
	return r;
}

struct round {
	const char *path; /* the first one that failed */
	int error;
	bool progress;
};

static void unmount_chosen(struct points *p, bool again, struct round *round)
{
	*round = (struct round){ 0 };
	for (size_t i = 0; i < p->n; i++) {
		const struct point *one = &p->v[i];
		int r;

		if (!one->chosen)
			continue;
		r = one->fuse && !again && fuse_unmount(one->path)
			    ? 0
			    : unmount_point(one->path);
		if (r == 0)
			round->progress = true;
		/* Not mounted (any more), or hidden until another one is gone. */
		else if (r != -EINVAL && r != -ENOENT && !round->error) {
			round->error = r;
			round->path = one->path;
		}
	}
}

/* @ids: only those; NULL: all on or below @top. */
static int unmount_below(const char *top, const int *ids, size_t n_ids)
{
	const struct timespec pause = { .tv_nsec = UNMOUNT_PAUSE_NS };
	struct points p = { 0 };
	struct round round = { 0 };
	int r = 0;

	for (int tries = 0; tries < LIMIT_UNMOUNT_TRIES; tries++) {
		if (tries > 0)
			nanosleep(&pause, NULL);
		r = read_points(top, &p);
		if (r)
			break;
		if (p.n > 0)
			qsort(p.v, p.n, sizeof(*p.v), compare);
		for (size_t i = 0; i < p.n; i++) {
			p.v[i].chosen = !ids;
			for (size_t k = 0; k < n_ids; k++)
				p.v[i].chosen |= ids[k] == p.v[i].id;
		}
		unmount_chosen(&p, tries > 0, &round);
		if (round.progress)
			tries = -1;
		else if (round.error != -EBUSY)
			break;
	}
	if (r == 0 && round.error)
		r = mount_fail("failed to unmount target %s: %s", round.path,
			       err_strerror(-round.error));
	points_clear(&p);
	free(p.v);
	return r;
}

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR;
	do
		e = readdir(d);
	while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	closedir(d);
	return !e;
}

/*
 * The common case, without mountinfo, which takes milliseconds on a node that
 * has hundreds of mounts. True: nothing is mounted here any more. A directory
 * without an entry has nothing mounted below it either.
 */
static bool unmount_quickly(const char *top)
{
	int64_t magic;

	while ((magic = sys_mount_magic(top)) > 0)
		if (magic == FUSE_MAGIC || umount2(top, UMOUNT_NOFOLLOW) < 0)
			return false;
	return magic == 0 && is_empty(top);
}

/* As mountinfo writes it, without symbolic links; what is mounted there may be dead. */
static int find_real(const char *path, char real[static PATH_MAX])
{
	_cleanup_free_ char *parent = NULL;
	const char *slash = strrchr(path, '/');
	size_t n;

	if (realpath(path, real))
		return 0;
	if (errno == ENOENT || !slash || !slash[1])
		return -errno;
	parent = strndup(path, (size_t)(slash - path) + 1);
	if (!parent || !realpath(parent, real))
		return -errno;
	n = strlen(real);
	if (n + strlen(slash) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(real + n, slash, strlen(slash) + 1);
	return 0;
}

int mount_undo(void *arg)
{
	const char *path = arg;
	char top[PATH_MAX];
	int r;

	if (!*path)
		return 0;
	r = find_real(path, top);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return mount_fail("%s: %s", path, err_strerror(-r));
	return unmount_quickly(top) ? 0 : unmount_below(top, NULL, 0);
}

/* ----------------------------------------------------------------- last */

/* The mount that hides all others on the path. */
static const struct point *find_last(const struct points *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++) {
		bool hidden = false;

		for (size_t k = 0; k < p->n; k++)
			hidden |= p->v[k].parent == p->v[i].id &&
				  strcmp(p->v[k].path, path) == 0;
		if (!hidden && strcmp(p->v[i].path, path) == 0)
			return &p->v[i];
	}
	return NULL;
}

/* Adds the mounts that are mounted on one of @ids, until there are no more. */
static size_t add_children(const struct points *p, int *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < p->n; k++)
			if (p->v[k].parent == ids[i] && n < p->n)
				ids[n++] = p->v[k].id;
	return n;
}

int unmount_last(const char *path)
{
	_cleanup_free_ int *ids = NULL;
	struct points p = { 0 };
	const struct point *last;
	int r = read_points(path, &p);

	last = r == 0 ? find_last(&p, path) : NULL;
	if (last) {
		ids = calloc(p.n + 1, sizeof(*ids));
		if (ids) {
			ids[0] = last->id;
			r = unmount_below(path, ids, add_children(&p, ids, 1));
		} else {
			r = mount_fail("out of memory");
		}
	}
	points_clear(&p);
	free(p.v);
	return r;
}
