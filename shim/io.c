/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, FIFOs and their relays; see io.h. Bytes themselves move in relay.c. */
#include "shim/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
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
	*io = (struct io){ .loop = l, .id = id };
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		*s = (struct io_stream){
			.io = io,
			.ours = -1,
			.hold = -1,
			.linger = -1,
			.done = true,
			.relay = RELAY_INIT,
			.opened = WATCH_INIT,
		};
		io->child[i] = -1;
	}
	timer_init(&io->retry, on_retry);
	timer_init(&io->drain, on_drain_timeout);
}

/* ------------------------------------------------------------ opening */

static int open_pipe(struct io *io, int i, uid_t uid, gid_t gid, struct err *e)
{
	struct io_stream *s = &io->streams[i];
	int ends[2], ours;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for %s", stream_names[i]);
	ours = i == IO_STDIN ? 1 : 0;
	s->ours = ends[ours];
	io->child[i] = ends[1 - ours];
	/* The container may reopen it by /proc/self/fd, so it must own it. */
	if (fchown(io->child[i], uid, gid) < 0)
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
	io->child[IO_STDIN] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

int io_open(struct io *io, const char *const names[static IO_STREAMS], uid_t uid, gid_t gid,
	    struct err *e)
{
	if (check_scheme(names[IO_STDOUT], e) < 0)
		return -e->code;
	for (int i = 0; i < IO_STREAMS; i++) {
		int r = 0;

		if (str_is_set(names[i])) {
			if (!str_copy(&io->streams[i].path, names[i]))
				return err_nomem(e);
			if (i == IO_STDIN)
				r = open_stdin_file(io, names[i], e);
			if (r == 0 && io->child[i] < 0)
				r = open_pipe(io, i, uid, gid, e);
		} else {
			io->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (io->child[i] < 0)
				r = err_sys(e, errno, "open /dev/null");
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void io_spawned(struct io *io)
{
	for (int i = 0; i < IO_STREAMS; i++)
		closep(&io->child[i]);
}

/* ------------------------------------------------------ output streams */

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

static void stop_lingering(struct io_stream *s)
{
	int inotify = s->opened.fd;

	watch_del(&s->opened);
	closep(&inotify);
	s->opened.fd = -1;
	closep(&s->linger);
}

/* Whether any process, we aside, has the FIFO open for reading. */
static bool fifo_has_reader(int write_fd)
{
	struct pollfd p = { .fd = write_fd };

	/* POLLERR on the write end of a pipe: there is no reader (pipe(7)). */
	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR);
}

static void on_fifo_opened(struct watch *w, uint32_t events)
{
	struct io_stream *s = container_of(w, struct io_stream, opened);
	char buf[512];

	(void)events;
	while (read(w->fd, buf, sizeof(buf)) > 0)
		;
	if (fifo_has_reader(s->linger))
		stop_lingering(s);
}

/* Keeps unread bytes alive by the write end alone, until a reader has come. */
static void linger(struct io_stream *s, int sink)
{
	char path[32];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	s->linger = sink;
	if (fd < 0)
		return; /* then until io_close() */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sink);
	if (inotify_add_watch(fd, path, IN_OPEN) < 0 ||
	    watch_add(s->io->loop, &s->opened, fd, EPOLLIN, on_fifo_opened) < 0) {
		close(fd);
		return;
	}
	/* One that opened it before the watch was there raised no event. */
	if (fifo_has_reader(sink))
		stop_lingering(s);
}

static void on_output_end(struct relay *r, int sink)
{
	struct io_stream *s = container_of(r, struct io_stream, relay);
	struct io *io = s->io;
	int unread = 0;

	if (r->lost > 0)
		log_write(LOG_WARN, io->id, "%s: %llu bytes of %s were lost: %s", s->path,
			  (unsigned long long)r->lost,
			  stream_names[s - io->streams],
			  r->sink_error ? strerror(r->sink_error) : "out of memory");
	if (s->hold >= 0)
		ioctl(s->hold, FIONREAD, &unread);
	closep(&s->hold);
	if (unread > 0 && !fifo_has_reader(sink))
		linger(s, TAKE_FD(sink));
	closep(&sink);
	s->done = true;
	if (outputs_done(io))
		report_drained(io, true);
}

/*
 * Opens the client's end of an output. 0, -EAGAIN: a FIFO without reader, or a
 * failure with a text. Our own read end comes second: if it came first, nobody
 * could tell whether the client has ever been there.
 */
static int connect_output(struct io_stream *s, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char again[32];
	struct stat st;
	int r;

	if (stat(s->path, &st) < 0)
		return err_sys(e, errno, "open %s", s->path);
	fd = open(s->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC |
		  (S_ISFIFO(st.st_mode) ? 0 : O_APPEND));
	if (fd < 0 && errno == ENXIO)
		return -EAGAIN;
	if (fd < 0)
		return err_sys(e, errno, "open %s", s->path);
	if (S_ISFIFO(st.st_mode)) {
		/* By descriptor: the client may unlink the name at any time. */
		snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
		s->hold = open(again, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (s->hold < 0)
			return err_sys(e, errno, "open %s for reading", s->path);
	}
	r = relay_start(&s->relay, s->io->loop, TAKE_FD(s->ours), TAKE_FD(fd), true,
			on_output_end);
	if (r < 0)
		return err_sys(e, -r, "watch %s", s->path);
	return 0;
}

/* ------------------------------------------------------------- stdin */

static void on_stdin_end(struct relay *r, int sink)
{
	struct io_stream *s = container_of(r, struct io_stream, relay);

	closep(&sink);
	closep(&s->hold);
	s->done = true;
}

static int connect_input(struct io_stream *s, struct err *e)
{
	_cleanup_close_ int fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", s->path);
	s->hold = open(s->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->hold < 0)
		return err_sys(e, errno, "failed to open stdin fifo %s", s->path);
	r = relay_start(&s->relay, s->io->loop, TAKE_FD(fd), TAKE_FD(s->ours), false,
			on_stdin_end);
	if (r < 0)
		return err_sys(e, -r, "watch %s", s->path);
	return 0;
}

void io_close_stdin(struct io *io)
{
	closep(&io->streams[IO_STDIN].hold);
}

void io_process_ended(struct io *io)
{
	struct io_stream *s = &io->streams[IO_STDIN];

	relay_stop(&s->relay);
	closep(&s->ours);
	closep(&s->hold);
	s->done = true;
}

/* ------------------------------------------------- connecting, draining */

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

	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];
		int r;

		if (s->done || s->ours < 0)
			continue;
		r = i == IO_STDIN ? connect_input(s, &e) : connect_output(s, &e);
		if (r == -EAGAIN) {
			waiting = waiting ? waiting : s;
		} else if (r < 0) {
			report_connected(io, &e);
			return;
		}
	}
	if (!waiting) {
		report_connected(io, NULL);
		return;
	}
	if (loop_now() >= io->give_up) {
		err_set(&e, TTRPC_DEADLINE_EXCEEDED,
			"nobody opened the %s fifo %s for reading in time",
			stream_names[waiting - io->streams], waiting->path);
		report_connected(io, &e);
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

void io_connect(struct io *io, uint64_t timeout_ns,
		void (*connected)(struct io *, struct err *failure))
{
	assert(!io->connected);
	io->connected = connected;
	io->retry_ns = RETRY_FIRST;
	io->give_up = loop_now() + timeout_ns;
	connect_all(io);
}

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
	io_spawned(io);
	for (int i = 0; i < IO_STREAMS; i++) {
		struct io_stream *s = &io->streams[i];

		relay_stop(&s->relay);
		stop_lingering(s);
		closep(&s->ours);
		closep(&s->hold);
		s->done = true;
		free(s->path);
		s->path = NULL;
	}
}
