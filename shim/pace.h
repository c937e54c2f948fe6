/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's annotations ask of its output (README, "Logs"): how fast it
 * may go, and whether what does not fit makes the container wait or is dropped and
 * counted. Knows descriptors; who reads and writes them is relay.c and tty.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/err.h"
#include "ttrpc/loop.h"

#define PACE_POLICY "io.brass.log.policy"
#define PACE_RATE "io.brass.log.rate"

struct log_policy {
	bool drop;     /* else: block */
	uint64_t rate; /* bytes a second; 0: as fast as it goes */
};

/* From the annotations' values, each may be NULL: InvalidArgument says what is wrong. */
int log_policy_parse(struct log_policy *p, const char *policy, const char *rate, struct err *e);
/* Whether there is anything to do. */
bool log_policy_is_set(const struct log_policy *p);

/* One output under a policy. */
struct pace {
	struct log_policy policy;
	struct loop *loop;
	uint64_t room, filled; /* bytes that may pass, as of this time */
	uint64_t dropped;      /* bytes, so far */
	bool dropping;         /* until a line begins */
	size_t skipped;        /* bytes, in search of that */
	bool in_line;          /* the last byte that passed was no end of line */
	bool cut;              /* and the rest of that line was dropped */
	struct timer timer;    /* its owner's: there is room again */
	void *owner;
};

/* @ready, given pace->timer: the owner may go on, after pace_wait(). */
void pace_init(struct pace *p, struct loop *l, const struct log_policy *policy, void *owner,
	       void (*ready)(struct timer *));
/* How many bytes may pass now: SIZE_MAX, there is no rate. */
size_t pace_room(struct pace *p);
/* They have passed. */
void pace_passed(struct pace *p, size_t n);
/* Calls ready() when it is worth it to go on. */
void pace_wait(struct pace *p);
/* The process has ended: what is left goes at once. */
void pace_lift(struct pace *p);

/*
 * Policy drop: writes of @len bytes what passes and what @fd, which does not
 * block, takes; the rest is dropped, up to the next line. 0, or the negative
 * errno of a sink that is broken: then nothing more was counted as dropped, and
 * *lost is what it did not take.
 */
int pace_write(struct pace *p, int fd, const uint8_t *data, size_t len, size_t *lost);
