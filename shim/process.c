/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of a container and the way they end: an exit is noticed here
 * (on_exit_seen), waits for the Start that it overtook and, if it is the init's,
 * for the execs that die with it; then waiters are answered and containerd is
 * told. Nothing on that way allocates, so nothing on it can fail.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shim/bundle.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/op.h"
#include "shim/shim.h"
#include "shim/util.h"

static void on_next_op(struct work *w)
{
	op_next(container_of(w, struct process, next_op));
}

static void on_settled(struct io *io)
{
	struct process *p = container_of(io, struct process, io);

	if (p->container->shim->leaving)
		serve_reconsider(p->container->shim);
}

int process_init(struct process *p, struct container *c, const char *id)
{
	p->container = c;
	p->state = PROC_CREATED;
	p->child = (struct child)CHILD_INIT;
	p->exited_at.tv_sec = TIME_ZERO;
	list_init(&p->waiters);
	list_init(&p->ops);
	list_init(&p->asides);
	work_init(&p->next_op, on_next_op);
	io_init(&p->io, &c->shim->loop, c->id);
	p->io.settled = on_settled;
	p->id = strdup(id);
	p->exit_event = event_reserve(&c->shim->events, c->id, *id ? id : c->id);
	return p->id && p->exit_event ? 0 : -ENOMEM;
}

/* What never ended has not succeeded; only an exec that did not start is nothing. */
static void let_go(struct process *p)
{
	bool is_something = process_is_init(p) || p->state == PROC_RUNNING;

	if (is_something && p->exited_at.tv_sec == TIME_ZERO)
		p->exit_status = EXIT_KILLED;
	process_release_waiters(p);
}

void process_fini(struct process *p)
{
	op_abort_all(p);
	let_go(p);
	io_close(&p->io);
	child_forget(&p->child);
	list_del(&p->link);
	free(p->exit_event);
	free(p->id);
	free(p->stdin_path);
	free(p->stdout_path);
	free(p->stderr_path);
	process_drop_document(p);
}

void process_drop_document(struct process *p)
{
	p->container->document_bytes -= p->document_len;
	p->document_len = 0;
	free(p->document);
	p->document = NULL;
}

struct process *process_new_exec(struct container *c, const char *id)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	list_append(&c->execs, &p->link);
	c->n_execs++;
	if (process_init(p, c, id) == 0)
		return p;
	process_free_exec(p);
	return NULL;
}

void process_free_exec(struct process *p)
{
	p->container->n_execs--;
	process_fini(p);
	free(p);
}

void process_open_io(struct process *p, void (*opened)(struct io *, struct err *failure))
{
	struct container *c = p->container;
	const struct io_request r = {
		.names = { p->stdin_path, p->stdout_path, p->stderr_path },
		.terminal = p->terminal,
		.id = process_is_init(p) ? c->id : p->id,
		.ns = c->shim->ns,
		.reaper = &c->shim->reaper,
		.timeout_ns = c->shim->limits.fifo_ns,
		/* A restore that fails may be repeated, by a client that is still there. */
		.early = p->state != PROC_CREATED_CHECKPOINT,
		.folder = c->scratch,
		.uid = c->options.io_uid,
		.gid = c->options.io_gid,
		/* What an exec prints is an answer to somebody, no log. */
		.policy = process_is_init(p) ? &c->log_policy : NULL,
		.direct = process_is_init(p) && c->direct,
		.count = process_is_init(p),
	};

	io_open(&p->io, &r, opened);
}

struct exit_record process_exit(const struct process *p)
{
	return (struct exit_record){ p->pid, p->exit_status, p->exited_at };
}

bool process_is_init(const struct process *p)
{
	return p == &p->container->init;
}

void process_release_waiters(struct process *p)
{
	struct ttrpc_call *call;

	list_for_each(call, &p->waiters, link) {
		list_del(&call->link);
		service_reply_waited(call, p);
	}
}

/* ---------------------------------------------------------------- exit */

