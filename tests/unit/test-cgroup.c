/* SPDX-License-Identifier: Apache-2.0 */
/* Where the cgroups of a process are, and who is in them. */
#include "tests/unit/stats-common.h"

#include <sys/syscall.h>

static const char *place(enum cgroup_controller c)
{
	static char s[512];

	snprintf(s, sizeof(s), "%s%s", cgroup_point(&cg, c), cgroup_path(&cg, c));
	return strncmp(s, root, strlen(root)) == 0 ? s + strlen(root) : s;
}

static void find_v1(void **st)
{
	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_true(cgroup_is_known(&cg));
	assert_string_equal(place(CGROUP_PIDS), "/sys/fs/cgroup/pids/k8s/c1");
	assert_string_equal(place(CGROUP_MEMORY), "/sys/fs/cgroup/memory/elsewhere/c1");
	assert_string_equal(place(CGROUP_CPU), "/sys/fs/cgroup/cpu,cpuacct/k8s/c1");
	assert_string_equal(place(CGROUP_CPUACCT), "/sys/fs/cgroup/cpu,cpuacct/k8s/c1");
	assert_string_equal(place(CGROUP_SYSTEMD), "/sys/fs/cgroup/systemd/k8s/c1");
	/* Each string once: nine mount points, two paths. */
	assert_true(cg.text_len < 9 * (strlen(root) + 27) + 40);
	for (unsigned c = 0; c < N_CGROUP_CONTROLLERS; c++)
		assert_true(cgroup_owns(&cg, c));
	cgroup_release(&cg);
	cgroup_release(&cg);
	assert_false(cgroup_is_known(&cg));
	assert_string_equal(place(CGROUP_PIDS), "");
}

/* A hierarchy of which only a part is mounted; two controllers that are not. */
static void find_v1_partial(void **st)
{
	enum { LAYERS = LIMIT_LINE + 500 };
	char mounts[LAYERS + 1024], layers[LAYERS + 1];

	(void)st;
	/* Longer than a buffer: passed over, and with it nothing else. */
	memset(layers, 'l', LAYERS);
	layers[LAYERS] = 0;
	snprintf(mounts, sizeof(mounts),
		 "90 22 0:50 / /merged rw - overlay overlay rw,lowerdir=%s\n"
		 "26 24 0:26 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
		 "27 24 0:27 / /again rw - cgroup cgroup rw,pids\n"
		 "28 24 0:28 /docker /sys/fs/cgroup/memory rw - cgroup none rw,memory\n",
		 layers);
	put("proc/self/mountinfo", mounts);
	put("proc/self/cgroup", "1:pids:/docker/abc\n2:memory:/docker/abc\n");
	put("proc/77/cgroup",
	    "3:cpu:/docker/abc/c\n1:pids:/docker/abc/c\n2:memory:/dockerx/c\n");
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_string_equal(place(CGROUP_PIDS), "/sys/fs/cgroup/pids/c");
	assert_string_equal(place(CGROUP_MEMORY), "/sys/fs/cgroup/memory/dockerx/c");
	assert_false(cgroup_has(&cg, CGROUP_CPU));
	assert_int_equal(cgroup_open(&cg, CGROUP_CPU), -ENOENT);
}

static void find_none(void **st)
{
	pid_t *pids;
	size_t n;

	(void)st;
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), -ENOENT);
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 78), -ENOENT);
	put("proc/77/cgroup", "");
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), -ENOENT);
	/* A zombie. */
	put("proc/77/cgroup", "10:pids:/\n8:memory:/\n");
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), -ESRCH);
	assert_false(cgroup_is_known(&cg));
	assert_int_equal(cgroup_pids(&cg, &pids, &n), -ENOENT);
}

