/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark: the same work for each shim, in turns, in one run on one
 * machine. It is containerd to the shims, as the e2e tests are (tests/e2e/harness.h),
 * over fake-runc, which does nothing, so that what is left is the shim.
 *
 * A group is one kind of work. It runs once per round and subject, each time in
 * namespaces of its own. What it measures goes to OUT/GROUP.json, an object a line:
 * {"group", "what", "subject", "unit", "round", "value"}; `report` reads them.
 */
#pragma once

#include "tests/e2e/harness.h"

struct subject {
	const char *name;
	char path[4096];
};

struct group {
	const char *name;
	void (*run)(void);
	int rounds;
};

extern const struct group memory_group, pod_group, calls_group, execs_group, relay_group,
	lines_group, tty_group, stdin_group, many_group, latency_group, scale_group;

/* Writes one figure of the subject that is being measured. */
void record(const char *unit, double value, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* The subject, "brass" or "stock-…". */
const char *subject(void);
/* This program, for the roles that processes of a container have (roles.c). */
const char *self(void);

/* ------------------------------------------------------------- measure.c */

/* What /proc/PID/smaps_rollup says, in kB. */
struct memory {
	double private_dirty, pss, rss, page_tables;
};
struct memory memory_of(pid_t pid);
double threads_of(pid_t pid);
/* kB that the machine could still give away; settles first. */
double memory_available(void);
/* CPU time of all threads that the process ever had, in ns. */
double cpu_of(pid_t pid);
double now(void); /* ns */
double median(double *values, size_t n);

/* Runs "start" and reads until its end; ns of wall time. Connects to the shim. */
double start_timed(const struct bundle *b, double *cpu);
void end_shim(void);
/* A connection that only stays open, as containerd's does. */
int hold_connection(const char *path);

/* --------------------------------------------------------------- roles.c */

/* True if this is such a process; then *status is its exit code. */
bool role_run(int argc, char **argv, int *status);
