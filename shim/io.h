/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one process (contract 5): pipes or a terminal on the container's
 * side, the client's FIFOs (sink.h) or a logger (logger.h, logfile.h) on the
 * other, a relay (relay.h, tty.h) between. For stdin, a writer of our own keeps
 * the client's FIFO from ending until io_close_stdin().
 */
#pragma once

#include <sys/types.h>

#include "shim/console.h"
#include "shim/direct.h"
#include "shim/err.h"
#include "shim/logger.h"
#include "shim/pace.h"
#include "shim/relay.h"
#include "shim/sink.h"
#include "shim/tty.h"

struct io;

enum { IO_STDIN, IO_STDOUT, IO_STDERR, IO_STREAMS };
extern const char *const io_names[IO_STREAMS]; /* "stdin", … */

struct io_stream {
	struct io *io;
	char *path;   /* NULL: not connected, /dev/null for the process */
	int ours;     /* our end of the pipe, until the relay has it */
	int theirs;   /* the client's end, until the relay has it; -1 */
	bool done;    /* ended, or never there */
	struct relay relay;
	struct sink sink;
	bool is_direct; /* the process has the client's FIFO itself */
	struct direct direct;
	struct pace *pace; /* an output under a log policy; NULL: none */
	struct logfile *file; /* an output that a process of ours writes to its file */
};

struct io {
	struct loop *loop;
	const char *id; /* for the log; borrowed */
	bool terminal;
	struct io_stream streams[IO_STREAMS];
	int keep_alive;        /* the write end of stdin's FIFO; -1 */
	int child[IO_STREAMS]; /* the process's ends, until io_spawned() */
	struct console console;
	struct tty tty;
	struct logger logger;  /* of a binary:// stdout, or of log files */
	struct logfiles *files; /* NULL: there are none */
	void (*opened)(struct io *io, struct err *failure);
	uint16_t width, height; /* asked for before the terminal was there; 0: not */
	/* Opening the client's FIFOs. */
	struct timer retry;
	uint64_t retry_ns, give_up;
	void (*connected)(struct io *io, struct err *failure);
	/* Waiting for the output to end. */
	struct timer drain;
	void (*drained)(struct io *io, bool complete);
	void (*settled)(struct io *io); /* io_has_output() may have become false; may be NULL */
};

struct io_request {
	const char *names[IO_STREAMS]; /* each may be NULL or "" */
	bool terminal;
	const char *id, *ns;           /* of the process, for a logger */
	struct reaper *reaper;
	uint64_t timeout_ns;           /* for a logger to be ready */
	bool count;                    /* io_unread() will be asked for */
	bool early;                    /* connect outputs before the process is there */
	const char *folder;            /* where the console socket is made */
	uid_t uid;                     /* owner of the pipes' container ends */
	gid_t gid;
	const struct log_policy *policy; /* of the outputs, or NULL */
	bool direct;                   /* outputs that are FIFOs are the process's own */
};

/* Makes @io safe for io_close(); nothing is opened. @id is borrowed. */
void io_init(struct io *io, struct loop *l, const char *id);

/*
 * Makes the pipes or the console socket, and starts a logger. @opened is called
 * once, perhaps from within. After a failure io_close() is still owed.
 */
void io_open(struct io *io, const struct io_request *r,
	     void (*opened)(struct io *, struct err *failure));

/* What the runtime is given: three descriptors, or NULL with a terminal. */
const int *io_child(const struct io *io);
/* The path for --console-socket; NULL without a terminal. */
const char *io_console(const struct io *io);

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

/* Sets the size of the terminal, or of the one that is to come. No terminal: nothing. */
int io_resize(struct io *io, uint16_t width, uint16_t height, struct err *e);

/*
 * How many bytes of the outputs no client has read yet, in its FIFOs or on the way there,
 * until io_process_ended().
 */
size_t io_unread(const struct io *io);

/* The process has ended: nobody reads its stdin any more. */
void io_process_ended(struct io *io);

/*
 * Calls @drained once, perhaps from within: when all output has ended
 * (complete), or after @timeout_ns, when something else still holds it open.
 */
void io_drain(struct io *io, uint64_t timeout_ns, void (*drained)(struct io *, bool complete));

/*
 * Whether an output has not ended, nobody has come for what a FIFO holds, or a logger may
 * still have to write what it has read.
 */
bool io_has_output(const struct io *io);
/* Whether a program that is its logger has not ended. */
bool io_has_logger(const struct io *io);

/* The shim leaves, and io_close() comes next: that kills no logger then. */
void io_let_go(struct io *io);

/* Closes everything; no callback comes any more. Can be repeated. */
void io_close(struct io *io);
