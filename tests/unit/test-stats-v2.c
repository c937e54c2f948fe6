/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of cgroup v2, as in test-stats-v1.c; and how lengths are packed. */
#include "tests/unit/stats-common.h"

static const char memory_pressure[] =
	"some avg10=0.12 avg60=33.30 avg300=100.00 total=71\nfull avg10=0.00 avg60=0.01 "
	"avg300=0.00 total=72\n";

static const struct file v2_files[] = {
	{ "pids.current", "5\n" },
	{ "pids.max", "max\n" },
	{ "cpu.stat",
	  "usage_usec 1\nuser_usec 2\nsystem_usec 3\nnice_usec 999\ncore_sched.force_idle_usec"
	  " 0\nnr_periods 4\nnr_throttled 5\nthrottled_usec 6\nnr_bursts 8\nburst_usec 9\n" },
	{ "cpu.pressure", "some avg10=1.50 avg60=0.00 avg300=0.00 total=70\n" },
	{ "memory.stat",
	  "anon 101\nfile 102\nkernel 999\nkernel_stack 103\npagetables 999\nsock 105\n"
	  "shmem 106\nfile_mapped 107\nfile_dirty 108\nfile_writeback 109\nanon_thp 110\n"
	  "inactive_anon 111\nactive_anon 112\ninactive_file 113\nactive_file 114\n"
	  "unevictable 115\nslab_reclaimable 116\nslab_unreclaimable 117\nslab 104\n"
	  "workingset_refault_anon 139\nworkingset_refault_file 140\n"
	  "workingset_activate_anon 141\nworkingset_activate_file 142\n"
	  "workingset_nodereclaim 122\nworkingset_refault 120\nworkingset_activate 121\n"
	  "pgscan 124\npgsteal 125\npgscan_kswapd 999\npgfault 118\npgmajfault 119\n"
	  "pgrefill 123\npgactivate 126\npgdeactivate 127\npglazyfree 128\n"
	  "pglazyfreed 129\nthp_fault_alloc 130\nthp_collapse_alloc 131\n" },
	{ "memory.current", "201\n" },
	{ "memory.max", "202\n" },
	{ "memory.swap.current", "203\n" },
	{ "memory.swap.max", "max\n" },
	{ "memory.peak", "205\n" },
	{ "memory.swap.peak", "206\n" },
	{ "memory.pressure", memory_pressure },
	{ "memory.events",
	  "low 301\nhigh 302\nmax 303\noom 304\noom_kill 305\noom_group_kill 306\n" },
	{ "io.stat", "8:0 rbytes=401 wbytes=402 rios=403 wios=404 dbytes=999 dios=999\n"
		     "253:0 wbytes=412 cost.usage=7\n" },
	{ "io.pressure", "full avg10=0.00 avg60=0.00 avg300=0.00 total=73\n" },
	{ "rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 "
			  "hca_object=0\n" },
	{ "rdma.max", "mlx4_0 hca_handle=max hca_object=4000\n" },
	{ "hugetlb.2MB.current", "501\n" },
	{ "hugetlb.2MB.max", "max\n" },
	{ "hugetlb.2MB.events", "max 503\n" },
	{ "hugetlb.1GB.current", "511\n" },
	{ "hugetlb.1GB.max", "512\n" },
};

#define V2 "sys/fs/cgroup/kubepods.slice/cri-c1.scope"

static void setup_v2(void)
{
	put("proc/self/cgroup", "0::/system.slice/containerd.service\n");
	put("proc/77/cgroup", "0::/kubepods.slice/cri-c1.scope\n");
	put_all(".", machine, ARRAY_SIZE(machine));
	put_all(V2, v2_files, ARRAY_SIZE(v2_files));
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
}

