/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving a terminal from the runtime; see console.h. */
#include "shim/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "shim/util.h"

/* The name of the terminal comes as payload; it is not used. */
#define PAYLOAD_MAX 4096

static void report(struct console *c)
{
	void (*received)(struct console *) = TAKE(c->received);

	timer_disarm(&c->timeout);
	if (received)
		received(c);
}

static void fail(struct console *c, const char *why)
{
	err_set(&c->failure, TTRPC_UNKNOWN, "failed to retrieve console master: %s", why);
	report(c);
}

static void on_timeout(struct timer *t)
{
	fail(container_of(t, struct console, timeout), "the runtime did not send it");
}

/* Exactly one descriptor, which is a terminal (contract 5.6). */
static int take_fd(struct msghdr *m, int *fd)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(m);
	int n = 0, fds[8];

	for (; cm; cm = CMSG_NXTHDR(m, cm)) {
		size_t len = cm->cmsg_len - CMSG_LEN(0);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < len / sizeof(int) && n < (int)ARRAY_SIZE(fds); i++)
			memcpy(&fds[n++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
	}
	if (n == 1 && !(m->msg_flags & MSG_CTRUNC)) {
		*fd = fds[0];
		return 0;
	}
	while (n > 0)
		close(fds[--n]);
	return -EBADMSG;
}

static void on_conn(struct watch *w, uint32_t events)
{
	struct console *c = container_of(w, struct console, conn);
	char payload[PAYLOAD_MAX], control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = { payload, sizeof(payload) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct termios tio;
	ssize_t n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fd;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	watch_set(w, 0);
	if (n <= 0)
		fail(c, "the runtime hung up");
	else if (take_fd(&m, &fd) < 0)
		fail(c, "what the runtime sent is not one descriptor");
	else if (tcgetattr(fd, &tio) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		close(fd);
		fail(c, "what the runtime sent is no terminal");
	} else {
		c->ptmx = fd;
		report(c);
	}
}

static void on_listener(struct watch *w, uint32_t events)
{
	struct console *c = container_of(w, struct console, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

	(void)events;
	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	/* The first one is the runtime's. */
	watch_set(w, 0);
	if (fd < 0)
		/* EMFILE: it would stay readable, and wake us without end. */
		fail(c, "the runtime cannot be let in, too many files are open");
	else if ((r = watch_add(w->loop, &c->conn, fd, EPOLLIN, on_conn)) < 0) {
		close(fd);
		fail(c, err_strerror(-r));
	}
}

int console_listen(struct console *c, struct loop *l, const char *folder, struct err *e)
{
	static unsigned counter;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	*c = (struct console)CONSOLE_INIT;
	timer_init(&c->timeout, on_timeout);
	c->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		return err_sys(e, errno, "open %s", folder);
	snprintf(c->name, sizeof(c->name), "pty-%d-%u.sock", getpid(), ++counter);
	unlinkat(c->dir, c->name, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s", c->dir, c->name);
	/* The same place, seen from the runtime. */
	snprintf(c->path, sizeof(c->path), "/proc/%d/fd/%d/%s", getpid(), c->dir, c->name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
		return err_sys(e, errno, "make the socket %s/%s", folder, c->name);
	r = watch_add(l, &c->listener, fd, EPOLLIN, on_listener);
	if (r < 0)
		return err_sys(e, -r, "watch the console socket");
	TAKE_FD(fd);
	return 0;
}

void console_await(struct console *c, uint64_t timeout_ns, void (*received)(struct console *))
{
	c->received = received;
	if (c->ptmx >= 0 || c->failure.code)
		report(c);
	else
		timer_arm_in(c->listener.loop, &c->timeout, timeout_ns);
}

void console_close(struct console *c)
{
	int conn = c->conn.fd, listener = c->listener.fd;

	if (c->dir < 0)
		return;
	timer_disarm(&c->timeout);
	watch_del(&c->conn);
	watch_del(&c->listener);
	closep(&conn);
	closep(&listener);
	closep(&c->ptmx);
	unlinkat(c->dir, c->name, 0);
	closep(&c->dir);
	*c = (struct console)CONSOLE_INIT;
}
