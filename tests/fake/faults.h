/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test tells faults.so, the library that makes calls fail: a page of shared
 * memory in the file that $FAULTS names. The library counts the calls of one kind,
 * in the program that is meant and in the children that it forks.
 */
#pragma once

/* kind, the error it fails with */
#define FAULT_KINDS(X)                       \
	X(MALLOC, ENOMEM)                    \
	X(OPEN, EMFILE)                      \
	X(PIPE, EMFILE)                      \
	X(MEMFD, EMFILE)                     \
	X(SOCKET, EMFILE)                    \
	X(ACCEPT, EMFILE)                    \
	X(PIDFD, EMFILE)                     \
	X(FORK, EAGAIN)                      \
	X(VFORK, ENOMEM)                     \
	X(EXECVE, ENOMEM)                    \
	X(EPOLL_CREATE, EMFILE)              \
	X(EPOLL_ADD, ENOSPC)                 \
	X(SIGNALFD, EMFILE)                  \
	X(EVENTFD, EMFILE)                   \
	X(INOTIFY_INIT, EMFILE)              \
	X(INOTIFY_ADD, ENOSPC)               \
	X(MOUNT, EIO)                        \
	X(UMOUNT, EBUSY)                     \
	X(READ, EIO)                         \
	X(WRITE, ENOSPC) /* to files only */ \
	X(SPLICE, ENOMEM)                    \
	X(RENAME, ENOSPC)                    \
	X(MKDIR, ENOSPC)                     \
	X(UNLINK, EROFS)                     \
	X(CHOWN, EPERM)                      \
	X(STAT, EIO)                         \
	X(BIND, ENOSPC)                      \
	X(LISTEN, EADDRINUSE)                \
	X(CONNECT, ECONNREFUSED)             \
	X(SEND, EPIPE)                       \
	X(RECV, ECONNRESET)                  \
	X(SENDSIG, EPERM)                    \
	X(IOCTL, EIO)                        \
	X(CLOSE_RANGE, ENOSYS)               \
	X(FLOCK, ENOLCK)                     \
	X(EINTR, EINTR)                      \
	X(AGAIN, EAGAIN)                     \
	X(SHORT, 0)

/* From here on half of the calls fail: those that may sleep, on sockets, by a single byte. */
#define FAULT_STORMS FAULT_EINTR

enum fault_kind {
#define X(kind, error) FAULT_##kind,
	FAULT_KINDS(X)
#undef X
		FAULT_N,
};

/* The programs, which are one file. */
enum fault_role { FAULT_SERVER, FAULT_START, FAULT_DELETE };

struct faults {
	enum fault_kind kind;
	enum fault_role role;
	int error; /* 0 (SENDSIG): it says that it was done, and it was not */
	int armed; /* 0: calls are neither counted nor failed */
	int hang; /* calls do not fail but sleep, until this is 0 again */
	unsigned nth; /* which call fails, counted from 1 */
	unsigned more; /* how many after it fail as well */
	unsigned seen, failed;
	unsigned active; /* how many processes have the library at work */
	unsigned wrong_closes; /* of what was closed already: the number may be another's */
};
