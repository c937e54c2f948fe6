/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a process' cgroups, and metrics of both versions, from files in a
 * folder that stands for /. What is packed is unpacked by protobuf-c and written
 * as text, so that a test sees every field, and those that should not be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "metrics_v1.pb-c.h"
#include "metrics_v2.pb-c.h"
#include "shim/cgroup.h"
#include "shim/stats.h"
#include "shim/util.h"

static char root[64];
static char text[1 << 20];
static struct cgroup cg;

/* ------------------------------------------------------------- the files */

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_root(void **st)
{
	(void)st;
	snprintf(root, sizeof(root), "/tmp/brass-stats-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **st)
{
	(void)st;
	cgroup_release(&cg);
	return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_root(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* Writes a file and the folders that it is in. */
static void put(const char *name, const char *content)
{
	char *path = strdup(in_root(name));
	FILE *f;

	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = 0;
		if (mkdir(path, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(content, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

struct file {
	const char *name, *content;
};

static void put_all(const char *folder, const struct file *f, size_t n)
{
	char name[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", folder, f[i].name);
		put(name, f[i].content);
	}
}

static void away(const char *name)
{
	assert_int_equal(unlink(in_root(name)), 0);
}

#define MOUNT(id, at, options)                  \
	id " 24 0:2" id " / /sys/fs/cgroup/" at \
	   " rw,nosuid shared:9 - cgroup cgroup rw," options "\n"

static const char mountinfo[] =
	"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
	"23 22 0:5 / /proc rw - proc proc rw\n"
	"24 22 0:21 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
	"25 24 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" MOUNT(
		"26", "systemd", "xattr,name=systemd") MOUNT("27", "pids", "pids")
		MOUNT("28", "memory", "memory") MOUNT("29", "cpu,cpuacct", "cpu,cpuacct")
			MOUNT("30", "blkio", "blkio") MOUNT("31", "hugetlb", "hugetlb")
				MOUNT("32", "rdma", "rdma")
					MOUNT("33", "freezer", "freezer")
						MOUNT("34", "devices", "devices");

static const char own[] = "12:rdma:/\n11:hugetlb:/\n10:pids:/shim\n9:cpu,cpuacct:/shim\n"
			  "8:memory:/shim\n7:blkio:/\n6:freezer:/\n5:devices:/\n"
			  "1:name=systemd:/system.slice/containerd.service\n0::/\n";
static const char containers[] =
	"12:rdma:/k8s/c1\n11:hugetlb:/k8s/c1\n10:pids:/k8s/c1\n9:cpu,cpuacct:/k8s/c1\n"
	"8:memory:/elsewhere/c1\n7:blkio:/k8s/c1\n6:freezer:/k8s/c1\n5:devices:/k8s/c1\n"
	"1:name=systemd:/k8s/c1\n0::/system.slice\n";

static void put_v1_processes(void)
{
	put("proc/self/mountinfo", mountinfo);
	put("proc/self/cgroup", own);
	put("proc/77/cgroup", containers);
}

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

static const struct file machine[] = {
	{ "proc/partitions",
	  "major minor  #blocks  name\n\n   8        0  268435456 sda\n"
	  " 253       17     1024 dm-17\n   8        0   1 again\n" },
	{ "sys/kernel/mm/hugepages/hugepages-2048kB/nr", "" },
	{ "sys/kernel/mm/hugepages/hugepages-1048576kB/nr", "" },
	{ "sys/kernel/mm/hugepages/other/nr", "" },
};

static void setup_v1(void)
{
	put_v1_processes();
	put_all(".", machine, ARRAY_SIZE(machine));
	put_all("sys/fs/cgroup", v1_files, ARRAY_SIZE(v1_files));
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
}

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

/* ------------------------------------------------------ a message as text */

static size_t used;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, ap);
	va_end(ap);
	assert_true(used < sizeof(text));
}

static void describe(const ProtobufCMessage *m, const char *prefix);

static void describe_value(const ProtobufCFieldDescriptor *f, const void *at,
			   const char *name)
{
	char inner[256];

	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT64:
		say("%s=%ju\n", name, (uintmax_t) * (const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		say("%s=%u\n", name, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		say("%s=%.17g\n", name, *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		say("%s=%s\n", name, *(const char *const *)at);
		break;
	default:
		assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
		say("%s\n", name);
		snprintf(inner, sizeof(inner), "%s.", name);
		describe(*(const ProtobufCMessage *const *)at, inner);
	}
}

static bool is_zero(const ProtobufCFieldDescriptor *f, const void *at)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return !*(const void *const *)at;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !**(const char *const *)at;
	return f->type == PROTOBUF_C_TYPE_UINT32 ? !*(const uint32_t *)at
						 : !*(const uint64_t *)at;
}

static void describe(const ProtobufCMessage *m, const char *prefix)
{
	assert_int_equal(m->n_unknown_fields, 0);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *at = (const char *)m + f->offset;
		char name[256];
		size_t n;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			snprintf(name, sizeof(name), "%s%s", prefix, f->name);
			if (!is_zero(f, at))
				describe_value(f, at, name);
			continue;
		}
		n = *(const size_t *)(const void *)((const char *)m +
						    f->quantifier_offset);
		for (size_t k = 0; k < n; k++) {
			const char *list = *(const char *const *)(const void *)at;

			/* Pointers and uint64, all of them. */
			snprintf(name, sizeof(name), "%s%s[%zu]", prefix, f->name, k);
			describe_value(f, list + 8 * k, name);
		}
	}
}

static void clear_text(void)
{
	used = 0;
	text[0] = 0;
}

/* What Stats answers, as text. */
static const char *metrics(void)
{
	_cleanup_(pack_release) struct pack p = PACK_INIT;
	struct err e = ERR_INIT;
	ProtobufCMessage *m;

	clear_text();
	assert_int_equal(stats_pack(&cg, root, &p, &e), 0);
	m = protobuf_c_message_unpack(cg.unified ? &metrics_v2__metrics__descriptor
						 : &metrics_v1__metrics__descriptor,
				      NULL, p.len, p.data);
	assert_non_null(m);
	assert_string_equal(cg.unified ? "io.containerd.cgroups.v2.Metrics"
				       : "io.containerd.cgroups.v1.Metrics",
			    stats_type(&cg));
	describe(m, "");
	protobuf_c_message_free_unpacked(m, NULL);
	return text;
}

/* The lines of metrics() that begin with @prefix. */
static const char *part(const char *prefix)
{
	static char out[4096];
	size_t n = 0, len = strlen(prefix);

	metrics();
	out[0] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		if (strncmp(line, prefix, len) == 0)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s",
					      (int)(end - line + 1), line);
	return out;
}

static const char *failure(int code)
{
	_cleanup_(pack_release) struct pack p = PACK_INIT;
	static struct err e;

	e = (struct err)ERR_INIT;
	assert_true(stats_pack(&cg, root, &p, &e) < 0);
	assert_int_equal(e.code, code);
	return e.text;
}

/* --------------------------------------------------------------- metrics */

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

#define MEMORY "sys/fs/cgroup/memory/elsewhere/c1/memory."
#define BLKIO "sys/fs/cgroup/blkio/k8s/c1/blkio."
#define CPU "sys/fs/cgroup/cpu,cpuacct/k8s/c1/"

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
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	put_all(".", machine, ARRAY_SIZE(machine));
	assert_string_equal(metrics(), "cpu\ncpu.usage\ncpu.throttling\nblkio\n");
	put("proc/self/cgroup", "0::/system.slice/containerd.service\n");
	put("proc/77/cgroup", "0::/kubepods.slice/cri-c1.scope\n");
	assert_int_equal(cgroup_find_below(&cg, root, true, 77), 0);
	assert_string_equal(metrics(), "pids\ncpu\nmemory\nrdma\nio\nhugetlb[0]\n"
				       "hugetlb[0].pagesize=1GB\nhugetlb[1]\n"
				       "hugetlb[1].pagesize=2MB\n");
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
	setup_v1();
	for (size_t i = 0; i < ARRAY_SIZE(v1); i++) {
		put_all("sys/fs/cgroup", v1_files, ARRAY_SIZE(v1_files));
		put_all("sys/fs/cgroup", &v1[i], 1);
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), v1[i].name));
		assert_non_null(strstr(failure(TTRPC_UNKNOWN), "malformed line: \""));
	}
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
	size_t size = (PACK_MAX / 6 + 1) * 8;
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
static void long_line(void **st)
{
	char line[2 * LINES_BUFFER + 2];

	(void)st;
	setup_v1();
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 4, " 1\n", 4);
	put(MEMORY "stat", line);
	assert_non_null(strstr(failure(TTRPC_UNKNOWN), "memory.stat: message too long"));
}

/* ---------------------------------------------------------- its cgroups */

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
	enum { LAYERS = LINES_BUFFER + 500 };
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
	char many[LINES_BUFFER * 2] = "";
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

static void thaws(void **st)
{
	char state[16] = "";
	int fd;

	(void)st;
	put_v1_processes();
	assert_int_equal(cgroup_find_below(&cg, root, false, 77), 0);
	assert_int_equal(cgroup_thaw(&cg), -ENOENT);
	put("sys/fs/cgroup/freezer/k8s/c1/freezer.state", "FROZEN");
	assert_int_equal(cgroup_thaw(&cg), 0);
	fd = open(in_root("sys/fs/cgroup/freezer/k8s/c1/freezer.state"), O_RDONLY);
	assert_int_equal(read(fd, state, sizeof(state)), 6);
	assert_string_equal(state, "THAWED");
	close(fd);
	cg.unified = true;
	assert_int_equal(cgroup_thaw(&cg), 0);
}

/* ------------------------------------------------------------ the packing */

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v1_every_field),
		TEST(v2_every_field),
		TEST(v1_memory_stops),
		TEST(v1_throttle),
		TEST(v1_cpu_all_or_nothing),
		TEST(v1_oddities),
		TEST(v2_missing),
		TEST(v2_io_lines),
		TEST(page_sizes),
		TEST(gone),
		TEST(malformed),
		TEST(unreadable),
		TEST(large),
		TEST(too_large),
		TEST(long_line),
		TEST(find_v1),
		TEST(find_v1_partial),
		TEST(find_none),
		TEST(find_shared),
		TEST(lists_pids),
		TEST(thaws),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
