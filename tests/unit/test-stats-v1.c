/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of cgroup v1: every field, and every way a file can be missing or wrong. */
#include "tests/unit/stats-common.h"

static const struct file v1_files[] = {
	{ "hugetlb/k8s/c1/hugetlb.2MB.usage_in_bytes", "2097152\n" },
	{ "hugetlb/k8s/c1/hugetlb.2MB.max_usage_in_bytes", "4194304\n" },
	{ "hugetlb/k8s/c1/hugetlb.2MB.failcnt", "3\n" },
	{ "hugetlb/k8s/c1/hugetlb.1GB.usage_in_bytes", "0\n" },
	{ "hugetlb/k8s/c1/hugetlb.1GB.max_usage_in_bytes", "1073741824\n" },
	{ "hugetlb/k8s/c1/hugetlb.1GB.failcnt", "0\n" },
	{ "pids/k8s/c1/pids.current", "4\n" },
	{ "pids/k8s/c1/pids.max", "1024\n" },
	{ "cpu,cpuacct/k8s/c1/cpu.stat",
	  "nr_periods 11\nnr_throttled 12\nthrottled_time 13\nnr_bursts 0\nburst_time 0\n" },
	{ "cpu,cpuacct/k8s/c1/cpuacct.stat", "user 152231\nsystem 63529\n" },
	{ "cpu,cpuacct/k8s/c1/cpuacct.usage", "2157606327900\n" },
	{ "cpu,cpuacct/k8s/c1/cpuacct.usage_percpu", "958895926238 0 1198710401662 \n" },
	{ "memory/elsewhere/c1/memory.stat",
	  "cache 101\nrss 102\nrss_huge 103\nshmem 999\nmapped_file 104\ndirty 105\n"
	  "writeback 106\nworkingset_refault_anon 999\nswap 999\npgpgin 107\npgpgout 108\n"
	  "pgfault 109\npgmajfault 110\ninactive_anon 111\nactive_anon 112\n"
	  "inactive_file 113\nactive_file 114\nunevictable 115\n"
	  "hierarchical_memory_limit 116\nhierarchical_memsw_limit 9223372036854771712\n"
	  "total_cache 118\ntotal_rss 119\ntotal_rss_huge 120\ntotal_shmem 999\n"
	  "total_mapped_file 121\ntotal_dirty 122\ntotal_writeback 123\ntotal_pgpgin 124\n"
	  "total_pgpgout 125\ntotal_pgfault 126\ntotal_pgmajfault 127\n"
	  "total_inactive_anon 128\ntotal_active_anon 129\ntotal_inactive_file 130\n"
	  "total_active_file 131\ntotal_unevictable 132\n" },
	{ "memory/elsewhere/c1/memory.oom_control",
	  "oom_kill_disable 1\nunder_oom 2\noom_kill 3\n" },
	{ "memory/elsewhere/c1/memory.usage_in_bytes", "201\n" },
	{ "memory/elsewhere/c1/memory.max_usage_in_bytes", "202\n" },
	{ "memory/elsewhere/c1/memory.failcnt", "203\n" },
	{ "memory/elsewhere/c1/memory.limit_in_bytes", "204\n" },
	{ "memory/elsewhere/c1/memory.memsw.usage_in_bytes", "211\n" },
	{ "memory/elsewhere/c1/memory.memsw.max_usage_in_bytes", "212\n" },
	{ "memory/elsewhere/c1/memory.memsw.failcnt", "213\n" },
	{ "memory/elsewhere/c1/memory.memsw.limit_in_bytes", "214\n" },
	{ "memory/elsewhere/c1/memory.kmem.usage_in_bytes", "221\n" },
	{ "memory/elsewhere/c1/memory.kmem.max_usage_in_bytes", "222\n" },
	{ "memory/elsewhere/c1/memory.kmem.failcnt", "223\n" },
	{ "memory/elsewhere/c1/memory.kmem.limit_in_bytes", "224\n" },
	{ "memory/elsewhere/c1/memory.kmem.tcp.usage_in_bytes", "231\n" },
	{ "memory/elsewhere/c1/memory.kmem.tcp.max_usage_in_bytes", "232\n" },
	{ "memory/elsewhere/c1/memory.kmem.tcp.failcnt", "233\n" },
	{ "memory/elsewhere/c1/memory.kmem.tcp.limit_in_bytes", "234\n" },
	{ "blkio/k8s/c1/blkio.sectors_recursive", "8:0 301\nTotal 301\n" },
	{ "blkio/k8s/c1/blkio.io_service_bytes_recursive",
	  "8:0 Read 302\n8:0 Total 302\nTotal 302\n" },
	{ "blkio/k8s/c1/blkio.io_serviced_recursive", "253:17 Write 303\nTotal 303\n" },
	{ "blkio/k8s/c1/blkio.io_queued_recursive", "8:0 Sync 304\nTotal 304\n" },
	{ "blkio/k8s/c1/blkio.io_service_time_recursive", "8:0 Async 305\nTotal 305\n" },
	{ "blkio/k8s/c1/blkio.io_wait_time_recursive", "9:9 Read 306\nTotal 306\n" },
	{ "blkio/k8s/c1/blkio.io_merged_recursive", "8:0 Discard 307\nTotal 307\n" },
	{ "blkio/k8s/c1/blkio.time_recursive", "8:0 308\n" },
	{ "blkio/k8s/c1/blkio.throttle.io_serviced", "8:0 Read 999\n" },
	{ "blkio/k8s/c1/blkio.throttle.io_service_bytes", "8:0 Read 999\n" },
	{ "rdma/k8s/c1/rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n" },
	{ "rdma/k8s/c1/rdma.max", "mlx4_0 hca_handle=max hca_object=4000\n" },
};

