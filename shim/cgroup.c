/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and reading cgroups. Only reads files below /proc and the cgroup
 * mounts, which never sleep on a disk, so it is called from the loop.
 */
#include "shim/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "shim/limits.h"
#include "shim/lines.h"
#include "shim/util.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

#define ROOT "/sys/fs/cgroup"

static const char names[N_CGROUP_CONTROLLERS][16] = {
	[CGROUP_PIDS] = "pids",	      [CGROUP_DEVICES] = "devices",
	[CGROUP_FREEZER] = "freezer", [CGROUP_MEMORY] = "memory",
	[CGROUP_CPU] = "cpu",	      [CGROUP_SYSTEMD] = "name=systemd",
	[CGROUP_CPUACCT] = "cpuacct", [CGROUP_BLKIO] = "blkio",
	[CGROUP_HUGETLB] = "hugetlb", [CGROUP_RDMA] = "rdma",
};

/* -------------------------------------------------------------- finding */

/* The offset of a string in cg->text, where it is put if need be; 0: no memory. */
static uint16_t keep(struct cgroup *cg, const char *s)
{
	size_t len = strlen(s) + 1, at = cg->text_len ? cg->text_len : 1;
	char *text;

	for (size_t i = 1; i < cg->text_len; i += strlen(cg->text + i) + 1)
		if (strcmp(cg->text + i, s) == 0)
			return (uint16_t)i;
	if (at + len > UINT16_MAX)
		return 0;
	text = realloc(cg->text, at + len);
	if (!text)
		return 0;
	text[0] = 0; /* so that no string has the offset 0 */
	memcpy(text + at, s, len);
	cg->text = text;
	cg->text_len = (uint16_t)(at + len);
	return (uint16_t)at;
}

/* Which of our controllers @list ("cpu,cpuacct" or mount options) names, as bits. */
static unsigned named(char *list)
{
	unsigned set = 0;

	for (char *word; (word = strsep(&list, ","));)
		for (unsigned c = 0; c < N_CGROUP_CONTROLLERS; c++)
			if (strcmp(word, names[c]) == 0)
				set |= 1u << c;
	return set;
}

/*
 * Where the hierarchies of v1 are mounted, from mountinfo: "ID PARENT DEV ROOT
 * POINT OPTIONS … - cgroup SOURCE SUPER_OPTIONS". The paths become the ROOTs, the
 * part of the hierarchy that is visible there.
 */
static int read_mounts(struct cgroup *cg, const char *root)
{
	_cleanup_(lines_close) struct lines l;
	_cleanup_free_ char *name = str_printf("%s/proc/self/mountinfo", root);
	int r = lines_open(&l, AT_FDCWD, name);

	if (r < 0)
		return r;
	l.skip_long = true; /* an overlay of many layers, but no cgroup */
	for (char *line; (line = lines_next(&l));) {
		char *tail = strstr(line, " - cgroup "), *field[5], *point;
		unsigned set;

		if (!tail)
			continue;
		*tail = 0;
		set = named(strrchr(tail + 1, ' ') + 1);
		if (split(line, " ", field, 5) < 5)
			continue;
		point = str_printf("%s%s", root, field[4]);
		for (unsigned c = 0; c < N_CGROUP_CONTROLLERS; c++) {
			struct cgroup_place *at = &cg->place[c];

			if (!(set & 1u << c) || at->point)
				continue;
			at->point = point ? keep(cg, point) : 0;
			at->path = keep(cg, field[3]);
			if (!at->point || !at->path)
				r = -ENOMEM;
		}
		free(point);
	}
	return r < 0 ? r : l.error;
}

/* In v2 the one hierarchy stands for each controller. */
static int set_unified(struct cgroup *cg, const char *root)
{
	_cleanup_free_ char *point = str_printf("%s" ROOT, root);
	struct cgroup_place at = { .point = point ? keep(cg, point) : 0,
				   .path = keep(cg, "/") };

	if (!at.point || !at.path)
		return -ENOMEM;
	for (unsigned c = 0; c < N_CGROUP_CONTROLLERS; c++)
		cg->place[c] = at;
	return 0;
}

