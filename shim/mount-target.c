/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a rootfs a mount's target is. What is in a rootfs was made by a
 * stranger: no path and no symbolic link in it may lead out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "shim/compat.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"


/* A walk: the directories from the root to where it is now, and what is left to go. */
struct walk {
	int fds[LIMIT_TARGET_DEPTH];
	unsigned depth; /* fds[0] is the root */
	unsigned links;
	char rest[2 * PATH_MAX];
};

static void go_up(struct walk *w)
{
	/* The root is its own parent. */
	if (w->depth > 1)
		closep(&w->fds[--w->depth]);
}

/* Puts what a link says before the rest of the way. */
static int follow(struct walk *w, int link)
{
	char path[sizeof(w->rest)];
	size_t len = strlen(w->rest);
	ssize_t n = readlinkat(link, "", path, PATH_MAX);

	if (n < 0)
		return -errno;
	if (++w->links > LIMIT_TARGET_LINKS)
		return -ELOOP;
	if ((size_t)n + 1 + len >= sizeof(path))
		return -ENAMETOOLONG;
	path[n] = '/';
	memcpy(path + n + 1, w->rest, len + 1);
	memcpy(w->rest, path, (size_t)n + 1 + len + 1);
	if (w->rest[0] == '/')
		while (w->depth > 1)
			go_up(w);
	return 0;
}

static int go_down(struct walk *w, const char *name)
{
	_cleanup_close_ int fd =
		openat(w->fds[w->depth - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd);
	if (w->depth == LIMIT_TARGET_DEPTH)
		return -ENAMETOOLONG;
	w->fds[w->depth++] = TAKE_FD(fd);
	return 0;
}

static int step(struct walk *w)
{
	char name[NAME_MAX + 1];
	size_t n = strcspn(w->rest, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->rest, n);
	name[n] = 0;
	n += strspn(w->rest + n, "/");
	memmove(w->rest, w->rest + n, strlen(w->rest + n) + 1);
	if (strcmp(name, "..") == 0)
		go_up(w);
	else if (*name && strcmp(name, "."))
		return go_down(w, name);
	return 0;
}

int target_walk(int root, const char *target)
{
	struct walk w = { .fds = { fcntl(root, F_DUPFD_CLOEXEC, 0) }, .depth = 1 };
	int r = w.fds[0] < 0 ? -errno : 0;

	if (strlen(target) >= PATH_MAX)
		r = -ENAMETOOLONG;
	else
		memcpy(w.rest, target, strlen(target) + 1);
	while (r == 0 && *w.rest)
		r = step(&w);
	if (r == 0)
		r = TAKE_FD(w.fds[w.depth - 1]);
	while (w.depth > 0)
		closep(&w.fds[--w.depth]);
	return r;
}

int target_open(int root, const char *target)
{
	int r;

	if (!*target)
		target = ".";
	for (int i = 0; i < LIMIT_TARGET_TRIES; i++) {
		r = sys_openat2(root, target, O_PATH, RESOLVE_IN_ROOT);
		if (r != -EAGAIN)
			break;
	}
	/* EPERM: a seccomp filter that does not know it. */
	return r == -ENOSYS || r == -EPERM ? target_walk(root, target) : r;
}
