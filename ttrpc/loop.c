/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: the only file that calls epoll. It owns the epoll descriptor
 * and the order of callbacks; it must not own what the callbacks are about,
 * allocate memory, or wake up when nothing happens.
 *
 * Whatever is fetched or due at one time is run from a place that removals can
 * reach: events from loop.batch, which watch_del() scrubs, timers and works
 * from a list on the stack, which list_del() unlinks them from.
 */
#include "ttrpc/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int loop_init(struct loop *l)
{
	l->stopped = false;
	l->result = 0;
	l->quiet = NULL;
	l->quiet_ms = 0;
	l->rests_since = 0;
	l->hasty = 0;
	l->stirred = true;
	l->batch_pos = l->batch_len = 0;
	list_init(&l->timers);
	list_init(&l->works);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_fini(struct loop *l)
{
	while (!list_empty(&l->timers))
		list_del(l->timers.next);
	while (!list_empty(&l->works))
		list_del(l->works.next);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
	l->batch_pos = l->batch_len = 0;
}

static void run_works(struct loop *l)
{
	struct list now = LIST_INIT(now);
	struct work *w;

	/* What a work queues waits for the next run, so that this one ends. */
	list_splice(&now, &l->works);
	while ((w = list_first(&now, struct work, link))) {
		list_del(&w->link);
		w->fn(w);
	}
}

static void run_timers(struct loop *l)
{
	struct list due = LIST_INIT(due);
	struct timer *t;
	uint64_t now;

	if (list_empty(&l->timers))
		return;
	now = loop_now();
	while ((t = list_first(&l->timers, struct timer, link)) && t->due <= now) {
		list_del(&t->link);
		list_append(&due, &t->link);
	}
	while ((t = list_first(&due, struct timer, link))) {
		list_del(&t->link);
		t->fn(t);
	}
}

/* How long to wait, in ms, when the caller would wait for @timeout_ms. */
static int wait_time(const struct loop *l, int timeout_ms)
{
	const struct timer *t = list_first(&l->timers, const struct timer, link);
	uint64_t now, ms;

	if (!list_empty(&l->works))
		return 0;
	if (!t)
		return timeout_ms;
	now = loop_now();
	if (t->due <= now)
		return 0;
	/* Rounded up: a wake-up before the time is due would only be repeated. */
	ms = (t->due - now - 1) / LOOP_MSEC + 1;
	if (timeout_ms >= 0 && ms > (uint64_t)timeout_ms)
		return timeout_ms;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void run_events(struct loop *l)
{
	while (l->batch_pos < l->batch_len) {
		struct epoll_event *ev = &l->batch[l->batch_pos++];
		struct watch *w = ev->data.ptr;
		uint32_t events;

		/* NULL: removed by an earlier callback of this batch. */
		if (!w || w->mask == 0)
			continue;
		events = ev->events & (w->mask | EPOLLERR | EPOLLHUP);
		if (events)
			w->fn(w, events);
	}
	l->batch_pos = l->batch_len = 0;
}

static bool was_hasty(const struct loop *l)
{
	return loop_now() - l->rests_since < (uint64_t)l->quiet_ms * LOOP_REST_PAYS * LOOP_MSEC;
}

static void stir(struct loop *l)
{
	l->stirred = true;
	if (!l->rests_since)
		return;
	if (!was_hasty(l))
		l->hasty = 0;
	else if (l->hasty < LOOP_HASTY)
		l->hasty++;
	l->rests_since = 0;
}

int loop_round(struct loop *l, int timeout_ms)
{
	int64_t quiet_ms = (int64_t)l->quiet_ms * (l->hasty < LOOP_HASTY ? 1 : LOOP_REST_PAYS);
	bool may_rest = l->quiet && l->stirred && quiet_ms < INT_MAX;
	int n;

	assert(l->batch_len == 0); /* rounds do not nest */
	run_works(l);
	timeout_ms = l->stopped ? 0 : wait_time(l, timeout_ms);
	may_rest = may_rest && (timeout_ms < 0 || timeout_ms > quiet_ms);
	n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, may_rest ? (int)quiet_ms : timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	/* Not by timers: what only tries again now and then needs no rest each time. */
	if (n != 0) {
		stir(l);
	} else if (may_rest) {
		l->stirred = false;
		l->rests_since = l->quiet(l) ? loop_now() : 0;
	}
	l->batch_len = n < 0 ? 0 : n;
	run_timers(l);
	run_events(l);
	run_works(l);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!l->stopped) {
		int r = loop_round(l, -1);

		if (r < 0)
			return r;
	}
	l->stopped = false;
	return l->result;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LOOP_SEC + (uint64_t)ts.tv_nsec;
}

/*
 * A watch that wants nothing stays registered, so that wanting something again
 * needs no memory and cannot fail. epoll(7) reports EPOLLHUP and EPOLLERR even
 * so; edge-triggered it does that once per change and not in every round.
 */
static struct epoll_event watch_event(struct watch *w)
{
	return (struct epoll_event){
		.events = w->mask ? w->mask : EPOLLET,
		.data.ptr = w,
	};
}

int watch_add(struct loop *l, struct watch *w, int fd, uint32_t mask,
	      void (*fn)(struct watch *, uint32_t))
{
	struct epoll_event ev;

	assert(!w->loop);
	w->mask = mask;
	ev = watch_event(w);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	w->fd = fd;
	w->fn = fn;
	w->loop = l;
	return 0;
}

void watch_set(struct watch *w, uint32_t mask)
{
	struct epoll_event ev;
	int r;

	assert(w->loop);
	if (w->mask == mask)
		return;
	w->mask = mask;
	ev = watch_event(w);
	r = epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
	assert(r == 0);
	(void)r;
}

void watch_del(struct watch *w)
{
	struct loop *l = w->loop;
	int i;

	if (!l)
		return;
	w->loop = NULL;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (i = l->batch_pos; i < l->batch_len; i++) {
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
	}
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	list_init(&t->link);
	t->due = 0;
	t->fn = fn;
}

void timer_arm(struct loop *l, struct timer *t, uint64_t due)
{
	struct list *at;

	list_del(&t->link);
	t->due = due;
	/* From the end: most timers are the latest when they are set. */
	for (at = l->timers.prev; at != &l->timers; at = at->prev) {
		if (container_of(at, struct timer, link)->due <= due)
			break;
	}
	list_append(at->next, &t->link);
}

void timer_arm_in(struct loop *l, struct timer *t, uint64_t ns)
{
	uint64_t now = loop_now();

	timer_arm(l, t, ns > UINT64_MAX - now ? UINT64_MAX : now + ns);
}

void timer_disarm(struct timer *t)
{
	list_del(&t->link);
}

bool timer_is_armed(const struct timer *t)
{
	return !list_empty(&t->link);
}

void work_init(struct work *w, void (*fn)(struct work *))
{
	list_init(&w->link);
	w->fn = fn;
}

void work_queue(struct loop *l, struct work *w)
{
	if (list_empty(&w->link))
		list_append(&l->works, &w->link);
}

void work_cancel(struct work *w)
{
	list_del(&w->link);
}

static void sigwatch_ready(struct watch *w, uint32_t events)
{
	struct sigwatch *s = container_of(w, struct sigwatch, watch);
	struct signalfd_siginfo si;

	(void)events;
	/* One at a time, because the callback may release @s. */
	if (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		s->fn(s, (int)si.ssi_signo);
}

int sigwatch_add(struct loop *l, struct sigwatch *s, const sigset_t *signals,
		 void (*fn)(struct sigwatch *, int signo))
{
	int fd, r;

	s->fn = fn;
	if (sigprocmask(SIG_BLOCK, signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = watch_add(l, &s->watch, fd, EPOLLIN, sigwatch_ready);
	if (r < 0)
		close(fd);
	return r;
}

void sigwatch_del(struct sigwatch *s)
{
	if (!s->watch.loop)
		return;
	watch_del(&s->watch);
	close(s->watch.fd);
}