static void setup_v1(void)
{
	put_v1_processes();
	put_all(".", machine, ARRAY_SIZE(machine));
	put_all("sys/fs/cgroup", v1_files, ARRAY_SIZE(v1_files));
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
}

#define MEMORY "sys/fs/cgroup/memory/elsewhere/c1/memory."
#define BLKIO "sys/fs/cgroup/blkio/k8s/c1/blkio."
#define CPU "sys/fs/cgroup/cpu,cpuacct/k8s/c1/"

static void v1_every_field(void **st)
{
	(void)st;
	setup_v1();
	assert_string_equal(
		metrics(),
		"hugetlb[0]\nhugetlb[0].max=1073741824\nhugetlb[0].pagesize=1GB\n"
		"hugetlb[1]\nhugetlb[1].usage=2097152\nhugetlb[1].max=4194304\n"
		"hugetlb[1].failcnt=3\nhugetlb[1].pagesize=2MB\n"
		"pids\npids.current=4\npids.limit=1024\n"
		"cpu\ncpu.usage\ncpu.usage.total=2157606327900\n"
		"cpu.usage.kernel=635290000000\ncpu.usage.user=1522310000000\n"
		"cpu.usage.per_cpu[0]=958895926238\ncpu.usage.per_cpu[1]=0\n"
		"cpu.usage.per_cpu[2]=1198710401662\n"
		"cpu.throttling\ncpu.throttling.periods=11\n"
		"cpu.throttling.throttled_periods=12\ncpu.throttling.throttled_time=13\n"
		"memory\nmemory.cache=101\nmemory.rss=102\nmemory.rss_huge=103\n"
		"memory.mapped_file=104\nmemory.dirty=105\nmemory.writeback=106\n"
		"memory.pg_pg_in=107\nmemory.pg_pg_out=108\nmemory.pg_fault=109\n"
		"memory.pg_maj_fault=110\nmemory.inactive_anon=111\nmemory.active_anon=112\n"
		"memory.inactive_file=113\nmemory.active_file=114\nmemory.unevictable=115\n"
		"memory.hierarchical_memory_limit=116\n"
		"memory.hierarchical_swap_limit=9223372036854771712\n"
		"memory.total_cache=118\nmemory.total_rss=119\nmemory.total_rss_huge=120\n"
		"memory.total_mapped_file=121\nmemory.total_dirty=122\n"
		"memory.total_writeback=123\nmemory.total_pg_pg_in=124\n"
		"memory.total_pg_pg_out=125\nmemory.total_pg_fault=126\n"
		"memory.total_pg_maj_fault=127\nmemory.total_inactive_anon=128\n"
		"memory.total_active_anon=129\nmemory.total_inactive_file=130\n"
		"memory.total_active_file=131\nmemory.total_unevictable=132\n"
		"memory.usage\nmemory.usage.limit=204\nmemory.usage.usage=201\n"
		"memory.usage.max=202\nmemory.usage.failcnt=203\n"
		"memory.swap\nmemory.swap.limit=214\nmemory.swap.usage=211\n"
		"memory.swap.max=212\nmemory.swap.failcnt=213\n"
		"memory.kernel\nmemory.kernel.limit=224\nmemory.kernel.usage=221\n"
		"memory.kernel.max=222\nmemory.kernel.failcnt=223\n"
		"memory.kernel_tcp\nmemory.kernel_tcp.limit=234\n"
		"memory.kernel_tcp.usage=231\nmemory.kernel_tcp.max=232\n"
		"memory.kernel_tcp.failcnt=233\n"
		"blkio\n"
		"blkio.io_service_bytes_recursive[0]\n"
		"blkio.io_service_bytes_recursive[0].op=Read\n"
		"blkio.io_service_bytes_recursive[0].device=/dev/sda\n"
		"blkio.io_service_bytes_recursive[0].major=8\n"
		"blkio.io_service_bytes_recursive[0].value=302\n"
		"blkio.io_service_bytes_recursive[1]\n"
		"blkio.io_service_bytes_recursive[1].op=Total\n"
		"blkio.io_service_bytes_recursive[1].device=/dev/sda\n"
		"blkio.io_service_bytes_recursive[1].major=8\n"
		"blkio.io_service_bytes_recursive[1].value=302\n"
		"blkio.io_serviced_recursive[0]\n"
		"blkio.io_serviced_recursive[0].op=Write\n"
		"blkio.io_serviced_recursive[0].device=/dev/dm-17\n"
		"blkio.io_serviced_recursive[0].major=253\n"
		"blkio.io_serviced_recursive[0].minor=17\n"
		"blkio.io_serviced_recursive[0].value=303\n"
		"blkio.io_queued_recursive[0]\nblkio.io_queued_recursive[0].op=Sync\n"
		"blkio.io_queued_recursive[0].device=/dev/sda\n"
		"blkio.io_queued_recursive[0].major=8\n"
		"blkio.io_queued_recursive[0].value=304\n"
		"blkio.io_service_time_recursive[0]\n"
		"blkio.io_service_time_recursive[0].op=Async\n"
		"blkio.io_service_time_recursive[0].device=/dev/sda\n"
		"blkio.io_service_time_recursive[0].major=8\n"
		"blkio.io_service_time_recursive[0].value=305\n"
		"blkio.io_wait_time_recursive[0]\n"
		"blkio.io_wait_time_recursive[0].op=Read\n"
		"blkio.io_wait_time_recursive[0].major=9\n"
		"blkio.io_wait_time_recursive[0].minor=9\n"
		"blkio.io_wait_time_recursive[0].value=306\n"
		"blkio.io_merged_recursive[0]\nblkio.io_merged_recursive[0].op=Discard\n"
		"blkio.io_merged_recursive[0].device=/dev/sda\n"
		"blkio.io_merged_recursive[0].major=8\n"
		"blkio.io_merged_recursive[0].value=307\n"
		"blkio.io_time_recursive[0]\nblkio.io_time_recursive[0].device=/dev/sda\n"
		"blkio.io_time_recursive[0].major=8\nblkio.io_time_recursive[0].value=308\n"
		"blkio.sectors_recursive[0]\nblkio.sectors_recursive[0].device=/dev/sda\n"
		"blkio.sectors_recursive[0].major=8\nblkio.sectors_recursive[0].value=301\n"
		"rdma\nrdma.current[0]\nrdma.current[0].device=mlx4_0\n"
		"rdma.current[0].hca_handles=2\nrdma.current[0].hca_objects=2000\n"
		"rdma.limit[0]\nrdma.limit[0].device=mlx4_0\n"
		"rdma.limit[0].hca_handles=4294967295\nrdma.limit[0].hca_objects=4000\n"
		"memory_oom_control\nmemory_oom_control.oom_kill_disable=1\n"
		"memory_oom_control.under_oom=2\nmemory_oom_control.oom_kill=3\n");
}

