/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of cgroup v1 (contract 3.7, 8.3): each controller has a directory of
 * its own. A file that is missing ends the part of its controller, what was read
 * before stays; the first error ends it all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/stats.h"
#include "shim/util.h"

/* cpuacct.stat counts in hundredths of a second, whatever the kernel's HZ is. */
#define NS_PER_TICK UINT64_C(10000000)


static int pids(struct scan *s)
{
	uint64_t current, limit;
	size_t m;
	int r = stats_counter(s, "pids.current", 0, &current);

	if (r == 0)
		r = stats_counter(s, "pids.max", 0, &limit);
	if (r != 0)
		return r;
	m = pack_begin(s->out, 2);
	pack_uint(s->out, 1, current);
	pack_uint(s->out, 2, limit);
	pack_end(s->out, m);
	return 0;
}

/* ------------------------------------------------------------------ cpu */

static int cpuacct_values(struct scan *s)
{
	static const struct stats_key keys[] = { { "user", 3 }, { "system", 2 } };
	uint64_t ticks[ARRAY_SIZE(keys)], found, total;
	int r = stats_keys(s, "cpuacct.stat", keys, ARRAY_SIZE(keys), ticks, &found);

	if (r != 0)
		return r;
	if (found != 3)
		return stats_malformed(s, "cpuacct.stat", "no user or system time");
	r = stats_counter(s, "cpuacct.usage", 0, &total);
	if (r != 0)
		return r;
	pack_uint(s->out, 1, total);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		pack_uint(s->out, keys[i].field, ticks[i] * NS_PER_TICK);
	return 0;
}

static int cpuacct_per_cpu(struct scan *s)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, "cpuacct.usage_percpu");
	size_t list;

	if (r != 0)
		return r;
	list = pack_begin(s->out, 4);
	for (char *word; (word = lines_word(&l));) {
		uint64_t v;

		if (parse_uint(word, UINT64_MAX, &v) < 0)
			return stats_malformed(s, "cpuacct.usage_percpu", word);
		pack_element(s->out, v);
	}
	pack_end(s->out, list);
	return stats_end(s, &l, "cpuacct.usage_percpu");
}

/* All or nothing: half of it would look like a processor that stood still. */
static int cpuacct(struct scan *s)
{
	size_t m = pack_begin(s->out, 1), begin = s->out->len;
	int r = cpuacct_values(s);

	if (r == 0)
		r = cpuacct_per_cpu(s);
	if (r != 0)
		pack_truncate(s->out, begin);
	pack_end(s->out, m);
	return r;
}

static int cpu(struct scan *s)
{
	static const struct stats_key keys[] = {
		{ "nr_periods", 1 },
		{ "nr_throttled", 2 },
		{ "throttled_time", 3 },
	};
	size_t m = pack_begin(s->out, 2);
	int r = stats_pack_keys(s, "cpu.stat", keys, ARRAY_SIZE(keys));

	pack_end(s->out, m);
	return r;
}

/* --------------------------------------------------------------- memory */

static const struct stats_key memory_keys[] = {
	{ "cache", 1 },
	{ "rss", 2 },
	{ "rss_huge", 3 },
	{ "mapped_file", 4 },
	{ "dirty", 5 },
	{ "writeback", 6 },
	{ "pgpgin", 7 },
	{ "pgpgout", 8 },
	{ "pgfault", 9 },
	{ "pgmajfault", 10 },
	{ "inactive_anon", 11 },
	{ "active_anon", 12 },
	{ "inactive_file", 13 },
	{ "active_file", 14 },
	{ "unevictable", 15 },
	{ "hierarchical_memory_limit", 16 },
	{ "hierarchical_memsw_limit", 17 },
	{ "total_cache", 18 },
	{ "total_rss", 19 },
	{ "total_rss_huge", 20 },
	{ "total_mapped_file", 21 },
	{ "total_dirty", 22 },
	{ "total_writeback", 23 },
	{ "total_pgpgin", 24 },
	{ "total_pgpgout", 25 },
	{ "total_pgfault", 26 },
	{ "total_pgmajfault", 27 },
	{ "total_inactive_anon", 28 },
	{ "total_active_anon", 29 },
	{ "total_inactive_file", 30 },
	{ "total_active_file", 31 },
	{ "total_unevictable", 32 },
};

