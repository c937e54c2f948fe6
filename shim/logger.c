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

static void judge_ready(struct logger *l, ssize_t n)
{
	struct err e;

	if (n == 1 || !l->must_say_ready) {
		report_started(l, NULL);
		return;
	}
	err_set(&e, TTRPC_UNKNOWN,
		"logging binary did not call ready (it may have crashed or "
		"exited prematurely)");
	report_started(l, &e);
}

static void on_ready(struct watch *w, uint32_t events)
{
	char byte;
	ssize_t n = read(w->fd, &byte, 1);

	(void)events;
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		judge_ready(container_of(w, struct logger, ready), n);
}

static void on_start_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);
	struct err e;

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

static void on_logger_exit(struct child *c)
{
	struct logger *l = container_of(c, struct logger, child);

	if (c->status != 0 && c->signal != SIGTERM)
		log_write(LOG_WARN, NULL, "a logger (pid %d) ended with %d", c->pid,
			  c->status);
	/* Its end is as good as that of the pipe, which a child of its own may hold open. */
	if (l->started) {
		char byte;

		judge_ready(l, read(l->ready.fd, &byte, 1));
	}
	report_stopped(l);
}

void logger_init(struct logger *l)
{
	*l = (struct logger){ .child = CHILD_INIT, .ready = WATCH_INIT };
	timer_init(&l->timer, on_start_timeout);
}

static int spawn_logger(struct logger *l, const struct logger_request *q, int ready,
			struct err *e)
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
	pid_t pid;
	int r;

	if (null < 0 || !id || !ns)
		return err_nomem(e);
	for (size_t i = 0; i < q->uri->n_args; i++)
		argv[i + 1] = q->uri->args[i];
	r = spawn_exec(&s, &pid);
	if (r < 0)
		return err_sys(e, -r, "failed to start binary logger: fork/exec %s",
			       s.path);
	r = child_watch(l->reaper, &l->child, pid, on_logger_exit);
	assert(r == 0); /* just made */
	(void)r;
	return 0;
}

int logger_start(struct logger *l, struct reaper *r, const struct logger_request *q,
		 void (*started)(struct logger *l, struct err *failure), struct err *e)
{
	_cleanup_close_ int theirs = -1, ours = -1;
	int ends[2], n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for the logger");
	ours = ends[0];
	theirs = ends[1];
	l->reaper = r;
	l->must_say_ready = strcmp(q->uri->scheme, "binary-v2") == 0;
	if (spawn_logger(l, q, theirs, e) < 0)
		return -e->code;
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

static void on_kill_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);

	log_write(LOG_WARN, NULL, "a logger (pid %d) does not end: killed", l->child.pid);
	child_signal(&l->child, SIGKILL);
	child_forget(&l->child);
	report_stopped(l);
}

static void on_term_timeout(struct timer *t)
{
	struct logger *l = container_of(t, struct logger, timer);

	child_signal(&l->child, SIGTERM);
	timer_init(&l->timer, on_kill_timeout);
	timer_arm_in(l->reaper->loop, &l->timer, LIMIT_LOGGER_TERM_MS * LOOP_MSEC);
}

void logger_stop(struct logger *l, void (*stopped)(struct logger *l))
{
	stop_waiting(l);
	l->stopped = stopped;
	if (!child_is_watched(&l->child)) {
		report_stopped(l);
		return;
	}
	timer_init(&l->timer, on_term_timeout);
	timer_arm_in(l->reaper->loop, &l->timer, LIMIT_LOGGER_END_MS * LOOP_MSEC);
}

void logger_close(struct logger *l)
{
	l->started = NULL;
	l->stopped = NULL;
	stop_waiting(l);
	child_signal(&l->child, SIGKILL);
	child_forget(&l->child);
}
