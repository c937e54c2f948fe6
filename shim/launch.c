/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start: "runc start" for an init, "runc exec" for an exec. An exit that comes
 * meanwhile is told after the start (process_settle()), and before the answer:
 * who learns that a start failed because the container died finds it stopped.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shim/hint.h"
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
	bool killed; /* by a Kill, before there was a process */
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

void launch_failed(struct op *op)
{
	process_settle(op->process, false);
	op_fail(op);
}

void launch_started(struct op *op)
{
	struct process *p = op->process;
	struct event_queue *q = &p->container->shim->events;

	process_enter(p, PROC_RUNNING);
	p->started = loop_now();
	if (process_is_init(p))
		event_start(q, p, TAKE(op->event));
	else
		event_exec_started(q, p, TAKE(op->event));
	process_settle(p, true);
	service_reply_started(op_end(op), p);
}

/* ---------------------------------------------------------------- init */

static void on_init_started(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "OCI runtime start failed", &op->err);
		launch_failed(op);
		return;
	}
	launch_started(op);
}

static void start_init(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;
	const char *args[ARGS_MAX];
	const struct runtime_call call = { "start", args, NULL, false, 0 };

	container_look_again(c);
	args_simple(args, "start", c->id);
	p->in_transition = true;
	if (runtime_run(op_command(op, on_init_started), c, &call,
			c->shim->limits.runtime_ms, &op->err) < 0) {
		err_prefix(&op->err, "OCI runtime start failed");
		launch_failed(op);
	}
}

/* ---------------------------------------------------------------- exec */

/* The exec stays created, without anything of this try; who waits for it is let go. */
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
	p->start_failed = true;
	process_release_waiters(p);
	launch_failed(op);
}

/* What a runtime that was killed has put into the container already. */
static void kill_left(struct process *p, const char *pid_file)
{
	struct err ignored;
	pid_t pid;

	if (bundle_read_pid(pid_file, &pid, &ignored) == 0)
		reap_kill(&p->container->shim->reaper, pid);
	else
		p->container->has_stray = true;
}

static bool an_exec_is_being_made(struct container *c)
{
	struct process *exec;

	list_for_each(exec, &c->execs, link)
		if (exec->in_transition && command_is_running(&op_first(exec)->command))
			return true;
	return false;
}

/*
 * Processes of a container with a pid namespace of its own become our children only if
 * the runtime has made them, and then they lead a session. Those that are not watched
 * are nobody's, unless another exec is being made: then its end is waited for.
 */
static void kill_strays(struct container *c)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;

	if (!c->spec.private_pid_ns || cgroup_pids(&c->cgroup, &pids, &n) < 0)
		log_write(LOG_WARN, c->id, "an exec may still run, its process is not known");
	for (size_t i = 0; i < n; i++)
		if (getsid(pids[i]) == pids[i])
			reap_kill(&c->shim->reaper, pids[i]);
	c->has_stray = false;
}

static void on_exec_connected(struct io *io, struct err *failure)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = op_first(p);

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to start io pipe copy");
		fail_exec(op);
		return;
	}
	process_drop_document(p);
	launch_started(op);
}

static void fail_killed(struct op *op)
{
	err_set(&op->err, TTRPC_UNKNOWN,
		"OCI runtime exec failed: killed before it had started");
	fail_exec(op);
}

static void on_exec_failed(struct op *op)
{
	struct process *p = op->process;
	struct command *cmd = &op->command;

	if (cmd->timed_out || cmd->killed || cmd->child.signal)
		kill_left(p, launch_of(op)->pid_file);
	if (launch_of(op)->killed) {
		fail_killed(op);
		return;
	}
	runtime_failure(cmd, "OCI runtime exec failed", &op->err);
	hint_process(p->document, p->document_len, &op->err);
	fail_exec(op);
}

static void adopt_exec(struct op *op)
{
	struct process *p = op->process;
	const char *pid_file = launch_of(op)->pid_file;

	/* Now, while no orphan is swept: it may have ended already. */
	if (process_adopt(p, pid_file, &op->err) < 0) {
		p->container->has_stray = true;
		err_prefix(&op->err, "failed to retrieve OCI runtime exec pid");
		fail_exec(op);
		return;
	}
	unlink(pid_file);
	io_connect(&p->io, p->container->shim->limits.fifo_ns, on_exec_connected);
}

static void on_exec_started(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct container *c = op->process->container;

	if (command_succeeded(cmd))
		adopt_exec(op);
	else
		on_exec_failed(op);
	if (c->has_stray && !an_exec_is_being_made(c))
		kill_strays(c);
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

static void on_exec_opened(struct io *io, struct err *failure)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = op_first(p);
	struct launch *la = launch_of(op);
	struct container *c = p->container;
	const char *args[ARGS_MAX];
	const struct runtime_call call = { "exec", args, io_child(io), true, 0 };
	char path[RUNTIME_FD_PATH];
	int r;

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to create init process I/O");
		fail_exec(op);
		return;
	}
	runtime_fd_path(la->document, path);
	args_exec(args, c->id, path, la->pid_file, io_console(io));
	unlink(la->pid_file);
	r = runtime_run(op_command(op, on_exec_started), c, &call,
			c->shim->limits.runtime_ms, &op->err);
	io_spawned(io);
	if (r < 0) {
		err_prefix(&op->err, "OCI runtime exec failed");
		fail_exec(op);
	}
}

/* A Start that a signal can end: a process is made only then. */
static bool is_being_made(const struct process *p)
{
	return p->in_transition &&
	       (!process_is_init(p) || p->state == PROC_CREATED_CHECKPOINT);
}

void launch_give_up(struct process *p)
{
	struct op *op;

	if (!is_being_made(p))
		return;
	op = op_first(p);
	if (process_is_init(p)) {
		checkpoint_give_up(op);
		return;
	}
	if (op->command.timed_out)
		return; /* it fails in any case */
	launch_of(op)->killed = true;
	if (command_is_running(&op->command))
		command_kill(&op->command);
	else
		fail_killed(op); /* it waits for a logger, or for a client */
}

bool launch_kill(struct process *p, int signo, struct err *e)
{
	if (!is_being_made(p))
		return false;
	if (signo == SIGKILL && !p->exit_seen)
		launch_give_up(p);
	else if (child_is_watched(&p->child) || p->exit_seen)
		process_signal(p, signo, e);
	else if (process_is_init(p))
		err_set(e, TTRPC_FAILED_PRECONDITION, "container %s is being restored",
			p->container->id);
	else
		return false;
	return true;
}

static int prepare_exec(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;
	struct launch *la = launch_of(op);
	static unsigned counter;

	/* On no disk in any case: it is removed in the loop. */
	la->pid_file = c->on_disk ?
			       str_printf("%s/exec-%d-%u.pid", c->scratch, getpid(), ++counter) :
			       str_printf("%s/exec-%s.pid", c->bundle, p->id);
	if (!la->pid_file)
		return err_nomem(&op->err);
	la->document = open_document(p, &op->err);
	return la->document < 0 ? la->document : 0;
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
	p->in_transition = true;
	p->start_failed = false;
	c->n_live_execs++;
	if (prepare_exec(op) < 0)
		fail_exec(op);
	else
		process_open_io(p, on_exec_opened);
}

/* ------------------------------------------------------------- request */

static void begin(struct op *op)
{
	struct process *p = op->process;

	if (process_check(p, VERB_START, &op->err) < 0)
		op_fail(op);
	else if (!process_is_init(p))
		start_exec(op);
	else if (p->state == PROC_CREATED_CHECKPOINT)
		checkpoint_restore(op);
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
