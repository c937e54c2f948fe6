/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From 1 to 500: shims on the machine with an idle container each, and containers
 * in one shim. Memory, and what a call costs among so many.
 */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <unistd.h>

#define MOST 500
#define POD_ANNOTATION "io.kubernetes.cri.sandbox-id"
/* Of the containers that came last, for a median. */
#define LAST 20

struct times {
	double create, start, exec, state, kill, delete;
};

struct unit {
	const char *id;
	char path[108];
	pid_t server;
	int held;
};

static struct unit units[MOST];
static struct times times[MOST];
static double all[MOST];

static int most(void)
{
	const char *s = getenv("BENCH_MOST");

	return s ? (int)strtol(s, NULL, 10) : MOST;
}

/* What containerd asks of a container that then only runs. */
static void begin_life(const struct bundle *b, struct times *t)
{
	t->create = took(ask_create(b, NULL));
	t->start = took(ask_start(b->id, NULL));
	t->state = took(ask_state(b->id, NULL));
	exec_add(b->id, "e", "exit 0");
	t->exec = took(ask_start(b->id, "e"));
	wait_exit(b->id, "e");
	delete_task(b->id, "e");
	ok(ask_pids(b->id));
	ok(ask_connect(b->id));
}

static void end_life(const char *id, struct times *t)
{
	struct answer *w = ask_wait(id, NULL);

	t->kill = took(ask_kill(id, NULL, SIGKILL, false));
	ok(w);
	t->delete = took(ask_delete(id, NULL));
}

static double median_of(size_t offset, int n, int among)
{
	for (int i = 0; i < n; i++)
		all[i] = *(double *)(void *)((char *)&times[among - n + i] + offset);
	return median(all, (size_t)n) / 1e6;
}

static void record_times(int n, const char *among)
{
	static const struct {
		const char *name;
		size_t offset;
	} calls[] = {
		{ "Create", offsetof(struct times, create) },
		{ "Start", offsetof(struct times, start) },
		{ "Start of an exec", offsetof(struct times, exec) },
		{ "State", offsetof(struct times, state) },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		record("ms", median_of(calls[i].offset, n < LAST ? n : LAST, n),
		       "%s, %d %s", calls[i].name, n, among);
}

static void record_ends(int n, const char *among)
{
	/* The last ones are ended first, among all the others. */
	int last = n < LAST ? n : LAST;

	record("ms", median_of(offsetof(struct times, kill), last, n), "Kill, %d %s", n,
	       among);
	record("ms", median_of(offsetof(struct times, delete), last, n), "Delete, %d %s",
	       n, among);
}

/* --------------------------------------------------------------- machine */

static void begin_unit(int i)
{
	struct unit *u = &units[i];
	struct bundle *b;

	u->id = text("c%d", i);
	b = bundle(u->id, "exec sleep 1000000");
	start_timed(b, NULL);
	snprintf(u->path, sizeof(u->path), "%s", e2e.path);
	u->server = e2e.server;
	u->held = hold_connection(u->path);
	begin_life(b, &times[i]);
	ttrpc_client_close(&e2e.client);
}

static void end_unit(int i)
{
	connect_shim(units[i].path);
	close(units[i].held);
	end_life(units[i].id, &times[i]);
	end_shim();
}

static void record_memory(int n)
{
	static const struct {
		const char *name, *unit;
		size_t offset;
	} fields[] = {
		{ "private dirty", "kB", offsetof(struct memory, private_dirty) },
		{ "PSS", "kB", offsetof(struct memory, pss) },
		{ "RSS", "kB", offsetof(struct memory, rss) },
		{ "page tables", "kB", offsetof(struct memory, page_tables) },
		{ "threads", "", offsetof(struct memory, threads) },
	};
	static struct memory m[MOST];

	for (int i = 0; i < n; i++)
		m[i] = memory_of(units[i].server);
	for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
		for (int i = 0; i < n; i++)
			all[i] = *(double *)(void *)((char *)&m[i] + fields[k].offset);
		record(fields[k].unit, median(all, (size_t)n), "%s, %d shims",
		       fields[k].name, n);
	}
}

static void run_machine(void)
{
	static const int steps[] = { 1, 20, 100, 200, 300, MOST };
	double before = memory_available();
	int n = 0;

	if (subject_is("conmon")) {
		conmon_idle();
		return;
	}
	e2e.binary_name = fake("fake-nothing");
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		if (steps[s] > most())
			break;
		for (; n < steps[s]; n++)
			begin_unit(n);
		wait_for_rest();
		record_times(n, "shims");
		if (n >= 20)
			record("kB", (before - memory_available()) / n,
			       "memory of the machine per shim and init, %d shims", n);
		record_memory(n);
	}
	for (int i = n; i > 0; i--)
		end_unit(i - 1);
	record_ends(n, "shims");
}

/* ------------------------------------------------------------------- pod */

static void run_pod(void)
{
	static const int steps[] = { 1, 20, 100, 200, 300, MOST };
	struct memory m, first = { 0 };
	int n = 0;

	e2e.binary_name = fake("fake-nothing");
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		if (steps[s] > most())
			break;
		for (; n < steps[s]; n++) {
			struct bundle like = { .id = text("p%d", n),
					       .annotation = POD_ANNOTATION,
					       .group = "pod" };
			struct bundle *b = bundle_like(&like, "exec sleep 1000000");

			if (n == 0)
				start_timed(b, NULL);
			begin_life(b, &times[n]);
		}
		wait_for_rest();
		record_times(n, "containers in a shim");
		m = memory_of(e2e.server);
		record("kB", m.private_dirty, "private dirty, %d containers in a shim",
		       n);
		if (n == 1)
			first = m;
		else
			record("kB", (m.private_dirty - first.private_dirty) / (n - 1),
			       "one more container in a shim, up to %d", n);
	}
	for (int i = n; i > 0; i--)
		end_life(text("p%d", i - 1), &times[i - 1]);
	record_ends(n, "containers in a shim");
	end_shim();
}

/* ----------------------------------------------------------------- execs */

static void record_shim(const char *when)
{
	struct memory m = memory_of(e2e.server);

	record("kB", m.private_dirty, "private dirty, %s", when);
	record("kB", m.pss, "PSS, %s", when);
	record("", count_fds(e2e.server), "descriptors, %s", when);
}

static void run_execs(void)
{
	struct bundle *b = bundle("x", "exec sleep 1000000");

	e2e.binary_name = fake("fake-nothing");
	start_timed(b, NULL);
	begin_life(b, times);
	wait_for_rest();
	record_shim("after 1 exec");
	for (int i = 0; i < 1000; i++) {
		const char *e = text("x%d", i);

		exec_add("x", e, "exit 0");
		ok(ask_start("x", e));
		wait_exit("x", e);
		delete_task("x", e);
	}
	wait_for_rest();
	record_shim("after 1000 execs");
	end_life("x", times);
	end_shim();
}

const struct group machine_group = {
	.name = "machine", .run = run_machine, .rounds = 1, .conmon = true
};
const struct group pod_group = { .name = "pod", .run = run_pod, .rounds = 1 };
const struct group execs_group = { .name = "execs", .run = run_execs, .rounds = 1 };
