/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill: what "runc kill" means (contract 4.9), by pidfd and cgroup files, at once
 * and whatever else is under way. Only for a container whose cgroup is not its
 * own is the runtime asked, in an op.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

struct kill_op {
	struct op op;
	int signo;
	bool all;
};

/* The classes of a failed "kill", by what runtimes write (contract 4.9). */
static void classify(struct err *e)
{
	if (strstr(e->text, "process already finished") ||
	    strstr(e->text, "container not running") || strstr(e->text, "is not running") ||
	    strcasestr(e->text, "no such process"))
		err_set(e, TTRPC_NOT_FOUND, "process already finished");
	else if (strstr(e->text, "does not exist"))
		err_set(e, TTRPC_NOT_FOUND, "no such container");
	else
		err_prefix(e, "unknown error after kill");
}

static void on_killed(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (command_succeeded(cmd)) {
		service_reply_empty(op_end(op));
		return;
	}
	command_describe(cmd, &op->err);
	classify(&op->err);
	op_fail(op);
}

static void begin_kill(struct op *op)
{
	struct container *c = op->process->container;
	char signo[16];
	const char *args[] = { "kill", "--all", c->id, signo, NULL };
	const struct runtime_call call = { "kill", args, NULL, false, 0 };

	snprintf(signo, sizeof(signo), "%d", container_of(op, struct kill_op, op)->signo);
	if (runtime_run(op_command(op, on_killed), c, &call, c->shim->limits.runtime_ms,
			&op->err) < 0)
		op_fail(op);
}

/* Whether somebody has deleted it behind our back ("runc delete --force"). */
static bool is_known_to_runtime(const struct container *c)
{
	_cleanup_free_ char *dir = str_printf("%s/%s", c->root, c->id);

	return !dir || access(dir, F_OK) == 0 || errno != ENOENT;
}

void kill_let_go(struct container *c)
{
	int r = cgroup_owns(&c->cgroup, CGROUP_FREEZER) ? cgroup_thaw(&c->cgroup) : 0;

	if (r < 0 && r != -ENOENT)
		log_write(LOG_WARN, c->id, "thaw: %s", err_strerror(-r));
}

/* True: done, @e says how. False: only the runtime can. */
static bool kill_here(struct process *p, int signo, bool all, struct err *e)
{
	struct container *c = p->container;
	int r;

	if (process_is_init(p) && signo == SIGKILL)
		kill_let_go(c);
	if (!process_is_init(p) || !(all || (signo == SIGKILL && !c->spec.private_pid_ns))) {
		process_signal(p, signo, e);
		return true;
	}
	if (all && !is_known_to_runtime(c)) {
		err_set(e, TTRPC_NOT_FOUND, "no such container");
		return true;
	}
	r = cgroup_kill(&c->cgroup, signo);
	if (r < 0 && r != -ENOENT)
		err_sys(e, -r, "unknown error after kill");
	/* Its cgroup cannot be read, or it is not in it any more; its pidfd finds it anywhere. */
	if (r != -ENOENT && signo == SIGKILL)
		child_signal(&c->init.child, SIGKILL);
	return r != -ENOENT;
}

/* The same, if the state of the process allows it. */
static bool kill_if_allowed(struct process *p, int signo, bool all, struct err *e)
{
	/* Whoever is left of a container may be killed, and there may be nobody. */
	bool remains = all && process_is_init(p) && p->state == PROC_STOPPED;

	return (!remains && state_check(VERB_KILL, !process_is_init(p), p->state, e) < 0) ||
	       kill_here(p, signo, all, e);
}

void kill_begin(struct process *p, int signo, bool all, struct ttrpc_call *call)
{
	struct err e = ERR_INIT;
	struct op *op;

	if (signo == SIGKILL)
		process_expect_sigkill(p);
	if (launch_kill(p, signo, &e) || kill_if_allowed(p, signo, all, &e)) {
		if (e.code)
			err_reply(call, &e);
		else
			service_reply_empty(call);
		return;
	}
	op = op_new(sizeof(struct kill_op), p, call, begin_kill);
	if (!op)
		return;
	container_of(op, struct kill_op, op)->signo = signo;
	container_of(op, struct kill_op, op)->all = all;
	op_submit_aside(op);
}

/* ------------------------------------------------- what an init left behind */

static void on_remains_killed(struct command *cmd)
{
	struct container *c = container_of(cmd, struct container, killer);
	struct err e = ERR_INIT;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "failed to kill init's children", &e);
		log_write(LOG_WARN, c->id, "%s", e.text);
	}
	command_release(cmd);
	process_remains_killed(c);
}

bool kill_remains(struct container *c)
{
	const char *args[] = { "kill", "--all", c->id, "9", NULL };
	const struct runtime_call call = { "kill", args, NULL, false, 0 };
	struct err e = ERR_INIT;
	int r;

	/* For a pid namespace of its own the kernel has done it. */
	if (c->spec.private_pid_ns)
		return true;
	r = cgroup_kill(&c->cgroup, SIGKILL);
	if (r == -ENOENT) {
		command_init(&c->killer, &c->shim->reaper, on_remains_killed);
		r = runtime_run(&c->killer, c, &call, LIMIT_RUNTIME_ORPHAN_MS, &e);
		if (r == 0)
			return false;
		log_write(LOG_WARN, c->id, "failed to kill init's children: %s", e.text);
	} else if (r < 0) {
		log_write(LOG_WARN, c->id, "failed to kill init's children: %s",
			  err_strerror(-r));
	}
	return true;
}