/* One of the four counters of memory: "", "memsw.", "kmem." or "kmem.tcp.". */
static int memory_entry(struct scan *s, const char *module)
{
	static const struct stats_key files[] = {
		{ "usage_in_bytes", 2 },
		{ "max_usage_in_bytes", 3 },
		{ "failcnt", 4 },
		{ "limit_in_bytes", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char name[160];
		uint64_t v;
		int r;

		snprintf(name, sizeof(name), "memory.%s%s", module, files[i].name);
		r = stats_counter(s, name, 0, &v);
		if (r != 0)
			return r;
		pack_uint(s->out, files[i].field, v);
	}
	return 0;
}

static int oom_control(struct scan *s)
{
	static const struct stats_key keys[] = {
		{ "oom_kill_disable", 1 },
		{ "under_oom", 2 },
		{ "oom_kill", 3 },
	};
	size_t begin = s->out->len, m = pack_begin(s->out, 9);
	int r = stats_pack_keys(s, "memory.oom_control", keys, ARRAY_SIZE(keys));

	pack_end(s->out, m);
	if (r == STATS_MISSING)
		pack_truncate(s->out, begin);
	return r;
}

static int memory(struct scan *s)
{
	static const char modules[][10] = { "", "memsw.", "kmem.", "kmem.tcp." };
	uint64_t values[ARRAY_SIZE(memory_keys)], found;
	int r = stats_keys(s, "memory.stat", memory_keys, ARRAY_SIZE(memory_keys), values,
			   &found);
	size_t m;

	if (r == 0)
		r = oom_control(s);
	else if (r > 0)
		return r;
	m = pack_begin(s->out, 4);
	for (size_t i = 0; i < ARRAY_SIZE(memory_keys); i++)
		pack_uint(s->out, memory_keys[i].field, values[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(modules); i++) {
		size_t entry = pack_begin(s->out, 33 + i);

		if (r == 0)
			r = memory_entry(s, modules[i]);
		pack_end(s->out, entry);
	}
	pack_end(s->out, m);
	return r;
}

/* ---------------------------------------------------------------- blkio */

/* /proc/partitions, read when the first device turns up. */
struct partitions {
	char *text;
	size_t len;
};

static int load_partitions(struct scan *s, struct partitions *p)
{
	char name[128];
	int r;

	if (p->text)
		return 0;
	snprintf(name, sizeof(name), "%s/proc/partitions", s->root);
	r = file_read(name, LIMIT_PARTITIONS, &p->text, &p->len);
	if (r == -ENOENT)
		return STATS_MISSING;
	return r < 0 ? err_sys(s->err, -r, "read %s", name) : 0;
}

/* The name of a device in "MAJOR MINOR BLOCKS NAME"; "": it has none. */
static void find_device(const struct partitions *p, const char *major, const char *minor,
			char *out, size_t size)
{
	*out = 0;
	for (const char *line = p->text; *line; line += strcspn(line, "\n")) {
		char copy[256], *field[4];
		size_t len;

		line += strspn(line, "\n");
		len = strcspn(line, "\n");
		if (len >= sizeof(copy))
			continue;
		memcpy(copy, line, len);
		copy[len] = 0;
		if (split(copy, " \t", field, 4) != 4 || strcmp(field[0], major) != 0 ||
		    strcmp(field[1], minor) != 0)
			continue;
		snprintf(out, size, "/dev/%s", field[3]);
		return;
	}
}

/* One file of lines "MAJOR:MINOR [OPERATION] VALUE"; @n counts them. */
static int blkio_file(struct scan *s, struct partitions *p, const char *file,
		      unsigned field, size_t *n)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, file);

	if (r != 0)
		return r;
	for (char *line, *f[4]; (line = lines_next(&l));) {
		size_t fields = split(line, " :", f, 4), entry;
		uint64_t major, minor, value;
		char device[256 + 8];

		if (fields == 2 && strcmp(f[0], "Total") == 0)
			continue;
		if (fields < 3 || fields > 4 ||
		    parse_uint(f[0], UINT32_MAX, &major) < 0 ||
		    parse_uint(f[1], UINT32_MAX, &minor) < 0 ||
		    parse_uint(f[fields - 1], UINT64_MAX, &value) < 0)
			return stats_malformed(s, file, line);
		r = load_partitions(s, p);
		if (r != 0)
			return r;
		find_device(p, f[0], f[1], device, sizeof(device));
		entry = pack_begin(s->out, field);
		pack_text(s->out, 1, f[2], fields == 4 ? strlen(f[2]) : 0);
		pack_text(s->out, 2, device, strlen(device));
		pack_uint(s->out, 3, major);
		pack_uint(s->out, 4, minor);
		pack_uint(s->out, 5, value);
		pack_end(s->out, entry);
		++*n;
	}
	return stats_end(s, &l, file);
}

struct blkio_source {
	char file[36];
	uint8_t field;
};

