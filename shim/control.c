/* SPDX-License-Identifier: Apache-2.0 */
/* Pause, Resume and Update: one runtime command each (contract 4.10). */
#include <errno.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

struct update {
	struct op op;
	const void *json;
	size_t len;
	int input;
};

static int run(struct op *op, const char *verb, void (*done)(struct command *))
{
	struct container *c = op->process->container;
	const char *args[ARGS_MAX];
	const struct runtime_call call = { verb, args, NULL, false, 0 };

	args_simple(args, verb, c->id);
	return runtime_run(op_command(op, done), c, &call, c->shim->limits.runtime_ms, &op->err);
}

/* A Pause or Resume that failed: the state is as before, but for an exit. */
static void fail(struct op *op)
{
	process_settle(op->process, true);
	op_fail(op);
}

/* ----------------------------------------------------------------- pause */

static void on_paused(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct process *p = op->process;

	p->pausing = false;
	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "OCI runtime pause failed", &op->err);
		fail(op);
		return;
	}
	process_enter(p, PROC_PAUSED);
	event_paused(&p->container->shim->events, p->container, TAKE(op->event));
	process_settle(p, true);
	service_reply_empty(op_end(op));
}

static void begin_pause(struct op *op)
{
	struct process *p = op->process;

	if (process_check(p, VERB_PAUSE, &op->err) < 0) {
		op_fail(op);
		return;
	}
	p->pausing = p->in_transition = true;
	if (run(op, "pause", on_paused) < 0) {
		p->pausing = false;
		err_prefix(&op->err, "OCI runtime pause failed");
		fail(op);
	}
}

void control_pause(struct process *init, struct ttrpc_call *call)
{
	struct op *op = op_new(sizeof(*op), init, call, begin_pause);

	if (op)
		op_submit(op);
}

/* ---------------------------------------------------------------- resume */

static void on_resumed(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct process *p = op->process;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "OCI runtime resume failed", &op->err);
		fail(op);
		return;
	}
	process_enter(p, PROC_RUNNING);
	event_resumed(&p->container->shim->events, p->container, TAKE(op->event));
	process_settle(p, true);
	service_reply_empty(op_end(op));
}

static void begin_resume(struct op *op)
{
	if (process_check(op->process, VERB_RESUME, &op->err) < 0) {
		op_fail(op);
		return;
	}
	op->process->in_transition = true;
	if (run(op, "resume", on_resumed) < 0) {
		err_prefix(&op->err, "OCI runtime resume failed");
		fail(op);
	}
}

void control_resume(struct process *init, struct ttrpc_call *call)
{
	struct op *op = op_new(sizeof(*op), init, call, begin_resume);

	if (op)
		op_submit(op);
}

/* Nobody asked, so nobody is told: a failure is a line in the log (contract 4.3). */
static void on_thawed(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (command_succeeded(cmd)) {
		op_end(op);
		return;
	}
	runtime_failure(cmd, "resume after the exit", &op->err);
	op_fail(op);
}

static void begin_thaw(struct op *op)
{
	if (run(op, "resume", on_thawed) < 0)
		op_fail(op);
	else
		command_shorten(&op->command, LIMIT_RUNTIME_ORPHAN_MS);
}

void control_thaw_dead(struct container *c)
{
	struct op *op = op_new(sizeof(*op), &c->init, NULL, begin_thaw);

	if (op)
		op_submit(op);
}

/* ---------------------------------------------------------------- update */

static void release_update(struct op *op)
{
	closep(&container_of(op, struct update, op)->input);
}

static void on_updated(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (command_succeeded(cmd)) {
		service_reply_empty(op_end(op));
		return;
	}
	/* Not prefixed, and with all that was printed (contract 9). */
	command_describe(cmd, &op->err);
	op_fail(op);
}

static int run_update(struct op *op)
{
	struct update *u = container_of(op, struct update, op);
	struct container *c = op->process->container;
	const char *args[ARGS_MAX];
	struct runtime_call call = { "update", args, NULL, false, 0 };
	int r;

	args_update(args, c->id);
	u->input = memfd_open("resources.json");
	if (u->input < 0)
		return err_sys(&op->err, errno, "make a file for the resources");
	r = write_all(u->input, u->json, u->len);
	if (r < 0 || lseek(u->input, 0, SEEK_SET) < 0)
		return err_sys(&op->err, r < 0 ? -r : errno, "write the resources");
	call.input = u->input;
	return runtime_run(op_command(op, on_updated), c, &call, c->shim->limits.runtime_ms,
			   &op->err);
}

static void begin_update(struct op *op)
{
	if (process_check(op->process, VERB_UPDATE, &op->err) < 0 ||
	    run_update(op) < 0)
		op_fail(op);
}

void control_update(struct process *init, struct ttrpc_call *call, const void *json, size_t len)
{
	struct op *op = op_new(sizeof(struct update), init, call, begin_update);
	struct update *u;

	if (!op)
		return;
	u = container_of(op, struct update, op);
	u->json = json;
	u->len = len;
	u->input = -1;
	op->release = release_update;
	op_submit(op);
}
