/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one process (contract 5): anonymous pipes to the container on
 * one side, the client's FIFOs or files on the other, a relay between.
 *
 * Both ends of an output FIFO are held, so that the client may come and go: a
 * full FIFO makes the container wait, an absent reader never breaks it. When
 * the container's side has ended, our ends are closed at once, so that the
 * client sees the end of file; only if bytes are left in the FIFO and nobody is
 * there to read them the write end lingers until somebody is, or until
 * io_close(). For stdin, a writer of our own keeps the FIFO from ending until
 * io_close_stdin().
 */
#pragma once

#include <sys/types.h>

#include "shim/err.h"
#include "shim/relay.h"

struct io;

enum { IO_STDIN, IO_STDOUT, IO_STDERR, IO_STREAMS };

struct io_stream {
	struct io *io;
	char *path;   /* NULL: not connected, /dev/null for the process */
	int ours;     /* our end of the pipe, until the relay has it */
	int hold;     /* a FIFO's other end, held open */
	bool done;    /* ended, or never there */
	struct relay relay;
	/* The end has come with bytes unread in the FIFO and no reader. */
	int linger;
	struct watch opened; /* inotify(7): somebody opened it */
};

struct io {
	struct loop *loop;
	const char *id; /* for the log; borrowed */
	struct io_stream streams[IO_STREAMS];
	int child[IO_STREAMS]; /* the process's ends, until io_spawned() */
	/* Opening the client's FIFOs. */
	struct timer retry;
	uint64_t retry_ns, give_up;
	void (*connected)(struct io *io, struct err *failure);
	/* Waiting for the output to end. */
	struct timer drain;
	void (*drained)(struct io *io, bool complete);
};

/* Makes @io safe for io_close(); nothing is opened. @id is borrowed. */
void io_init(struct io *io, struct loop *l, const char *id);

/*
 * Makes the pipes. Names are paths, each may be NULL or "". The process's ends
 * are given to @uid and @gid (options io_uid and io_gid). After a failure
 * io_close() is still owed.
 */
int io_open(struct io *io, const char *const names[static IO_STREAMS], uid_t uid, gid_t gid,
	    struct err *e);

/* The process has its ends: ours of them are closed. */
void io_spawned(struct io *io);

/*
 * Opens the client's side and starts to relay. @connected is called once,
 * perhaps from within, when all is open, or with what failed: a FIFO that
 * nobody opens is waited for @timeout_ns.
 */
void io_connect(struct io *io, uint64_t timeout_ns,
		void (*connected)(struct io *, struct err *failure));

/* CloseIO: stdin ends once the client has closed it too. Repeating it is harmless. */
void io_close_stdin(struct io *io);

/* The process has ended: nobody reads its stdin any more. */
void io_process_ended(struct io *io);

/*
 * Calls @drained once, perhaps from within: when all output has ended
 * (complete), or after @timeout_ns, when something else still holds it open.
 */
void io_drain(struct io *io, uint64_t timeout_ns, void (*drained)(struct io *, bool complete));

/* Closes everything; no callback comes any more. Can be repeated. */
void io_close(struct io *io);