static void v2_every_field(void **st)
{
	(void)st;
	setup_v2();
	assert_string_equal(
		metrics(),
		"pids\npids.current=5\npids.limit=18446744073709551615\n"
		"cpu\ncpu.usage_usec=1\ncpu.user_usec=2\ncpu.system_usec=3\n"
		"cpu.nr_periods=4\ncpu.nr_throttled=5\ncpu.throttled_usec=6\n"
		"cpu.psi\ncpu.psi.some\ncpu.psi.some.avg10=1.5\ncpu.psi.some.total=70\n"
		"cpu.nr_bursts=8\ncpu.burst_usec=9\n"
		"memory\nmemory.anon=101\nmemory.file=102\nmemory.kernel_stack=103\n"
		"memory.slab=104\nmemory.sock=105\nmemory.shmem=106\n"
		"memory.file_mapped=107\nmemory.file_dirty=108\n"
		"memory.file_writeback=109\nmemory.anon_thp=110\n"
		"memory.inactive_anon=111\nmemory.active_anon=112\n"
		"memory.inactive_file=113\nmemory.active_file=114\n"
		"memory.unevictable=115\nmemory.slab_reclaimable=116\n"
		"memory.slab_unreclaimable=117\nmemory.pgfault=118\n"
		"memory.pgmajfault=119\nmemory.workingset_refault=120\n"
		"memory.workingset_activate=121\nmemory.workingset_nodereclaim=122\n"
		"memory.pgrefill=123\nmemory.pgscan=124\nmemory.pgsteal=125\n"
		"memory.pgactivate=126\nmemory.pgdeactivate=127\n"
		"memory.pglazyfree=128\nmemory.pglazyfreed=129\n"
		"memory.thp_fault_alloc=130\nmemory.thp_collapse_alloc=131\n"
		"memory.usage=201\nmemory.usage_limit=202\nmemory.swap_usage=203\n"
		"memory.swap_limit=18446744073709551615\nmemory.max_usage=205\n"
		"memory.swap_max_usage=206\n"
		"memory.psi\nmemory.psi.some\nmemory.psi.some.avg10=0.12\n"
		"memory.psi.some.avg60=33.299999999999997\nmemory.psi.some.avg300=100\n"
		"memory.psi.some.total=71\nmemory.psi.full\n"
		"memory.psi.full.avg60=0.01\nmemory.psi.full.total=72\n"
		"memory.workingset_refault_anon=139\nmemory.workingset_refault_file=140\n"
		"memory.workingset_activate_anon=141\nmemory.workingset_activate_file=142\n"
		"rdma\nrdma.current[0]\nrdma.current[0].device=mlx4_0\n"
		"rdma.current[0].hca_handles=2\nrdma.current[0].hca_objects=2000\n"
		"rdma.current[1]\nrdma.current[1].device=ocrdma1\n"
		"rdma.current[1].hca_handles=3\n"
		"rdma.limit[0]\nrdma.limit[0].device=mlx4_0\n"
		"rdma.limit[0].hca_handles=4294967295\nrdma.limit[0].hca_objects=4000\n"
		"io\nio.usage[0]\nio.usage[0].major=8\nio.usage[0].rbytes=401\n"
		"io.usage[0].wbytes=402\nio.usage[0].rios=403\nio.usage[0].wios=404\n"
		"io.usage[1]\nio.usage[1].major=253\nio.usage[1].wbytes=412\n"
		"io.psi\nio.psi.full\nio.psi.full.total=73\n"
		"hugetlb[0]\nhugetlb[0].current=511\nhugetlb[0].max=512\n"
		"hugetlb[0].pagesize=1GB\n"
		"hugetlb[1]\nhugetlb[1].current=501\nhugetlb[1].max=18446744073709551615\n"
		"hugetlb[1].pagesize=2MB\nhugetlb[1].failcnt=503\n"
		"memory_events\nmemory_events.low=301\nmemory_events.high=302\n"
		"memory_events.max=303\nmemory_events.oom=304\nmemory_events.oom_kill=305\n"
		"memory_events.oom_group_kill=306\n");
}

static void v2_missing(void **st)
{
	(void)st;
	setup_v2();
	away(V2 "/memory.peak");
	away(V2 "/memory.pressure");
	assert_string_equal(part("memory.max"), "");
	assert_string_equal(part("memory.swap_m"), "memory.swap_max_usage=206\n");
	assert_string_equal(part("memory.psi"), "");
	away(V2 "/memory.stat");
	assert_string_equal(part("memory."), "");
	assert_string_equal(part("memory_events.low"), "memory_events.low=301\n");
	away(V2 "/memory.events");
	assert_string_equal(part("memory"), "memory\n");
	away(V2 "/cpu.stat");
	assert_string_equal(part("cpu"), "cpu\n");
	away(V2 "/rdma.current");
	assert_string_equal(part("rdma.limit[0].device"),
			    "rdma.limit[0].device=mlx4_0\n");
	away(V2 "/io.stat");
	assert_string_equal(part("io"),
			    "io\nio.psi\nio.psi.full\nio.psi.full.total=73\n");
	away(V2 "/pids.current");
	assert_string_equal(part("pids"), "pids\npids.limit=18446744073709551615\n");
}

/* Lines of io.stat as some kernels write them. */
static void v2_io_lines(void **st)
{
	(void)st;
	setup_v2();
	put(V2 "/io.stat", "7:1 7:0 8:16 rbytes=1 wbytes=x\n\n9:0 \nnonsense rbytes=5\n"
			   "1:2:3 rios=9\n");
	away(V2 "/io.pressure");
	assert_string_equal(part("io"), "io\nio.usage[0]\nio.usage[0].major=8\n"
					"io.usage[0].minor=16\nio.usage[0].rbytes=1\n"
					"io.usage[1]\nio.usage[1].major=9\n");
}

