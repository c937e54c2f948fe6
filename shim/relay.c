/* SPDX-License-Identifier: Apache-2.0 */
/* Moving bytes; see relay.h. Knows descriptors, no containers. */
#include "shim/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/util.h"

/* What one callback moves at most before others get their turn. */
#define ROUND_BYTES (1u << 20)
#define BUFFER_BYTES (64u << 10)

/* One thread, so one buffer. Untouched (and so not in memory) until it is needed. */
static uint8_t buffer[BUFFER_BYTES];

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

	if (r->rest_len == 0 && (ioctl(r->src.fd, FIONREAD, &avail) < 0 || avail == 0))
		return;
	if (!r->dst.loop)
		return;
	watch_set(&r->src, 0);
	watch_set(&r->dst, EPOLLOUT);
}

static ssize_t splice_some(struct relay *r)
{
	ssize_t n = splice(r->src.fd, NULL, r->dst.fd, NULL, ROUND_BYTES,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

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

static ssize_t copy_some(struct relay *r)
{
	ssize_t n, w;

	if (r->rest_len > 0)
		return write_rest(r);
	n = read(r->src.fd, buffer, sizeof(buffer));
	if (n <= 0)
		return n;
	w = write(r->dst.fd, buffer, (size_t)n);
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

	if (n > 0)
		r->lost += (uint64_t)n;
	return n;
}

static ssize_t move_some(struct relay *r)
{
	switch (r->state) {
	case RELAY_SPLICE:
		return splice_some(r);
	case RELAY_COPY:
		return copy_some(r);
	default:
		return discard_some(r);
	}
}

static void end(struct relay *r)
{
	int sink = relay_detach(r);

	r->done(r, sink);
}

/* The sink does not take bytes any more, for another reason than being full. */
static bool sink_broke(struct relay *r, int error)
{
	r->sink_error = error;
	r->lost += r->rest_len;
	free(r->rest);
	r->rest = NULL;
	r->rest_len = r->rest_off = 0;
	r->state = RELAY_DISCARD;
	return r->keep_reading;
}

static void pump(struct relay *r)
{
	size_t moved = 0;

	while (moved < ROUND_BYTES) {
		ssize_t n = move_some(r);

		if (n > 0) {
			moved += (size_t)n;
			r->moved += (uint64_t)n;
			continue;
		}
		if (n == 0) {
			end(r);
			return;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			wait_for_either(r);
			return;
		}
		if (r->state == RELAY_DISCARD || !sink_broke(r, errno)) {
			end(r);
			return;
		}
	}
}

int relay_start(struct relay *r, struct loop *l, int src, int dst, bool keep_reading,
		void (*done)(struct relay *, int))
{
	int e;

	*r = (struct relay){
		.loop = l,
		.src = WATCH_INIT,
		.dst = WATCH_INIT,
		.state = RELAY_SPLICE,
		.keep_reading = keep_reading,
		.done = done,
	};
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

int relay_detach(struct relay *r)
{
	int src = r->src.fd, dst = r->dst.fd;

	if (r->state == RELAY_IDLE)
		return -1;
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

void relay_stop(struct relay *r)
{
	int dst = relay_detach(r);

	closep(&dst);
}
