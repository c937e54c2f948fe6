/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE: programs mount and unmount it. The helper's daemon outlives it and
 * becomes the shim's child. (Go shims run the helper again if waiting for it
 * fails with ECHILD, since something else in them has reaped it. Nothing else
 * here does.)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shim/err.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/reap.h"
#include "shim/spawn.h"
#include "shim/util.h"

/* The one who waits for us has the deadline that counts. */
#define HELPER_MS INT_MAX

extern char **environ;

const char *fuse_helper(const char *type)
{
	if (strncmp(type, "fuse.", 5) == 0)
		return "mount.fuse";
	return strncmp(type, "fuse3.", 6) == 0 ? "mount.fuse3" : NULL;
}

bool fuse_is_type(const char *type)
{
	return strcmp(type, "fuse") == 0 || strcmp(type, "fuseblk") == 0 ||
	       strncmp(type, "fuse.", 5) == 0 || strncmp(type, "fuseblk.", 8) == 0;
}

/* Its exit status, or a negative errno; -ETIME: was killed, with all it had started. */
static int run(const char *const *argv, int out, int timeout_ms)
{
	const int fds[] = { 0, out, out };
	char path[PATH_MAX];
	const struct spawn s = {
		.path = path,
		.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
		.fds = fds,
		.n_fds = 3,
		.own_group = true,
		.dies_with_us = true,
	};
	pid_t pid = 0;
	int r = spawn_find(argv[0], path);

	if (r == 0)
		r = spawn_exec(&s, &pid);
	if (r < 0)
		return r;
	r = reap_wait(pid, timeout_ms);
	if (r == -ETIME) {
		kill(-pid, SIGKILL);
		reap_wait(pid, timeout_ms);
	}
	return r;
}

static void report(const char *const *argv, int out, int status)
{
	_cleanup_free_ char *command = strdup("");
	char output[512];
	size_t n = memfd_read(out, output, sizeof(output));

	for (size_t i = 0; command && argv[i]; i++) {
		char *more = str_printf("%s%s%s", command, i > 0 ? " " : "", argv[i]);

		free(command);
		command = more;
	}
	while (n > 0 && output[n - 1] == '\n')
		output[--n] = 0;
	if (status < 0)
		mount_fail("mount helper [%.900s] failed: %s",
			   command ? command : argv[0], err_strerror(-status));
	else
		mount_fail("mount helper [%.900s] failed: \"%s\": exit status %d",
			   command ? command : argv[0], output, status);
}

int fuse_mount(const struct mount *m, const char *target)
{
	_cleanup_free_ const char **argv = calloc(2 * m->n_options + 6, sizeof(*argv));
	_cleanup_close_ int out = memfd_open("output");
	size_t n = 0;
	int r;

	if (!argv || out < 0)
		return mount_fail("out of memory or descriptors");
	argv[n++] = fuse_helper(m->type);
	argv[n++] = m->source;
	argv[n++] = target;
	for (size_t i = 0; i < m->n_options; i++) {
		argv[n++] = "-o";
		argv[n++] = m->options[i];
	}
	argv[n++] = "-t";
	argv[n++] = strchr(m->type, '.') + 1;
	r = run(argv, out, HELPER_MS);
	if (r == 0)
		return 0;
	report(argv, out, r);
	return MOUNT_FAILED;
}

bool fuse_unmount(const char *path)
{
	static const char *const programs[] = { "fusermount3", "fusermount" };
	_cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		const char *const argv[] = { programs[i], "-u", path, NULL };
		int r = run(argv, null, LIMIT_FUSERMOUNT_MS);

		if (r == 0 || r == -ETIME)
			return r == 0;
	}
	return false;
}