/* Without swap accounting: what comes behind is not read either. */
static void v1_memory_stops(void **st)
{
	(void)st;
	setup_v1();
	away(MEMORY "memsw.max_usage_in_bytes");
	assert_string_equal(part("memory.swap"), "memory.swap\nmemory.swap.usage=211\n");
	assert_string_equal(part("memory.kernel"), "memory.kernel\nmemory.kernel_tcp\n");
	assert_string_equal(part("memory.usage.max"), "memory.usage.max=202\n");
	assert_string_equal(part("memory_oom_control.oom"),
			    "memory_oom_control.oom_kill_disable=1\n"
			    "memory_oom_control.oom_kill=3\n");
	away(MEMORY "oom_control");
	assert_string_equal(part("memory_oom"), "");
	assert_string_equal(part("memory.cache"), "memory.cache=101\n");
	assert_string_equal(part("memory.usage"), "memory.usage\n");
	away(MEMORY "stat");
	assert_string_equal(part("memory"), "");
	assert_string_equal(part("pids.current"), "pids.current=4\n");
}

static void v1_cpu_all_or_nothing(void **st)
{
	(void)st;
	setup_v1();
	away(CPU "cpuacct.usage_percpu");
	assert_string_equal(part("cpu.usage"), "cpu.usage\n");
	assert_string_equal(part("cpu.throttling.p"), "cpu.throttling.periods=11\n");
	away(CPU "cpu.stat");
	assert_string_equal(part("cpu"), "cpu\ncpu.usage\ncpu.throttling\n");
}

