/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens pidfds for others (pidfd.c): "fake-pidfd SOCKET" makes the socket, prints a line,
 * and answers each pid with an error number and, if that is 0, the descriptor.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void answer(int s)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8))) = "";
	int error, fd;
	struct iovec iov = { &error, sizeof(error) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	struct ucred cred;

	if (recvmsg(s, &m, 0) != sizeof(error) || !(h = CMSG_FIRSTHDR(&m)) ||
	    h->cmsg_type != SCM_CREDENTIALS)
		return;
	memcpy(&cred, CMSG_DATA(h), sizeof(cred));
	fd = (int)syscall(SYS_pidfd_open, cred.pid, 0U);
	error = fd < 0 ? errno : 0;
	m.msg_control = NULL;
	m.msg_controllen = 0;
	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	}
	sendmsg(s, &m, MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), s;

	if (argc != 2)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	if (l < 0 || bind(l, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(l, 64) < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	setsockopt(l, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	while ((s = accept4(l, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
		answer(s);
		close(s);
	}
	return 1;
}
