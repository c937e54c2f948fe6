/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel, its cgroups, the folders and limits of this host; see doctor.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "shim/err.h"
#include "shim/reap.h"
#include "shim/socket.h"
#include "shim/spawn.h"
#include "shim/tool/doctor.h"
#include "shim/util.h"

/* waitid(P_PIDFD) came with 5.4, pidfd_open(2) with 5.3. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 4
#define CHILD_STATUS 23
#define CHILD_MS 5000

/* Free on the file system of /run: a pod's sockets, FIFOs and bundles take some 100 kB. */
#define RUN_BYTES (64u << 20)
#define RUN_FILES 10000
/* A pod's shim has some twenty descriptors, containerd some ten for each container. */
#define FILES_MIN 4096
#define PID_MAX_MIN 32768

/* ---------------------------------------------------------------- kernel */

static int end_with_status(void *arg)
{
	(void)arg;
	return CHILD_STATUS;
}

/* The way in which the shim waits for everything, tried. */
static void try_pidfd(struct doctor *d)
{
	pid_t pid;
	int r = reap_supported();

	if (r == 0)
		r = spawn_call(end_with_status, NULL, 2, &pid);
	if (r == 0)
		r = reap_wait(pid, CHILD_MS);
	if (r == CHILD_STATUS)
		doctor_say(d, FINDING_OK, "pidfd", "",
			   "a child can be waited for by pidfd, tried");
	else
		doctor_say(
			d, FINDING_ERROR, "pidfd",
			"use a kernel from 5.4 on, and no seccomp filter that hides pidfd_open(2)",
			"a child cannot be waited for by pidfd: %s",
			r < 0 ? err_strerror(-r) : "it ended with another status");
}

void doctor_kernel(struct doctor *d)
{
	_cleanup_free_ char *text = doctor_read(d, "/proc/sys/kernel/osrelease");
	int major = 0, minor = 0;

	if (!text || sscanf(text, "%d.%d", &major, &minor) != 2) {
		doctor_say(d, FINDING_ERROR, "kernel", "mount /proc",
			   "its version is not known: /proc/sys/kernel/osrelease: %s",
			   text ? "no version" : err_strerror(errno));
		return;
	}
	text[strcspn(text, "\n")] = 0;
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		doctor_say(d, FINDING_ERROR, "kernel", "boot a kernel from 5.4 on",
			   "Linux %s cannot wait for a pidfd (P_PIDFD)", text);
	else
		doctor_say(d, FINDING_OK, "kernel", "", "Linux %s", text);
	if (!*d->root)
		try_pidfd(d);
	free(text);
	text = doctor_read(d, "/proc/filesystems");
	if (text && !strstr(text, "\toverlay\n"))
		doctor_say(
			d, FINDING_NOTE, "kernel", "modprobe overlay",
			"overlayfs is not there (yet): containerd's usual snapshotter needs it");
}

/* --------------------------------------------------------------- cgroups */

/* One of the words of @list. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *s = list; (s = strstr(s, word)); s += len)
		if ((s == list || strchr(" ,\n", s[-1])) &&
		    (!s[len] || strchr(" ,\n", s[len])))
			return true;
	return false;
}

/* Which of @wanted (up to NULL) are not in @list, with commas; "": all are. */
static void missing_words(const char *list, const char *const wanted[], char *out,
			  size_t size)
{
	size_t n = 0;

	*out = 0;
	for (; *wanted && n < size; wanted++)
		if (!has_word(list, *wanted))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
					      *wanted);
}

