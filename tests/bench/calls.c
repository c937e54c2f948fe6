/* SPDX-License-Identifier: Apache-2.0 */
/* Time: `start`, each call, and a whole life, over a runtime that does nothing. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <unistd.h>

#define LIVES 12

enum {
	START,
	CREATE,
	RUN,
	EXEC,
	EXEC_START,
	EXEC_DELETE,
	STATE,
	PIDS,
	KILL,
	DELETE,
	LIFE,
	CPU,
	N
};

static const char *const names[N] = {
	[START] = "start, until the address is printed",
	[CREATE] = "Create",
	[RUN] = "Start",
	[EXEC] = "Exec",
	[EXEC_START] = "Start of an exec",
	[EXEC_DELETE] = "Delete of an exec",
	[STATE] = "State",
	[PIDS] = "Pids",
	[KILL] = "Kill",
	[DELETE] = "Delete",
	[LIFE] = "a whole life",
	[CPU] = "a whole life, CPU of the shim",
};

static double took(struct answer *a)
{
	ok(a);
	return (double)a->ns;
}

/* As `ctr run`, `ctr exec`, `ctr kill`, `ctr delete` make one. */
static void live(int i, double v[N])
{
	struct bundle *b = bundle(text("l%d", i), "exec sleep 1000000");
	struct answer *w;
	double begin = now(), start_cpu;

	v[START] = start_timed(b, &start_cpu);
	v[CREATE] = took(ask_create(b, NULL));
	w = ask_wait(b->id, NULL);
	v[RUN] = took(ask_start(b->id, NULL));
	v[STATE] = took(ask_state(b->id, NULL));
	v[EXEC] = took(ask_exec(b->id, "e", "exit 0", NULL));
	v[EXEC_START] = took(ask_start(b->id, "e"));
	wait_exit(b->id, "e");
	v[EXEC_DELETE] = took(ask_delete(b->id, "e"));
	v[PIDS] = took(ask_pids(b->id));
	v[KILL] = took(ask_kill(b->id, NULL, SIGKILL, false));
	ok(w);
	v[DELETE] = took(ask_delete(b->id, NULL));
	v[LIFE] = now() - begin;
	v[CPU] = start_cpu + cpu_of(e2e.server);
	end_shim();
}

static void run_calls(void)
{
	static double v[N][LIVES];
	double one[N];

	for (int i = -1; i < LIVES; i++) {
		live(i + 1, one);
		/* The first one finds nothing in the page cache. */
		for (int k = 0; i >= 0 && k < N; k++)
			v[k][i] = one[k];
	}
	for (int k = 0; k < N; k++)
		record("ms", median(v[k], LIVES) / 1e6, "%s", names[k]);
}

const struct group calls_group = { "calls", run_calls, 5 };
