/* SPDX-License-Identifier: Apache-2.0 */
/* The stdio of a process, put together; see io.h. Bytes move in relay.c and tty.c. */
#include "shim/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/log.h"
#include "shim/util.h"

static const char *const stream_names[IO_STREAMS] = { "stdin", "stdout", "stderr" };

#define RETRY_FIRST (1 * LOOP_MSEC)
#define RETRY_MAX (100 * LOOP_MSEC)

static void on_retry(struct timer *t);
static void on_drain_timeout(struct timer *t);

void io_init(struct io *io, struct loop *l, const char *id)
{
	*io = (struct io){ .loop = l, .id = id, .keep_alive = -1, .console = CONSOLE_INIT,
			   .tty = TTY_INIT };
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		*s = (struct io_stream){ .io = io, .ours = -1, .theirs = -1, .done = true,
					 .relay = RELAY_INIT };
		sink_init(&s->sink, l);
		io->child[i] = -1;
	}
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

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", path);
	if (S_ISFIFO(st.st_mode))
		return 0;
	io->child[IO_STDIN] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (io->child[IO_STDIN] < 0)
		return err_sys(e, errno, "failed to open stdin %s", path);
	fcntl(io->child[IO_STDIN], F_SETFL, 0);
	return 0;
}

/*
 * The name of stdout may be a URL, whose scheme then decides how all of stdio
 * is done (contract 5.1). "fifo" is what a plain path is; such a URL is opened
 * literally, as by every shim.
 */
static int check_scheme(const char *name, struct err *e)
{
	size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789+-.") : 0;

	if (n == 0 || name[n] != ':' || (n == 4 && strncmp(name, "fifo", 4) == 0))
		return 0;
	return err_set(e, TTRPC_UNKNOWN, "unknown STDIO scheme %.*s", (int)n, name);
}

static int open_stream(struct io *io, int i, const struct io_request *r, struct err *e)
{
	if (!io->streams[i].path) {
		io->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		return io->child[i] < 0 ? err_sys(e, errno, "open /dev/null") : 0;
	}
	if (i == IO_STDIN && open_stdin_file(io, io->streams[i].path, e) < 0)
		return -e->code;
	return io->child[i] < 0 ? open_pipe(io, i, r, e) : 0;
}

int io_open(struct io *io, const struct io_request *r, struct err *e)
{
	int n = 0;

	if (check_scheme(r->names[IO_STDOUT], e) < 0)
		return -e->code;
	io->terminal = r->terminal;
	for (int i = 0; i < IO_STREAMS; i++)
		if (str_is_set(r->names[i]) &&
		    !str_copy(&io->streams[i].path, r->names[i]))
			return err_nomem(e);
	if (r->terminal) {
		if (console_listen(&io->console, io->loop, r->bundle, e) < 0)
			return err_prefix(e, "failed to create OCI runtime console socket");
		/* What the process writes ends with the terminal, wherever it goes. */
		io->streams[IO_STDOUT].done = false;
		return 0;
	}
	for (int i = 0; i < IO_STREAMS && n == 0; i++)
		n = open_stream(io, i, r, e);
	return n;
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

static void report_drained(struct io *io, bool complete)
{
	void (*drained)(struct io *, bool) = TAKE(io->drained);

	timer_disarm(&io->drain);
	if (drained)
		drained(io, complete);
}

static void end_output(struct io_stream *s, int sink, uint64_t lost)
{
	struct io *io = s->io;

	if (lost > 0 && s->path)
		log_write(LOG_WARN, io->id, "%llu bytes of %s were lost, %s did not take them",
			  (unsigned long long)lost, stream_names[s - io->streams], s->path);
	if (sink >= 0)
		sink_finish(&s->sink, sink);
	s->done = true;
	if (outputs_done(io))
		report_drained(io, true);
}

static void on_output_end(struct relay *r, int sink)
{
	end_output(container_of(r, struct io_stream, relay), sink, r->lost);
}

static void on_tty_end(struct tty *t, int sink)
{
	struct io *io = container_of(t, struct io, tty);

	closep(&io->keep_alive);
	end_output(&io->streams[IO_STDOUT], sink, t->lost);
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
	tty_process_ended(&io->tty);
}

/* ---------------------------------------------------------- connecting */

static int open_source(struct io *io, struct err *e)
{
	const char *path = io->streams[IO_STDIN].path;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", path);
	io->keep_alive = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (io->keep_alive < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", path);
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

	if (s->done || s->ours < 0)
		return 0;
	fd = open_theirs(s, e);
	if (fd < 0)
		return fd;
	if (s == &io->streams[IO_STDIN])
		r = relay_start(&s->relay, io->loop, fd, TAKE_FD(s->ours), false, on_stdin_end);
	else
		r = relay_start(&s->relay, io->loop, TAKE_FD(s->ours), fd, true, on_output_end);
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
	report_drained(container_of(t, struct io, drain), false);
}

void io_drain(struct io *io, uint64_t timeout_ns, void (*drained)(struct io *, bool complete))
{
	assert(!io->drained);
	io->drained = drained;
	if (outputs_done(io))
		report_drained(io, true);
	else
		timer_arm_in(io->loop, &io->drain, timeout_ns);
}

void io_close(struct io *io)
{
	timer_disarm(&io->retry);
	timer_disarm(&io->drain);
	io->connected = NULL;
	io->drained = NULL;
	console_close(&io->console);
	tty_stop(&io->tty);
	closep(&io->keep_alive);
	io_spawned(io);
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		relay_stop(&s->relay);
		sink_close(&s->sink);
		closep(&s->ours);
		closep(&s->theirs);
		s->done = true;
		free(s->path);
		s->path = NULL;
	}
}
