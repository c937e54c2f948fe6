/* SPDX-License-Identifier: Apache-2.0 */
/* Logger processes; see logger.h. */
#include "shim/logger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/spawn.h"
#include "shim/util.h"

static void stop_waiting(struct logger *l)
{
	int fd = l->ready.fd;

	watch_del(&l->ready);
	closep(&fd);
	l->ready.fd = -1;
	timer_disarm(&l->timer);
}

static void report_started(struct logger *l, struct err *failure)
{
	void (*started)(struct logger *, struct err *) = TAKE(l->started);

	stop_waiting(l);
	if (started)
		started(l, failure);
}

enum verdict { NOT_YET, READY, FAILED };

/* What it has said: a byte, nothing, or (ours) what failed. */
static enum verdict hear(struct logger *l, struct err *e)
{
	ssize_t n = read(l->ready.fd, e, l->files ? sizeof(*e) : 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR) && child_is_watched(&l->child))
		return NOT_YET;
	if (n == 1 || !l->must_say_ready) {
		l->was_ready = true;
		return READY;
	}
	if (n != sizeof(*e))
		err_set(e, TTRPC_UNKNOWN,
			l->files ? "the process that writes log files did not start" :
				   "logging binary did not call ready (it may have crashed or "
				   "exited prematurely)");
	return FAILED;
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct logger *l = container_of(w, struct logger, ready);
	struct err e;
	enum verdict v = hear(l, &e);

	(void)events;
	if (v != NOT_YET)
		report_started(l, v == FAILED ? &e : NULL);
}

static void on_start_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);
	const struct logfile *f = l->files ? l->files->of : NULL;
	struct err e;

	if (f)
		err_set(&e, TTRPC_DEADLINE_EXCEEDED,
			"open %s: its disk did not answer in time",
			f->path ? f->path : f[1].path);
	else
		err_set(&e, TTRPC_UNKNOWN, "logging binary did not call ready in time");
	report_started(l, &e);
}

static void report_stopped(struct logger *l)
{
	void (*stopped)(struct logger *) = TAKE(l->stopped);

	timer_disarm(&l->timer);
	if (stopped)
		stopped(l);
}

static void on_again(struct timer *t);

static void try_again_later(struct logger *l)
{
	timer_init(&l->timer, on_again);
	timer_arm_in(l->reaper->loop, &l->timer, LIMIT_LOGFILE_AGAIN_MS * LOOP_MSEC);
}

/* Who is told of it, of its start or of its end, may free it: that comes last. */
static void on_logger_exit(struct child *c)
{
	struct logger *l = container_of(c, struct logger, child);
	struct err e;
	/* Its end is as good as that of the pipe, which a child of its own may hold open. */
	enum verdict v = l->started ? hear(l, &e) : NOT_YET;
	void (*started)(struct logger *, struct err *) = TAKE(l->started);

	stop_waiting(l);
	l->finished = c->status == 0;
	if (!l->finished && (l->files ? l->was_ready : c->signal != SIGTERM))
		log_write(LOG_WARN, NULL, "a logger (pid %d) ended with %d", c->pid,
			  c->status);
	if (l->files && l->was_ready && !l->finished && !l->stopped)
		try_again_later(l);
	if (!l->files || l->finished)
		l->ended(l);
	if (l->stopped)
		report_stopped(l);
	else if (started)
		started(l, v == FAILED ? &e : NULL);
}

void logger_init(struct logger *l)
{
	*l = (struct logger){ .child = CHILD_INIT, .ready = WATCH_INIT };
	timer_init(&l->timer, on_start_timeout);
}

static int spawn_program(const struct logger_request *q, int ready, pid_t *pid, struct err *e)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *id = str_printf("CONTAINER_ID=%s", q->id);
	_cleanup_free_ char *ns = str_printf("CONTAINER_NAMESPACE=%s", q->ns);
	char *argv[LIMIT_URI_ARGS + 2] = { q->uri->path };
	char *const envp[] = { id, ns, NULL };
	const int fds[] = { null, null, null, q->out, q->err, ready };
	const struct spawn s = { .path = q->uri->path,
				 .argv = argv,
				 .envp = envp,
				 .fds = fds,
				 .n_fds = ARRAY_SIZE(fds) };
	int r;

	if (null < 0 || !id || !ns)
		return err_nomem(e);
	for (size_t i = 0; i < q->uri->n_args; i++)
		argv[i + 1] = q->uri->args[i];
	r = spawn_exec(&s, pid);
	return r < 0 ? err_sys(e, -r, "failed to start binary logger: fork/exec %s", s.path) : 0;
}

