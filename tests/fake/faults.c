/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload that makes the n-th call of a kind fail (faults.h). It takes
 * the place of functions of the C library as the shim imports them, allocations
 * that the C library makes for it included. In other programs, which inherit
 * LD_PRELOAD, it only passes calls on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fake/faults.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

static struct faults *faults; /* NULL: not at work in this process */

/* Async-signal-safe, since it is called between vfork and exec as well. */
static bool fails(enum fault_kind kind)
{
	struct faults *f = faults;
	unsigned n;

	if (!f || !f->armed || f->kind != kind)
		return false;
	n = __atomic_add_fetch(&f->seen, 1, __ATOMIC_SEQ_CST);
	if (f->hang) {
		while (__atomic_load_n(&f->hang, __ATOMIC_SEQ_CST))
			syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 5000000 },
				NULL);
		return false;
	}
	/* Half of them, but no pattern that a loop could fall into. */
	if (kind >= FAULT_STORMS ? n * 2654435761U >> 31 : n - f->nth > f->more)
		return false;
	__atomic_add_fetch(&f->failed, 1, __ATOMIC_SEQ_CST);
	errno = f->error;
	return true;
}

/* ----------------------------------------------------------- what is meant */

static enum fault_role role_of(const char *cmdline, size_t len)
{
	const char *last = cmdline;

	for (const char *s = cmdline; s < cmdline + len; s += strlen(s) + 1)
		last = s;
	return !strcmp(last, "start")	 ? FAULT_START
	       : !strcmp(last, "delete") ? FAULT_DELETE
					 : FAULT_SERVER;
}

