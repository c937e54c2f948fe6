/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes the cgroups that a runtime has left which was killed: it makes them before it
 * writes down that there is such a container, so its "delete" finds none. Only those that
 * have the container's id as their name are surely its own: a runtime removes them with
 * the container, whoever has made them. All others stay, and so do those that we are in
 * ourselves. Runs in a child, since rmdir(2) of a cgroup may have to wait.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shim/cgroup.h"
#include "shim/err.h"
#include "shim/limits.h"
#include "shim/lines.h"
#include "shim/util.h"

#define ROOT "/sys/fs/cgroup"

/* A line of mountinfo: what is visible of a hierarchy, and where. */
struct hierarchy {
	bool v2;
	const char *visible, *point, *options;
};

/* ------------------------------------------------------------------ where */

static bool is_named(const char *path, const char *id)
{
	size_t len = strlen(path), n = strlen(id);

	return n > 0 && len >= n && strcmp(path + len - n, id) == 0 &&
	       (len == n || path[len - n - 1] == '/' || path[len - n - 1] == ':');
}

/* Runtimes make something else of those. */
static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	return false;
}

/* The folder of "slice:prefix:name", in which that of "a-b.slice" lies in that of "a.slice". */
static bool scope_of(const char *path, char out[PATH_MAX])
{
	const char *prefix = strchr(path, ':'), *name = prefix ? strchr(prefix + 1, ':') : NULL;
	size_t len = 0, slice = prefix ? (size_t)(prefix - path) : 0;

	if (!name || strchr(path, '/') || strchr(name + 1, ':'))
		return false;
	for (size_t i = 1; i < slice && len < PATH_MAX; i++)
		if (path[i] == '-')
			len += (size_t)snprintf(out + len, PATH_MAX - len, "/%.*s.slice", (int)i,
						path);
	if (len >= PATH_MAX)
		return false;
	len += (size_t)snprintf(out + len, PATH_MAX - len, "/%.*s/%.*s%s%s.scope",
				slice ? (int)slice : (int)strlen("system.slice"),
				slice ? path : "system.slice", (int)(name - prefix) - 1,
				prefix + 1, name - prefix > 1 ? "-" : "", name + 1);
	return len < PATH_MAX;
}

/* Whether a line of /proc/self/cgroup, of these controllers, is about this hierarchy. */
static bool is_about(const struct hierarchy *h, const char *controllers)
{
	size_t len = strlen(controllers);
	const char *at = h->options;

	if (h->v2 || !len)
		return h->v2 && !len;
	while ((at = strstr(at, controllers)) &&
	       ((at != h->options && at[-1] != ',') || (at[len] && at[len] != ',')))
		at += len;
	return at;
}

/* What a relative path is below: our own cgroup, in v2 the one that ours is in, as for runc. */
static bool own_cgroup(const char *root, const struct hierarchy *h, char out[PATH_MAX])
{
	_cleanup_(lines_close) struct lines l;
	_cleanup_free_ char *name = str_printf("%s/proc/self/cgroup", root);
	bool found = false;

	if (lines_open(&l, AT_FDCWD, name) < 0)
		return false;
	for (char *line; !found && (line = lines_next(&l));) {
		char *controllers, *path = line;

		strsep(&path, ":");
		controllers = strsep(&path, ":");
		found = path && is_about(h, controllers) &&
			snprintf(out, PATH_MAX, "%s", cgroup_seen_below(path, h->visible)) < PATH_MAX;
	}
	if (found && h->v2 && strcmp(h->point, ROOT) == 0)
		*strrchr(out, '/') = 0;
	return found;
}

/* --------------------------------------------------------------- removing */

static int remove_tree(int at, const char *name, int depth)
{
	struct dirent *e;
	int dir, r;
	DIR *d;

	if (unlinkat(at, name, AT_REMOVEDIR) == 0)
		return 0;
	r = -errno;
	if ((r != -EBUSY && r != -ENOTEMPTY) || depth == LIMIT_CGROUP_DEPTH)
		return r;
	dir = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = dir < 0 ? NULL : fdopendir(dir);
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_tree(dir, e->d_name, depth + 1);
	if (d)
		closedir(d);
	else if (dir >= 0)
		close(dir);
	return unlinkat(at, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

/* What is in it is the container's; in v1 it cannot die while it is frozen. */
static int kill_all(const char *path)
{
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), state = -1;

	if (dir < 0)
		return -errno;
	state = openat(dir, "freezer.state", O_WRONLY | O_CLOEXEC);
	if (state >= 0)
		write_all(state, "THAWED", 6);
	return cgroup_kill_in(dir);
}

static int remove_at(const char *path)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int r = remove_tree(AT_FDCWD, path, 0), killed;

	/* Whoever was sent SIGKILL leaves it when he dies. */
	for (int round = 0; r == -EBUSY && round < LIMIT_KILL_ROUNDS; round++) {
		killed = kill_all(path);
		if (killed < 0 && killed != -ENOENT)
			return killed;
		nanosleep(&pause, NULL);
		r = remove_tree(AT_FDCWD, path, 0);
	}
	return r == -ENOENT ? 0 : r;
}

static int remove_below(const char *root, const struct hierarchy *h, const char *own,
			const char *path)
{
	_cleanup_free_ char *dir = str_printf("%s%s%s%s%s", root, h->point, own,
					      *path == '/' ? "" : "/", path);
	int r = dir ? remove_at(dir) : -ENOMEM;

	if (r < 0)
		dprintf(2, "cgroup %s: %s\n", dir ? dir : path, err_strerror(-r));
	return r;
}

static int remove_from(const char *root, const struct hierarchy *h, const char *path,
		       const char *id)
{
	char own[PATH_MAX] = "", scope[PATH_MAX];
	int r = 0, as_scope = 0;

	if (!str_is_set(path))
		path = id;
	if (*path == '/' || own_cgroup(root, h, own))
		r = remove_below(root, h, own, path);
	if (scope_of(path, scope))
		as_scope = remove_below(root, h, "", scope);
	return r < 0 ? r : as_scope;
}

/* False: it is no hierarchy, or not where runtimes look for one. */
static bool parse(char *line, struct hierarchy *h)
{
	char *tail = strstr(line, " - cgroup"), *field[5];

	if (!tail || (tail[9] != ' ' && strncmp(tail + 9, "2 ", 2) != 0))
		return false;
	*tail = 0;
	if (split(line, " ", field, 5) < 5)
		return false;
	*h = (struct hierarchy){ .v2 = tail[9] == '2', .visible = field[3], .point = field[4],
				 .options = strrchr(tail + 1, ' ') + 1 };
	return strncmp(h->point, ROOT, strlen(ROOT)) == 0 &&
	       (!h->point[strlen(ROOT)] || h->point[strlen(ROOT)] == '/');
}

int cgroup_remove(const char *root, const char *path, const char *id)
{
	_cleanup_(lines_close) struct lines l;
	_cleanup_free_ char *name = str_printf("%s/proc/self/mountinfo", root);
	struct hierarchy h;
	int r = lines_open(&l, AT_FDCWD, name), one;

	if (r < 0)
		return r;
	l.skip_long = true;
	if (str_is_set(path) && (!is_named(path, id) || climbs(path)))
		return 0;
	for (char *line; (line = lines_next(&l));) {
		one = parse(line, &h) ? remove_from(root, &h, path, id) : 0;
		r = r < 0 ? r : one;
	}
	return r < 0 ? r : l.error;
}
