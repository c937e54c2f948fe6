/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event loop for one thread: descriptors (level-triggered epoll), timers,
 * signals, and work put off until the current callbacks have returned.
 *
 * All objects are embedded in their owner, who finds itself again with
 * container_of(). Any callback may add, change or remove any object, itself
 * included; an event already fetched for a removed watch is not delivered.
 *
 * One round is: deferred work; wait; due timers; descriptor events; deferred
 * work. Nothing wakes the loop when nothing happens (but once, for quiet()).
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Functions that can fail return a
 * negative errno.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "list.h"

/* How many events one epoll_wait(2) fetches at most. */
#define LOOP_BATCH 32

#define LOOP_REST_PAYS 8
#define LOOP_HASTY 4

#define LOOP_MSEC UINT64_C(1000000)
#define LOOP_SEC (1000 * LOOP_MSEC)

struct loop {
	int epoll_fd;
	bool stopped;
	int result;
	/*
	 * Called once when no event has come for quiet_ms: the time to give back
	 * what only work needs; then not before something has. Returns whether it has
	 * given anything back. NULL: nothing to do. Who is asked something every second
	 * would do so each time in vain: after LOOP_HASTY rests in a row that were
	 * shorter than LOOP_REST_PAYS times quiet_ms, it has to be quiet for that long.
	 */
	bool (*quiet)(struct loop *l);
	int quiet_ms;
	bool stirred; /* a descriptor or a signal has told something since */
	uint64_t rests_since; /* 0: it does not rest */
	unsigned hasty; /* rests in a row that were too short */
	int batch_pos, batch_len;
	struct list timers; /* struct timer, soonest first */
	struct list works;  /* struct work, first come first served */
	struct epoll_event batch[LOOP_BATCH];
};

/* A descriptor and the epoll(7) events that its owner wants to hear of. */
struct watch {
	struct loop *loop; /* NULL: not added */
	int fd;
	uint32_t mask;
	void (*fn)(struct watch *w, uint32_t events);
};

#define WATCH_INIT { .fd = -1 }

/* A point in time; fires once. Must be initialised with timer_init(). */
struct timer {
	struct list link;
	uint64_t due;
	void (*fn)(struct timer *t);
};

/* Something to do when the current callbacks have returned. Runs once. */
struct work {
	struct list link;
	void (*fn)(struct work *w);
};

/* A set of signals, blocked and read from a signalfd(2). */
struct sigwatch {
	struct watch watch;
	void (*fn)(struct sigwatch *s, int signo);
};

/* Prepares @l. Errors: EMFILE, ENFILE, ENOMEM (epoll_create1(2)). */
int loop_init(struct loop *l);

/* Closes the loop. Watches and timers that are left are forgotten, not closed. */
void loop_fini(struct loop *l);

/*
 * Runs one round, waiting for at most @timeout_ms (-1: for ever). Returns 0,
 * or a negative errno if epoll_wait(2) failed (never EINTR).
 */
int loop_round(struct loop *l, int timeout_ms);

/* Runs rounds until loop_stop(), and returns the result given there. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int result);

/* Now, on the clock that timers use. */
uint64_t loop_now(void);

/*
 * Adds a watch on @fd, which stays the caller's and must outlive it. @mask may
 * be 0: registered, but silent until watch_set(). Errors, which leave w->fd as it
 * was: ENOMEM, ENOSPC, EPERM (a descriptor that cannot be polled, such as a regular
 * file's).
 */
int watch_add(struct loop *l, struct watch *w, int fd, uint32_t mask,
	      void (*fn)(struct watch *, uint32_t));

/*
 * Changes what is wanted. Cannot fail. With @mask 0 nothing is delivered, not
 * even the EPOLLHUP and EPOLLERR that epoll(7) otherwise always reports.
 */
void watch_set(struct watch *w, uint32_t mask);

/*
 * Takes the watch out; to be called before its descriptor is closed, since an
 * open description that is shared would go on reporting. No-op if not added.
 */
void watch_del(struct watch *w);

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arms, or moves, the timer: it fires once at @due (absolute). */
void timer_arm(struct loop *l, struct timer *t, uint64_t due);
/* The same, relative to now. */
void timer_arm_in(struct loop *l, struct timer *t, uint64_t ns);
void timer_disarm(struct timer *t);
bool timer_is_armed(const struct timer *t);

void work_init(struct work *w, void (*fn)(struct work *));
/* Queues @w for the end of this round; no-op if it is queued already. */
void work_queue(struct loop *l, struct work *w);
void work_cancel(struct work *w);

/*
 * Blocks @signals in this thread and calls @fn for each one that arrives.
 * Errors: EMFILE, ENFILE, ENOMEM (signalfd(2)).
 */
int sigwatch_add(struct loop *l, struct sigwatch *s, const sigset_t *signals,
		 void (*fn)(struct sigwatch *, int signo));
/* Closes the signalfd; the signals stay blocked. No-op if not added. */
void sigwatch_del(struct sigwatch *s);