/* One that we are in, or above us, is no container's to list or to kill. */
static void find_shared(void **st)
{
	static const char *const paths[] = { "/shim", "/shim/below" };
	pid_t *pids;
	size_t n;

	(void)st;
	for (size_t i = 0; i < 2; i++) {
		char line[64];

		snprintf(line, sizeof(line), "0::%s\n", paths[i]);
		put("proc/self/cgroup", line);
		put("proc/77/cgroup", "0::/shim\n");
		assert_int_equal(cgroup_find_below(&cg, root, true, 77), -EXDEV);
		assert_int_equal(cgroup_pids(&cg, &pids, &n), -ENOENT);
		assert_int_equal(cgroup_kill(&cg, 9), -ENOENT);
		assert_false(cgroup_owns(&cg, CGROUP_MEMORY));
		/* But it can be read. */
		put("sys/fs/cgroup/shim/pids.current", "3\n");
		assert_string_equal(part("pids"), "pids\npids.current=3\n");
	}
	put("proc/self/cgroup", "0::/shimmer\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	/* In v1 it is a question for each controller. */
	put_v1_processes();
	put("proc/77/cgroup", "10:pids:/k8s/c1\n8:memory:/shim\n");
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_true(cgroup_owns(&cg, CGROUP_PIDS));
	assert_false(cgroup_owns(&cg, CGROUP_MEMORY));
	assert_true(cgroup_has(&cg, CGROUP_MEMORY));
}

static void lists_pids(void **st)
{
	pid_t *pids = NULL;
	char many[LIMIT_LINE * 2] = "";
	size_t n, at = 0;

	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, 0);
	put("sys/fs/cgroup/pids/k8s/c1/cgroup.procs", "1000\n0\n1001\n");
	put("sys/fs/cgroup/pids/k8s/c1/sub/deep/cgroup.procs", "77\n");
	put("sys/fs/cgroup/pids/k8s/c1/sub/cgroup.procs", "");
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(pids[0], 1000);
	assert_int_equal(pids[1], 1001);
	assert_int_equal(pids[2], 77);
	free(pids);
	for (int i = 0; i < 1500; i++)
		at += (size_t)snprintf(many + at, sizeof(many) - at, "%d\n", 1000 + i);
	put("sys/fs/cgroup/pids/k8s/c1/cgroup.procs", many);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, 1501);
	for (int i = 0; i < 1500; i++)
		assert_int_equal(pids[i], 1000 + i);
	free(pids);
	put("sys/fs/cgroup/pids/k8s/c1/cgroup.procs", "12x\n");
	assert_int_equal(cgroup_pids(&cg, &pids, &n), -EINVAL);
}

/* As the kernel does it: a cgroup of threads does not say whose they are. */
ssize_t read(int fd, void *p, size_t n)
{
	char link[32], path[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/threads/cgroup.procs")) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return syscall(SYS_read, fd, p, n);
}

/* The one above it does, which is the container's or below that. */
static void lists_who_has_threads_elsewhere(void **st)
{
	pid_t *pids = NULL;
	size_t n;

	(void)st;
	put("proc/self/cgroup", "0::/shim\n");
	put("proc/77/cgroup", "0::/c1\n");
	put("sys/fs/cgroup/c1/cgroup.procs", "77\n");
	put("sys/fs/cgroup/c1/threads/cgroup.procs", "");
	put("sys/fs/cgroup/c1/threads/cgroup.threads", "77\n78\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], 77);
	free(pids);
	/* Nothing is above: who is in it is not known. */
	put("sys/fs/cgroup/threads/cgroup.procs", "");
	put("proc/77/cgroup", "0::/threads\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), -EOPNOTSUPP);
}

/* LIMIT_CGROUP_DEPTH: who nests deeper than that is not listed. */
static void lists_so_deep(void **st)
{
	char name[256] = "sys/fs/cgroup/pids/k8s/c1";
	size_t at = strlen(name), n;
	pid_t *pids;

	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	for (int i = 0; i <= LIMIT_CGROUP_DEPTH + 1; i++) {
		char line[16];

		snprintf(name + at, sizeof(name) - at, "/cgroup.procs");
		snprintf(line, sizeof(line), "%d\n", 1000 + i);
		put(name, line);
		at += (size_t)snprintf(name + at, sizeof(name) - at, "/d");
	}
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, LIMIT_CGROUP_DEPTH + 1);
	assert_int_equal(pids[n - 1], 1000 + LIMIT_CGROUP_DEPTH);
	free(pids);
}

/* LIMIT_PIDS */
static void lists_so_many(void **st)
{
	static char lines[2 * LIMIT_PIDS + 3];
	pid_t *pids;
	size_t n;

	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	for (size_t i = 0; i <= LIMIT_PIDS; i++)
		memcpy(lines + 2 * i, "7\n", 3);
	put("sys/fs/cgroup/pids/k8s/c1/cgroup.procs", lines);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), -E2BIG);
	lines[2 * (size_t)LIMIT_PIDS] = 0;
	put("sys/fs/cgroup/pids/k8s/c1/cgroup.procs", lines);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_int_equal(n, LIMIT_PIDS);
	free(pids);
}

