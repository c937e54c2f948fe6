/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pids: what "runc ps" means (contract 8.5), from the cgroup's files. Only for a
 * container whose cgroup is not its own is the runtime asked, in an op.
 */
#include <errno.h>

#include "shim/limits.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

struct later {
	struct op op;
	struct timer timer;
};

static int read_pids(const struct command *cmd, int **pids, size_t *n, struct err *e)
{
	_cleanup_free_ char *text = malloc(LIMIT_PS);
	struct spec_error se;
	size_t len;

	if (!text)
		return err_nomem(e);
	len = memfd_read(cmd->out_fd, text, LIMIT_PS);
	if (spec_ps_parse(text, len, pids, n, &se) < 0)
		return err_set(e, TTRPC_UNKNOWN, "%s ps: %s", cmd->what, se.text);
	return 0;
}

static void on_listed(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct container *c = op->process->container;
	_cleanup_free_ int *pids = NULL;
	size_t n = 0;

	if (!command_succeeded(cmd)) {
		command_describe(cmd, &op->err);
		op_fail(op);
	} else if (read_pids(cmd, &pids, &n, &op->err) < 0) {
		op_fail(op);
	} else {
		service_reply_pids(op_end(op), c, pids, n);
	}
}

static void begin_ps(struct op *op)
{
	struct container *c = op->process->container;
	const char *args[] = { "ps", "--format", "json", c->id, NULL };
	const struct runtime_call call = { "ps", args, NULL, false, 0 };

	if (runtime_run(op_command(op, on_listed), c, &call, c->shim->limits.runtime_ms,
			&op->err) < 0)
		op_fail(op);
}

/*
 * containerd from 1.7 on, when it comes back, takes a task without processes for a leak
 * and deletes it, and with it an exit that nobody has seen. Until Delete there is one.
 */
static void reply_ended(struct ttrpc_call *call, struct container *c)
{
	service_reply_pids(call, c, &c->init.pid, 1);
}

static void list(struct container *c, struct ttrpc_call *call)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct err e = ERR_INIT;
	size_t n = 0;
	struct op *op;
	int r = cgroup_pids(&c->cgroup, &pids, &n);

	if (c->init.state == PROC_STOPPED && n == 0) {
		reply_ended(call, c);
	} else if (r == 0) {
		service_reply_pids(call, c, pids, n);
	} else if (r != -ENOENT) {
		err_sys(&e, -r, "list the processes of %s", c->id);
		err_reply(call, &e);
	} else {
		op = op_new(sizeof(*op), &c->init, call, begin_ps);
		if (op)
			op_submit_aside(op);
	}
}

static void on_timer(struct timer *t)
{
	struct op *op = &container_of(t, struct later, timer)->op;
	struct container *c = op->process->container;

	list(c, op_end(op));
}

static void release(struct op *op)
{
	timer_disarm(&container_of(op, struct later, op)->timer);
}

static void begin_later(struct op *op)
{
	struct container *c = op->process->container;

	timer_arm(&c->shim->loop, &container_of(op, struct later, op)->timer,
		  c->init.started + LIMIT_PIDS_SETTLE_MS * LOOP_MSEC);
}

void pids_begin(struct container *c, struct ttrpc_call *call)
{
	struct op *op;

	if (!c->init.started ||
	    loop_now() >= c->init.started + LIMIT_PIDS_SETTLE_MS * LOOP_MSEC) {
		list(c, call);
		return;
	}
	op = op_new(sizeof(struct later), &c->init, call, begin_later);
	if (!op)
		return;
	timer_init(&container_of(op, struct later, op)->timer, on_timer);
	op->release = release;
	op_submit_aside(op);
}
