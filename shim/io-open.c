/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the stdio of a process: pipes, files, loggers, before it is there; see io.h. */
#include "shim/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/log.h"
#include "shim/util.h"

static int open_pipe(struct io *io, int i, const struct io_request *r, struct err *e)
{
	struct io_stream *s = &io->streams[i];
	int ends[2], ours;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for %s", io_names[i]);
	ours = i == IO_STDIN ? 1 : 0;
	s->ours = ends[ours];
	io->child[i] = ends[1 - ours];
	/* The container may reopen it by /proc/self/fd, so it must own it. */
	if (fchown(io->child[i], r->uid, r->gid) < 0)
		return err_sys(e, errno, "failed to chown %s", io_names[i]);
	/* Only our description: the container's end is another one and stays blocking. */
	if (fcntl(s->ours, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, errno, "make our end of %s non-blocking", io_names[i]);
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
		return err_sys(e, errno, "failed to chown %s", io_names[i]);
	return 0;
}

/* Returns the write end of a pipe to the writer of a log file. */
static int open_file_pipe(struct logfile *f, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for %s", f->path);
	f->in = ends[0];
	if (fcntl(f->in, F_SETFL, O_NONBLOCK) < 0) {
		int saved = errno;

		close(ends[1]);
		return err_sys(e, saved, "make a pipe for %s non-blocking", f->path);
	}
	return ends[1];
}

/* Of a terminal, or under a log policy, we have the write end, else the container. */
static int open_to_file(struct io *io, int i, const struct io_request *r, struct err *e)
{
	struct io_stream *s = &io->streams[i];
	int fd = open_file_pipe(s->file, e);

	if (fd < 0)
		return fd;
	s->done = false;
	if (io->terminal || s->pace) {
		s->theirs = fd;
		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return err_sys(e, errno, "make a pipe for %s non-blocking",
				       s->path);
		return io->terminal ? 0 : open_pipe(io, i, r, e);
	}
	io->child[i] = fd;
	if (fchown(fd, r->uid, r->gid) < 0)
		return err_sys(e, errno, "failed to chown %s", io_names[i]);
	return 0;
}

static int open_stream(struct io *io, int i, const struct io_request *r, struct err *e)
{
	int n;

	if (!io->streams[i].path) {
		io->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		return io->child[i] < 0 ? err_sys(e, errno, "open /dev/null") : 0;
	}
	if (io->streams[i].file)
		return open_to_file(io, i, r, e);
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
	if (console_listen(&io->console, io->loop, r->folder, e) < 0)
		return err_prefix(e, "failed to create OCI runtime console socket");
	/* What the process writes ends with the terminal, wherever it goes. */
	io->streams[IO_STDOUT].done = false;
	return io->streams[IO_STDOUT].file ? open_to_file(io, IO_STDOUT, r, e) : 0;
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

		if (s->path && s->theirs < 0 && !s->is_direct && !s->file &&
		    !(io->terminal && i == IO_STDERR))
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
	struct logger_request q = {
		.uri = u, .id = r->id, .ns = r->ns, .timeout_ns = r->timeout_ns
	};

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
	if (!r->terminal &&
	    (fchown(out[1], r->uid, r->gid) < 0 || fchown(err[1], r->uid, r->gid) < 0))
		n = err_sys(e, errno, "failed to chown stdout");
	if (n == 0)
		n = logger_start(&io->logger, r->reaper, &q, on_logger_started, e);
	close(out[0]);
	close(err[0]);
	return n;
}

/* A logger takes the place of stdout's and stderr's names; there is no stdin with it. */
static int open_with_logger(struct io *io, const struct io_request *r,
			    const struct uri *u, struct err *e)
{
	if (!r->terminal && r->policy && log_policy_is_set(r->policy))
		log_write(LOG_WARN, io->id,
			  "the log policy has no effect: the container writes "
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

/*
 * Which outputs are log files: with file:// (@path) all that have a name, else those
 * whose name is that of a regular file. A terminal has one output.
 */
static int find_files(struct io *io, const char *path, struct err *e)
{
	for (int i = IO_STDOUT; i <= (io->terminal ? IO_STDOUT : IO_STDERR); i++) {
		struct io_stream *s = &io->streams[i];
		struct stat st;

		if (!s->path ||
		    (!path && (stat(s->path, &st) < 0 || !S_ISREG(st.st_mode))))
			continue;
		if (path) {
			free(s->path);
			if (!str_copy(&s->path, path))
				return err_nomem(e);
		}
		if (!io->files)
			io->files = logfiles_new(io->id);
		if (!io->files)
			return err_nomem(e);
		s->file = &io->files->of[i - IO_STDOUT];
		s->file->path = s->path;
		s->file->make = path;
	}
	return 0;
}

static int open_with_files(struct io *io, const struct io_request *r, bool *later,
			   struct err *e)
{
	const struct logger_request q = { .files = io->files,
					  .timeout_ns = r->timeout_ns };

	if (open_streams(io, r, e) < 0)
		return -e->code;
	if (!io->files)
		return 0;
	*later = true;
	return logger_start(&io->logger, r->reaper, &q, on_logger_started, e);
}

static int open_scheme(struct io *io, const struct io_request *r, const struct uri *u,
		       bool *later, struct err *e)
{
	if (strcmp(u->scheme, "binary") == 0 || strcmp(u->scheme, "binary-v2") == 0) {
		*later = true;
		return open_with_logger(io, r, u, e);
	}
	/* A URI of the scheme "fifo" is opened literally, as by every shim. */
	if (*u->scheme && strcmp(u->scheme, "fifo") != 0 &&
	    strcmp(u->scheme, "file") != 0)
		return err_set(e, TTRPC_UNKNOWN, "unknown STDIO scheme %s", u->scheme);
	if (find_files(io, strcmp(u->scheme, "file") == 0 ? u->path : NULL, e) < 0)
		return -e->code;
	return open_with_files(io, r, later, e);
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
	for (int i = IO_STDOUT;
	     r->policy && log_policy_is_set(r->policy) && i < IO_STREAMS; i++) {
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
	for (int i = IO_STDOUT; i < IO_STREAMS; i++)
		io->streams[i].sink.count = r->count;
	n = uri_parse(&u, r->names[IO_STDOUT] ? r->names[IO_STDOUT] : "", &e);
	for (int i = 0; i < IO_STREAMS && n == 0; i++)
		if (str_is_set(r->names[i]) &&
		    !str_copy(&io->streams[i].path, r->names[i]))
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
