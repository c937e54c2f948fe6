/* SPDX-License-Identifier: Apache-2.0 */
/* System calls, forks and instructions of each call, which no other load changes. */
#include "tests/bench/bench.h"

#include <stdlib.h>

#define LIVES 3

struct counter {
	void (*begin)(void);
	void (*note)(const char *call);
	void (*end)(void);
};

/* As `ctr run`, `ctr exec`, `ctr kill`, `ctr delete` make one. */
static void live(const char *id, const struct counter *c)
{
	struct bundle *b = bundle(id, "exec sleep 1000000");
	struct answer *w;

	e2e.binary_name = fake("fake-nothing");
	e2e.extra_env[0] = NO_REST; /* it depends on what else the machine does */
	start_timed(b, NULL);
	c->begin();
	create(b);
	w = ask_wait(id, NULL);
	c->note("Create");
	ok(ask_start(id, NULL));
	c->note("Start");
	state(id, NULL);
	c->note("State");
	exec_add(id, "e", "exit 0");
	c->note("Exec");
	ok(ask_start(id, "e"));
	wait_exit(id, "e");
	c->note("Start of an exec");
	delete_task(id, "e");
	c->note("Delete of an exec");
	kill_task(id, NULL, SIGKILL);
	ok(w);
	c->note("Kill");
	delete_task(id, NULL);
	c->note("Delete");
	end_shim();
	c->end();
}

/* ----------------------------------------------------------------- calls */

static size_t seen;

static void calls_begin(void)
{
	trace_begin();
	seen = trace_settled();
}

static void calls_note(const char *call)
{
	size_t end = trace_settled();
	const char *from = trace_text() + seen;

	record("", (double)trace_calls(from), "system calls, %s", call);
	record("", (double)trace_forks(from), "forks, %s", call);
	seen = end;
}

static void run_counts(void)
{
	const struct counter c = { calls_begin, calls_note, trace_end };

	for (int i = 0; i < LIVES; i++)
		live(text("t%d", i), &c);
}

/* ---------------------------------------------------------- instructions */

static long stepped;

static void steps_first(void)
{
	steps_begin();
	stepped = steps_count();
}

static void steps_note(const char *call)
{
	long now_at = steps_count();

	record("", (double)(now_at - stepped), "instructions, %s", call);
	stepped = now_at;
}

static void run_instructions(void)
{
	const struct counter c = { steps_first, steps_note, steps_end };

	e2e.slow *= 8; /* each instruction is two switches between processes */
	record("", (double)steps_of_start(bundle("s", "exit 0")), "instructions, start");
	end_shim();
	for (int i = 0; i < LIVES; i++)
		live(text("i%d", i), &c);
}

const struct group counts_group = { .name = "counts", .run = run_counts, .rounds = 1 };
const struct group instructions_group = {
	.name = "instructions", .run = run_instructions, .rounds = 1, .ours_only = true
};
