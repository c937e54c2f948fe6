/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scenario has left on the machine, and how to get rid of it.
 */
#include "tests/diff/diff.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, or of those in it, sorted, NULL at the end. */
static char **names_of(const char *dir, bool only_directories)
{
	char **names = forget_later(calloc(513, sizeof(*names)));
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && n < 512 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
		    (!only_directories || e->d_type == DT_DIR))
			names[n++] = text("%s", e->d_name);
	if (d)
		closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	return names;
}

static char **names_in(const char *dir)
{
	return names_of(dir, false);
}

static const char *joined(char **names)
{
	const char *out = "";

	for (; *names; names++)
		out = text("%s%s%s", out, *out ? " " : "", *names);
	return *out ? out : "none";
}

/* The contents where they are short and everybody's, else nothing. */
static const char *contents(const char *path, const char *name)
{
	char *data;

	if (!strcmp(name, "init.pid") || strstr(name, ".pid")) {
		data = read_file(path, NULL);
		return data ? pid_name(strtol(data, NULL, 10)) : "?";
	}
	if (strcmp(name, "address") && strcmp(name, "runtime") &&
	    strcmp(name, "options.json"))
		return "";
	data = read_file(path, NULL);
	return data ? text("\"%s\"", data) : "?";
}

void say_files(const char *id)
{
	char **names = names_in(in_bundle(id, ""));
	struct stat st;

	for (; *names; names++) {
		char *path = in_bundle(id, *names);

		if (lstat(path, &st) < 0)
			continue;
		say(text("file %s/%s", id, *names), "mode %o %s%s", st.st_mode,
		    S_ISREG(st.st_mode) ? contents(path, *names) : "",
		    S_ISDIR(st.st_mode) ? joined(names_in(path)) : "");
	}
}

static const char *processes(int signal)
{
	struct dirent *e;
	char *list[512];
	DIR *d = opendir("/proc");
	size_t n = 0;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	while (d && n < 511 && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 1 || !is_alive(pid))
			continue;
		list[n] = proc_status(pid, "Name");
		if (!list[n])
			continue;
		n++;
		if (signal)
			kill(pid, signal);
	}
	if (d)
		closedir(d);
	list[n] = NULL;
	qsort(list, n, sizeof(*list), by_name);
	return joined(list);
}

/* Where something is mounted in the tests' directory; the last one first. */
static char *last_mount(void)
{
	char *all = read_file("/proc/self/mountinfo", NULL), *at, *last = NULL;

	for (at = all; at && (at = strstr(at, " " DIR_OF_TEST "/")); at++)
		last = at + 1;
	return last ? text("%.*s", (int)strcspn(last, " "), last) : NULL;
}

static const char *const hierarchies[] = { "cpu",     "cpuacct", "cpuset", "memory",
					   "devices", "freezer", "blkio",  "pids",
					   "systemd", "unified", "" };

static const char *cgroups(bool and_remove)
{
	const char *out = "";

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		char *dir = text("/sys/fs/cgroup/%s%s", hierarchies[i], cgroup_name());
		char **names = names_of(dir, true);

		for (; *names; names++) {
			out = text("%s %s/%s", out, hierarchies[i], *names);
			if (and_remove)
				rmdir(text("%s/%s", dir, *names));
		}
		if (and_remove)
			rmdir(dir);
	}
	return *out ? out : "none";
}

/* Between two looks: each of them costs memory until the end of the scenario. */
static bool paused(uint64_t due)
{
	loop_for(10);
	return loop_now() < due;
}

void say_left(const char *when)
{
	uint64_t due = deadline_in(300);

	/* What has been killed needs a moment to be gone. */
	while (strcmp(processes(0), "none") && paused(due))
		;
	say(text("processes %s", when), "%s", processes(0));
	say(text("mounts %s", when), "%s", last_mount() ? last_mount() : "none");
	say(text("sockets %s", when), "%s", joined(names_in(SHIM_SOCKETS)));
	say(text("runc %s", when), "%s", joined(names_in(text("%s/" NS, e2e.root))));
	say(text("cgroups %s", when), "%s", cgroups(false));
	say(text("tmp %s", when), "%s", joined(names_in(TMP)));
}

static void thaw(void)
{
	char *dir = text("/sys/fs/cgroup/freezer%s", cgroup_name());
	char **names = names_in(dir);

	for (; *names; names++) {
		FILE *f = fopen(text("%s/%s/freezer.state", dir, *names), "we");

		if (f) {
			fputs("THAWED", f);
			fclose(f);
		}
	}
}

static int remove_one(const char *dir)
{
	char **names = names_in(dir);

	for (; *names; names++) {
		char *path = text("%s/%s", dir, *names);

		if (remove(path) < 0 && errno != ENOENT)
			remove_one(path);
	}
	return rmdir(dir);
}

void clean_up(void)
{
	uint64_t due = deadline_in(SOON);
	char *mount;

	do {
		processes(SIGKILL);
		thaw();
	} while (strcmp(processes(0), "none") && paused(due));
	while ((mount = last_mount()) && umount2(mount, MNT_DETACH) == 0)
		;
	while (strcmp(cgroups(true), "none") && paused(due))
		;
	remove_one(SHIM_SOCKETS);
	remove_one(text("%s/" NS, e2e.root));
	remove_one(TMP);
	mkdir(TMP, 0700);
}
