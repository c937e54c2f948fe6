/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controllers of cgroup v2. A cgroup has those only that the one above hands
 * down; the systemd driver asks for what the spec limits, and Stats would know
 * nothing of the rest. So all that the machine has are handed down to a container
 * (contract 4.6). Writes to the cgroups above it and to nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "shim/cgroup.h"
#include "shim/limits.h"
#include "shim/util.h"

#define ENABLED "cgroup.subtree_control"

/* What is in a file of one line of words. */
static int read_words(int dir, const char *name, char words[LIMIT_CONTROLLERS])
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, words, LIMIT_CONTROLLERS - 1);

	if (n < 0)
		return -errno;
	words[n] = 0;
	words[strcspn(words, "\n")] = 0;
	return 0;
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* "+a +b" for what @dir has of @wanted and does not hand down. */
static int missing(int dir, const char *wanted, char request[2 * LIMIT_CONTROLLERS])
{
	char there[LIMIT_CONTROLLERS], on[LIMIT_CONTROLLERS], copy[LIMIT_CONTROLLERS], *rest = copy;
	size_t len = 0;
	int r = read_words(dir, "cgroup.controllers", there);

	if (r == 0)
		r = read_words(dir, ENABLED, on);
	if (r < 0)
		return r;
	snprintf(copy, sizeof(copy), "%s", wanted);
	request[0] = 0;
	for (char *word; (word = strsep(&rest, " "));)
		if (*word && has_word(there, word) && !has_word(on, word))
			len += (size_t)snprintf(request + len, 2 * LIMIT_CONTROLLERS - len,
						"%s+%s", len ? " " : "", word);
	return 0;
}

static int request_all(int dir, char *request)
{
	_cleanup_close_ int fd = openat(dir, ENABLED, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : write_all(fd, request, strlen(request));

	if (r == 0 || fd < 0)
		return r;
	/* All or nothing: one that cannot be is not to keep the others from it. */
	for (char *word; (word = strsep(&request, " "));)
		write_all(fd, word, strlen(word));
	return r;
}

static int enable_in(const char *path, const char *wanted)
{
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char request[2 * LIMIT_CONTROLLERS] = "";
	int r = dir < 0 ? -errno : missing(dir, wanted, request);

	return r < 0 || !*request ? r : request_all(dir, request);
}

int cgroup_enable_controllers(const struct cgroup *cg)
{
	const char *point = cgroup_point(cg, CGROUP_PIDS);
	_cleanup_close_ int top = -1;
	char path[PATH_MAX], wanted[LIMIT_CONTROLLERS];
	int n, r;

	if (!cg->unified || !cgroup_is_known(cg))
		return 0;
	n = snprintf(path, sizeof(path), "%s%s", point, cgroup_path(cg, CGROUP_PIDS));
	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	top = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = top < 0 ? -errno : read_words(top, "cgroup.controllers", wanted);
	if (r < 0)
		return r;
	for (char *slash = path + strlen(point); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		/* What counts is the last: of those above, some may be another's. */
		r = enable_in(path, wanted);
		*slash = '/';
	}
	return r;
}