static void v1_throttle(void **st)
{
	static const char *const recursive[] = {
		"sectors",	   "io_service_bytes", "io_serviced", "io_queued",
		"io_service_time", "io_wait_time",     "io_merged",   "time",
	};
	char name[128];

	(void)st;
	setup_v1();
	put(BLKIO "throttle.io_serviced", "8:0 Read 1\nTotal 1\n");
	put(BLKIO "throttle.io_service_bytes", "8:0 Read 4096\nTotal 4096\n");
	for (size_t i = 0; i < ARRAY_SIZE(recursive); i++) {
		snprintf(name, sizeof(name), BLKIO "%s_recursive", recursive[i]);
		put(name, "Total 0\n");
	}
	assert_string_equal(part("blkio"),
			    "blkio\n"
			    "blkio.io_service_bytes_recursive[0]\n"
			    "blkio.io_service_bytes_recursive[0].op=Read\n"
			    "blkio.io_service_bytes_recursive[0].device=/dev/sda\n"
			    "blkio.io_service_bytes_recursive[0].major=8\n"
			    "blkio.io_service_bytes_recursive[0].value=4096\n"
			    "blkio.io_serviced_recursive[0]\n"
			    "blkio.io_serviced_recursive[0].op=Read\n"
			    "blkio.io_serviced_recursive[0].device=/dev/sda\n"
			    "blkio.io_serviced_recursive[0].major=8\n"
			    "blkio.io_serviced_recursive[0].value=1\n");
	/* One of the others missing ends it before the limits are asked. */
	away(BLKIO "io_queued_recursive");
	assert_string_equal(part("blkio"), "blkio\n");
	/* This one decides whether they are looked at. */
	away(BLKIO "io_serviced_recursive");
	assert_string_equal(part("blkio.io_serviced_recursive[0].value"),
			    "blkio.io_serviced_recursive[0].value=1\n");
	away(BLKIO "throttle.io_serviced");
	assert_string_equal(part("blkio"), "blkio\n");
}

