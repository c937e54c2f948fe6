/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the loop share: a loop, socket pairs and timers that note when. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ttrpc/loop.h"

static struct loop loop;
static int fds_before;

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline int setup(void **state)
{
	(void)state;
	fds_before = count_fds();
	return loop_init(&loop);
}

static inline int teardown(void **state)
{
	(void)state;
	loop_fini(&loop);
	return count_fds() == fds_before ? 0 : -1;
}

/* One end of a socket pair, watched; the other end is ours to play with. */
struct end {
	struct watch watch;
	int fd, peer;
	int calls;
	uint32_t events;
	void (*then)(struct end *e);
	struct end *other;
};

static inline void end_ready(struct watch *w, uint32_t events)
{
	struct end *e = container_of(w, struct end, watch);

	e->calls++;
	e->events = events;
	if (e->then)
		e->then(e);
}

static inline void end_open(struct end *e, uint32_t mask)
{
	int sv[2];

	memset(e, 0, sizeof(*e));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	e->fd = sv[0];
	e->peer = sv[1];
	assert_int_equal(watch_add(&loop, &e->watch, e->fd, mask, end_ready), 0);
}

static inline void end_hang_up(struct end *e)
{
	close(e->peer);
	e->peer = -1;
}

static inline void end_close(struct end *e)
{
	watch_del(&e->watch);
	close(e->fd);
	if (e->peer >= 0)
		close(e->peer);
}

static inline void poke(struct end *e)
{
	assert_int_equal(write(e->peer, "x", 1), 1);
}

struct alarm {
	struct timer timer;
	int calls;
	int order;
	void (*then)(struct alarm *a);
	struct alarm *other;
};

static int next_order;

static inline void alarm_fires(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	a->calls++;
	a->order = ++next_order;
	if (a->then)
		a->then(a);
}

static inline void alarm_init(struct alarm *a)
{
	memset(a, 0, sizeof(*a));
	timer_init(&a->timer, alarm_fires);
	next_order = 0;
}

/* Rounds that it takes until @a fires. */
static inline int rounds_until(struct alarm *a)
{
	int n = 0;

	while (!a->calls) {
		assert_int_equal(loop_round(&loop, -1), 0);
		n++;
	}
	return n;
}

static inline int rounds_in(uint64_t ns)
{
	struct alarm a;

	alarm_init(&a);
	timer_arm_in(&loop, &a.timer, ns);
	return rounds_until(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
