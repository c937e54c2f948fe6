/* SPDX-License-Identifier: Apache-2.0 */
/* The FIFO of operations of each process; see op.h. */
#include "shim/op.h"

#include <assert.h>
#include <stdlib.h>

#include "shim/log.h"
#include "shim/shim.h"

struct op *op_new(size_t size, struct process *p, struct ttrpc_call *call,
		  void (*begin)(struct op *op))
{
	struct container *c = p->container;
	struct op *op = calloc(1, size);

	if (op)
		op->event = event_reserve(&c->shim->events, c->id, p->id);
	if (!op || !op->event) {
		struct err e;

		err_nomem(&e);
		if (call)
			err_reply(call, &e);
		free(op);
		return NULL;
	}
	op->process = p;
	op->call = call;
	op->begin = begin;
	command_init(&op->command, &c->shim->reaper, NULL);
	list_append(&p->ops, &op->link);
	c->shim->n_ops++;
	return op;
}

static void begin(struct op *op)
{
	op->begun = true;
	op->begin(op);
}

void op_submit(struct op *op)
{
	if (op->process->ops.next == &op->link)
		begin(op);
}

void op_submit_aside(struct op *op)
{
	list_del(&op->link);
	list_append(&op->process->asides, &op->link);
	begin(op);
}

struct op *op_first(struct process *p)
{
	struct op *op = list_first(&p->ops, struct op, link);

	assert(op);
	return op;
}

void op_next(struct process *p)
{
	struct op *op = list_first(&p->ops, struct op, link);

	if (op && !op->begun)
		begin(op);
}

static void op_free(struct op *op)
{
	list_del(&op->link);
	op->process->container->shim->n_ops--;
	command_release(&op->command);
	if (op->release)
		op->release(op);
	free(op->event);
	free(op);
}

struct ttrpc_call *op_end(struct op *op)
{
	struct ttrpc_call *call = op->call;
	struct process *p = op->process;

	op_free(op);
	/* From the loop, not from here: a long queue must not become a deep stack. */
	if (!list_empty(&p->ops))
		work_queue(&p->container->shim->loop, &p->next_op);
	return call;
}

void op_fail(struct op *op)
{
	struct err e = op->err;
	struct ttrpc_call *call;

	log_write(LOG_INFO, op->process->container->id, "%s", e.text);
	call = op_end(op);
	if (call)
		err_reply(call, &e);
}

void op_abort_all(struct process *p)
{
	struct op *op;

	work_cancel(&p->next_op);
	list_splice(&p->ops, &p->asides);
	list_for_each(op, &p->ops, link) {
		if (op->call)
			ttrpc_call_fail(op->call, TTRPC_NOT_FOUND,
					"container not created: not found");
		op_free(op);
	}
}

struct command *op_command(struct op *op, void (*done)(struct command *))
{
	command_release(&op->command);
	command_init(&op->command, op->command.reaper, done);
	return &op->command;
}
