/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short-lived child that something waits for: a runtime command, or a helper
 * for system calls that may sleep. Each has a deadline; when it passes the child
 * is killed, and if even that does not end it, given up. What it prints lands in
 * a file in memory, so it can neither block on us nor keep us waiting; no more of it
 * stays there than anybody reads.
 */
#pragma once

#include "shim/err.h"
#include "shim/reap.h"
#include "shim/spawn.h"

struct command {
	struct reaper *reaper;
	struct child child;
	struct timer deadline; /* at the latest at "until" */
	uint64_t until;
	const char *what; /* "runc", "mount": for texts; borrowed */
	int out_fd;       /* stdout and stderr, unless they are the container's; -1 */
	int log_fd;       /* the runtime's --log; -1 */
	struct birth birth; /* under way if it may leave us a process: see reap.h */
	bool call;        /* of command_call() */
	bool timed_out;
	bool killed;      /* by command_kill() */
	bool lost;        /* did not even die of SIGKILL */
	unsigned timeout_ms;
	void (*done)(struct command *c);
};

/* Makes @c safe for command_release(). @done is called once per successful start. */
void command_init(struct command *c, struct reaper *r, void (*done)(struct command *));

/*
 * Starts a program as @s says; out_fd and log_fd are made by the caller. On
 * failure (negative errno of spawn_exec()) done() is not called.
 */
int command_exec(struct command *c, const char *what, const struct spawn *s, bool birth,
		 unsigned timeout_ms);

/* Runs @fn in a child that writes its error text to descriptor 2; see spawn_call(). */
int command_call(struct command *c, const char *what, int (*fn)(void *arg), void *arg,
		 unsigned timeout_ms);

/* It has at most @timeout_ms from now on; no-op if it is not running. */
void command_shorten(struct command *c, unsigned timeout_ms);

/* SIGKILLs the child, if there is one; done() comes soon. */
void command_kill(struct command *c);

/* Kills and forgets the child, closes the files; done() does not come. Can be repeated. */
void command_release(struct command *c);

bool command_is_running(const struct command *c);
/* It ended by itself with exit code 0. */
bool command_succeeded(const struct command *c);

/*
 * "WHAT did not terminate successfully: exit status 1: OUTPUT", or how else it
 * ended. Of command_call()'s function that ended by itself: just what it said.
 */
void command_describe(const struct command *c, struct err *e);