static int blkio_files(struct scan *s, struct partitions *p, const struct blkio_source *f,
		       size_t n_files, size_t *n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_files; i++)
		r = blkio_file(s, p, f[i].file, f[i].field, n);
	return r;
}

/*
 * The first table is that of a scheduler which kept such statistics. If it has
 * none for this cgroup, the limits do: they count, too.
 */
static int blkio_entries(struct scan *s, struct partitions *p)
{
	static const struct blkio_source recursive[] = {
		{ "blkio.sectors_recursive", 8 },
		{ "blkio.io_service_bytes_recursive", 1 },
		{ "blkio.io_serviced_recursive", 2 },
		{ "blkio.io_queued_recursive", 3 },
		{ "blkio.io_service_time_recursive", 4 },
		{ "blkio.io_wait_time_recursive", 5 },
		{ "blkio.io_merged_recursive", 6 },
		{ "blkio.time_recursive", 7 },
	};
	static const struct blkio_source throttle[] = {
		{ "blkio.throttle.io_serviced", 2 },
		{ "blkio.throttle.io_service_bytes", 1 },
	};
	size_t n = 0;
	int r = 0;

	if (faccessat(s->dir, "blkio.io_serviced_recursive", F_OK, 0) == 0)
		r = blkio_files(s, p, recursive, ARRAY_SIZE(recursive), &n);
	if (r != 0 || n > 0)
		return r;
	return blkio_files(s, p, throttle, ARRAY_SIZE(throttle), &n);
}

static int blkio(struct scan *s)
{
	struct partitions p = { NULL, 0 };
	size_t m = pack_begin(s->out, 5);
	int r = blkio_entries(s, &p);

	free(p.text);
	pack_end(s->out, m);
	return r;
}

/* -------------------------------------------------------- hugetlb, rdma */

static int hugetlb_size(struct scan *s, const char *size)
{
	static const struct stats_key files[] = {
		{ "usage_in_bytes", 1 },
		{ "max_usage_in_bytes", 2 },
		{ "failcnt", 3 },
	};
	size_t begin = s->out->len, m = pack_begin(s->out, 1);
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		char name[160];
		uint64_t v;

		snprintf(name, sizeof(name), "hugetlb.%s.%s", size, files[i].name);
		r = stats_counter(s, name, 0, &v);
		pack_uint(s->out, files[i].field, v);
	}
	pack_text(s->out, 4, size, strlen(size));
	pack_end(s->out, m);
	if (r != 0)
		pack_truncate(s->out, begin);
	return r;
}

static int hugetlb(struct scan *s)
{
	struct stats_page_sizes sizes;
	int r = stats_page_sizes(s, &sizes);

	for (size_t i = 0; r == 0 && i < sizes.n; i++)
		r = hugetlb_size(s, sizes.name[i]);
	return r;
}

static int rdma(struct scan *s)
{
	size_t begin = s->out->len, m = pack_begin(s->out, 6), current, limit;
	int r = stats_rdma(s, "rdma.current", 1, &current);

	if (r == 0)
		r = stats_rdma(s, "rdma.max", 2, &limit);
	pack_end(s->out, m);
	/* A device that came or went between the two files. */
	if (r != 0 || current != limit)
		pack_truncate(s->out, begin);
	return r;
}

/* ------------------------------------------------------------------- all */

static int part(struct scan *s, enum cgroup_controller c, int (*fn)(struct scan *s))
{
	int r;

	s->controller = c;
	s->dir = cgroup_open(s->cg, c);
	if (s->dir < 0 && s->dir != -ENOENT)
		return stats_unreadable(s, s->dir, "");
	r = fn(s);
	closep(&s->dir);
	return r < 0 ? r : 0;
}

/* The only part that is there whatever the cgroup has. */
static int cpu_parts(struct scan *s)
{
	size_t m = pack_begin(s->out, 3);
	int r = part(s, CGROUP_CPUACCT, cpuacct);

	if (r == 0)
		r = part(s, CGROUP_CPU, cpu);
	pack_end(s->out, m);
	return r;
}

int stats_v1(struct scan *s)
{
	static const struct {
		enum cgroup_controller controller;
		int (*fn)(struct scan *s);
	} parts[] = {
		{ CGROUP_HUGETLB, hugetlb }, { CGROUP_PIDS, pids },
		{ CGROUP_MEMORY, memory },   { CGROUP_BLKIO, blkio },
		{ CGROUP_RDMA, rdma },
	};
	int r = cpu_parts(s);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		if (cgroup_has(s->cg, parts[i].controller))
			r = part(s, parts[i].controller, parts[i].fn);
	return r;
}
