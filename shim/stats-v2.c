/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of cgroup v2 (contract 3.8, 8.2): one directory has it all. Files come
 * and go with kernels and enabled controllers, so one that is missing counts as 0,
 * and most messages are there whatever the cgroup has.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/stats.h"
#include "shim/util.h"

/* A counter of a file of its own. */
static int pack_counter(struct scan *s, unsigned field, const char *file)
{
	uint64_t v;
	int r = stats_counter(s, file, UINT64_MAX, &v);

	pack_uint(s->out, field, v);
	return r < 0 ? r : 0;
}

static int pack_counters(struct scan *s, const struct stats_key *files, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = pack_counter(s, files[i].field, files[i].name);
	return r;
}

static int pids(struct scan *s)
{
	static const struct stats_key files[] = { { "pids.current", 1 },
						  { "pids.max", 2 } };
	size_t m = pack_begin(s->out, 1);
	int r = pack_counters(s, files, ARRAY_SIZE(files));

	pack_end(s->out, m);
	return r;
}

/* ------------------------------------------------------------- pressure */

/* "12.34", as strtod(3) would round it, in no locale. -EINVAL. */
static int parse_decimal(char *s, double *out)
{
	static const double power[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
	char *point = strchr(s, '.');
	size_t decimals = point ? strlen(point + 1) : 0;
	uint64_t digits;

	if (decimals >= ARRAY_SIZE(power) || (point && (point == s || decimals == 0)))
		return -EINVAL;
	if (point)
		memmove(point, point + 1, decimals + 1);
	if (parse_uint(s, UINT64_C(1) << 53, &digits) < 0)
		return -EINVAL;
	/* Both are exact, so the quotient is rounded once. */
	*out = (double)digits / power[decimals];
	return 0;
}

/* "avg10=0.00"; what is not known is passed over. */
static int pack_pressure_value(struct scan *s, char *pair)
{
	static const char averages[][8] = { "avg10", "avg60", "avg300" };
	char *key = strsep(&pair, "=");
	uint64_t total;
	double v;

	if (!pair)
		return -EINVAL;
	if (strcmp(key, "total") == 0) {
		if (parse_uint(pair, UINT64_MAX, &total) < 0)
			return -EINVAL;
		pack_uint(s->out, 4, total);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(averages); i++) {
		if (strcmp(key, averages[i]) != 0)
			continue;
		if (parse_decimal(pair, &v) < 0)
			return -EINVAL;
		pack_double(s->out, i + 1, v);
	}
	return 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static int pack_pressure_line(struct scan *s, const char *file, char *line)
{
	static const char kinds[][5] = { "some", "full" };
	char *field[8];
	size_t n = split(line, " \t", field, ARRAY_SIZE(field)), m;

	if (n == 0 || n > ARRAY_SIZE(field))
		return stats_malformed(s, file, line);
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		if (strcmp(field[0], kinds[kind]) != 0)
			continue;
		m = pack_begin(s->out, kind + 1);
		for (size_t i = 1; i < n; i++)
			if (pack_pressure_value(s, field[i]) < 0)
				return stats_malformed(s, file, field[i]);
		pack_end(s->out, m);
	}
	return 0;
}

static int pressure(struct scan *s, unsigned field, const char *file)
{
	_cleanup_(lines_close) struct lines l;
	size_t begin = s->out->len, m;
	int r = stats_open(s, &l, file);

	if (r != 0)
		return r < 0 ? r : 0;
	m = pack_begin(s->out, field);
	for (char *line; r == 0 && (line = lines_next(&l));)
		r = pack_pressure_line(s, file, line);
	if (r == 0)
		r = stats_end(s, &l, file);
	pack_end(s->out, m);
	if (r == STATS_MISSING)
		pack_truncate(s->out, begin);
	return r < 0 ? r : 0;
}

/* ---------------------------------------------------------- cpu, memory */

static int cpu(struct scan *s)
{
	static const struct stats_key keys[] = {
		{ "usage_usec", 1 }, { "user_usec", 2 },    { "system_usec", 3 },
		{ "nr_periods", 4 }, { "nr_throttled", 5 }, { "throttled_usec", 6 },
		{ "nr_bursts", 8 },  { "burst_usec", 9 },
	};
	size_t m = pack_begin(s->out, 2);
	int r = stats_pack_keys(s, "cpu.stat", keys, ARRAY_SIZE(keys));

	if (r == 0)
		r = pressure(s, 7, "cpu.pressure");
	pack_end(s->out, m);
	return r < 0 ? r : 0;
}

static int memory_stat(struct scan *s)
{
	static const struct stats_key keys[] = {
		{ "anon", 1 },
		{ "file", 2 },
		{ "kernel_stack", 3 },
		{ "slab", 4 },
		{ "sock", 5 },
		{ "shmem", 6 },
		{ "file_mapped", 7 },
		{ "file_dirty", 8 },
		{ "file_writeback", 9 },
		{ "anon_thp", 10 },
		{ "inactive_anon", 11 },
		{ "active_anon", 12 },
		{ "inactive_file", 13 },
		{ "active_file", 14 },
		{ "unevictable", 15 },
		{ "slab_reclaimable", 16 },
		{ "slab_unreclaimable", 17 },
		{ "pgfault", 18 },
		{ "pgmajfault", 19 },
		{ "workingset_refault", 20 },
		{ "workingset_activate", 21 },
		{ "workingset_nodereclaim", 22 },
		{ "pgrefill", 23 },
		{ "pgscan", 24 },
		{ "pgsteal", 25 },
		{ "pgactivate", 26 },
		{ "pgdeactivate", 27 },
		{ "pglazyfree", 28 },
		{ "pglazyfreed", 29 },
		{ "thp_fault_alloc", 30 },
		{ "thp_collapse_alloc", 31 },
		{ "workingset_refault_anon", 39 },
		{ "workingset_refault_file", 40 },
		{ "workingset_activate_anon", 41 },
		{ "workingset_activate_file", 42 },
	};

	return stats_pack_keys(s, "memory.stat", keys, ARRAY_SIZE(keys));
}

static int memory(struct scan *s)
{
	static const struct stats_key files[] = {
		{ "memory.current", 32 },      { "memory.max", 33 },
		{ "memory.swap.current", 34 }, { "memory.swap.max", 35 },
		{ "memory.peak", 36 },	       { "memory.swap.peak", 37 },
	};
	size_t m = pack_begin(s->out, 4);
	int r = memory_stat(s);

	if (r == 0)
		r = pack_counters(s, files, ARRAY_SIZE(files));
	if (r == 0)
		r = pressure(s, 38, "memory.pressure");
	pack_end(s->out, m);
	return r < 0 ? r : 0;
}

static int memory_events(struct scan *s)
{
	static const struct stats_key keys[] = {
		{ "low", 1 }, { "high", 2 },	 { "max", 3 },
		{ "oom", 4 }, { "oom_kill", 5 }, { "oom_group_kill", 6 },
	};
	uint64_t values[ARRAY_SIZE(keys)], found;
	int r = stats_keys(s, "memory.events", keys, ARRAY_SIZE(keys), values, &found);
	size_t m;

	if (r != 0 || !found)
		return r < 0 ? r : 0;
	m = pack_begin(s->out, 8);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		pack_uint(s->out, keys[i].field, values[i]);
	pack_end(s->out, m);
	return 0;
}

/* ------------------------------------------------------------------- io */

static void read_io_value(char *pair, uint64_t values[4])
{
	static const char keys[][8] = { "rbytes", "wbytes", "rios", "wios" };
	char *key = strsep(&pair, "=");
	uint64_t v;

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (pair && strcmp(key, keys[i]) == 0 &&
		    parse_uint(pair, UINT64_MAX, &v) == 0)
			values[i] = v;
}

static bool is_device(char *word, uint64_t *major, uint64_t *minor)
{
	char *key = strsep(&word, ":");

	return word && parse_uint(key, UINT32_MAX, major) == 0 &&
	       parse_uint(word, UINT32_MAX, minor) == 0;
}

/*
 * "MAJOR:MINOR rbytes=N …". Some kernels leave out values and the end of the line
 * for devices that have none ("7:1 7:0 8:0 rbytes=N"): the values belong to the
 * last device named before them.
 */
static void pack_io_line(struct scan *s, char *line)
{
	uint64_t major = 0, minor = 0, values[4] = { 0 };
	bool known = false;
	size_t m;

	for (char *word; (word = strsep(&line, " "));) {
		if (strchr(word, '='))
			read_io_value(word, values);
		else if (is_device(word, &major, &minor))
			known = true;
	}
	if (!known)
		return;
	m = pack_begin(s->out, 1);
	pack_uint(s->out, 1, major);
	pack_uint(s->out, 2, minor);
	for (unsigned i = 0; i < 4; i++)
		pack_uint(s->out, 3 + i, values[i]);
	pack_end(s->out, m);
}

static int io_stat(struct scan *s)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, "io.stat");

	if (r != 0)
		return r;
	for (char *line; (line = lines_next(&l));)
		pack_io_line(s, line);
	return stats_end(s, &l, "io.stat");
}

