/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of an output; see sink.h. */
#include "shim/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "shim/log.h"
#include "shim/util.h"

void sink_init(struct sink *s, struct loop *l)
{
	*s = (struct sink){
		.loop = l, .hold = -1, .ended = -1, .linger = -1, .opened = WATCH_INIT,
	};
}

/* For reading. By descriptor: the client may unlink the name at any time. */
static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/*
 * Our own read end comes second: if it came first, nobody could tell whether the
 * client has ever been there, and its bytes might go with us.
 */
int sink_open(struct sink *s, const char *path, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = open_trusted(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_APPEND, 0);
	/* A socket says so, too, and for ever. */
	if (fd == -ENXIO && stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return -EAGAIN;
	if (fd < 0)
		return err_sys(e, -fd, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat %s", path);
	if (S_ISFIFO(st.st_mode)) {
		s->hold = open_again(fd);
		if (s->hold < 0)
			return err_sys(e, errno, "open %s for reading", path);
	}
	return TAKE_FD(fd);
}

static void stop_lingering(struct sink *s)
{
	int inotify = s->opened.fd;

	watch_del(&s->opened);
	closep(&inotify);
	s->opened.fd = -1;
	closep(&s->linger);
}

/* Whether any process, we aside, has the FIFO open for reading. */
static bool has_reader(int write_fd)
{
	struct pollfd p = { .fd = write_fd };

	/* POLLERR on the write end of a pipe: there is no reader (pipe(7)). */
	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR);
}

static void on_opened(struct watch *w, uint32_t events)
{
	struct sink *s = container_of(w, struct sink, opened);
	char buf[512];

	(void)events;
	while (read(w->fd, buf, sizeof(buf)) > 0)
		;
	if (!has_reader(s->linger))
		return;
	stop_lingering(s);
	if (s->read)
		s->read(s);
}

/* Keeps unread bytes alive by the write end alone, until a reader has come. */
static void linger(struct sink *s, int fd)
{
	char path[32];
	int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	s->linger = fd;
	if (inotify < 0)
		return; /* then until sink_close() */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (inotify_add_watch(inotify, path, IN_OPEN) < 0 ||
	    watch_add(s->loop, &s->opened, inotify, EPOLLIN, on_opened) < 0) {
		close(inotify);
		return;
	}
	/* One that opened it before the watch was there raised no event. */
	if (has_reader(fd))
		stop_lingering(s);
}

void sink_finish(struct sink *s, int fd)
{
	int unread = 0;

	if (s->hold >= 0)
		ioctl(s->hold, FIONREAD, &unread);
	closep(&s->hold);
	if (unread > 0 && !has_reader(fd)) {
		linger(s, fd);
		return;
	}
	if (unread > 0 && s->count)
		s->ended = open_again(fd);
	closep(&fd);
}

size_t sink_unread(const struct sink *s)
{
	int fd = s->hold >= 0 ? s->hold : s->ended, unread = 0;

	return fd >= 0 && ioctl(fd, FIONREAD, &unread) == 0 ? (size_t)unread : 0;
}

void sink_stop_counting(struct sink *s)
{
	s->count = false;
	closep(&s->ended);
}

void sink_tell_losing(const char *id, const char *path, const char *stream)
{
	if (path)
		log_write(LOG_WARN, id, "%s does not take %s: what is written is lost", path,
			  stream);
}

void sink_tell_lost(const char *id, const char *path, const char *stream, uint64_t bytes)
{
	if (path && bytes > 0)
		log_write(LOG_WARN, id, "%llu bytes of %s were lost, %s did not take them",
			  (unsigned long long)bytes, stream, path);
}

void sink_close(struct sink *s)
{
	stop_lingering(s);
	sink_stop_counting(s);
	closep(&s->hold);
}
