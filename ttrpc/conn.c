/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one socket: reads them into frames, writes frames as the peer takes
 * them. It owns the descriptor, what waits to be sent, and the pace: one busy
 * peer gets a few requests per round, one that does not read its replies is not
 * read from either. It knows nothing of requests, replies or stream ids.
 *
 * A lost connection is reported from a work of the loop and never from within
 * a send: whoever answers many calls must not see other calls go meanwhile.
 */
#include "ttrpc/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ttrpc/limits.h"

static void conn_update(struct ttrpc_conn *c)
{
	uint32_t mask = 0;

	if (c->dead)
		return;
	if (!c->paused && !c->stash)
		mask |= EPOLLIN;
	if (!list_empty(&c->out))
		mask |= EPOLLOUT;
	watch_set(&c->watch, mask);
	/* Of the stash it gets a turn in each round. */
	if (c->stash && !c->paused)
		timer_arm(c->loop, &c->more, 0);
	else
		timer_disarm(&c->more);
}

static void drop_frame(struct ttrpc_conn *c, struct conn_frame *f)
{
	list_del(&f->link);
	c->out_bytes -= sizeof(*f) + f->len;
	free(f);
}

static void drop_output(struct ttrpc_conn *c)
{
	struct conn_frame *f;

	while ((f = list_first(&c->out, struct conn_frame, link)))
		drop_frame(c, f);
}

void conn_fail(struct ttrpc_conn *c, int error)
{
	if (c->dead)
		return;
	c->dead = true;
	c->error = error;
	watch_del(&c->watch);
	timer_disarm(&c->more);
	drop_output(c);
	work_queue(c->loop, &c->closer);
}

static void conn_lost(struct work *w)
{
	struct ttrpc_conn *c = container_of(w, struct ttrpc_conn, closer);

	c->ops->lost(c, c->error);
}

static void conn_free(struct ttrpc_conn *c)
{
	frame_reader_release(&c->reader);
	free(c->stash);
	free(c);
}

void conn_close(struct ttrpc_conn *c)
{
	c->dead = true;
	watch_del(&c->watch);
	timer_disarm(&c->more);
	work_cancel(&c->closer);
	drop_output(c);
	close(c->watch.fd);
	if (c->busy)
		c->doomed = true;
	else
		conn_free(c);
}

/* ------------------------------------------------------------ writing */

/* Bytes of @data that the socket took; 0 if it is full, or failed. */
static size_t conn_write(struct ttrpc_conn *c, const uint8_t *data, size_t len)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < len) {
		n = send(c->watch.fd, data + sent, len - sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			conn_fail(c, -errno);
			break;
		}
	}
	return sent;
}

struct conn_frame *conn_frame_new(size_t len)
{
	struct conn_frame *f = malloc(sizeof(*f) + len);

	if (!f)
		return NULL;
	list_init(&f->link);
	f->len = len;
	f->sent = 0;
	return f;
}

static void conn_queue(struct ttrpc_conn *c, struct conn_frame *f)
{
	list_append(&c->out, &f->link);
	c->out_bytes += sizeof(*f) + f->len;
	if (c->out_bytes > c->out_limit)
		c->paused = true;
	conn_update(c);
}

void conn_send(struct ttrpc_conn *c, struct conn_frame *f)
{
	if (!c->dead && list_empty(&c->out))
		f->sent = conn_write(c, f->data, f->len);
	if (c->dead || f->sent == f->len)
		free(f);
	else
		conn_queue(c, f);
}

void conn_send_copy(struct ttrpc_conn *c, const uint8_t *data, size_t len)
{
	struct conn_frame *f;
	size_t sent = 0;

	if (!c->dead && list_empty(&c->out))
		sent = conn_write(c, data, len);
	if (c->dead || sent == len)
		return;
	f = conn_frame_new(len - sent);
	if (!f) {
		conn_fail(c, -ENOMEM);
		return;
	}
	memcpy(f->data, data + sent, len - sent);
	conn_queue(c, f);
}

static void conn_flush(struct ttrpc_conn *c)
{
	struct conn_frame *f;
	size_t n;

	while ((f = list_first(&c->out, struct conn_frame, link))) {
		n = conn_write(c, f->data + f->sent, f->len - f->sent);
		if (c->dead)
			return; /* and @f is gone */
		f->sent += n;
		if (f->sent < f->len)
			break;
		drop_frame(c, f);
	}
	if (c->out_bytes <= c->out_limit / 2)
		c->paused = false;
	conn_update(c);
}

