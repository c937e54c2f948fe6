/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a process's stdio: bytes from a source to a sink, until the
 * source ends. Pipe to FIFO goes by splice(2) and never touches user memory;
 * what cannot be spliced goes through one buffer that the whole program
 * shares. The relay waits for whichever side holds it up and for nothing else, but
 * for the time that a log policy (pace.h) makes it wait, and for the moment in which
 * small pieces gather (gather.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/gather.h"
#include "shim/pace.h"
#include "ttrpc/loop.h"

enum relay_state {
	RELAY_IDLE,    /* not started, or stopped */
	RELAY_SPLICE,
	RELAY_COPY,    /* the kernel cannot splice to this sink */
	RELAY_DROP,    /* a log policy: what the sink does not take at once is dropped */
	RELAY_DISCARD, /* the sink broke: read on, so that the writer never blocks */
};

struct relay {
	struct loop *loop;
	enum relay_state state;
	struct watch src, dst; /* their descriptors are ours while it runs */
	bool keep_reading;     /* a broken sink costs its own bytes only */
	uint8_t *rest;         /* RELAY_COPY: read, but not taken by the sink yet */
	size_t rest_off, rest_len;
	struct pace *pace;     /* the log policy of this output, or NULL; borrowed */
	uint64_t moved, lost;  /* bytes that the sink took; that were lost, since it failed */
	unsigned full;         /* how often it found a pipe full */
	struct gather gather;
	int sink_error;        /* errno of the sink that broke, 0: none did */
	/*
	 * The source has ended, or (without keep_reading) the sink broke. The
	 * relay is idle by then; the source is closed, the sink is handed over.
	 */
	void (*done)(struct relay *r, int sink_fd);
	/* Bytes are being lost or dropped: called once; may be NULL. Survives relay_start(). */
	void (*losing)(struct relay *r);
	bool told;
};

#define RELAY_INIT { .src = WATCH_INIT, .dst = WATCH_INIT }

/*
 * Starts to move bytes from @src to @dst (both non-blocking, both taken over,
 * also on failure). Negative errno if the loop cannot watch the source.
 */
int relay_start(struct relay *r, struct loop *l, int src, int dst, bool keep_reading,
		void (*done)(struct relay *, int));

/* To be called right after the start: the output is subject to @p, which outlives the relay. */
void relay_set_pace(struct relay *r, struct pace *p);
/* There is room again (pace_init()). */
void relay_go_on(struct relay *r);

/* Stops and closes both; done() is not called. No-op if idle. */
void relay_stop(struct relay *r);

/* How many bytes have come that the sink has not got. */
size_t relay_pending(const struct relay *r);

/* Nothing moves for now: the buffer's memory goes back. */
void relay_rest(void);

/* Stops reading the source; the sink is returned, or -1 if idle. */
int relay_detach(struct relay *r);