/* By raw system calls: nothing of this may be counted or fail. */
static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? -1 : syscall(SYS_read, fd, buf, size - 1);

	if (fd >= 0)
		syscall(SYS_close, fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static __attribute__((constructor)) void begin(void)
{
	static const char name[] = "/containerd-shim-";
	const char *path = getenv("FAULTS");
	char exe[4096], cmdline[4096];
	long n = syscall(SYS_readlink, "/proc/self/exe", exe, sizeof(exe) - 1);
	struct faults *f;
	int fd;

	exe[n > 0 ? n : 0] = 0;
	if (!path || !strstr(exe, name))
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	n = (long)slurp("/proc/self/cmdline", cmdline, sizeof(cmdline));
	if (f == MAP_FAILED || role_of(cmdline, (size_t)n) != f->role)
		return;
	__atomic_add_fetch(&f->active, 1, __ATOMIC_SEQ_CST);
	faults = f;
}

/* ------------------------------------------------------------ the functions */

/* The function behind ours; found when first needed. */
static void *behind(void **cache, const char *name)
{
	void *p = __atomic_load_n(cache, __ATOMIC_RELAXED);

	if (!p) {
		p = dlsym(RTLD_NEXT, name);
		if (!p)
			abort();
		__atomic_store_n(cache, p, __ATOMIC_RELAXED);
	}
	return p;
}

#define BEHIND(name)                                         \
	({                                                   \
		static void *cache_;                         \
		(__typeof__(&(name)))behind(&cache_, #name); \
	})

#define HOOK(kind, type, name, params, args) \
	type name params;                    \
	type name params                     \
	{                                    \
		if (fails(FAULT_##kind))     \
			return (type)-1;     \
		return BEHIND(name) args;    \
	}
/* A call that may sleep can also be interrupted. */
#define HOOK_EINTR(kind, type, name, params, args)             \
	type name params;                                      \
	type name params                                       \
	{                                                      \
		if (fails(FAULT_##kind) || fails(FAULT_EINTR)) \
			return (type)-1;                       \
		return BEHIND(name) args;                      \
	}

/* A call on a socket that is not ready, though epoll said so. */
#define HOOK_SOCKET(kind, type, name, params, args)                                  \
	type name params;                                                            \
	type name params                                                             \
	{                                                                            \
		if (fails(FAULT_##kind) || fails(FAULT_EINTR) || fails(FAULT_AGAIN)) \
			return (type)-1;                                             \
		return BEHIND(name) args;                                            \
	}

/* How many bytes of @n are to be moved. */
static size_t shorter(size_t n)
{
	return n > 1 && fails(FAULT_SHORT) ? 1 : n;
}

void *malloc(size_t size)
{
	return fails(FAULT_MALLOC) ? NULL : BEHIND(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(FAULT_MALLOC) ? NULL : BEHIND(calloc)(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails(FAULT_MALLOC) ? NULL : BEHIND(realloc)(p, size);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FAULT_OPEN) ? -1 : BEHIND(open)(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FAULT_OPEN) ? -1 : BEHIND(openat)(dir, path, flags, mode);
}

HOOK(OPEN, int, __open_2, (const char *path, int flags), (path, flags))

void *fopen(const char *path, const char *mode);
void *fopen(const char *path, const char *mode)
{
	return fails(FAULT_OPEN) ? NULL : BEHIND(fopen)(path, mode);
}

void *opendir(const char *path);
void *opendir(const char *path)
{
	return fails(FAULT_OPEN) ? NULL : BEHIND(opendir)(path);
}

HOOK(PIPE, int, pipe2, (int fds[2], int flags), (fds, flags))
HOOK(MEMFD, int, memfd_create, (const char *name, unsigned flags), (name, flags))
HOOK(SOCKET, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
HOOK(BIND, int, bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
HOOK(LISTEN, int, listen, (int fd, int n), (fd, n))
HOOK(CONNECT, int, connect, (int fd, const struct sockaddr *a, socklen_t len),
     (fd, a, len))
HOOK_SOCKET(ACCEPT, int, accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags),
	    (fd, a, len, flags))
HOOK_SOCKET(SEND, ssize_t, send, (int fd, const void *p, size_t n, int flags),
	    (fd, p, shorter(n), flags))
HOOK_SOCKET(RECV, ssize_t, recv, (int fd, void *p, size_t n, int flags),
	    (fd, p, shorter(n), flags))
HOOK_EINTR(RECV, ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
HOOK(FORK, pid_t, fork, (void), ())
HOOK(EXECVE, int, execve, (const char *path, char *const argv[], char *const envp[]),
     (path, argv, envp))
HOOK(EPOLL_CREATE, int, epoll_create1, (int flags), (flags))
HOOK(SIGNALFD, int, signalfd, (int fd, const void *mask, int flags), (fd, mask, flags))
HOOK(EVENTFD, int, eventfd, (unsigned n, int flags), (n, flags))
HOOK(INOTIFY_INIT, int, inotify_init1, (int flags), (flags))
HOOK(INOTIFY_ADD, int, inotify_add_watch, (int fd, const char *path, uint32_t mask),
     (fd, path, mask))
HOOK(MOUNT, int, mount,
     (const char *from, const char *to, const char *type, unsigned long flags,
      const void *data),
     (from, to, type, flags, data))
HOOK(UMOUNT, int, umount2, (const char *path, int flags), (path, flags))
HOOK_EINTR(READ, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
HOOK_EINTR(READ, ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
HOOK_EINTR(SPLICE, ssize_t, splice,
	   (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags),
	   (in, in_at, out, out_at, shorter(n), flags))
HOOK(RENAME, int, rename, (const char *from, const char *to), (from, to))
HOOK(MKDIR, int, mkdir, (const char *path, mode_t mode), (path, mode))
HOOK(UNLINK, int, unlink, (const char *path), (path))
HOOK(UNLINK, int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
HOOK(CHOWN, int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
HOOK(STAT, int, stat, (const char *path, struct stat *st), (path, st))
HOOK(STAT, int, fstat, (int fd, struct stat *st), (fd, st))
HOOK(EINTR, int, waitid, (idtype_t type, id_t id, siginfo_t *si, int options),
     (type, id, si, options))
HOOK(EINTR, int, epoll_wait, (int fd, void *events, int n, int timeout),
     (fd, events, n, timeout))
HOOK(EINTR, int, poll, (void *fds, unsigned long n, int timeout), (fds, n, timeout))
HOOK_EINTR(FLOCK, int, flock, (int fd, int operation), (fd, operation))

ssize_t write(int fd, const void *p, size_t n)
{
	struct stat st;

	if (fails(FAULT_EINTR))
		return -1;
	/* A pipe, a socket or a terminal never says that there is no space left. */
	if (faults && faults->kind == FAULT_WRITE && BEHIND(fstat)(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && fails(FAULT_WRITE))
		return -1;
	if (faults && faults->kind == FAULT_SHORT && BEHIND(fstat)(fd, &st) == 0 &&
	    S_ISREG(st.st_mode))
		n = shorter(n);
	return BEHIND(write)(fd, p, n);
}

int close(int fd)
{
	int r = BEHIND(close)(fd);

	if (r < 0 && errno == EBADF && faults)
		__atomic_add_fetch(&faults->wrong_closes, 1, __ATOMIC_SEQ_CST);
	return r;
}

/* Only adding needs memory. */
int epoll_ctl(int fd, int operation, int what, void *event);
int epoll_ctl(int fd, int operation, int what, void *event)
{
	if (operation == 1 /* EPOLL_CTL_ADD */ && fails(FAULT_EPOLL_ADD))
		return -1;
	return BEHIND(epoll_ctl)(fd, operation, what, event);
}

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fails(FAULT_IOCTL) ? -1 : BEHIND(ioctl)(fd, request, arg);
}

/* What the C library has no function for. */
long syscall(long number, ...)
{
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if ((number == SYS_pidfd_open && fails(FAULT_PIDFD)) ||
	    (number == SYS_close_range && fails(FAULT_CLOSE_RANGE)))
		return -1;
	if (number == SYS_pidfd_send_signal && fails(FAULT_SENDSIG))
		return faults->error ? -1 : 0;
	return BEHIND(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/*
 * A function that calls vfork(2) cannot return before the child has gone: this
 * one must end in a jump, not in a call.
 */
__attribute__((optimize("O2", "no-stack-protector"))) pid_t vfork(void)
{
	static void *cache;

	if (fails(FAULT_VFORK))
		return -1;
	return ((pid_t(*)(void))behind(&cache, "vfork"))();
}
