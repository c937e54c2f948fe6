/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: of 1 to 300 shims with an idle container each, and of a container more in a pod. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <unistd.h>

#define MANY 300
#define POD 101
#define POD_ANNOTATION "io.kubernetes.cri.sandbox-id"

struct unit {
	const char *id;
	char path[108];
	pid_t server;
	int held;
};

/* What containerd asks of a container that then only runs. */
static void lead_life(const struct bundle *b, int execs)
{
	create(b);
	start(b->id, NULL);
	state(b->id, NULL);
	for (int i = 0; i < execs; i++) {
		const char *e = text("e%d", i);

		exec_add(b->id, e, "exit 0");
		start(b->id, e);
		wait_exit(b->id, e);
		delete_task(b->id, e);
	}
	ok(ask_pids(b->id));
	ok(ask_connect(b->id));
}

static void end_container(const char *id)
{
	struct answer *w = ask_wait(id, NULL);

	kill_task(id, NULL, SIGKILL);
	ok(w);
	delete_task(id, NULL);
}

static void begin_unit(struct unit *u, int i)
{
	struct bundle *b;

	u->id = text("c%d", i);
	b = bundle(u->id, "exec sleep 1000000");
	start_timed(b, NULL);
	snprintf(u->path, sizeof(u->path), "%s", e2e.path);
	u->server = e2e.server;
	u->held = hold_connection(u->path);
	lead_life(b, 1);
	ttrpc_client_close(&e2e.client);
}

static void end_unit(struct unit *u)
{
	connect_shim(u->path);
	close(u->held);
	end_container(u->id);
	end_shim();
}

static void measure_units(const struct unit *u, int n)
{
	double dirty[MANY], pss[MANY], pt[MANY], threads[MANY];

	for (int i = 0; i < n; i++) {
		struct memory m = memory_of(u[i].server);

		dirty[i] = m.private_dirty;
		pss[i] = m.pss;
		pt[i] = m.page_tables;
		threads[i] = threads_of(u[i].server);
	}
	record("kB", median(dirty, (size_t)n), "private dirty, %d shims", n);
	record("kB", median(pss, (size_t)n), "PSS, %d shims", n);
	record("kB", median(pt, (size_t)n), "page tables, %d shims", n);
	record("", median(threads, (size_t)n), "threads, %d shims", n);
}

static void run_memory(void)
{
	static struct unit units[MANY];
	static const int steps[] = { 1, 20, 100, MANY };
	const char *most = getenv("BENCH_SHIMS");
	int n = 0, max = most ? (int)strtol(most, NULL, 10) : MANY;
	double before = memory_available();

	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]) && steps[s] <= max; s++) {
		while (n < steps[s])
			begin_unit(&units[n], n), n++;
		loop_for(500);
		measure_units(units, n);
		if (n >= 20)
			record("kB", (before - memory_available()) / n,
			       "memory of the machine per shim and init, %d shims", n);
	}
	while (n)
		end_unit(&units[--n]);
}

/* ------------------------------------------------------------------- pod */

static void measure_pod(const char *when)
{
	struct memory m = memory_of(e2e.server);

	record("kB", m.private_dirty, "private dirty, %s", when);
	record("kB", m.pss, "PSS, %s", when);
	record("", count_fds(e2e.server), "descriptors, %s", when);
}

static void run_pod(void)
{
	double first = 0;

	for (int i = 0; i < POD; i++) {
		struct bundle like = { .id = text("p%d", i),
				       .annotation = POD_ANNOTATION,
				       .group = "pod" };
		struct bundle *b = bundle_like(&like, "exec sleep 1000000");

		if (i == 0)
			start_timed(b, NULL);
		lead_life(b, 1);
		if (i == 0)
			first = memory_of(e2e.server).private_dirty;
	}
	loop_for(300);
	record("kB", (memory_of(e2e.server).private_dirty - first) / (POD - 1),
	       "one more container in a pod");
	for (int i = 0; i < POD; i++)
		end_container(text("p%d", i));
	end_shim();
}

static void run_execs(void)
{
	struct bundle *b = bundle("x", "exec sleep 1000000");

	start_timed(b, NULL);
	lead_life(b, 1);
	loop_for(300);
	measure_pod("after 1 exec");
	if (getenv("BENCH_SMAPS"))
		fputs(read_file(text("/proc/%d/smaps", e2e.server), NULL), stdout);
	for (int i = 0; i < 1000; i++) {
		const char *e = text("x%d", i);

		exec_add("x", e, "exit 0");
		start("x", e);
		wait_exit("x", e);
		delete_task("x", e);
	}
	loop_for(300);
	measure_pod("after 1000 execs");
	end_container("x");
	end_shim();
}

const struct group memory_group = { "memory", run_memory, 1 };
const struct group pod_group = { "pod", run_pod, 3 };
const struct group execs_group = { "execs", run_execs, 1 };