static void v1_oddities(void **st)
{
	(void)st;
	setup_v1();
	put("sys/fs/cgroup/pids/k8s/c1/pids.max", "max\n");
	assert_string_equal(part("pids"), "pids\npids.current=4\n");
	put(MEMORY "limit_in_bytes", "-1\n");
	put(MEMORY "stat", "cache -4096\nrss 5\n");
	assert_string_equal(part("memory.usage.limit"), "");
	assert_string_equal(part("memory.cache"), "");
	assert_string_equal(part("memory.rss"), "memory.rss=5\n");
	/* A device came between the two files. */
	put("sys/fs/cgroup/rdma/k8s/c1/rdma.max",
	    "a hca_handle=1 hca_object=1\nmlx4_0 hca_handle=1 hca_object=1\n");
	assert_string_equal(part("rdma"), "");
	put("sys/fs/cgroup/rdma/k8s/c1/rdma.max", "mlx4_0 hca_handle=x future=1\n");
	assert_string_equal(part("rdma.limit"),
			    "rdma.limit[0]\nrdma.limit[0].device=mlx4_0\n");
	away("sys/fs/cgroup/rdma/k8s/c1/rdma.max");
	assert_string_equal(part("rdma"), "");
	/* The first size is whole, the second is not there at all. */
	away("sys/fs/cgroup/hugetlb/k8s/c1/hugetlb.2MB.failcnt");
	assert_string_equal(part("hugetlb"), "hugetlb[0]\nhugetlb[0].max=1073741824\n"
					     "hugetlb[0].pagesize=1GB\n");
	away("proc/partitions");
	assert_string_equal(part("blkio"), "blkio\n");
}

/* The container is dead and its cgroup removed: zeros, not an error. */
static void gone(void **st)
{
	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	put_all(".", machine, ARRAY_SIZE(machine));
	assert_string_equal(metrics(), "cpu\ncpu.usage\ncpu.throttling\nblkio\n");
	cgroup_release(&cg);
	assert_string_equal(failure(TTRPC_NOT_FOUND), "cgroup does not exist");
}

static void malformed(void **st)
{
	static const struct file v1[] = {
		{ "pids/k8s/c1/pids.current", "" },
		{ "pids/k8s/c1/pids.current", "4k" },
		{ "pids/k8s/c1/pids.max", "18446744073709551616\n" },
		{ "cpu,cpuacct/k8s/c1/cpuacct.usage", "-\n" },
		{ "cpu,cpuacct/k8s/c1/cpuacct.usage_percpu", "1 -2 3\n" },
		{ "cpu,cpuacct/k8s/c1/cpuacct.stat", "user 1\n" },
		{ "cpu,cpuacct/k8s/c1/cpu.stat", "nr_periods\n" },
		{ "memory/elsewhere/c1/memory.stat", "cache 1 2\n" },
		{ "memory/elsewhere/c1/memory.stat", "future 0x10\n" },
		{ "memory/elsewhere/c1/memory.oom_control", "\n" },
		{ "blkio/k8s/c1/blkio.sectors_recursive", "8:0\n" },
		{ "blkio/k8s/c1/blkio.sectors_recursive", "8:0 Read 1 2\n" },
		{ "blkio/k8s/c1/blkio.sectors_recursive", "8:x 1\n" },
		{ "blkio/k8s/c1/blkio.sectors_recursive", "8:0 Read -1\n" },
	};

	(void)st;
	setup_v1();
	for (size_t i = 0; i < ARRAY_SIZE(v1); i++) {
		put_all("sys/fs/cgroup", v1_files, ARRAY_SIZE(v1_files));
		put_all("sys/fs/cgroup", &v1[i], 1);
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), v1[i].name));
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), "malformed line: \""));
	}
}