/* ------------------------------------------------------------ reading */

/* Delivers the frames in @len bytes of @data; returns how many it looked at. */
static size_t conn_feed(struct ttrpc_conn *c, const uint8_t *data, size_t len)
{
	const uint8_t *in = data;
	struct frame f;

	while (!c->dead && !c->paused && c->turn > 0 &&
	       frame_reader_next(&c->reader, &in, &len, &f)) {
		c->turn--;
		c->ops->frame(c, &f);
		frame_reader_release(&c->reader);
	}
	return (size_t)(in - data);
}

static void conn_feed_stash(struct ttrpc_conn *c)
{
	struct conn_stash *s = c->stash;

	s->pos += conn_feed(c, s->data + s->pos, s->len - s->pos);
	if (s->pos == s->len) {
		c->stash = NULL;
		free(s);
	}
	conn_update(c);
}

static void conn_keep(struct ttrpc_conn *c, const uint8_t *data, size_t len)
{
	if (c->dead || len == 0)
		return;
	c->stash = malloc(sizeof(*c->stash) + len);
	if (!c->stash) {
		conn_fail(c, -ENOMEM);
		return;
	}
	c->stash->len = len;
	c->stash->pos = 0;
	memcpy(c->stash->data, data, len);
	conn_update(c);
}

/* How much to read: few requests, but no more reads of a long one than it needs. */
static size_t conn_share(const struct ttrpc_conn *c)
{
	size_t n = frame_reader_lacks(&c->reader);

	if (n < TTRPC_LIMIT_READ_FRAMES)
		return TTRPC_LIMIT_READ_FRAMES;
	return n < TTRPC_LIMIT_READ ? n : TTRPC_LIMIT_READ;
}

/* One read; false if there is no more to be had in this round. */
static bool conn_read(struct ttrpc_conn *c, uint32_t events)
{
	uint8_t data[TTRPC_LIMIT_READ];
	size_t used, share = conn_share(c);
	ssize_t n;

	n = recv(c->watch.fd, data, share, MSG_DONTWAIT);
	if (n > 0) {
		used = conn_feed(c, data, (size_t)n);
		conn_keep(c, data + used, (size_t)n - used);
		return (size_t)n == share && !c->stash && frame_reader_lacks(&c->reader);
	}
	if (n == 0)
		conn_fail(c, 0);
	else if (errno == EINTR)
		return true;
	else if (errno != EAGAIN)
		conn_fail(c, -errno);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_fail(c, 0); /* or it would be reported for ever */
	return false;
}

static void conn_turn(struct ttrpc_conn *c, uint32_t events)
{
	int i;

	c->busy = true;
	c->turn = TTRPC_LIMIT_FRAMES;
	if (events & EPOLLOUT)
		conn_flush(c);
	if (!c->dead && !c->paused && c->stash)
		conn_feed_stash(c);
	if (c->paused && (events & (EPOLLHUP | EPOLLERR)))
		conn_fail(c, 0);
	for (i = 0; i < TTRPC_LIMIT_READS && (events & ~(uint32_t)EPOLLOUT); i++) {
		if (c->dead || c->paused || c->stash || !conn_read(c, events))
			break;
	}
	c->busy = false;
	if (c->doomed)
		conn_free(c);
}

static void conn_ready(struct watch *w, uint32_t events)
{
	conn_turn(container_of(w, struct ttrpc_conn, watch), events);
}

static void conn_more(struct timer *t)
{
	conn_turn(container_of(t, struct ttrpc_conn, more), 0);
}

int conn_new(struct ttrpc_conn **out, struct loop *l, int fd,
	     const struct conn_ops *ops, void *owner, size_t out_limit)
{
	struct ttrpc_conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->loop = l;
	c->ops = ops;
	c->owner = owner;
	c->out_limit = out_limit;
	list_init(&c->out);
	list_init(&c->link);
	list_init(&c->calls);
	work_init(&c->closer, conn_lost);
	timer_init(&c->more, conn_more);
	r = watch_add(l, &c->watch, fd, EPOLLIN, conn_ready);
	if (r < 0) {
		close(fd);
		free(c);
		return r;
	}
	*out = c;
	return 0;
}
