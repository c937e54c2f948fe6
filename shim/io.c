/* SPDX-License-Identifier: Apache-2.0 */
/* The stdio of a process, put together; see io.h. Bytes move in relay.c and tty.c. */
#include "shim/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/util.h"

static const char *const stream_names[IO_STREAMS] = { "stdin", "stdout", "stderr" };

#define RETRY_FIRST (1 * LOOP_MSEC)
#define RETRY_MAX (100 * LOOP_MSEC)

static void on_retry(struct timer *t);
static void on_losing(struct relay *r);
static void on_tty_losing(struct tty *t);
static void on_drain_timeout(struct timer *t);

void io_init(struct io *io, struct loop *l, const char *id)
{
	*io = (struct io){ .loop = l, .id = id, .keep_alive = -1, .console = CONSOLE_INIT,
			   .tty = TTY_INIT };
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		*s = (struct io_stream){ .io = io, .ours = -1, .theirs = -1, .done = true,
					 .relay = RELAY_INIT, .direct = DIRECT_INIT };
		s->relay.losing = on_losing;
		sink_init(&s->sink, l);
		io->child[i] = -1;
	}
	io->tty.losing = on_tty_losing;
	logger_init(&io->logger);
	timer_init(&io->retry, on_retry);
	timer_init(&io->drain, on_drain_timeout);
}

/* ------------------------------------------------------------ opening */

