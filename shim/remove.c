/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete: waits for the output to end, for a bounded time; for an init then
 * runs "runc delete" and unmounts the rootfs. A container that was created but
 * never started is killed first, so that its exit is told before its end and
 * every runtime agrees to delete it. Whatever fails leaves the container, and
 * Delete may be tried again.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shim/bundle.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/mount.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

struct removal {
	struct op op;
	struct timer death;
	char *rootfs;
};

static void begin(struct op *op);

static struct removal *removal_of(struct op *op)
{
	return container_of(op, struct removal, op);
}

static void release(struct op *op)
{
	timer_disarm(&removal_of(op)->death);
	op->process->gone = NULL;
	free(removal_of(op)->rootfs);
}

/* ---------------------------------------------------------------- init */

/* Other Deletes of the process have waited for this one: it was what they asked for. */
static void answer_repeated(struct process *p, const struct exit_record *x)
{
	struct op *op;

	list_for_each(op, &p->ops, link)
		if (op->begin == begin && op->call)
			service_reply_deleted(TAKE(op->call), x);
}

static void finish(struct op *op)
{
	struct container *c = op->process->container;

	const struct exit_record x = process_exit(&c->init);
	struct ttrpc_call *call;

	/* Their exits are too late for that of the init; clients still listen for them. */
	process_abandon_execs(c);
	c->init.state = PROC_DELETED;
	event_delete(&c->shim->events, &c->init, TAKE(op->event));
	call = op_end(op);
	answer_repeated(&c->init, &x);
	container_free(c);
	service_reply_deleted(call, &x);
}

static void on_unmounted(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (!command_succeeded(cmd)) {
		command_describe(cmd, &op->err);
		err_prefix(&op->err, "failed rootfs umount");
		op_fail(op);
		return;
	}
	op->process->container->mounted = false;
	finish(op);
}

static void unmount_rootfs(struct op *op)
{
	struct removal *rm = removal_of(op);
	struct container *c = op->process->container;
	int r;

	io_close(&c->init.io);
	if (!c->mounted) {
		finish(op);
		return;
	}
	rm->rootfs = str_printf("%s/rootfs", c->bundle);
	r = rm->rootfs ? command_call(op_command(op, on_unmounted), "unmount", mount_undo,
				      rm->rootfs, c->shim->limits.mount_ms)
		       : -ENOMEM;
	if (r < 0) {
		err_sys(&op->err, -r, "failed rootfs umount");
		op_fail(op);
	}
}

static void on_runtime_deleted(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "failed to delete task", &op->err);
		/* Somebody else has deleted it: that is what was asked for. */
		if (!strstr(op->err.text, "does not exist")) {
			op_fail(op);
			return;
		}
	}
	unmount_rootfs(op);
}

static void run_delete(struct op *op)
{
	struct container *c = op->process->container;
	const char *args[ARGS_MAX];
	const struct runtime_call call = { "delete", args, NULL, false, 0 };

	/* In v2 it can have died frozen, and runc would call it paused. */
	if (c->cgroup.unified)
		kill_let_go(c);
	args_simple(args, "delete", c->id);
	if (runtime_run(op_command(op, on_runtime_deleted), c, &call,
			c->shim->limits.runtime_ms, &op->err) < 0) {
		err_prefix(&op->err, "failed to delete task");
		op_fail(op);
	}
}

static void on_init_drained(struct io *io, bool complete)
{
	struct container *c = container_of(io, struct container, init.io);
	struct op *op = op_first(&c->init);

	if (!complete)
		log_write(LOG_WARN, c->id,
			  "something still holds the output of the dead "
			  "container open: not waited for any longer");
	run_delete(op);
}

static void drain_init(struct op *op)
{
	struct container *c = op->process->container;

	process_kill_execs(c);
	io_drain(&c->init.io, c->shim->limits.drain_ns, on_init_drained);
}

static void on_gone(struct process *p)
{
	struct op *op = op_first(p);

	p->gone = NULL;
	timer_disarm(&removal_of(op)->death);
	drain_init(op);
}

static void on_death_timeout(struct timer *t)
{
	struct op *op = &container_of(t, struct removal, death)->op;

	op->process->gone = NULL;
	err_set(&op->err, TTRPC_DEADLINE_EXCEEDED,
		"failed to delete task: process %d does not die of SIGKILL",
		op->process->pid);
	op_fail(op);
}

static void remove_init(struct op *op)
{
	struct process *p = op->process;

	/* There was none, or how it ended has been told. */
	if (!child_is_watched(&p->child) && !container_is_dying(p->container)) {
		drain_init(op);
		return;
	}
	p->gone = on_gone;
	timer_arm_in(&p->container->shim->loop, &removal_of(op)->death,
		     LIMIT_DEATH_MS * LOOP_MSEC);
	process_expect_sigkill(p);
	kill_let_go(p->container);
	child_signal(&p->child, SIGKILL);
}

/* ---------------------------------------------------------------- exec */

static void on_exec_drained(struct io *io, bool complete)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = op_first(p);
	const struct exit_record x = process_exit(p);
	struct ttrpc_call *call;

	if (!complete)
		log_write(LOG_WARN, p->container->id,
			  "something still holds the output of "
			  "exec \"%s\" open: not waited for any longer",
			  p->id);
	call = op_end(op);
	answer_repeated(p, &x);
	process_free_exec(p);
	service_reply_deleted(call, &x);
}

/* ------------------------------------------------------------- request */

static void begin(struct op *op)
{
	struct process *p = op->process;
	bool exec = !process_is_init(p);

	if (state_check(VERB_DELETE, exec, p->state, &op->err) < 0)
		op_fail(op);
	else if (exec)
		io_drain(&p->io, p->container->shim->limits.drain_ns, on_exec_drained);
	else
		remove_init(op);
}

void remove_begin(struct process *p, struct ttrpc_call *call)
{
	struct op *op = op_new(sizeof(struct removal), p, call, begin);

	if (!op)
		return;
	timer_init(&removal_of(op)->death, on_death_timeout);
	op->release = release;
	op_submit(op);
}