/* A folder where a file should be can be opened, but not read. */
static void unreadable(void **st)
{
	(void)st;
	setup_v1();
	away(MEMORY "stat");
	assert_int_equal(mkdir(in_root(MEMORY "stat"), 0755), 0);
	assert_non_null(strstr(failure(TTRPC_UNKNOWN),
			       "memory/elsewhere/c1/memory.stat: is a directory"));
}

/* More processors than a buffer holds; more devices than a first allocation. */
static void large(void **st)
{
	enum { CPUS = 4096, DEVICES = 3000 };
	static char list[CPUS * 24 + 1], lines[DEVICES * 24 + 1],
		disks[DEVICES * 32 + 64];
	size_t n = 0, d = (size_t)snprintf(disks, sizeof(disks),
					   "major minor  #blocks  name\n\n");

	(void)st;
	setup_v1();
	for (unsigned i = 0; i < CPUS; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%ju ",
				      (uintmax_t)UINT64_MAX - i);
	put(CPU "cpuacct.usage_percpu", list);
	n = 0;
	for (unsigned i = 0; i < DEVICES; i++) {
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "8:%u Read 7\n", i);
		d += (size_t)snprintf(disks + d, sizeof(disks) - d, " 8 %u 1 disk%u\n", i,
				      i);
	}
	put(BLKIO "io_service_bytes_recursive", lines);
	put("proc/partitions", disks);
	metrics();
	assert_non_null(strstr(text, "cpu.usage.per_cpu[0]=18446744073709551615\n"));
	assert_non_null(strstr(text, "cpu.usage.per_cpu[4095]=18446744073709547520\n"));
	assert_null(strstr(text, "cpu.usage.per_cpu[4096]"));
	assert_non_null(strstr(text, "bytes_recursive[2999].device=/dev/disk2999\n"));
	assert_non_null(strstr(text, "bytes_recursive[2999].minor=2999\n"));
	assert_null(strstr(text, "bytes_recursive[3000]"));
}

static void too_large(void **st)
{
	size_t size = (LIMIT_STATS / 6 + 1) * 8;
	char *lines = malloc(size + 1);

	(void)st;
	assert_non_null(lines);
	for (size_t at = 0; at < size; at += 8)
		memcpy(lines + at, "8:000 7\n", 8);
	lines[size] = 0;
	setup_v1();
	put(BLKIO "sectors_recursive", lines);
	free(lines);
	assert_string_equal(failure(TTRPC_RESOURCE_EXHAUSTED),
			    "metrics of more than 2097152 bytes");
}

/* A line that is no counter's, and longer than any of a kernel. */
/* LIMIT_PARTITIONS */
static void many_partitions(void **st)
{
	char *lines = malloc(LIMIT_PARTITIONS + 2);

	(void)st;
	assert_non_null(lines);
	setup_v1();
	memset(lines, '\n', LIMIT_PARTITIONS + 1);
	lines[LIMIT_PARTITIONS + 1] = 0;
	put("proc/partitions", lines);
	assert_non_null(strstr(failure(TTRPC_UNKNOWN), "/proc/partitions: file too large"));
	lines[LIMIT_PARTITIONS] = 0;
	put("proc/partitions", lines);
	free(lines);
	assert_non_null(strstr(part("blkio"), "blkio"));
}

static void long_line(void **st)
{
	char line[2 * LIMIT_LINE + 2];

	(void)st;
	setup_v1();
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 4, " 1\n", 4);
	put(MEMORY "stat", line);
	assert_non_null(strstr(failure(TTRPC_UNKNOWN), "memory.stat: message too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v1_every_field), TEST(v1_memory_stops), TEST(v1_cpu_all_or_nothing),
		TEST(v1_throttle),    TEST(v1_oddities),     TEST(gone),
		TEST(malformed),      TEST(unreadable),	     TEST(large),
		TEST(too_large),      TEST(many_partitions),      TEST(long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