static int open_pipe(struct io *io, int i, const struct io_request *r, struct err *e)
{
	struct io_stream *s = &io->streams[i];
	int ends[2], ours;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for %s", stream_names[i]);
	ours = i == IO_STDIN ? 1 : 0;
	s->ours = ends[ours];
	io->child[i] = ends[1 - ours];
	/* The container may reopen it by /proc/self/fd, so it must own it. */
	if (fchown(io->child[i], r->uid, r->gid) < 0)
		return err_sys(e, errno, "failed to chown %s", stream_names[i]);
	/* Only our description: the container's end is another one and stays blocking. */
	if (fcntl(s->ours, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, errno, "make our end of %s non-blocking", stream_names[i]);
	s->done = false;
	return 0;
}

/* A stdin that is no FIFO needs no relay: the process gets the file itself. */
static int open_stdin_file(struct io *io, const char *path, struct err *e)
{
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", path);
	if (S_ISFIFO(st.st_mode))
		return 0;
	n = open_trusted(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (n < 0)
		return err_sys(e, -n, "failed to open stdin %s", path);
	io->child[IO_STDIN] = n;
	fcntl(io->child[IO_STDIN], F_SETFL, 0);
	return 0;
}

/* 1: it has to be a pipe. */
static int open_direct(struct io *io, int i, const struct io_request *r, struct err *e)
{
	struct io_stream *s = &io->streams[i];
	int n;

	if (!r->direct || i == IO_STDIN)
		return 1;
	n = direct_open(s->path, &s->sink.hold, &io->child[i], e);
	if (n != 0)
		return n;
	s->is_direct = true;
	s->done = false;
	if (fchown(io->child[i], r->uid, r->gid) < 0)
		return err_sys(e, errno, "failed to chown %s", stream_names[i]);
	return 0;
}

static int open_stream(struct io *io, int i, const struct io_request *r, struct err *e)
{
	int n;

	if (!io->streams[i].path) {
		io->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		return io->child[i] < 0 ? err_sys(e, errno, "open /dev/null") : 0;
	}
	if (i == IO_STDIN && open_stdin_file(io, io->streams[i].path, e) < 0)
		return -e->code;
	n = open_direct(io, i, r, e);
	if (n <= 0)
		return n;
	return io->child[i] < 0 ? open_pipe(io, i, r, e) : 0;
}

static int open_streams(struct io *io, const struct io_request *r, struct err *e)
{
	int n = 0;

	if (!r->terminal) {
		for (int i = 0; i < IO_STREAMS && n == 0; i++)
			n = open_stream(io, i, r, e);
		return n;
	}
	if (console_listen(&io->console, io->loop, r->bundle, e) < 0)
		return err_prefix(e, "failed to create OCI runtime console socket");
	/* What the process writes ends with the terminal, wherever it goes. */
	io->streams[IO_STDOUT].done = false;
	return 0;
}

/* file://: the folder and the file are made; from there on it is a path like any other. */
static int make_file(struct io *io, const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = -1;

	if (!dir)
		return err_nomem(e);
	for (char *p = strchr(dir + (*dir == '/'), '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", dir);
		*p = '/';
	}
	fd = open_trusted(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(e, -fd, "open %s", path);
	for (int i = IO_STDOUT; i <= IO_STDERR; i++) {
		char **name = &io->streams[i].path;

		if (!*name)
			continue;
		free(*name);
		if (!str_copy(name, path))
			return err_nomem(e);
	}
	return 0;
}

/*
 * Tries to open the client's ends of the outputs before the process exists. A
 * client is waiting in open(2) for it, and some give up on what they have not got
 * open when a short process is gone already. What fails is tried again, and told,
 * in io_connect().
 */
static void open_early(struct io *io)
{
	struct err ignored;

	for (int i = IO_STDOUT; i <= IO_STDERR; i++) {
		struct io_stream *s = &io->streams[i];

		if (s->path && s->theirs < 0 && !s->is_direct && !(io->terminal && i == IO_STDERR))
			s->theirs = sink_open(&s->sink, s->path, &ignored);
		if (s->theirs < 0)
			s->theirs = -1;
	}
}

static void report_opened(struct io *io, struct err *failure)
{
	void (*opened)(struct io *, struct err *) = TAKE(io->opened);

	if (opened)
		opened(io, failure);
}

static void on_logger_started(struct logger *l, struct err *failure)
{
	report_opened(container_of(l, struct io, logger), failure);
}

/*
 * binary://: the logger has the read ends. Without a terminal the container has
 * the write ends; with one its output goes to the first pipe through us.
 */
static int open_logger(struct io *io, const struct io_request *r, const struct uri *u,
		       struct err *e)
{
	int out[2], err[2], n;
	struct logger_request q = { .uri = u, .id = r->id, .ns = r->ns,
				    .timeout_ns = r->timeout_ns };

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for the logger");
	if (pipe2(err, O_CLOEXEC) < 0) {
		n = err_sys(e, errno, "make a pipe for the logger");
		close(out[0]);
		close(out[1]);
		return n;
	}
	if (r->terminal) {
		io->streams[IO_STDOUT].theirs = out[1];
		fcntl(out[1], F_SETFL, O_NONBLOCK);
		close(err[1]);
	} else {
		io->child[IO_STDOUT] = out[1];
		io->child[IO_STDERR] = err[1];
	}
	q.out = out[0];
	q.err = err[0];
	n = 0;
	if (!r->terminal && (fchown(out[1], r->uid, r->gid) < 0 ||
			     fchown(err[1], r->uid, r->gid) < 0))
		n = err_sys(e, errno, "failed to chown stdout");
	if (n == 0)
		n = logger_start(&io->logger, r->reaper, &q, on_logger_started, e);
	close(out[0]);
	close(err[0]);
	return n;
}

/* A logger takes the place of stdout's and stderr's names; there is no stdin with it. */
static int open_with_logger(struct io *io, const struct io_request *r, const struct uri *u,
			    struct err *e)
{
	if (!r->terminal && r->policy && log_policy_is_set(r->policy))
		log_write(LOG_WARN, io->id, "the log policy has no effect: the container writes "
			  "to its logger itself");
	for (int i = r->terminal ? IO_STDOUT : IO_STDIN; i < IO_STREAMS; i++) {
		free(io->streams[i].path);
		io->streams[i].path = NULL;
	}
	if (r->terminal) {
		if (open_streams(io, r, e) < 0)
			return -e->code;
	} else if (open_stream(io, IO_STDIN, r, e) < 0) {
		return -e->code;
	}
	return open_logger(io, r, u, e);
}

static int open_scheme(struct io *io, const struct io_request *r, const struct uri *u,
		       bool *later, struct err *e)
{
	if (strcmp(u->scheme, "file") == 0 && make_file(io, u->path, e) < 0)
		return -e->code;
	if (strcmp(u->scheme, "binary") == 0 || strcmp(u->scheme, "binary-v2") == 0) {
		*later = true;
		return open_with_logger(io, r, u, e);
	}
	/* A URI of the scheme "fifo" is opened literally, as by every shim. */
	if (*u->scheme && strcmp(u->scheme, "fifo") != 0 && strcmp(u->scheme, "file") != 0)
		return err_set(e, TTRPC_UNKNOWN, "unknown STDIO scheme %s", u->scheme);
	return open_streams(io, r, e);
}

static void on_room(struct timer *t)
{
	struct io_stream *s = container_of(t, struct pace, timer)->owner;

	relay_go_on(&s->relay);
	if (s == &s->io->streams[IO_STDOUT])
		tty_go_on(&s->io->tty);
}

/* The policy's memory is there from the start, so that nothing has to be refused later. */
static int make_pace(struct io *io, const struct io_request *r, struct err *e)
{
	for (int i = IO_STDOUT; r->policy && log_policy_is_set(r->policy) && i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		if (!s->path || s->pace)
			continue;
		s->pace = malloc(sizeof(*s->pace));
		if (!s->pace)
			return err_nomem(e);
		pace_init(s->pace, io->loop, r->policy, s, on_room);
	}
	return 0;
}

void io_open(struct io *io, const struct io_request *r,
	     void (*opened)(struct io *, struct err *failure))
{
	struct err e = ERR_INIT;
	bool later = false;
	struct uri u;
	int n;

	io->opened = opened;
	io->terminal = r->terminal;
	n = uri_parse(&u, r->names[IO_STDOUT] ? r->names[IO_STDOUT] : "", &e);
	for (int i = 0; i < IO_STREAMS && n == 0; i++)
		if (str_is_set(r->names[i]) && !str_copy(&io->streams[i].path, r->names[i]))
			n = err_nomem(&e);
	if (n == 0)
		n = make_pace(io, r, &e);
	if (n == 0)
		n = open_scheme(io, r, &u, &later, &e);
	uri_release(&u);
	if (n == 0 && r->early)
		open_early(io);
	if (n < 0 || !later)
		report_opened(io, n < 0 ? &e : NULL);
}

const int *io_child(const struct io *io)
{
	return io->terminal ? NULL : io->child;
}

const char *io_console(const struct io *io)
{
	return io->terminal ? io->console.path : NULL;
}

void io_spawned(struct io *io)
{
	for (int i = 0; i < IO_STREAMS; i++)
		closep(&io->child[i]);
}

/* -------------------------------------------------------------- ending */

static bool outputs_done(const struct io *io)
{
	return io->streams[IO_STDOUT].done && io->streams[IO_STDERR].done;
}

static void on_logger_stopped(struct logger *l)
{
	struct io *io = container_of(l, struct io, logger);
	void (*drained)(struct io *, bool) = TAKE(io->drained);

	if (drained)
		drained(io, outputs_done(io));
}

static void report_drained(struct io *io)
{
	timer_disarm(&io->drain);
	if (io->drained)
		logger_stop(&io->logger, on_logger_stopped);
}

static const char *name_of(const struct io_stream *s)
{
	return stream_names[s - s->io->streams];
}

static void end_output(struct io_stream *s, int sink, uint64_t lost)
{
	struct io *io = s->io;

	if (lost > 0 && s->path)
		log_write(LOG_WARN, io->id, "%llu bytes of %s were lost, %s did not take them",
			  (unsigned long long)lost, name_of(s), s->path);
	if (s->pace && s->pace->dropped > 0)
		log_write(LOG_WARN, io->id, "%llu bytes of %s were dropped, by its log policy",
			  (unsigned long long)s->pace->dropped, name_of(s));
	if (s->pace)
		timer_disarm(&s->pace->timer);
	if (sink >= 0)
		sink_finish(&s->sink, sink);
	s->done = true;
	if (outputs_done(io))
		report_drained(io);
}

static void on_output_end(struct relay *r, int sink)
{
	end_output(container_of(r, struct io_stream, relay), sink, r->lost);
}

static void on_direct_end(struct direct *d)
{
	struct io_stream *s = container_of(d, struct io_stream, direct);

	/* What a client that is away has not read yet stays for it, as after a relay. */
	end_output(s, direct_write_end(s->sink.hold), 0);
}

static void on_tty_end(struct tty *t, int sink)
{
	struct io *io = container_of(t, struct io, tty);

	closep(&io->keep_alive);
	end_output(&io->streams[IO_STDOUT], sink, t->lost);
}

/* Once, when it begins; how much it was is told at the end, and by Inspect at any time. */
static void tell_losing(const struct io_stream *s, uint64_t lost)
{
	if (lost > 0)
		log_write(LOG_WARN, s->io->id, "%s does not take %s: what is written is lost",
			  s->path ? s->path : "nobody", name_of(s));
	else
		log_write(LOG_WARN, s->io->id, "%s is too fast for its log policy: what does not "
			  "fit is dropped", name_of(s));
}

static void on_losing(struct relay *r)
{
	tell_losing(container_of(r, struct io_stream, relay), r->lost);
}

static void on_tty_losing(struct tty *t)
{
	struct io *io = container_of(t, struct io, tty);

	/* Without a client's end there is nobody to lose it. */
	if (io->streams[IO_STDOUT].path)
		tell_losing(&io->streams[IO_STDOUT], t->lost);
}

static void on_stdin_end(struct relay *r, int pipe)
{
	struct io_stream *s = container_of(r, struct io_stream, relay);

	closep(&pipe);
	closep(&s->io->keep_alive);
	s->done = true;
}

void io_close_stdin(struct io *io)
{
	closep(&io->keep_alive);
}

void io_process_ended(struct io *io)
{
	struct io_stream *s = &io->streams[IO_STDIN];

	relay_stop(&s->relay);
	closep(&s->ours);
	closep(&io->keep_alive);
	s->done = true;
	for (int i = IO_STDOUT; i < IO_STREAMS; i++)
		if (io->streams[i].pace)
			pace_lift(io->streams[i].pace);
	tty_process_ended(&io->tty);
}

/* ---------------------------------------------------------- connecting */

static int open_source(struct io *io, struct err *e)
{
	const char *path = io->streams[IO_STDIN].path;
	_cleanup_close_ int fd = open_trusted(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	int keep;

	if (fd < 0)
		return err_sys(e, -fd, "failed to open stdin fifo %s", path);
	keep = open_trusted(path, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (keep < 0)
		return err_sys(e, -keep, "failed to open stdin fifo %s", path);
	io->keep_alive = keep;
	return TAKE_FD(fd);
}

/* Opens the client's end of a stream: a descriptor, -EAGAIN, or a failure. */
static int open_theirs(struct io_stream *s, struct err *e)
{
	if (s == &s->io->streams[IO_STDIN])
		return open_source(s->io, e);
	return sink_open(&s->sink, s->path, e);
}

static int connect_stream(struct io_stream *s, struct err *e)
{
	struct io *io = s->io;
	int fd, r;

	if (s->is_direct && !s->done) {
		r = direct_watch(&s->direct, io->loop, s->sink.hold, on_direct_end);
		return r < 0 ? err_sys(e, -r, "watch %s", s->path) : 0;
	}
	if (s->done || s->ours < 0)
		return 0;
	fd = s->theirs >= 0 ? TAKE_FD(s->theirs) : open_theirs(s, e);
	if (fd < 0)
		return fd;
	if (s == &io->streams[IO_STDIN])
		r = relay_start(&s->relay, io->loop, fd, TAKE_FD(s->ours), false, on_stdin_end);
	else
		r = relay_start(&s->relay, io->loop, TAKE_FD(s->ours), fd, true, on_output_end);
	if (r == 0 && s->pace)
		relay_set_pace(&s->relay, s->pace);
	return r < 0 ? err_sys(e, -r, "watch %s", s->path) : 0;
}

/* A terminal has no stderr. */
static int connect_for_terminal(struct io_stream *s, struct err *e)
{
	if (!s->path || s->theirs >= 0 || s == &s->io->streams[IO_STDERR])
		return 0;
	s->theirs = open_theirs(s, e);
	return s->theirs < 0 ? s->theirs : 0;
}

static int start_terminal(struct io *io, struct err *e)
{
	int r;

	if (io->tty.loop)
		return 0;
	r = tty_start(&io->tty, io->loop, TAKE_FD(io->console.ptmx),
		      TAKE_FD(io->streams[IO_STDIN].theirs),
		      TAKE_FD(io->streams[IO_STDOUT].theirs), on_tty_end);
	console_close(&io->console);
	if (r < 0)
		return err_sys(e, -r, "failed to start console copy");
	if (io->streams[IO_STDOUT].pace)
		tty_set_pace(&io->tty, io->streams[IO_STDOUT].pace);
	if (io->width || io->height)
		tty_resize(&io->tty, io->width, io->height);
	return 0;
}

static void report_connected(struct io *io, struct err *failure)
{
	void (*connected)(struct io *, struct err *) = TAKE(io->connected);

	timer_disarm(&io->retry);
	if (connected)
		connected(io, failure);
}

static void connect_all(struct io *io)
{
	struct io_stream *waiting = NULL;
	struct err e = ERR_INIT;
	int r = 0;

	for (int i = 0; i < IO_STREAMS && (r == 0 || r == -EAGAIN); i++) {
		struct io_stream *s = &io->streams[i];

		r = io->terminal ? connect_for_terminal(s, &e) : connect_stream(s, &e);
		if (r == -EAGAIN && !waiting)
			waiting = s;
	}
	if (r == 0 || r == -EAGAIN)
		r = !waiting && io->terminal ? start_terminal(io, &e) : 0;
	if (r == 0 && waiting && loop_now() >= io->give_up)
		r = err_set(&e, TTRPC_DEADLINE_EXCEEDED,
			    "nobody opened the %s fifo %s for reading in time",
			    stream_names[waiting - io->streams], waiting->path);
	if (r < 0 || !waiting) {
		report_connected(io, r < 0 ? &e : NULL);
		return;
	}
	/* The kernel tells nobody that a FIFO's reader has come. */
	timer_arm_in(io->loop, &io->retry, io->retry_ns);
	io->retry_ns = io->retry_ns * 2 < RETRY_MAX ? io->retry_ns * 2 : RETRY_MAX;
}

static void on_retry(struct timer *t)
{
	connect_all(container_of(t, struct io, retry));
}

static void on_console(struct console *c)
{
	struct io *io = container_of(c, struct io, console);

	if (c->ptmx >= 0)
		connect_all(io);
	else
		report_connected(io, &c->failure);
}

void io_connect(struct io *io, uint64_t timeout_ns,
		void (*connected)(struct io *, struct err *failure))
{
	assert(!io->connected);
	io->connected = connected;
	io->retry_ns = RETRY_FIRST;
	io->give_up = loop_now() + timeout_ns;
	if (io->terminal)
		console_await(&io->console, timeout_ns, on_console);
	else
		connect_all(io);
}

int io_resize(struct io *io, uint16_t width, uint16_t height, struct err *e)
{
	int r = tty_resize(&io->tty, width, height);

	io->width = width;
	io->height = height;
	return r < 0 ? err_sys(e, -r, "resize the terminal") : 0;
}

/* ------------------------------------------------------------- closing */

static void on_drain_timeout(struct timer *t)
{
	report_drained(container_of(t, struct io, drain));
}

void io_drain(struct io *io, uint64_t timeout_ns, void (*drained)(struct io *, bool complete))
{
	assert(!io->drained);
	io->drained = drained;
	if (outputs_done(io))
		report_drained(io);
	else
		timer_arm_in(io->loop, &io->drain, timeout_ns);
}

void io_close(struct io *io)
{
	timer_disarm(&io->retry);
	timer_disarm(&io->drain);
	io->connected = NULL;
	io->drained = NULL;
	io->opened = NULL;
	logger_close(&io->logger);
	console_close(&io->console);
	tty_stop(&io->tty);
	closep(&io->keep_alive);
	io_spawned(io);
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		relay_stop(&s->relay);
		direct_stop(&s->direct);
		s->is_direct = false;
		sink_close(&s->sink);
		closep(&s->ours);
		closep(&s->theirs);
		s->done = true;
		if (s->pace)
			timer_disarm(&s->pace->timer);
		free(s->pace);
		s->pace = NULL;
		free(s->path);
		s->path = NULL;
	}
}
