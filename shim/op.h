/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation: a call whose answer takes runtime commands, and so time. Each
 * process has one FIFO of them, and the first one is under way: that orders
 * what concerns one process, and nothing else waits.
 *
 * An op is embedded first in a larger struct, made by op_new(), and ends in
 * op_end() or op_fail(), which let the next one begin.
 */
#pragma once

#include "shim/command.h"

struct process;

struct op {
	struct list link; /* on process->ops */
	struct process *process;
	struct ttrpc_call *call; /* owed an answer; NULL: nobody asked */
	struct command command;
	struct err err;
	struct event *event; /* memory for what it will tell containerd */
	bool begun;
	/* It is this op's turn. */
	void (*begin)(struct op *op);
	/* Releases what the larger struct owns beyond this one; may be NULL. */
	void (*release)(struct op *op);
};

/*
 * Queues an op of @size bytes, zeroed beyond struct op, for @p. It begins from
 * the loop, or at once if it is the only one. Out of memory answers the call and
 * returns NULL.
 */
struct op *op_new(size_t size, struct process *p, struct ttrpc_call *call,
		  void (*begin)(struct op *op));
/* Begins it if it is the first; the caller has set up the larger struct. */
void op_submit(struct op *op);

/* Begins it at once, beside the FIFO: for what needs no order. */
void op_submit_aside(struct op *op);

/*
 * Ends an op: releases all that it holds and frees it; the next one may begin.
 * Returns its call, to be answered after that, so that a client that has its
 * answer finds nothing of the op left.
 */
struct ttrpc_call *op_end(struct op *op);
/* Ends it and answers with op->err. */
void op_fail(struct op *op);

/* The one that is under way: what its continuations work for. There must be one. */
struct op *op_first(struct process *p);

/* Begins the first op of the FIFO, unless it is under way. */
void op_next(struct process *p);

/* Ends all ops of a process that is going away, answering NotFound. */
void op_abort_all(struct process *p);

/* Makes op->command ready for one more command, which calls @done. */
struct command *op_command(struct op *op, void (*done)(struct command *));

static inline struct op *op_of(struct command *c)
{
	return container_of(c, struct op, command);
}