static int io(struct scan *s)
{
	size_t m = pack_begin(s->out, 6);
	int r = io_stat(s);

	if (r >= 0)
		r = pressure(s, 2, "io.pressure");
	pack_end(s->out, m);
	return r;
}

/* -------------------------------------------------------- rdma, hugetlb */

static int rdma(struct scan *s)
{
	size_t m = pack_begin(s->out, 5), n;
	int r = stats_rdma(s, "rdma.current", 1, &n);

	if (r >= 0)
		r = stats_rdma(s, "rdma.max", 2, &n);
	pack_end(s->out, m);
	return r < 0 ? r : 0;
}

static int hugetlb_size(struct scan *s, const char *size)
{
	static const struct stats_key failures[] = { { "max", 4 } };
	char name[64];
	int r;

	snprintf(name, sizeof(name), "hugetlb.%s.current", size);
	r = pack_counter(s, 1, name);
	snprintf(name, sizeof(name), "hugetlb.%s.max", size);
	if (r == 0)
		r = pack_counter(s, 2, name);
	pack_text(s->out, 3, size, strlen(size));
	snprintf(name, sizeof(name), "hugetlb.%s.events", size);
	if (r == 0)
		r = stats_pack_keys(s, name, failures, ARRAY_SIZE(failures));
	return r < 0 ? r : 0;
}

static int hugetlb(struct scan *s)
{
	struct stats_page_sizes sizes;
	int r = stats_page_sizes(s, &sizes);

	for (size_t i = 0; r == 0 && i < sizes.n; i++) {
		size_t m = pack_begin(s->out, 7);

		r = hugetlb_size(s, sizes.name[i]);
		pack_end(s->out, m);
	}
	return r;
}

int stats_v2(struct scan *s)
{
	static int (*const parts[])(struct scan * s) = { pids,		cpu, memory,
							 memory_events, io,  rdma,
							 hugetlb };
	int r = 0;

	s->controller = CGROUP_PIDS; /* any: they share the directory */
	s->dir = cgroup_open(s->cg, s->controller);
	if (s->dir < 0 && s->dir != -ENOENT)
		return stats_unreadable(s, s->dir, "");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = parts[i](s);
	closep(&s->dir);
	return r;
}
