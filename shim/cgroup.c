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

#include "shim/util.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

#define ROOT "/sys/fs/cgroup"
#define PROC_FILE_MAX (1u << 20)
#define DEPTH_MAX 32
#define PIDS_MAX (1u << 20)
/* A process that forks as fast as it is killed loses within a few rounds. */
#define KILL_ROUNDS 16

/* The hierarchies that a runtime always joins, the best one for listing first. */
static const char *const v1_controllers[] = {
	"pids", "devices", "freezer", "memory", "cpu", "name=systemd",
};

static bool has_word(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p < list + len;) {
		size_t l = strcspn(p, ", \n");

		if (p + l > list + len)
			l = (size_t)(list + len - p);
		if (l == n && memcmp(p, word, n) == 0)
			return true;
		p += l + 1;
	}
	return false;
}

/* The path in the line "N:CONTROLLERS:PATH" of /proc/PID/cgroup for @controller ("": v2). */
static char *path_of(const char *text, const char *controller)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		const char *list = strchr(line, ':'), *path;
		size_t end = strcspn(line, "\n");

		path = list ? strchr(list + 1, ':') : NULL;
		if (!path || path > line + end)
			continue;
		list++;
		if (*controller ? has_word(list, (size_t)(path - list), controller) :
				  path == list)
			return strndup(path + 1, end - (size_t)(path + 1 - line));
		if (!line[end])
			break;
	}
	return NULL;
}

/*
 * Where the hierarchy of a v1 controller is mounted, from mountinfo: "ID PARENT
 * DEV ROOT POINT OPTIONS … - cgroup SOURCE SUPER_OPTIONS". @root is the part of
 * the hierarchy that is visible there.
 */
static bool find_mount(char *text, const char *controller, char **point, char **root)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *tail = strstr(line, " - cgroup "), *field[5], *s = line, *super;
		int n;

		super = tail ? strrchr(tail, ' ') : NULL;
		if (!tail || !has_word(super + 1, strlen(super + 1), controller))
			continue;
		*tail = 0;
		for (n = 0; n < 5 && s; n++)
			field[n] = strsep(&s, " ");
		if (n < 5)
			continue;
		*root = field[3];
		*point = field[4];
		return true;
	}
	return false;
}

static int find_v1(struct cgroup *cg, const char *membership)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		_cleanup_free_ char *path = path_of(membership, v1_controllers[i]);
		_cleanup_free_ char *mounts = NULL;
		char *point, *root;
		const char *below = path;
		size_t len;
		int r;

		if (!path)
			continue;
		r = file_read("/proc/self/mountinfo", 8 * PROC_FILE_MAX, &mounts, &len);
		if (r < 0)
			return r;
		if (!find_mount(mounts, v1_controllers[i], &point, &root))
			continue;
		len = strcmp(root, "/") ? strlen(root) : 0;
		if (strncmp(path, root, len) == 0 && (path[len] == '/' || !path[len]))
			below += len;
		cg->dir = str_printf("%s%s", point, below);
		return cg->dir ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static int find(struct cgroup *cg, pid_t pid)
{
	_cleanup_free_ char *membership = NULL, *path = NULL;
	struct statfs fs;
	char name[64];
	size_t len;
	int r;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	r = file_read(name, PROC_FILE_MAX, &membership, &len);
	if (r < 0)
		return r;
	cg->unified = statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	if (!cg->unified)
		return find_v1(cg, membership);
	path = path_of(membership, "");
	if (!path)
		return -ENOENT;
	cg->dir = str_printf("%s%s", ROOT, path);
	return cg->dir ? 0 : -ENOMEM;
}

int cgroup_find(struct cgroup *cg, pid_t pid)
{
	struct cgroup own = { 0 };
	int r = find(&own, getpid());
	size_t len;

	cgroup_release(cg);
	if (r == 0)
		r = find(cg, pid);
	if (r == 0) {
		len = strlen(cg->dir);
		if (strncmp(own.dir, cg->dir, len) == 0 &&
		    (!own.dir[len] || own.dir[len] == '/' || cg->dir[len - 1] == '/'))
			r = -EXDEV;
	}
	if (r < 0)
		cgroup_release(cg);
	cgroup_release(&own);
	return r;
}

void cgroup_release(struct cgroup *cg)
{
	free(cg->dir);
	cg->dir = NULL;
}

struct pid_list {
	pid_t *pids;
	size_t n, size;
};

static int add_pid(struct pid_list *l, pid_t pid)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 32;
		pid_t *more;

		if (size > PIDS_MAX)
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

static int read_procs(int dir, struct pid_list *l)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int r = 0, pid;

	if (!f) {
		r = errno == ENOENT || errno == ENODEV ? 0 : -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	/* 0 is a process of another pid namespace. */
	while (r == 0 && fscanf(f, "%d", &pid) == 1)
		if (pid > 0)
			r = add_pid(l, pid);
	fclose(f);
	return r;
}

/* Takes @dir. */
static int walk(int dir, struct pid_list *l, int depth)
{
	int r = read_procs(dir, l);
	DIR *d = r < 0 ? NULL : fdopendir(dir);
	struct dirent *entry;

	if (!d) {
		r = r < 0 ? r : -errno;
		close(dir);
		return r;
	}
	while (r == 0 && (entry = readdir(d))) {
		int sub;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (depth == DEPTH_MAX)
			continue;
		sub = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			r = walk(sub, l, depth + 1);
	}
	closedir(d);
	return r;
}

int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n)
{
	struct pid_list l = { 0 };
	int dir, r;

	if (!cg->dir)
		return -ENOENT;
	*pids = NULL;
	*n = 0;
	dir = open(cg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	r = walk(dir, &l, 0);
	if (r < 0) {
		free(l.pids);
		return r;
	}
	*pids = l.pids;
	*n = l.n;
	return 0;
}

int cgroup_kill(const struct cgroup *cg, int signo)
{
	for (int round = 0; round < KILL_ROUNDS; round++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t n;
		int r = cgroup_pids(cg, &pids, &n);

		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (pids[i] == getpid())
				return -EPERM;
		for (size_t i = 0; i < n; i++)
			kill(pids[i], signo);
		if (n == 0 || signo != SIGKILL)
			return 0;
	}
	return 0;
}
