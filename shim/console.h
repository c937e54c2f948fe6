/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console socket (runc's --console-socket): the runtime makes the terminal
 * and sends its master side over a Unix socket that we made for it. The socket
 * lies in the bundle and is reached by a descriptor, since a bundle's path is
 * longer than a socket's may be.
 */
#pragma once

#include "shim/err.h"

#define CONSOLE_PATH_MAX 108

struct console {
	struct watch listener, conn;
	int dir;                     /* of its folder */
	char name[32];               /* of the socket, in it; "": none */
	char path[CONSOLE_PATH_MAX]; /* for the runtime */
	struct timer timeout;
	int ptmx;                    /* received, until it is taken; -1 */
	struct err failure;          /* or what went wrong instead */
	void (*received)(struct console *c);
};

#define CONSOLE_INIT { .listener = WATCH_INIT, .conn = WATCH_INIT, .dir = -1, .ptmx = -1 }

/*
 * Makes the socket, whose path is then @c->path. What arrives is looked at as
 * soon as it is there.
 */
int console_listen(struct console *c, struct loop *l, const char *folder, struct err *e);

/*
 * Calls @received once, perhaps from within: when the terminal is there
 * (@c->ptmx >= 0), or after a failure or @timeout_ns (@c->failure says why).
 */
void console_await(struct console *c, uint64_t timeout_ns, void (*received)(struct console *));

/* Removes the socket, closes what has not been taken. Can be repeated. */
void console_close(struct console *c);
