/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start: "runc start" for an init, "runc exec" for an exec. An exit that comes
 * meanwhile is told after the start (process_settle()), and before the answer:
 * who learns that a start failed because the container died finds it stopped.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

struct launch {
	struct op op;
	char *pid_file;
	int document; /* the exec's process document, while the runtime reads it */
};

static struct launch *launch_of(struct op *op)
{
	return container_of(op, struct launch, op);
}

static void release(struct op *op)
{
	free(launch_of(op)->pid_file);
	closep(&launch_of(op)->document);
}

static void fail(struct op *op)
{
	struct process *p = op->process;

	process_settle(p, false);
	op_fail(op);
}

/* ---------------------------------------------------------------- init */

static void on_init_started(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct process *p = op->process;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "OCI runtime start failed", &op->err);
		fail(op);
		return;
	}
	p->state = PROC_RUNNING;
	event_start(&p->container->shim->events, p);
	process_settle(p, true);
	service_reply_started(op_end(op), p);
}

static void start_init(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;
	const char *args[] = { "start", c->id, NULL };
	const struct runtime_call call = { "start", args, NULL, false, 0 };

	p->starting = true;
	if (runtime_run(op_command(op, on_init_started), c, &call, c->shim->limits.runtime_s,
			&op->err) < 0) {
		err_prefix(&op->err, "OCI runtime start failed");
		fail(op);
	}
}

/* ---------------------------------------------------------------- exec */

/* The exec stays created, without anything of this try; its waiters are let go. */
static void fail_exec(struct op *op)
{
	struct process *p = op->process;

	io_close(&p->io);
	if (launch_of(op)->pid_file)
		unlink(launch_of(op)->pid_file);
	child_signal(&p->child, SIGKILL);
	child_forget(&p->child);
	p->exit_seen = false;
	p->exit_status = 0;
	p->exited_at = (struct timespec){ .tv_sec = TIME_ZERO };
	p->pid = 0;
	process_release_waiters(p);
	fail(op);
}

static void on_exec_connected(struct io *io, struct err *failure)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = list_first(&p->ops, struct op, link);

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to start io pipe copy");
		fail_exec(op);
		return;
	}
	p->state = PROC_RUNNING;
	free(p->document);
	p->document = NULL;
	event_exec_started(&p->container->shim->events, p);
	process_settle(p, true);
	service_reply_started(op_end(op), p);
}

static void on_exec_started(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct process *p = op->process;
	const char *pid_file = launch_of(op)->pid_file;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "OCI runtime exec failed", &op->err);
		fail_exec(op);
		return;
	}
	/* Now, while no orphan is swept: it may have ended already. */
	if (process_adopt(p, pid_file, &op->err) < 0) {
		err_prefix(&op->err, "failed to retrieve OCI runtime exec pid");
		fail_exec(op);
		return;
	}
	unlink(pid_file);
	io_connect(&p->io, p->container->shim->limits.fifo_ns, on_exec_connected);
}

/* The process document in a file in memory: nothing to clean up, nothing to fill. */
static int open_document(const struct process *p, struct err *e)
{
	_cleanup_close_ int fd = memfd_open("process.json");
	int r;

	if (fd < 0)
		return err_sys(e, errno, "make a file for the process document");
	r = write_all(fd, p->document, p->document_len);
	if (r < 0)
		return err_sys(e, -r, "write the process document");
	return TAKE_FD(fd);
}

static int run_exec(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;
	struct launch *la = launch_of(op);
	const struct io_request io = {
		.names = { p->stdin_path, p->stdout_path, p->stderr_path },
		.terminal = p->terminal,
		.bundle = c->bundle,
		.uid = c->options.io_uid,
		.gid = c->options.io_gid,
	};
	const char *args[10] = { "exec", "--process" };
	int n = 2;
	char path[RUNTIME_FD_PATH];

	la->document = open_document(p, &op->err);
	if (la->document < 0)
		return la->document;
	runtime_fd_path(la->document, path);
	la->pid_file = str_printf("%s/exec-%s.pid", c->bundle, p->id);
	if (!la->pid_file)
		return err_nomem(&op->err);
	if (io_open(&p->io, &io, &op->err) < 0)
		return err_prefix(&op->err, "failed to create init process I/O");

	const struct runtime_call call = { "exec", args, io_child(&p->io), true, 0 };

	args[n++] = path;
	if (io_console(&p->io)) {
		args[n++] = "--console-socket";
		args[n++] = io_console(&p->io);
	}
	args[n++] = "--detach";
	args[n++] = "--pid-file";
	args[n++] = la->pid_file;
	args[n++] = c->id;

	unlink(la->pid_file);
	if (runtime_run(op_command(op, on_exec_started), c, &call, c->shim->limits.runtime_s,
			&op->err) < 0)
		return err_prefix(&op->err, "OCI runtime exec failed");
	io_spawned(&p->io);
	return 0;
}

static void start_exec(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;

	if (c->init_dead) {
		err_set(&op->err, TTRPC_FAILED_PRECONDITION,
			"container %s init process is not running", c->id);
		op_fail(op);
		return;
	}
	p->starting = true;
	c->n_live_execs++;
	if (run_exec(op) < 0)
		fail_exec(op);
}

/* ------------------------------------------------------------- request */

static void begin(struct op *op)
{
	struct process *p = op->process;
	bool exec = !process_is_init(p);

	if (state_check(VERB_START, exec, p->state, &op->err) < 0)
		op_fail(op);
	else if (exec)
		start_exec(op);
	else
		start_init(op);
}

void launch_begin(struct process *p, struct ttrpc_call *call)
{
	struct op *op = op_new(sizeof(struct launch), p, call, begin);

	if (!op)
		return;
	op->release = release;
	launch_of(op)->document = -1;
	op_submit(op);
}
