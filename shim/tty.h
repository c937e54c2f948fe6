/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of a process (contract 5.6): its master side (ptmx), the client's
 * stdin in one direction and stdout in the other.
 *
 * EIO from a ptmx only says that nobody has the other side open just now: it is
 * the end once the process has ended, and before that it is waited out. Since
 * the kernel would report such a ptmx as ready for ever, it is watched for
 * changes only (EPOLLET).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/gather.h"
#include "shim/pace.h"
#include "ttrpc/loop.h"

/* Bytes that were read, and that the other side has no room for yet. */
struct tty_rest {
	uint8_t *data;
	size_t off, len;
};

struct tty {
	struct loop *loop;   /* NULL: not started, or ended */
	struct watch ptmx;
	struct watch in;     /* the client's stdin FIFO; -1: none */
	struct watch out;    /* the client's stdout; -1: output is thrown away */
	struct tty_rest to_ptmx, to_out;
	bool process_ended;
	uint64_t moved, lost; /* bytes of output; lost: a broken sink did not take them */
	struct pace *pace;   /* the log policy of the output, or NULL; borrowed */
	struct work more;    /* there was more to move than one turn allows */
	struct gather gather;
	/* All output has been moved, or the client's stdin has ended; ptmx and stdin are closed. */
	void (*done)(struct tty *t, int out_fd);
	/* Bytes are being lost or dropped: called once; may be NULL. Survives tty_start(). */
	void (*losing)(struct tty *t);
	bool told;
};

#define TTY_INIT { .ptmx = WATCH_INIT, .in = WATCH_INIT, .out = WATCH_INIT }

/*
 * Starts to relay. The descriptors are non-blocking and taken over, also on
 * failure (negative errno); @in and @out may be -1.
 */
int tty_start(struct tty *t, struct loop *l, int ptmx, int in, int out,
	      void (*done)(struct tty *, int));

/* To be called right after the start: the output is subject to @p, which outlives the tty. */
void tty_set_pace(struct tty *t, struct pace *p);
/* There is room again (pace_init()). */
void tty_go_on(struct tty *t);

/* The process has ended: what it wrote is moved, then comes done(). */
void tty_process_ended(struct tty *t);

/* TIOCSWINSZ; negative errno. No terminal (any more): 0. */
int tty_resize(struct tty *t, uint16_t width, uint16_t height);

/* Closes everything; done() does not come. Can be repeated. */
void tty_stop(struct tty *t);