const char *cgroup_seen_below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len]))
		len = 0;
	return path[len] ? path + len : "/";
}

/* The cgroups that a process is in: lines "N:CONTROLLERS:PATH" of /proc/PID/cgroup. */
static int read_membership(struct cgroup *cg, const struct cgroup *mounts,
			   const char *root, const char *pid)
{
	_cleanup_(lines_close) struct lines l;
	_cleanup_free_ char *name = str_printf("%s/proc/%s/cgroup", root, pid);
	int r = lines_open(&l, AT_FDCWD, name);

	if (r < 0)
		return r;
	for (char *line; (line = lines_next(&l));) {
		char *list, *path = line;
		unsigned set;

		strsep(&path, ":");
		list = strsep(&path, ":");
		if (!path)
			continue;
		set = mounts->unified && !*list ? UINT_MAX : named(list);
		for (unsigned c = 0; c < N_CGROUP_CONTROLLERS; c++) {
			const struct cgroup_place *m = &mounts->place[c];

			if (!(set & 1u << c) || !m->point)
				continue;
			cg->place[c].point = keep(cg, mounts->text + m->point);
			cg->place[c].path =
				keep(cg, cgroup_seen_below(path, mounts->text + m->path));
			if (!cg->place[c].point || !cg->place[c].path)
				r = -ENOMEM;
		}
	}
	return r < 0 ? r : l.error;
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 &&
	       (!path[len] || path[len] == '/' || top[len - 1] == '/');
}

/* The controller whose cgroup tells the processes; N_CGROUP_CONTROLLERS: none. */
static enum cgroup_controller lister(const struct cgroup *cg)
{
	enum cgroup_controller c = 0;

	while (c <= CGROUP_SYSTEMD && !cgroup_has(cg, c))
		c++;
	return c <= CGROUP_SYSTEMD ? c : N_CGROUP_CONTROLLERS;
}

static int find(struct cgroup *cg, struct cgroup *mounts, struct cgroup *own,
		const char *root, pid_t pid)
{
	enum cgroup_controller c;
	char name[16];
	int r = mounts->unified ? set_unified(mounts, root) : read_mounts(mounts, root);

	if (r == 0)
		r = read_membership(own, mounts, root, "self");
	snprintf(name, sizeof(name), "%d", pid);
	if (r == 0)
		r = read_membership(cg, mounts, root, name);
	if (r < 0)
		return r;
	c = lister(cg);
	if (c == N_CGROUP_CONTROLLERS)
		return -ENOENT;
	/* Where v1 shows a process that has ended: no container's. */
	if (strcmp(cgroup_path(cg, c), "/") == 0)
		return -ESRCH;
	for (unsigned i = 0; i < N_CGROUP_CONTROLLERS; i++)
		if (cgroup_has(own, i) && cgroup_has(cg, i) &&
		    is_below(cgroup_path(own, i), cgroup_path(cg, i)))
			cg->shared |= (uint16_t)(1u << i);
	return cgroup_owns(cg, c) ? 0 : -EXDEV;
}

int cgroup_find_below(struct cgroup *cg, const char *root, bool unified, pid_t pid)
{
	struct cgroup mounts = { .unified = unified }, own = { .unified = unified };
	int r;

	cgroup_release(cg);
	cg->unified = unified;
	r = find(cg, &mounts, &own, root, pid);
	if (r < 0 && r != -EXDEV)
		cgroup_release(cg);
	cgroup_release(&mounts);
	cgroup_release(&own);
	return r;
}

int cgroup_find(struct cgroup *cg, pid_t pid)
{
	struct statfs fs;
	bool unified = statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;

	return cgroup_find_below(cg, "", unified, pid);
}

void cgroup_release(struct cgroup *cg)
{
	free(cg->text);
	*cg = (struct cgroup){ 0 };
}

