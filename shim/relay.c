/* SPDX-License-Identifier: Apache-2.0 */
/* Moving bytes; see relay.h. Knows descriptors, no containers. */
#include "shim/relay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/util.h"

/*
 * Who fills a pipe so often is held up by its size, and we are woken for each
 * filling: then both pipes grow. Unread, they hold that much more.
 */
#define FULL_PIPE (64u << 10)
#define FULL_OFTEN 16

/* One thread, so one buffer. Untouched (and so not in memory) until it is needed. */
static uint8_t buffer[LIMIT_RELAY_BUFFER] __attribute__((aligned(4096)));

static void pump(struct relay *r);

static void on_src(struct watch *w, uint32_t events)
{
	(void)events;
	pump(container_of(w, struct relay, src));
}

static void on_dst(struct watch *w, uint32_t events)
{
	struct relay *r = container_of(w, struct relay, dst);

	(void)events;
	watch_set(&r->dst, 0);
	watch_set(&r->src, EPOLLIN);
	pump(r);
}

/*
 * Nothing moved. If the source has bytes it is the sink that is full: then the
 * source must be silent, or its readiness would spin the loop.
 */
static void wait_for_either(struct relay *r)
{
	int avail = 0;

	if (r->pace && (r->state == RELAY_SPLICE || r->state == RELAY_COPY) && r->rest_len == 0 &&
	    pace_room(r->pace) == 0) {
		watch_set(&r->src, 0);
		pace_wait(r->pace);
		return;
	}
	/* Bytes that have just come; no sink is waited for. */
	if (r->state == RELAY_DROP || r->state == RELAY_DISCARD)
		return;
	if (r->rest_len == 0 && (ioctl(r->src.fd, FIONREAD, &avail) < 0 || avail == 0))
		return;
	if (!r->dst.loop)
		return;
	watch_set(&r->src, 0);
	watch_set(&r->dst, EPOLLOUT);
}

/* Best effort: a user's pages for pipes are limited. */
static void grow(struct relay *r)
{
	if (fcntl(r->src.fd, F_SETPIPE_SZ, LIMIT_PIPE) >= 0)
		fcntl(r->dst.fd, F_SETPIPE_SZ, LIMIT_PIPE);
}

static ssize_t splice_some(struct relay *r, size_t max)
{
	ssize_t n = splice(r->src.fd, NULL, r->dst.fd, NULL, max,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0)
		r->moved += (uint64_t)n;
	if (n >= (ssize_t)FULL_PIPE && r->full < FULL_OFTEN && ++r->full == FULL_OFTEN)
		grow(r);
	if (n < 0 && errno == EINVAL) {
		r->state = RELAY_COPY;
		errno = EINTR;
	}
	return n;
}

static ssize_t write_rest(struct relay *r)
{
	ssize_t n = write(r->dst.fd, r->rest + r->rest_off, r->rest_len);

	if (n > 0) {
		r->moved += (uint64_t)n;
		r->rest_off += (size_t)n;
		r->rest_len -= (size_t)n;
		if (r->rest_len == 0) {
			free(r->rest);
			r->rest = NULL;
			r->rest_off = 0;
		}
	}
	return n;
}

static ssize_t copy_some(struct relay *r, size_t max)
{
	ssize_t n, w;

	if (r->rest_len > 0)
		return write_rest(r);
	n = read(r->src.fd, buffer, max < sizeof(buffer) ? max : sizeof(buffer));
	if (n <= 0)
		return n;
	w = write(r->dst.fd, buffer, (size_t)n);
	r->moved += w > 0 ? (uint64_t)w : 0;
	if (w == n)
		return n;
	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		r->lost += (uint64_t)n;
		return -1;
	}
	w = w < 0 ? 0 : w;
	r->rest = malloc((size_t)(n - w));
	if (!r->rest) {
		r->lost += (uint64_t)(n - w);
		errno = ENOMEM;
		return -1;
	}
	memcpy(r->rest, buffer + w, (size_t)(n - w));
	r->rest_len = (size_t)(n - w);
	return n;
}

static ssize_t discard_some(struct relay *r)
{
	ssize_t n = read(r->src.fd, buffer, sizeof(buffer));

	r->lost += n > 0 ? (uint64_t)n : 0;
	return n;
}

static ssize_t drop_some(struct relay *r)
{
	ssize_t n = read(r->src.fd, buffer, sizeof(buffer));
	uint64_t dropped;
	size_t lost = 0;
	int e;

	assert(r->pace);
	if (n <= 0)
		return n;
	dropped = r->pace->dropped;
	e = pace_write(r->pace, r->dst.fd, buffer, (size_t)n, &lost);
	r->lost += lost;
	r->moved += (uint64_t)n - lost - (r->pace->dropped - dropped);
	if (e == 0)
		return n;
	errno = -e;
	return -1;
}

/* Under a rate: as much as may pass now. What a sink has not taken yet has been counted. */
static ssize_t move_paced(struct relay *r, size_t room)
{
	bool rest = r->rest_len > 0;
	ssize_t n;

	if (room == 0 && !rest) {
		errno = EAGAIN;
		return -1;
	}
	room = room < LIMIT_RELAY_ROUND ? room : LIMIT_RELAY_ROUND;
	n = r->state == RELAY_SPLICE ? splice_some(r, room) : copy_some(r, room);
	if (n > 0 && !rest)
		pace_passed(r->pace, (size_t)n);
	return n;
}

