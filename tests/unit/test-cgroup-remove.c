/* SPDX-License-Identifier: Apache-2.0 */
/* Which folders are a container's own cgroups, and are removed; empty folders stand for them. */
#include "tests/unit/stats-common.h"

#include <unistd.h>

#define V2 "25 24 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

/* Makes the folder @name below the cgroups' mount points, and those above it. */
static void make(const char *name)
{
	char file[256];

	snprintf(file, sizeof(file), "sys/fs/cgroup/%s/file", name);
	put(file, "");
	away(file);
}

static bool is_there(const char *name)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "sys/fs/cgroup/%s", name);
	return access(in_root(dir), F_OK) == 0;
}

/* @folder is there: whether the cgroups of c1 are it. */
static void check(const char *path, const char *folder, bool removed)
{
	make(folder);
	assert_int_equal(cgroup_remove(root, path, "c1"), 0);
	if (is_there(folder) == removed)
		fail_msg("cgroupsPath %s: %s should%s stay", path ? path : "(none)", folder,
			 removed ? " not" : "");
}

static void put_v1(void)
{
	put("proc/self/mountinfo", mountinfo);
	put("proc/self/cgroup", "4:cpu,cpuacct:/a/shim\n3:memory:/\n2:name=systemd:/s\n"
				"1:pids:/a/shim\n0::/u\n");
}

static void by_path(void **st)
{
	(void)st;
	put_v1();
	check("/k8s/c1", "pids/k8s/c1", true);
	check("/k8s/c1", "cpu,cpuacct/k8s/c1", true);
	check("/k8s/c1", "systemd/k8s/c1/below/below", true);
	assert_false(is_there("systemd/k8s/c1"));
	check("/k8s/c1", "unified/k8s/c1", true);
	check("/c1", "memory/c1", true);
	/* Others' names, and what would lead elsewhere. */
	check("/k8s/c1", "pids/k8s/c1x", false);
	check("/k8s/c1", "pids/c1", false);
	check("/k8s/xc1", "pids/k8s/xc1", false);
	check("/k8s", "pids/k8s", false);
	check("/", "pids", false);
	check("/k8s/../c1", "pids/c1", false);
	check("../c1", "pids/a/c1", false);
	check("/k8s/c1/", "pids/k8s/c1", false);
}

/* Below our own, each in its hierarchy. */
static void relative(void **st)
{
	(void)st;
	put_v1();
	check(NULL, "pids/a/shim/c1", true);
	check("", "cpu,cpuacct/a/shim/c1", true);
	check("x/c1", "memory/x/c1", true);
	check("c1", "systemd/s/c1", true);
	check("c1", "unified/u/c1", true);
	check(NULL, "pids/c1", false);
	check(NULL, "memory/a/shim/c1", false);
	/* Not a member of it. */
	check(NULL, "blkio/c1", false);
	/* A part of the hierarchy is visible. */
	put("proc/self/mountinfo", "26 24 0:26 /a /sys/fs/cgroup/pids rw - cgroup x rw,pids\n"
				   "27 24 0:27 / /sys/fs/cgroups rw - cgroup x rw,memory\n");
	check(NULL, "pids/shim/c1", true);
	check("/c1", "../cgroups/c1", false);
}

static void of_systemd(void **st)
{
	(void)st;
	put_v1();
	check("a-b.slice:cri:c1", "pids/a.slice/a-b.slice/cri-c1.scope", true);
	check(":cri:c1", "systemd/system.slice/cri-c1.scope", true);
	check("a.slice::c1", "unified/a.slice/c1.scope", true);
	check("a.slice:cri:c2", "pids/a.slice/cri-c2.scope", false);
	check("a.slice:cri:c1", "pids/a.slice/cri-c2.scope", false);
	/* Without systemd it is just a folder's name. */
	check("a.slice:cri:c1", "pids/a/shim/a.slice:cri:c1", true);
}

/* Below the cgroup that ours is in, whose processes would be in the way. */
static void unified(void **st)
{
	(void)st;
	put("proc/self/mountinfo", V2);
	put("proc/self/cgroup", "0::/a/shim\n");
	check("/k8s/c1", "k8s/c1", true);
	check(NULL, "a/c1", true);
	check(NULL, "a/shim/c1", false);
	check("a-b.slice:cri:c1", "a.slice/a-b.slice/cri-c1.scope", true);
	put("proc/self/cgroup", "0::/\n");
	check(NULL, "c1", true);
}

/* It says so, and the others are removed all the same. */
static void cannot_be_removed(void **st)
{
	(void)st;
	put_v1();
	put("sys/fs/cgroup/systemd/k8s/c1/file", "");
	make("pids/k8s/c1");
	assert_int_equal(cgroup_remove(root, "/k8s/c1", "c1"), -ENOTEMPTY);
	assert_false(is_there("pids/k8s/c1"));
	away("sys/fs/cgroup/systemd/k8s/c1/file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_path), TEST(relative), TEST(of_systemd), TEST(unified),
		TEST(cannot_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