/* --------------------------------------------------------- its directories */

const char *cgroup_point(const struct cgroup *cg, enum cgroup_controller c)
{
	return cgroup_has(cg, c) ? cg->text + cg->place[c].point : "";
}

const char *cgroup_path(const struct cgroup *cg, enum cgroup_controller c)
{
	return cgroup_has(cg, c) ? cg->text + cg->place[c].path : "";
}

static int open_directory(const struct cgroup *cg, enum cgroup_controller c, int flags)
{
	char name[PATH_MAX];
	int n, fd;

	if (!cgroup_has(cg, c))
		return -ENOENT;
	n = snprintf(name, sizeof(name), "%s%s", cgroup_point(cg, c), cgroup_path(cg, c));
	if (n >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, flags | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_open(const struct cgroup *cg, enum cgroup_controller c)
{
	return open_directory(cg, c, O_PATH);
}

int cgroup_thaw(const struct cgroup *cg)
{
	const char *file = cg->unified ? "cgroup.freeze" : "freezer.state";
	const char *value = cg->unified ? "0" : "THAWED";
	_cleanup_close_ int dir = -1, fd = -1;

	dir = cgroup_open(cg, CGROUP_FREEZER);
	if (dir < 0)
		return dir;
	fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : write_all(fd, value, strlen(value));
}

/* ------------------------------------------------------------- processes */

struct pid_list {
	pid_t *pids;
	size_t n, size;
};

static int add_pid(struct pid_list *l, pid_t pid)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 32;
		pid_t *more;

		if (size > LIMIT_PIDS)
			return -E2BIG;
		more = realloc(l->pids, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->pids = more;
		l->size = size;
	}
	l->pids[l->n++] = pid;
	return 0;
}

/* Not inlined: its buffer must not be in each frame of walk(). */
static __attribute__((noinline)) int read_procs(int dir, struct pid_list *l)
{
	_cleanup_(lines_close) struct lines lines;
	int r = lines_open(&lines, dir, "cgroup.procs");

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	for (char *line; r == 0 && (line = lines_next(&lines));) {
		uint64_t pid;

		r = parse_uint(line, INT_MAX, &pid);
		/* 0 is a process of another pid namespace. */
		if (r == 0 && pid > 0)
			r = add_pid(l, (pid_t)pid);
	}
	if (r == 0 && lines.error != -ENODEV)
		r = lines.error;
	return r;
}

/* Takes @dir. */
static int walk(int dir, struct pid_list *l, int depth)
{
	int r = read_procs(dir, l);
	DIR *d;
	struct dirent *entry;

	/* Of threads only, in v2: the one above lists whose they are. */
	if (r == -EOPNOTSUPP && depth > 0)
		r = 0;
	d = r < 0 ? NULL : fdopendir(dir);
	if (!d) {
		r = r < 0 ? r : -errno;
		close(dir);
		return r;
	}
	while (r == 0 && (entry = readdir(d))) {
		int sub;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (depth == LIMIT_CGROUP_DEPTH)
			continue;
		sub = openat(dir, entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			r = walk(sub, l, depth + 1);
	}
	closedir(d);
	return r;
}

/* Takes @dir, or why there is none. */
static int list_pids(int dir, pid_t **pids, size_t *n)
{
	struct pid_list l = { 0 };
	int r;

	*pids = NULL;
	*n = 0;
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	r = walk(dir, &l, 0);
	if (r < 0) {
		free(l.pids);
		return r;
	}
	*pids = l.pids;
	*n = l.n;
	return 0;
}

int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n)
{
	enum cgroup_controller c = lister(cg);

	if (c == N_CGROUP_CONTROLLERS || !cgroup_owns(cg, c))
		return -ENOENT;
	return list_pids(open_directory(cg, c, O_RDONLY), pids, n);
}

int cgroup_pids_in(int dir, pid_t **pids, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return list_pids(fd < 0 ? -errno : fd, pids, n);
}