static void page_sizes(void **st)
{
	(void)st;
	setup_v2();
	put("sys/kernel/mm/hugepages/hugepages-64kB/nr", "");
	put("sys/kernel/mm/hugepages/hugepages-16777216kB/nr", "");
	put("sys/kernel/mm/hugepages/hugepages-32768kB/nr", "");
	put("sys/kernel/mm/hugepages/hugepages-2kXB/nr", "");
	put("sys/kernel/mm/hugepages/hugepages-/nr", "");
	assert_non_null(strstr(part("hugetlb"), "hugetlb[0].pagesize=1GB\n"));
	assert_non_null(strstr(text, "hugetlb[1].pagesize=16GB\n"));
	assert_non_null(strstr(text, "hugetlb[2].pagesize=2MB\n"));
	assert_non_null(strstr(text, "hugetlb[3].pagesize=32MB\n"));
	assert_non_null(strstr(text, "hugetlb[4].pagesize=64KB\n"));
	assert_null(strstr(text, "hugetlb[5]"));
	remove_root(NULL);
	make_root(NULL);
	put("proc/self/cgroup", "0::/a\n");
	put("proc/77/cgroup", "0::/b\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	assert_string_equal(part("hugetlb"), "");
}

/* The container is dead and its cgroup removed: zeros, not an error. */
static void gone(void **st)
{
	(void)st;
	put("proc/self/cgroup", "0::/system.slice/containerd.service\n");
	put("proc/77/cgroup", "0::/kubepods.slice/cri-c1.scope\n");
	put_all(".", machine, ARRAY_SIZE(machine));
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	assert_string_equal(metrics(), "pids\ncpu\nmemory\nrdma\nio\nhugetlb[0]\n"
				       "hugetlb[0].pagesize=1GB\nhugetlb[1]\n"
				       "hugetlb[1].pagesize=2MB\n");
}

static void malformed(void **st)
{
	static const struct file v2[] = {
		{ "pids.max", "maximum\n" },
		{ "cpu.stat", "usage_usec 1,5\n" },
		{ "cpu.pressure", "some avg10=1.2.3\n" },
		{ "cpu.pressure", "some avg10=.5\n" },
		{ "io.pressure", "some avg10=1.\n" },
		{ "io.pressure", "some avg10=1e3\n" },
		{ "io.pressure", "full total=-1\n" },
		{ "io.pressure", "full 5\n" },
		{ "memory.events", "oom_kill\n" },
		{ "hugetlb.2MB.events", "max x\n" },
		{ "memory.stat", "anon 1" },
	};

	(void)st;
	setup_v2();
	for (size_t i = 0; i < ARRAY_SIZE(v2) - 1; i++) {
		put_all(V2, v2_files, ARRAY_SIZE(v2_files));
		put_all(V2, &v2[i], 1);
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), v2[i].name));
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), "malformed line: \""));
	}
	/* Without an end of line it is whole all the same. */
	put_all(V2, v2_files, ARRAY_SIZE(v2_files));
	put_all(V2, &v2[ARRAY_SIZE(v2) - 1], 1);
	assert_string_equal(part("memory.anon"), "memory.anon=1\n");
}

/* Lengths on both sides of each size that a length can have. */
static void lengths(void **st)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 16383, 16384, 200000 };
	char *device = malloc(200001);

	(void)st;
	assert_non_null(device);
	memset(device, 'd', 200000);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(pack_release) struct pack p = PACK_INIT;
		size_t outer = pack_begin(&p, 6), inner = pack_begin(&p, 1), begin;
		MetricsV1__Metrics *m;

		pack_text(&p, 1, device, sizes[i]);
		pack_uint(&p, 2, UINT32_MAX);
		begin = p.len;
		pack_uint(&p, 3, 77);
		pack_truncate(&p, begin);
		pack_end(&p, inner);
		pack_end(&p, outer);
		assert_int_equal(p.error, 0);
		m = (void *)protobuf_c_message_unpack(&metrics_v1__metrics__descriptor,
						      NULL, p.len, p.data);
		assert_non_null(m);
		assert_int_equal(m->rdma->n_current, 1);
		assert_int_equal(strlen(m->rdma->current[0]->device), sizes[i]);
		assert_int_equal(m->rdma->current[0]->hca_handles, UINT32_MAX);
		assert_int_equal(m->rdma->current[0]->hca_objects, 0);
		protobuf_c_message_free_unpacked(&m->base, NULL);
	}
	free(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v2_every_field),	   TEST(v2_missing), TEST(v2_io_lines),
		TEST(page_sizes),	   TEST(gone),	     TEST(malformed),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