static void look_at_v2(struct doctor *d)
{
	static const char *const needed[] = { "memory", "pids", "cpu", NULL };
	static const char *const wanted[] = { "io", "cpuset", NULL };
	_cleanup_free_ char *there = doctor_read(d, "/sys/fs/cgroup/cgroup.controllers");
	_cleanup_free_ char *given =
		doctor_read(d, "/sys/fs/cgroup/cgroup.subtree_control");
	char list[128];

	if (!there) {
		doctor_say(d, FINDING_ERROR, "cgroup", "mount cgroup2 on /sys/fs/cgroup",
			   "/sys/fs/cgroup/cgroup.controllers: %s", err_strerror(errno));
		return;
	}
	missing_words(there, needed, list, sizeof(list));
	if (*list)
		doctor_say(
			d, FINDING_ERROR, "cgroup",
			"take them from cgroup v1, or out of cgroup_disable= on the kernel's command line",
			"v2, without the controllers %s", list);
	else
		doctor_say(d, FINDING_OK, "cgroup", "", "v2 (unified), with %.*s",
			   (int)strcspn(there, "\n"), there);
	missing_words(there, wanted, list, sizeof(list));
	if (*list)
		doctor_say(d, FINDING_NOTE, "cgroup", "",
			   "v2, without the controllers %s: their "
			   "limits and metrics are not to be had",
			   list);
	missing_words(given ? given : "", needed, list, sizeof(list));
	if (given && *list)
		doctor_say(
			d, FINDING_WARNING, "cgroup",
			"runc does it for containers; for others: echo +NAME >/sys/fs/cgroup/cgroup.subtree_control",
			"the controllers %s are not handed down to cgroups below the root",
			list);
}

/* The options of all "… - cgroup SOURCE OPTIONS" in mountinfo, and whether there are any. */
static bool list_v1(const char *mounts, char *out, size_t size)
{
	size_t n = 0;

	*out = 0;
	for (const char *s = mounts; (s = strstr(s, " - cgroup ")); s++) {
		const char *options = strchr(s + 10, ' ');

		if (options && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? "," : "",
					      (int)strcspn(options + 1, "\n"),
					      options + 1);
	}
	return n > 0;
}

static void look_at_v1(struct doctor *d, const char *mounts)
{
	static const char *const needed[] = { "memory",	 "pids",    "cpu",
					      "devices", "freezer", NULL };
	char options[2048], list[128];

	if (!list_v1(mounts, options, sizeof(options))) {
		doctor_say(
			d, FINDING_ERROR, "cgroup",
			"mount cgroup2 on /sys/fs/cgroup, or the hierarchies of v1 below it",
			"no cgroups are mounted");
		return;
	}
	missing_words(options, needed, list, sizeof(list));
	if (*list)
		doctor_say(
			d, FINDING_ERROR, "cgroup",
			"mount them below /sys/fs/cgroup; see cgroup_disable= on the kernel's command line",
			"v1, without the hierarchies %s", list);
	else
		doctor_say(d, FINDING_OK, "cgroup", "",
			   "v1, with all that a container needs");
	if (d->systemd)
		doctor_say(d, FINDING_NOTE, "cgroup", "",
			   "systemd, runc and Kubernetes are about to give up cgroup v1");
}

void doctor_cgroup(struct doctor *d)
{
	_cleanup_free_ char *mounts = doctor_read(d, "/proc/self/mountinfo");
	_cleanup_free_ char *systemd = doctor_at(d, "/run/systemd/system");

	d->systemd = systemd && access(systemd, F_OK) == 0;
	if (!mounts) {
		doctor_say(d, FINDING_ERROR, "cgroup", "mount /proc",
			   "/proc/self/mountinfo: %s", err_strerror(errno));
		return;
	}
	d->unified = strstr(mounts, " /sys/fs/cgroup ") &&
		     strstr(mounts, " - cgroup2 ") && !strstr(mounts, " - cgroup ");
	if (d->unified)
		look_at_v2(d);
	else
		look_at_v1(d, mounts);
	doctor_say(d, FINDING_OK, "cgroup", "", "driver: %s",
		   d->systemd ? "systemd runs this host, SystemdCgroup = true fits"
			      : "no systemd, SystemdCgroup = false (cgroupfs) fits");
}

/* --------------------------------------------------------------- folders */

static void look_at_folder(struct doctor *d, const char *path, mode_t forbidden)
{
	_cleanup_free_ char *at = doctor_at(d, path);
	struct stat st;

	if (!at)
		return;
	if (lstat(at, &st) < 0) {
		doctor_say(d,
			   errno == ENOENT || errno == EACCES ? FINDING_NOTE
							      : FINDING_ERROR,
			   "folders", "", "%s: %s%s", path, err_strerror(errno),
			   errno == ENOENT ? " (it is made when it is needed)" : "");
		return;
	}
	if (!S_ISDIR(st.st_mode))
		doctor_say(d, FINDING_ERROR, "folders", "remove it", "%s is no folder",
			   path);
	else if (st.st_uid != geteuid() && geteuid() == 0)
		doctor_say(
			d, FINDING_ERROR, "folders", "chown root:root it",
			"%s belongs to user %u: he can put himself between containerd and its shims",
			path, st.st_uid);
	else if (st.st_mode & forbidden)
		doctor_say(d, FINDING_ERROR, "folders", "chmod it to 0711",
			   "%s can be written by others (mode %04o)", path,
			   st.st_mode & 07777);
	else
		doctor_say(d, FINDING_OK, "folders", "", "%s: mode %04o", path,
			   st.st_mode & 07777);
}

