/* SPDX-License-Identifier: Apache-2.0 */
/* Relaying a terminal; see tty.h. One descriptor per terminal, whoever counts them. */
#include "shim/tty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/util.h"

#define PTMX_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

static uint8_t buffer[LIMIT_TTY_BUFFER];

static void rest_free(struct tty_rest *r)
{
	free(r->data);
	*r = (struct tty_rest){ 0 };
}

/* 0: all written; -EAGAIN: later; other negative errno: the other side is broken. */
static int rest_write(struct tty_rest *r, int fd)
{
	while (r->len > 0) {
		ssize_t n = write(fd, r->data + r->off, r->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r->off += (size_t)n;
		r->len -= (size_t)n;
	}
	rest_free(r);
	return 0;
}

/*
 * Writes the shared buffer's first @len bytes, or keeps what does not fit; with @all also
 * what is refused.
 */
static int rest_take(struct tty_rest *r, int fd, size_t len, bool all)
{
	struct tty_rest now = { buffer, 0, len };

	while (now.len > 0) {
		ssize_t n = write(fd, now.data + now.off, now.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && !all)
			return -errno;
		if (n < 0)
			break;
		now.off += (size_t)n;
		now.len -= (size_t)n;
	}
	if (now.len == 0)
		return 0;
	r->data = malloc(now.len);
	if (!r->data)
		return -ENOMEM;
	memcpy(r->data, buffer + now.off, now.len);
	r->len = now.len;
	return -EAGAIN;
}

static void end(struct tty *t)
{
	int out = t->out.fd;

	watch_del(&t->out);
	t->out.fd = -1;
	tty_stop(t);
	t->done(t, out);
}

/*
 * The sink is broken: @n bytes are lost, but the container goes on. A file, which
 * the loop cannot watch, may have room again; what was a FIFO is given up.
 */
static void out_broke(struct tty *t, size_t n, int error)
{
	int fd = t->out.fd;

	t->lost += t->to_out.len + n;
	t->moved -= t->to_out.len; /* they were to be */
	rest_free(&t->to_out);
	if (!t->out.loop || error == -ENOMEM)
		return;
	watch_del(&t->out);
	closep(&fd);
	t->out.fd = -1;
}

/* What was read goes out, now or later, or is lost or dropped. */
static void put_out(struct tty *t, size_t n)
{
	uint64_t before = t->lost + (t->pace ? t->pace->dropped : 0);
	size_t lost = 0;
	int r;

	if (t->out.fd < 0) {
		t->lost += n;
		return;
	}
	if (t->pace && t->pace->policy.drop) {
		r = pace_write(t->pace, t->out.fd, buffer, n, &lost);
	} else {
		r = rest_take(&t->to_out, t->out.fd, n, false);
		lost = n;
		if (t->pace)
			pace_passed(t->pace, n);
	}
	if (r < 0 && r != -EAGAIN)
		out_broke(t, lost, r);
	t->moved += n - (t->lost + (t->pace ? t->pace->dropped : 0) - before);
}

/*
 * Moves output until there is none (0), the sink is full (-EAGAIN), its rate is
 * used up (-EBUSY) or it has ended (1).
 */
static int move_out(struct tty *t)
{
	bool blocks = t->pace && !t->pace->policy.drop;

	for (size_t moved = 0; moved < LIMIT_TTY_ROUND;) {
		size_t room = blocks ? pace_room(t->pace) : SIZE_MAX;
		ssize_t n;
		int r;

		if (t->to_out.len > 0) {
			r = rest_write(&t->to_out, t->out.fd);
			if (r == -EAGAIN)
				return r;
			if (r < 0)
				out_broke(t, 0, r);
		}
		if (room == 0)
			return -EBUSY;
		n = read(t->ptmx.fd, buffer, room < sizeof(buffer) ? room : sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return t->process_ended && (n == 0 || errno != EAGAIN) ? 1 : 0;
		moved += (size_t)n;
		put_out(t, (size_t)n);
	}
	work_queue(t->loop, &t->more);
	return 0;
}

/* As move_out(), from the client's stdin; 1: it has ended. */
static int move_in(struct tty *t)
{
	for (size_t moved = 0; moved < LIMIT_TTY_ROUND && t->in.fd >= 0;) {
		ssize_t n;
		int r;

		if (t->to_ptmx.len > 0) {
			r = rest_write(&t->to_ptmx, t->ptmx.fd);
			if (r < 0)
				return -EAGAIN;
		}
		n = read(t->in.fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return 0;
		if (n == 0)
			return 1;
		moved += (size_t)n;
		r = rest_take(&t->to_ptmx, t->ptmx.fd, (size_t)n, true);
		if (r == -ENOMEM)
			return 0;
	}
	return 0;
}

/* All output has been moved that there was. */
static void gather(struct tty *t, uint64_t n)
{
	if (!t->pace && !t->process_ended && gather_begins(&t->gather, t->loop, (size_t)n))
		watch_set(&t->ptmx, EPOLLET); /* a hang-up is told once */
}

static void pump(struct tty *t)
{
	uint64_t before = t->moved;
	int r = move_out(t);

	if (r == 1) {
		end(t);
		return;
	}
	if (r == 0)
		gather(t, t->moved - before);
	/* A regular file is not watched: it is always ready. */
	if (t->out.loop)
		watch_set(&t->out, r == -EAGAIN ? EPOLLOUT : 0);
	if (r == -EBUSY)
		pace_wait(t->pace);
	if (!t->told && (t->lost > 0 || (t->pace && t->pace->dropped > 0))) {
		t->told = true;
		if (t->losing)
			t->losing(t);
	}
	r = move_in(t);
	if (r == 1) {
		/* As the stock shim does: the end of stdin hangs up the terminal. */
		end(t);
		return;
	}
	/* A full terminal tells by EPOLLOUT of the ptmx when it has room again. */
	if (t->in.fd >= 0)
		watch_set(&t->in, r == -EAGAIN ? 0 : EPOLLIN);
}

static void on_ptmx(struct watch *w, uint32_t events)
{
	(void)events;
	pump(container_of(w, struct tty, ptmx));
}

static void on_in(struct watch *w, uint32_t events)
{
	(void)events;
	pump(container_of(w, struct tty, in));
}

static void on_out(struct watch *w, uint32_t events)
{
	(void)events;
	pump(container_of(w, struct tty, out));
}

static void on_gathered(struct timer *t)
{
	struct tty *tty = container_of(t, struct tty, gather.timer);

	watch_set(&tty->ptmx, PTMX_EVENTS);
	pump(tty);
}

static void on_more(struct work *w)
{
	pump(container_of(w, struct tty, more));
}

int tty_start(struct tty *t, struct loop *l, int ptmx, int in, int out,
	      void (*done)(struct tty *, int))
{
	int r;

	*t = (struct tty){ .loop = l, .ptmx = WATCH_INIT, .in = WATCH_INIT, .out = WATCH_INIT,
			   .done = done, .losing = t->losing };
	work_init(&t->more, on_more);
	gather_init(&t->gather, on_gathered);
	r = watch_add(l, &t->ptmx, ptmx, PTMX_EVENTS, on_ptmx);
	if (r == 0 && in >= 0)
		r = watch_add(l, &t->in, in, EPOLLIN, on_in);
	if (r == 0 && out >= 0) {
		r = watch_add(l, &t->out, out, 0, on_out);
		if (r == -EPERM)
			r = 0; /* a regular file, which is always ready */
	}
	t->ptmx.fd = ptmx;
	t->in.fd = in;
	t->out.fd = out;
	if (r < 0)
		tty_stop(t);
	return r;
}

void tty_set_pace(struct tty *t, struct pace *p)
{
	t->pace = p;
}

void tty_go_on(struct tty *t)
{
	if (t->loop)
		pump(t);
}

void tty_process_ended(struct tty *t)
{
	int in = t->in.fd;

	if (!t->loop)
		return;
	t->process_ended = true;
	watch_del(&t->in);
	closep(&in);
	t->in.fd = -1;
	rest_free(&t->to_ptmx);
	work_queue(t->loop, &t->more);
}

int tty_resize(struct tty *t, uint16_t width, uint16_t height)
{
	const struct winsize size = { .ws_row = height, .ws_col = width };

	if (!t->loop)
		return 0;
	return ioctl(t->ptmx.fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

void tty_stop(struct tty *t)
{
	struct watch *const all[] = { &t->ptmx, &t->in, &t->out };

	if (!t->loop)
		return;
	work_cancel(&t->more);
	timer_disarm(&t->gather.timer);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int fd = all[i]->fd;

		watch_del(all[i]);
		closep(&fd);
		all[i]->fd = -1;
	}
	rest_free(&t->to_ptmx);
	rest_free(&t->to_out);
	t->loop = NULL;
}
