/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A logger: a program that the client names by a binary:// URI and that reads a
 * process's output itself (contract 5.5). Its descriptors are 3 (stdout), 4
 * (stderr) and 5, on which it says that it is ready; it has no others but
 * /dev/null, and an environment of two variables.
 *
 * The shim does not hold the write ends, so a logger sees the end of the output
 * when the last writer is gone. It may then end by itself; if it does not, Delete
 * asks it to (SIGTERM), and in the end makes it.
 *
 * For log files the logger is a child of our own (logfile.h). If it is killed
 * another one takes over. At Delete it is not waited for any longer than other
 * loggers are asked to end: what it has still to write it writes when its disk
 * goes on, without us; only if some process holds the pipes open it is killed.
 */
#pragma once

#include "shim/logfile.h"
#include "shim/reap.h"
#include "shim/uri.h"

struct logger {
	struct reaper *reaper;
	struct child child;
	struct watch ready;   /* read end of its descriptor 5 */
	struct timer timer;
	bool must_say_ready;  /* binary-v2: going away is not being ready */
	bool was_ready, finished;
	uint64_t timeout_ns;  /* to be ready */
	struct logfiles *files; /* it is ours and writes these; NULL: it is a program */
	/*
	 * It has ended; if it is ours, having written all there was. Frees nothing; it may
	 * set stopped, which comes next.
	 */
	void (*ended)(struct logger *l);
	void (*started)(struct logger *l, struct err *failure);
	void (*stopped)(struct logger *l);
};

struct logger_request {
	const struct uri *uri;
	const char *id, *ns; /* what it is told: CONTAINER_ID, CONTAINER_NAMESPACE */
	int out, err;        /* read ends; borrowed */
	struct logfiles *files; /* in place of all these; outlives the logger */
	uint64_t timeout_ns; /* until it is ready */
};

void logger_init(struct logger *l);

/* Starts it; @started is called once, later, unless this fails. */
int logger_start(struct logger *l, struct reaper *r, const struct logger_request *q,
		 void (*started)(struct logger *l, struct err *failure), struct err *e);

/*
 * Lets it end, bounded; @stopped is called once, perhaps from within. To be
 * called when our side of its pipes is closed.
 */
void logger_stop(struct logger *l, void (*stopped)(struct logger *l));

/*
 * The shim leaves: a program that is there still is asked to end, and left to itself; no
 * callback comes.
 */
void logger_let_go(struct logger *l);

/*
 * Kills it, if it is there still (but one of ours that has only to write what is left);
 * no callback comes. Can be repeated.
 */
void logger_close(struct logger *l);
