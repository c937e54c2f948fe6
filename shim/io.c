/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of a process, put together; see io.h. It is opened in io-open.c; bytes
 * move in relay.c and tty.c.
 */
#include "shim/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/util.h"

const char *const io_names[IO_STREAMS] = { "stdin", "stdout", "stderr" };

#define RETRY_FIRST (1 * LOOP_MSEC)
#define RETRY_MAX (100 * LOOP_MSEC)

static void on_retry(struct timer *t);
static void on_losing(struct relay *r);
static void on_tty_losing(struct tty *t);
static void on_drain_timeout(struct timer *t);
static void on_logger_ended(struct logger *l);
static void on_sink_read(struct sink *s);

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
		s->sink.read = on_sink_read;
		io->child[i] = -1;
	}
	io->tty.losing = on_tty_losing;
	logger_init(&io->logger);
	io->logger.ended = on_logger_ended;
	timer_init(&io->retry, on_retry);
	timer_init(&io->drain, on_drain_timeout);
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

bool io_has_logger(const struct io *io)
{
	return !io->files && child_is_watched(&io->logger.child);
}

bool io_has_output(const struct io *io)
{
	return !outputs_done(io) || io->streams[IO_STDOUT].sink.linger >= 0 ||
	       io->streams[IO_STDERR].sink.linger >= 0 || io_has_logger(io);
}

static void settle(struct io *io)
{
	if (io->settled && !io_has_output(io))
		io->settled(io);
}

static void on_sink_read(struct sink *s)
{
	settle(container_of(s, struct io_stream, sink)->io);
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
	return io_names[s - s->io->streams];
}

static void end_output(struct io_stream *s, int sink, uint64_t lost)
{
	struct io *io = s->io;

	sink_tell_lost(io->id, s->path, name_of(s), lost);
	if (s->pace && s->pace->dropped > 0)
		log_write(LOG_WARN, io->id, "%llu bytes of %s were dropped, by its log policy",
			  (unsigned long long)s->pace->dropped, name_of(s));
	if (s->pace)
		timer_disarm(&s->pace->timer);
	if (sink >= 0)
		sink_finish(&s->sink, sink);
	s->done = true;
	settle(io);
	if (outputs_done(io))
		report_drained(io);
}

static void on_output_end(struct relay *r, int sink)
{
	end_output(container_of(r, struct io_stream, relay), sink, r->lost);
}

/* If it was ours, the container's own pipes have ended, and the files have it all. */
static void on_logger_ended(struct logger *l)
{
	struct io *io = container_of(l, struct io, logger);

	for (int i = IO_STDOUT; i < IO_STREAMS; i++)
		if (io->streams[i].file && !io->streams[i].pace && !io->terminal)
			io->streams[i].done = true;
	settle(io);
	if (io->drained && outputs_done(io)) {
		timer_disarm(&io->drain);
		l->stopped = on_logger_stopped;
	}
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
		sink_tell_losing(s->io->id, s->path ? s->path : "nobody", name_of(s));
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

size_t io_unread(const struct io *io)
{
	size_t n = 0;

	for (int i = IO_STDOUT; i < IO_STREAMS; i++)
		n += relay_pending(&io->streams[i].relay) + sink_unread(&io->streams[i].sink);
	return n;
}

void io_process_ended(struct io *io)
{
	struct io_stream *s = &io->streams[IO_STDIN];

	relay_stop(&s->relay);
	closep(&s->ours);
	closep(&io->keep_alive);
	s->done = true;
	for (int i = IO_STDOUT; i < IO_STREAMS; i++) {
		sink_stop_counting(&io->streams[i].sink);
		if (io->streams[i].pace)
			pace_lift(io->streams[i].pace);
	}
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
			    io_names[waiting - io->streams], waiting->path);
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

void io_let_go(struct io *io)
{
	logger_let_go(&io->logger);
}

void io_close(struct io *io)
{
	timer_disarm(&io->retry);
	timer_disarm(&io->drain);
	io->connected = NULL;
	io->drained = NULL;
	io->opened = NULL;
	logger_close(&io->logger);
	logfiles_free(TAKE(io->files));
	console_close(&io->console);
	tty_stop(&io->tty);
	closep(&io->keep_alive);
	io_spawned(io);
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		relay_stop(&s->relay);
		direct_stop(&s->direct);
		s->is_direct = false;
		s->file = NULL;
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