static int spawn_writer(struct logfiles *f, int ready, pid_t *pid, struct err *e)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[LOGFILE_FDS] = {
		[LOGFILE_FD_IN] = f->of[0].path ? f->of[0].in : null,
		[LOGFILE_FD_IN + 1] = f->of[1].path ? f->of[1].in : null,
		[LOGFILE_FD_LOG] = log_fd() >= 0 ? log_fd() : null,
		[LOGFILE_FD_READY] = ready,
	};
	const struct spawn s = { .fds = fds, .n_fds = LOGFILE_FDS };
	int r = null < 0 ? -errno : spawn_fork(&s, logfiles_write, f, pid);

	return r < 0 ? err_sys(e, -r, "fork for the log files") : 0;
}

int logger_start(struct logger *l, struct reaper *r, const struct logger_request *q,
		 void (*started)(struct logger *l, struct err *failure), struct err *e)
{
	_cleanup_close_ int theirs = -1, ours = -1;
	int ends[2], n;
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for the logger");
	ours = ends[0];
	theirs = ends[1];
	l->reaper = r;
	l->files = q->files;
	l->timeout_ns = q->timeout_ns;
	l->must_say_ready = q->files || strcmp(q->uri->scheme, "binary-v2") == 0;
	n = q->files ? spawn_writer(q->files, theirs, &pid, e) : spawn_program(q, theirs, &pid, e);
	if (n < 0)
		return n;
	n = child_watch(l->reaper, &l->child, pid, on_logger_exit);
	assert(n == 0); /* just made */
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, errno, "make the logger's pipe non-blocking");
	n = watch_add(r->loop, &l->ready, ours, EPOLLIN, on_ready);
	if (n < 0)
		return err_sys(e, -n, "watch the logger");
	TAKE_FD(ours);
	l->started = started;
	timer_init(&l->timer, on_start_timeout);
	timer_arm_in(r->loop, &l->timer, q->timeout_ns);
	return 0;
}

static void on_writer_again(struct logger *l, struct err *failure)
{
	if (failure)
		log_write(LOG_WARN, l->files->id, "its output waits: %s", failure->text);
}

/* Our writer was killed; what the container has written meanwhile is in the pipes. */
static void start_again(struct logger *l)
{
	const struct logger_request q = { .files = l->files, .timeout_ns = l->timeout_ns };
	struct err e;

	for (int i = 0; i < LOGFILE_MAX; i++) {
		struct logfile *f = &l->files->of[i];

		f->lost += f->relay.lost;
		f->relay.lost = 0;
	}
	if (logger_start(l, l->reaper, &q, on_writer_again, &e) == 0)
		return;
	on_writer_again(l, &e);
	if (!child_is_watched(&l->child))
		try_again_later(l);
}

static void on_again(struct timer *t)
{
	start_again(container_of(t, struct logger, timer));
}

static void on_kill_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);

	log_write(LOG_WARN, NULL, "a logger (pid %d) does not end: killed", l->child.pid);
	child_signal(&l->child, SIGKILL);
	child_forget(&l->child);
	report_stopped(l);
}

static void leave(struct logger *l)
{
	bool rest = logfiles_ended(l->files);

	log_write(LOG_WARN, l->files->id, "the writer of its log files (pid %d) %s", l->child.pid,
		  rest ? "has still to write: it is left to itself" :
			 "is killed: something still holds the output open");
	if (!rest)
		child_signal(&l->child, SIGKILL);
	child_forget(&l->child);
	report_stopped(l);
}

static void on_term_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);

	if (l->files) {
		leave(l);
		return;
	}
	child_signal(&l->child, SIGTERM);
	timer_init(&l->timer, on_kill_timeout);
	timer_arm_in(l->reaper->loop, &l->timer, LIMIT_LOGGER_TERM_MS * LOOP_MSEC);
}

void logger_stop(struct logger *l, void (*stopped)(struct logger *l))
{
	l->started = NULL;
	stop_waiting(l);
	l->stopped = stopped;
	if (l->files && l->was_ready && !l->finished && !child_is_watched(&l->child)) {
		start_again(l);
		l->started = NULL;
		stop_waiting(l);
	}
	if (!child_is_watched(&l->child)) {
		report_stopped(l);
		return;
	}
	timer_init(&l->timer, on_term_timeout);
	timer_arm_in(l->reaper->loop, &l->timer, LIMIT_LOGGER_END_MS * LOOP_MSEC);
}

void logger_let_go(struct logger *l)
{
	if (l->files)
		return; /* logger_close() knows */
	child_signal(&l->child, SIGTERM);
	child_forget(&l->child);
}

void logger_close(struct logger *l)
{
	l->started = NULL;
	l->stopped = NULL;
	stop_waiting(l);
	/* Ours ends by itself with its pipes, when all is written. */
	if (!l->files || !logfiles_ended(l->files))
		child_signal(&l->child, SIGKILL);
	child_forget(&l->child);
	l->files = NULL; /* which their owner frees now */
}
