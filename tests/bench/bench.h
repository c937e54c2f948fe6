/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark: the same work for each shim, in turns, in one run on one
 * machine. It is containerd to the shims, as the e2e tests are (tests/e2e/harness.h),
 * over fake-nothing, a runtime that does nothing, so that what is left is the shim;
 * over fake-runc, where a container has something to do; and over the real ones.
 *
 * A group is one kind of work. It runs once per round and subject, each time in
 * namespaces of its own. What it measures goes to OUT/GROUP.json, an object a line:
 * {"group", "what", "subject", "unit", "round", "value"}; `report` reads them.
 */
#pragma once

#include "tests/e2e/harness.h"

/* The environment of a shim of ours that never gives memory back. */
#define NO_REST "BRASS_REST_MS=86400000"

struct subject {
	const char *name;
	char path[4096];
};

struct group {
	const char *name;
	void (*run)(void);
	int rounds;
	bool conmon; /* conmon does the same job */
	bool ours_only; /* no other shim can do it */
};

extern const struct group calls_group, counts_group, instructions_group, execs_group,
	machine_group, pod_group, relay_group, lines_group, tty_group, many_group,
	direct_group, stdin_group, latency_group, file_group, runc_group, crun_group;

/* Writes one figure of the subject that is being measured. */
void record(const char *unit, double value, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* The subject, "brass", "stock-…" or "conmon"; and its program. */
const char *subject(void);
bool subject_is(const char *name);
/* Of this run, for names that all of the machine sees. */
int bench_number(void);
/* This program, for the roles that processes of a container have (roles.c). */
const char *self(void);

/* ------------------------------------------------------------- measure.c */

/* What /proc/PID/smaps_rollup says, in kB. */
struct memory {
	double private_dirty, pss, rss, page_tables, threads;
};
struct memory memory_of(pid_t pid);
/* kB that the machine could still give away, without what the harness uses; settles first. */
double memory_available(void);
/* Until a shim has given memory back. */
void wait_for_rest(void);
/* CPU time of all threads that the process ever had, in ns. */
double cpu_of(pid_t pid);
/* Of the process that writes a log file for the shim, as long as there is one. */
void cpu_of_writer(double *cpu);
double now(void); /* ns */
double median(double *values, size_t n);
/* A runtime of the build, "fake-…"; for e2e.binary_name. */
const char *fake(const char *name);
/* How long the call took, in ns; it must have succeeded. */
double took(struct answer *a);

/* Runs "start" and reads until its end; ns of wall time. Connects to the shim. */
double start_timed(const struct bundle *b, double *cpu);
void end_shim(void);
/* A connection that only stays open, as containerd's does. */
int hold_connection(const char *path);

/* --------------------------------------------------------------- trace.c */

/* From now on the shim is traced by strace(1), into a file. */
void trace_begin(void);
void trace_end(void);
/* Its length when nothing comes any more. */
size_t trace_settled(void);
/* What it has written; and how many system calls of the shim are in there. */
const char *trace_text(void);
long trace_calls(const char *from);
long trace_forks(const char *from);
/* Runs the shim one instruction at a time, until it ends; how many there were, up to now. */
void steps_begin(void);
long steps_count(void);
void steps_end(void); /* after its end */
/* The same for "start" of @b, to its end; connects to the shim. */
long steps_of_start(const struct bundle *b);

/* -------------------------------------------------------------- conmon.c */

void conmon_idle(void);
void conmon_lines(long long total, int size);

/* --------------------------------------------------------------- roles.c */

/* True if this is such a process; then *status is its exit code. */
bool role_run(int argc, char **argv, int *status);