/* A file of the tree, as it is now. */
static const char *content(const char *name)
{
	static char s[2048];
	FILE *f = fopen(in_root(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(s, 1, sizeof(s) - 1, f);
	s[n] = 0;
	fclose(f);
	return s;
}

static void thaws(void **st)
{
	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_int_equal(cgroup_thaw(&cg), -ENOENT);
	put("sys/fs/cgroup/freezer/k8s/c1/freezer.state", "FROZEN");
	assert_int_equal(cgroup_thaw(&cg), 0);
	assert_string_equal(content("sys/fs/cgroup/freezer/k8s/c1/freezer.state"), "THAWED");
	cg.unified = true;
	put("sys/fs/cgroup/freezer/k8s/c1/cgroup.freeze", "1");
	assert_int_equal(cgroup_thaw(&cg), 0);
	assert_string_equal(content("sys/fs/cgroup/freezer/k8s/c1/cgroup.freeze"), "0");
}

#define CG "sys/fs/cgroup/"
#define ENABLED "/cgroup.subtree_control"

static void put_tree(const char *slice)
{
	put("proc/self/cgroup", "0::/shim\n");
	put("proc/77/cgroup", "0::/k8s.slice/pod.slice/c1\n");
	put(CG "cgroup.controllers", "cpu io memory pids\n");
	put(CG ENABLED, "cpu io memory pids\n");
	put(CG "k8s.slice/cgroup.controllers", "cpu io memory pids\n");
	put(CG "k8s.slice" ENABLED, slice);
	put(CG "k8s.slice/pod.slice/cgroup.controllers", "cpu memory pids\n");
	put(CG "k8s.slice/pod.slice" ENABLED, "\n");
	put(CG "k8s.slice/pod.slice/c1/cgroup.controllers", "\n");
	put(CG "k8s.slice/pod.slice/c1" ENABLED, "\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
}

/* What is asked for: what is there and not handed down yet, above it only. */
static void enables(void **st)
{
	(void)st;
	put_tree("cpu pids\n");
	assert_int_equal(cgroup_enable_controllers(&cg), 0);
	assert_string_equal(content(CG ENABLED), "cpu io memory pids\n");
	assert_string_equal(content(CG "k8s.slice" ENABLED), "+io +memory");
	assert_string_equal(content(CG "k8s.slice/pod.slice" ENABLED),
			    "+cpu +memory +pids");
	assert_string_equal(content(CG "k8s.slice/pod.slice/c1" ENABLED), "\n");
}

/* LIMIT_CONTROLLERS: of more than that the first ones are handed down. */
static void enables_so_many(void **st)
{
	char words[LIMIT_CONTROLLERS + 100], *at = words;

	(void)st;
	put_tree("cpu pids\n");
	for (int i = 10; at < words + LIMIT_CONTROLLERS + 50; i++)
		at += snprintf(at, 16, "x%d ", i);
	snprintf(at, 16, "memory\n");
	put(CG "cgroup.controllers", words);
	put(CG ENABLED, "\n");
	put(CG "k8s.slice/cgroup.controllers", words);
	put(CG "k8s.slice/pod.slice/cgroup.controllers", words);
	assert_int_equal(cgroup_enable_controllers(&cg), 0);
	assert_int_equal(strncmp(content(CG ENABLED), "+x10 +x11 ", 10), 0);
	assert_int_equal(strncmp(content(CG "k8s.slice/pod.slice" ENABLED), "+x10 +x11 ", 10), 0);
	assert_null(strstr(content(CG ENABLED), "memory"));
}

/* "cpu" is not in "cpuset". */
static void enables_by_the_word(void **st)
{
	(void)st;
	put_tree("cpuset io memory pids\n");
	assert_int_equal(cgroup_enable_controllers(&cg), 0);
	assert_string_equal(content(CG "k8s.slice" ENABLED), "+cpuet io memory pids\n");
}

/* Those above may be another's; the one right above it is to do it. */
static void enables_what_it_may(void **st)
{
	(void)st;
	put_tree("\n");
	away(CG "k8s.slice" ENABLED);
	assert_int_equal(cgroup_enable_controllers(&cg), 0);
	away(CG "k8s.slice/pod.slice" ENABLED);
	assert_int_equal(cgroup_enable_controllers(&cg), -ENOENT);
	away(CG "cgroup.controllers");
	assert_int_equal(cgroup_enable_controllers(&cg), -ENOENT);
}

/* v1 has no such thing. */
static void enables_nothing_in_v1(void **st)
{
	(void)st;
	put_v1_processes();
	put(CG "cgroup.controllers", "cpu\n");
	put(CG ENABLED, "\n");
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_int_equal(cgroup_enable_controllers(&cg), 0);
	assert_string_equal(content(CG ENABLED), "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(find_v1),
		TEST(find_v1_partial),
		TEST(find_none),
		TEST(find_shared),
		TEST(lists_pids),
		TEST(lists_who_has_threads_elsewhere),
		TEST(lists_so_deep),
		TEST(lists_so_many),
		TEST(thaws),
		TEST(enables),
		TEST(enables_so_many),
		TEST(enables_by_the_word),
		TEST(enables_what_it_may),
		TEST(enables_nothing_in_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
