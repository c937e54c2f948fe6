/* SPDX-License-Identifier: Apache-2.0 */
/* "brass ps" in its two halves: ps.c asks, ps-print.c shows. */
#pragma once

#include "shim/tool/ask.h"
#include "shim/tool/shims.h"
#include "shim/tool/tree.h"
#include "shim/tool/usage.h"

/* A container, as far as its shim tells. */
struct row {
	const char *id, *state; /* borrowed from the report */
	int64_t pid, execs, ops;
};

struct report {
	const struct shim_seen *seen;
	struct question question;
	struct tree tree; /* of the answer, if there is one */
	char *json;
	struct usage usage;
	bool ours;
	char why[200]; /* it does not answer; "": it does */
	int64_t calls, events, ops;
	struct row *rows; /* one at least */
	size_t n_rows;
};

struct ps {
	const char *ns, *sockets;
	uint64_t timeout_ms;
	bool json, quiet;
	struct shims shims;
	struct report *reports;
	size_t n;
	char **stale; /* sockets that nobody listens on */
	size_t n_stale;
	bool unsound; /* something needs looking at */
};

/* What is shown by "-". */
#define UNKNOWN (-1)

void ps_print_table(const struct ps *ps);
void ps_print_ids(const struct ps *ps);
/* 0, or TOOL_FAILED. */
int ps_print_json(const struct ps *ps);