struct recording {
	const char *bundle;
	const struct exit_record *exit;
};

static int write_exit(void *arg)
{
	const struct recording *r = arg;

	bundle_write_exit(r->bundle, r->exit);
	return 0;
}

static void on_recorded(struct child *child)
{
	serve_reconsider(container_of(child, struct container, recorder)->shim);
}

/* For a "delete" when we are gone; who waits for the exit does not wait for a disk. */
static void record_exit(struct container *c)
{
	const struct exit_record exit = process_exit(&c->init);
	struct recording r = { c->bundle, &exit };
	const int fds[] = { 2, 2, 2 }; /* the log is 2 */
	const struct spawn s = { .fds = fds, .n_fds = ARRAY_SIZE(fds) };
	pid_t pid;
	int e;

	if (!c->on_disk) {
		bundle_write_exit(c->bundle, &exit);
		return;
	}
	e = spawn_fork(&s, write_exit, &r, &pid);
	if (e == 0)
		e = child_watch(&c->shim->reaper, &c->recorder, pid, on_recorded);
	if (e < 0)
		log_write(LOG_WARN, c->id, "its exit is not on record: %s", err_strerror(-e));
}

static void finish_exit(struct process *p)
{
	struct container *c = p->container;

	bool paused = p->state == PROC_PAUSED;

	p->state = PROC_STOPPED;
	io_process_ended(&p->io);
	log_write(LOG_DEBUG, c->id, "process \"%s\" (pid %d) exited with %d", p->id,
		  p->pid, p->exit_status);
	process_release_waiters(p);
	event_exit(&c->shim->events, p, TAKE(p->exit_event));
	serve_reconsider(c->shim);
	if (paused)
		control_thaw_dead(c);
	if (p->gone)
		p->gone(p);
}

/* The last exec has gone, or their time is up. */
static void finish_init(struct container *c)
{
	timer_disarm(&c->unread_look);
	timer_disarm(&c->exec_drain);
	/* An exit for want of memory is taken for one only if that is told first. */
	oom_last_look(c);
	oom_disarm(c);
	finish_exit(&c->init);
}

/* Whether the client is still reading what the init has written. */
static bool is_being_read(struct container *c)
{
	size_t unread = io_unread(&c->init.io);
	uint64_t now;

	if (unread == 0)
		return false;
	now = loop_now();
	/* What a leftover child goes on writing puts nothing off. */
	if (!c->unread || unread < c->unread) {
		c->unread = unread;
		c->unread_since = now;
	}
	if (now - c->unread_since >= c->shim->limits.unread_ns)
		return false;
	timer_arm(&c->shim->loop, &c->unread_look, now + LIMIT_UNREAD_LOOK_MS * LOOP_MSEC);
	return true;
}

static void finish_init_if_alone(struct container *c)
{
	/* Not if the time was up, and the init's exit is told already. */
	if (c->n_live_execs == 0 && !c->killing && timer_is_armed(&c->exec_drain) &&
	    !is_being_read(c))
		finish_init(c);
}

void process_look_unread(struct timer *t)
{
	finish_init_if_alone(container_of(t, struct container, unread_look));
}

void process_remains_killed(struct container *c)
{
	c->killing = false;
	finish_init_if_alone(c);
}

/* A runtime that works on something in a dead container only has to notice. */
static void hurry(struct process *p)
{
	struct op *op = list_first(&p->ops, struct op, link);

	if (op)
		command_shorten(&op->command, LIMIT_RUNTIME_ORPHAN_MS);
}

static void on_init_exit(struct container *c)
{
	struct process *exec;

	assert(!c->init_dead);
	c->init_dead = true;
	record_exit(c);
	/* Whoever made the cgroup may remove it before the last exec has gone. */
	oom_last_look(c);
	c->killing = !kill_remains(c);
	hurry(&c->init); /* an Update or a Checkpoint, before which no Delete begins */
	list_for_each(exec, &c->execs, link)
		hurry(exec);
	timer_arm_in(&c->shim->loop, &c->exec_drain, c->shim->limits.exec_drain_ns);
	finish_init_if_alone(c);
}

