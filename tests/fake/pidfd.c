/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload under a valgrind that does not know pidfds (Debian 12's): what
 * it would refuse is done by fake-pidfd, which runs beside it, at $PIDFD_SOCKET.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* The pid goes as a credential, which the kernel translates: a test has its own pid namespace. */
static int ask(pid_t pid)
{
	const char *path = getenv("PIDFD_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error = 0, fd = -1;
	struct iovec iov = { &error, sizeof(error) };
	struct ucred cred = { pid, getuid(), getgid() };
	char control_out[CMSG_SPACE(sizeof(cred))] __attribute__((aligned(8))) = "";
	struct msghdr out = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control_out,
			      .msg_controllen = sizeof(control_out) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;

	h = CMSG_FIRSTHDR(&out);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_CREDENTIALS;
	h->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(h), &cred, sizeof(cred));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path ? path : "");
	if (s < 0 || connect(s, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		perror("pidfd.so: fake-pidfd");
		abort();
	}
	/* A pid of nobody is no credential. */
	if (sendmsg(s, &out, 0) < 0 && errno == ESRCH) {
		close(s);
		errno = ESRCH;
		return -1;
	}
	if (recvmsg(s, &m, MSG_CMSG_CLOEXEC) != sizeof(error)) {
		perror("pidfd.so: fake-pidfd");
		abort();
	}
	h = CMSG_FIRSTHDR(&m);
	if (h)
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	close(s);
	errno = error;
	return fd;
}

static int send_signal(int fd, int signo)
{
	char path[64], line[128];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	if (pid > 0)
		return kill(pid, signo);
	errno = ESRCH;
	return -1;
}

/* close_range(2); valgrind's own are above, and it hides them itself. */
static int hide(int first, unsigned flags)
{
	for (int fd = first; fd < 1024; fd++) {
		if (flags)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		else
			close(fd);
	}
	return 0;
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_pidfd_open)
		return ask((pid_t)a[0]);
	if (number == SYS_pidfd_send_signal)
		return send_signal((int)a[0], (int)a[1]);
	if (number == SYS_close_range)
		return hide((int)a[0], (unsigned)a[2]);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
