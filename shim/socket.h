/* SPDX-License-Identifier: Apache-2.0 */
/* The socket on which containerd finds a shim (contract 1.7): its name, making and removing it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "shim/err.h"

#define SOCKET_DIR "/run/containerd/s"
/* "start" hands the listening socket to the server under this number. */
#define SOCKET_FD 3
/*
 * What fits into struct sockaddr_un, less the NUL: Go takes as much, and so containerd a
 * socket_dir of 42 bytes.
 */
#define SOCKET_PATH_MAX 107

/* A bound socket file: removed when we go, if it is still the one that we bound. */
struct socket {
	char path[SOCKET_PATH_MAX + 1];
	dev_t dev;
	ino_t ino;
};

#define SOCKET_INIT { .path = "" }

/*
 * DIR/HASH for a shim of @group in namespace @ns under the containerd at
 * @address; @path has room for SOCKET_PATH_MAX + 1 bytes.
 */
int socket_path(const char *dir, const char *address, const char *ns, const char *group,
		char *path, struct err *e);

/* Makes the directory of @path (0700) if need be. */
int socket_make_folder(const char *path, struct err *e);

/*
 * Locks that directory, so that nobody takes what another is about to listen on for what
 * was left behind, or removes it. All shims of the node share it: it is not to be held
 * over what may take long. Returns a descriptor that holds the lock until it is closed; or
 * a negative errno, -ETIMEDOUT if somebody else keeps it.
 */
int socket_lock(const char *path);

/*
 * Binds and listens, with mode 0600. Returns the descriptor; -EADDRINUSE (no error text): the file is there.
 */
int socket_listen(const char *path, struct err *e);

/*
 * Whether somebody serves on it: connects, with a limit of 100 ms. Also true where that
 * could not be found out (no descriptors, no memory): a living shim's socket must stay.
 */
bool socket_is_alive(const char *path);

/* Removes what a shim that was killed has left, if there is such a file and nobody serves on it. */
void socket_remove_stale(const char *path);

/* Notes where @fd is bound. Negative errno. */
int socket_remember(struct socket *s, int fd);
/* Removes the file, unless it is another shim's by now. Can be repeated. */
void socket_unlink(struct socket *s);