void process_give_up_execs(struct timer *t)
{
	struct container *c = container_of(t, struct container, exec_drain);
	struct process *exec;

	if (c->n_live_execs > 0)
		log_write(LOG_WARN, c->id, "%u processes of a dead container are still there",
			  c->n_live_execs);
	/* No exec starts after its container's end was told. */
	list_for_each(exec, &c->execs, link)
		launch_give_up(exec);
	finish_init(c);
}

static void exec_gone(struct container *c)
{
	assert(c->n_live_execs > 0);
	c->n_live_execs--;
	finish_init_if_alone(c);
}

static void process_exited(struct process *p)
{
	if (process_is_init(p)) {
		on_init_exit(p->container);
		return;
	}
	finish_exit(p);
	exec_gone(p->container);
}

void process_kill_execs(struct container *c)
{
	struct process *exec;

	list_for_each(exec, &c->execs, link)
		if (exec->state == PROC_RUNNING)
			child_signal(&exec->child, SIGKILL);
}

void process_abandon_execs(struct container *c)
{
	struct process *exec;

	list_for_each(exec, &c->execs, link) {
		if (exec->state != PROC_RUNNING)
			continue;
		log_write(LOG_WARN, c->id, "exec \"%s\" (pid %d) is told to be dead, and has "
			  "yet to die of SIGKILL", exec->id, exec->pid);
		child_forget(&exec->child);
		exec->exit_status = EXIT_KILLED;
		clock_gettime(CLOCK_REALTIME, &exec->exited_at);
		process_exited(exec);
	}
}

static void on_exit_seen(struct child *child)
{
	struct process *p = container_of(child, struct process, child);

	p->exit_status = child->status;
	p->exited_at = child->exited_at;
	if (!p->in_transition) {
		process_exited(p);
		return;
	}
	/* Start first: containerd expects its event before that of the exit. */
	p->exit_seen = true;
	hurry(p);
}

int process_adopt(struct process *p, const char *pid_file, struct err *e)
{
	pid_t pid;
	int r = bundle_read_pid(pid_file, &pid, e);

	if (r < 0)
		return r;
	r = child_watch(&p->container->shim->reaper, &p->child, pid, on_exit_seen);
	if (r == -ECHILD)
		return err_set(e, TTRPC_UNKNOWN,
			       "%s names process %d, which is no child of "
			       "this shim",
			       pid_file, pid);
	if (r < 0)
		return err_set(e, TTRPC_UNKNOWN,
			       "%s names process %d, which is another "
			       "one's",
			       pid_file, pid);
	p->pid = pid;
	return 0;
}

int process_check(const struct process *p, enum verb verb, struct err *e)
{
	bool exec = !process_is_init(p), dead = !exec && p->container->init_dead;

	return state_check(verb, exec, dead ? PROC_STOPPED : p->state, e);
}

void process_enter(struct process *p, enum process_state state)
{
	assert(p->in_transition && p->state != PROC_STOPPED);
	p->state = state;
}

void process_settle(struct process *p, bool started)
{
	struct container *c = p->container;

	p->in_transition = false;
	if (p->exit_seen) {
		p->exit_seen = false;
		process_exited(p);
	} else if (!started && !process_is_init(p)) {
		exec_gone(c);
	}
}

void process_expect_sigkill(struct process *p)
{
	if (child_is_watched(&p->child) && !p->child.exited)
		p->sigkill_asked = true;
}

int process_signal(struct process *p, int signo, struct err *e)
{
	int r = child_signal(&p->child, signo);

	if (r == 0)
		return 0;
	if (r == -ESRCH)
		err_set(e, TTRPC_NOT_FOUND, "process already finished");
	else
		err_sys(e, -r, "unknown error after kill");
	return process_is_init(p) ? -e->code : err_prefix(e, "exec kill error");
}
