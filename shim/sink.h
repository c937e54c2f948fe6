/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's output goes on the client's side: a FIFO, or a device. (A
 * file is the business of logfile.h.) Both ends of a FIFO are held, so that the
 * client may come and go: a full FIFO makes the container wait, an absent reader
 * never breaks it.
 */
#pragma once

#include "shim/err.h"

struct sink {
	struct loop *loop;
	int hold;            /* the FIFO's read end, held open; -1 */
	bool count;          /* sink_unread() is to be known after the end, too */
	int ended;           /* so a read end that outlives it; -1 */
	/* The end has come with bytes unread in the FIFO and no reader. */
	int linger;
	struct watch opened; /* inotify(7): somebody opened it */
	void (*read)(struct sink *s); /* it lingers no more; may be NULL */
};

void sink_init(struct sink *s, struct loop *l);

/*
 * Opens @path for writing, non-blocking, and returns the descriptor; -EAGAIN: a
 * FIFO that nobody has open for reading; another negative value with a text.
 */
int sink_open(struct sink *s, const char *path, struct err *e);

/*
 * The output has ended: closes our ends (@fd too), so that the client sees the
 * end of file. Only if bytes are left in the FIFO and nobody is there to read
 * them the write end lingers, until somebody is or until sink_close().
 */
void sink_finish(struct sink *s, int fd);

/* How many bytes are in the FIFO. */
size_t sink_unread(const struct sink *s);
/* Nobody asks any more. */
void sink_stop_counting(struct sink *s);

/*
 * For the log: container @id loses what it writes to @stream ("stdout") now, or
 * has lost that many bytes of it in the end (0: nothing is said), since @path does
 * not take them. Without a path nobody misses them.
 */
void sink_tell_losing(const char *id, const char *path, const char *stream);
void sink_tell_lost(const char *id, const char *path, const char *stream, uint64_t bytes);

/* Closes whatever is open. Can be repeated. */
void sink_close(struct sink *s);