static ssize_t move_some(struct relay *r)
{
	switch (r->state) {
	case RELAY_SPLICE:
	case RELAY_COPY:
		if (r->pace)
			return move_paced(r, pace_room(r->pace));
		return r->state == RELAY_SPLICE ? splice_some(r, LIMIT_RELAY_ROUND) :
						  copy_some(r, LIMIT_RELAY_ROUND);
	case RELAY_DROP:
		return drop_some(r);
	default:
		return discard_some(r);
	}
}

static void end(struct relay *r)
{
	int sink = relay_detach(r);

	r->done(r, sink);
}

/*
 * The sink does not take bytes, for another reason than being full. A file may do
 * so again, when its disk has room again: it loses what comes meanwhile. What was
 * a FIFO will not.
 */
static bool sink_broke(struct relay *r, int error)
{
	r->sink_error = error;
	r->lost += r->rest_len;
	free(r->rest);
	r->rest = NULL;
	r->rest_len = r->rest_off = 0;
	if (!r->keep_reading || (r->dst.loop && error != ENOMEM))
		r->state = RELAY_DISCARD;
	else if (r->state == RELAY_SPLICE)
		r->state = RELAY_COPY; /* which takes from the source what the sink refuses */
	return r->keep_reading;
}

static bool took_all(const struct relay *r, size_t n)
{
	return r->state == RELAY_SPLICE ||
	       (r->state == RELAY_COPY && n < sizeof(buffer) && !r->rest);
}

/* False: the source has ended, and r may be gone. */
static bool move(struct relay *r)
{
	size_t moved = 0;

	while (moved < LIMIT_RELAY_ROUND) {
		uint64_t lost = r->lost;
		bool spliced = r->state == RELAY_SPLICE, rest = r->rest_len > 0;
		ssize_t n = move_some(r);
		int error = errno;

		lost = r->lost - lost;
		moved += (size_t)lost;
		if (n > 0) {
			moved += (size_t)n;
			/* That was all there was, or all there was room for: the loop tells. */
			if (!r->pace && !rest && took_all(r, (size_t)n))
				return true;
			continue;
		}
		if (n < 0 && error == EINTR)
			continue;
		if (n < 0 && error == EAGAIN) {
			wait_for_either(r);
			return true;
		}
		/* Nothing came, or it is the source that failed. */
		if (n == 0 || (!spliced && !rest && lost == 0) || !sink_broke(r, error)) {
			end(r);
			return false;
		}
	}
	return true;
}

static void gather(struct relay *r, uint64_t n)
{
	if (r->src.mask == EPOLLIN && !r->pace &&
	    (r->state == RELAY_SPLICE || r->state == RELAY_COPY) &&
	    gather_begins(&r->gather, r->loop, (size_t)n))
		watch_set(&r->src, 0);
}

static void on_gathered(struct timer *t)
{
	struct relay *r = container_of(t, struct relay, gather.timer);

	watch_set(&r->src, EPOLLIN);
	pump(r);
}

static void pump(struct relay *r)
{
	uint64_t before = r->moved;

	if (!move(r))
		return;
	gather(r, r->moved - before);
	if (r->told || (r->lost == 0 && (!r->pace || r->pace->dropped == 0)))
		return;
	r->told = true;
	if (r->losing)
		r->losing(r);
}

int relay_start(struct relay *r, struct loop *l, int src, int dst, bool keep_reading,
		void (*done)(struct relay *, int))
{
	int e;

	*r = (struct relay){
		.losing = r->losing,
		.loop = l,
		.src = WATCH_INIT,
		.dst = WATCH_INIT,
		.state = RELAY_SPLICE,
		.keep_reading = keep_reading,
		.done = done,
	};
	gather_init(&r->gather, on_gathered);
	e = watch_add(l, &r->src, src, EPOLLIN, on_src);
	if (e == 0) {
		/* EPERM: a regular file, which is always ready. */
		e = watch_add(l, &r->dst, dst, 0, on_dst);
		if (e == -EPERM)
			e = 0;
	}
	r->src.fd = src;
	r->dst.fd = dst;
	if (e < 0)
		relay_stop(r);
	return e;
}

void relay_set_pace(struct relay *r, struct pace *p)
{
	r->pace = p;
	if (p->policy.drop)
		r->state = RELAY_DROP;
}

void relay_go_on(struct relay *r)
{
	if (r->state == RELAY_IDLE)
		return;
	watch_set(&r->src, EPOLLIN);
	pump(r);
}

int relay_detach(struct relay *r)
{
	int src = r->src.fd, dst = r->dst.fd;

	if (r->state == RELAY_IDLE)
		return -1;
	timer_disarm(&r->gather.timer);
	watch_del(&r->src);
	watch_del(&r->dst);
	closep(&src);
	r->src.fd = r->dst.fd = -1;
	free(r->rest);
	r->rest = NULL;
	r->rest_len = r->rest_off = 0;
	r->state = RELAY_IDLE;
	return dst;
}

size_t relay_pending(const struct relay *r)
{
	int avail = 0;

	if (r->state == RELAY_IDLE || ioctl(r->src.fd, FIONREAD, &avail) < 0)
		avail = 0;
	return r->rest_len + (size_t)avail;
}

void relay_rest(void)
{
	/* It keeps nothing from one call to the next. */
	madvise(buffer, sizeof(buffer), MADV_DONTNEED);
}

void relay_stop(struct relay *r)
{
	int dst = relay_detach(r);

	closep(&dst);
}
