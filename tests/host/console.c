/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a runtime's --console-socket, for tests without a shim:
 *
 *	take-console SOCKET
 *
 * makes the socket, takes the terminal that the runtime sends, and holds it until it
 * is killed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "take-console: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The terminal lives as long as the message that was received, which is never closed. */
static int take(int conn)
{
	char payload[4096], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { payload, sizeof(payload) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	if (recvmsg(conn, &m, 0) <= 0 || !CMSG_FIRSTHDR(&m))
		return fail("no terminal came");
	return pause();
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), conn;

	if (argc != 2 || strlen(argv[1]) >= sizeof(sun.sun_path)) {
		errno = EINVAL;
		return fail("usage: take-console SOCKET");
	}
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(fd, 1) < 0)
		return fail(argv[1]);
	conn = accept(fd, NULL, NULL);
	return conn < 0 ? fail("accept") : take(conn);
}