static void look_at_space(struct doctor *d)
{
	_cleanup_free_ char *at = doctor_at(d, "/run");
	struct statvfs fs;
	uint64_t bytes;

	if (!at || statvfs(at, &fs) < 0) {
		doctor_say(d, FINDING_ERROR, "space", "mount a tmpfs on /run", "/run: %s",
			   err_strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes < RUN_BYTES || (fs.f_files > 0 && fs.f_favail < RUN_FILES))
		doctor_say(d, FINDING_WARNING, "space",
			   "mount -o remount,size=…,nr_inodes=… /run",
			   "/run has %" PRIu64 " MiB and %" PRIu64
			   " files free: bundles, sockets and "
			   "FIFOs of containers are there",
			   bytes >> 20, (uint64_t)fs.f_favail);
	else
		doctor_say(d, FINDING_OK, "space", "", "/run has %" PRIu64 " MiB free",
			   bytes >> 20);
}

void doctor_folders(struct doctor *d)
{
	look_at_folder(d, "/run/containerd", S_IWGRP | S_IWOTH);
	look_at_folder(d, SOCKET_DIR, S_IWGRP | S_IWOTH);
	look_at_space(d);
}

/* ---------------------------------------------------------------- limits */

static void look_at_files(struct doctor *d)
{
	char path[64], whose[32] = "this user";
	_cleanup_free_ char *text = NULL;
	const char *line;
	uint64_t soft;

	snprintf(path, sizeof(path), "/proc/self/limits");
	if (d->containerd) {
		snprintf(path, sizeof(path), "/proc/%d/limits", d->containerd);
		snprintf(whose, sizeof(whose), "containerd (pid %d)", d->containerd);
	}
	text = doctor_read(d, path);
	line = text ? strstr(text, "Max open files") : NULL;
	if (!line)
		return;
	if (sscanf(line, "Max open files %" SCNu64, &soft) == 1 && soft < FILES_MIN)
		doctor_say(d, FINDING_WARNING, "limits",
			   "LimitNOFILE=1048576 in containerd.service (ulimit -n)",
			   "%s may have %" PRIu64 " files open; its shims inherit that",
			   whose, soft);
	else
		doctor_say(d, FINDING_OK, "limits", "", "open files of %s: enough",
			   whose);
}

static void look_at_pids(struct doctor *d)
{
	_cleanup_free_ char *text = doctor_read(d, "/proc/sys/kernel/pid_max");
	uint64_t max = text ? strtoull(text, NULL, 10) : 0;

	if (max > 0 && max < PID_MAX_MIN)
		doctor_say(d, FINDING_WARNING, "limits", "sysctl kernel.pid_max=4194304",
			   "kernel.pid_max is %" PRIu64 ": few processes for a node",
			   max);
}

/* All shims stay in containerd's cgroup, with the tasks that systemd allows it. */
static void look_at_tasks(struct doctor *d)
{
	char name[64], line[512], *path;
	_cleanup_free_ char *text = NULL, *max = NULL, *file = NULL;

	if (!d->containerd)
		return;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", d->containerd);
	text = doctor_read(d, name);
	path = text ? strstr(text, d->unified ? "0::" : ":pids:") : NULL;
	if (!path)
		return;
	path = strchr(path + 2, '/');
	if (!path)
		return;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(path, "\n"), path);
	file = str_printf("/sys/fs/cgroup%s%s/pids.max", d->unified ? "" : "/pids", line);
	max = file ? doctor_read(d, file) : NULL;
	if (max && strncmp(max, "max", 3) != 0)
		doctor_say(
			d, FINDING_WARNING, "limits",
			"TasksMax=infinity in containerd.service",
			"containerd, its shims and what they start may be %.*s tasks together (%s)",
			(int)strcspn(max, "\n"), max, file);
}

void doctor_limits(struct doctor *d)
{
	look_at_files(d);
	look_at_pids(d);
	look_at_tasks(d);
}
