/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: removal from anywhere, silence, order, and no round too many. */
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

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	(void)state;
	fds_before = count_fds();
	return loop_init(&loop);
}

static int teardown(void **state)
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

static void end_ready(struct watch *w, uint32_t events)
{
	struct end *e = container_of(w, struct end, watch);

	e->calls++;
	e->events = events;
	if (e->then)
		e->then(e);
}

static void end_open(struct end *e, uint32_t mask)
{
	int sv[2];

	memset(e, 0, sizeof(*e));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	e->fd = sv[0];
	e->peer = sv[1];
	assert_int_equal(watch_add(&loop, &e->watch, e->fd, mask, end_ready), 0);
}

static void end_hang_up(struct end *e)
{
	close(e->peer);
	e->peer = -1;
}

static void end_close(struct end *e)
{
	watch_del(&e->watch);
	close(e->fd);
	if (e->peer >= 0)
		close(e->peer);
}

static void poke(struct end *e)
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

static void alarm_fires(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	a->calls++;
	a->order = ++next_order;
	if (a->then)
		a->then(a);
}

static void alarm_init(struct alarm *a)
{
	memset(a, 0, sizeof(*a));
	timer_init(&a->timer, alarm_fires);
	next_order = 0;
}

/* Rounds that it takes until @a fires. */
static int rounds_until(struct alarm *a)
{
	int n = 0;

	while (!a->calls) {
		assert_int_equal(loop_round(&loop, -1), 0);
		n++;
	}
	return n;
}

static int rounds_in(uint64_t ns)
{
	struct alarm a;

	alarm_init(&a);
	timer_arm_in(&loop, &a.timer, ns);
	return rounds_until(&a);
}

/* ------------------------------------------------------------ watches */

static void delivers_while_level_holds(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	loop_round(&loop, 0);
	assert_int_equal(e.calls, 0);
	poke(&e);
	loop_round(&loop, -1);
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.events, EPOLLIN);
	loop_round(&loop, -1);
	assert_int_equal(e.calls, 2);
	end_close(&e);
}

static void remove_self(struct end *e)
{
	watch_del(&e->watch);
}

static void watch_removes_itself(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	e.then = remove_self;
	poke(&e);
	loop_round(&loop, -1);
	loop_round(&loop, 0);
	assert_int_equal(e.calls, 1);
	watch_del(&e.watch);
	e.then = NULL;
	assert_int_equal(watch_add(&loop, &e.watch, e.fd, EPOLLIN, end_ready), 0);
	loop_round(&loop, -1);
	assert_int_equal(e.calls, 2);
	end_close(&e);
}

static void remove_other(struct end *e)
{
	watch_del(&e->other->watch);
}

static void removed_in_the_same_batch(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, EPOLLIN);
	end_open(&b, EPOLLIN);
	a.other = &b;
	b.other = &a;
	a.then = b.then = remove_other;
	poke(&a);
	poke(&b);
	loop_round(&loop, -1);
	assert_int_equal(a.calls + b.calls, 1);
	end_close(&a);
	end_close(&b);
}

static void move_other(struct end *e)
{
	struct end *o = e->other;

	watch_del(&o->watch);
	close(o->fd);
	close(o->peer);
	end_open(o, EPOLLIN);
}

/* The event was of the descriptor before; the new one has nothing to say. */
static void added_again_in_the_same_batch(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, EPOLLIN);
	end_open(&b, EPOLLIN);
	a.other = &b;
	b.other = &a;
	a.then = b.then = move_other;
	poke(&a);
	poke(&b);
	loop_round(&loop, -1);
	assert_int_equal(a.calls + b.calls, 1);
	a.then = b.then = NULL;
	a.calls = b.calls = 0;
	poke(&a);
	poke(&b);
	loop_round(&loop, -1);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	end_close(&a);
	end_close(&b);
}

static void silence_other(struct end *e)
{
	watch_set(&e->other->watch, 0);
}

static void narrow_other(struct end *e)
{
	watch_set(&e->other->watch, EPOLLOUT);
}

static void mask_changed_in_the_same_batch(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, EPOLLIN);
	end_open(&b, EPOLLIN);
	a.other = &b;
	b.other = &a;
	a.then = b.then = silence_other;
	poke(&a);
	poke(&b);
	loop_round(&loop, -1);
	assert_int_equal(a.calls + b.calls, 1);
	watch_set(&a.watch, EPOLLIN);
	watch_set(&b.watch, EPOLLIN);
	a.then = b.then = narrow_other;
	loop_round(&loop, -1);
	assert_int_equal(a.calls + b.calls, 2);
	end_close(&a);
	end_close(&b);
}

static void silent_watch_does_not_spin(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	watch_set(&e.watch, 0);
	poke(&e);
	end_hang_up(&e);
	/* One for the edge, one for the timer. */
	assert_in_range(rounds_in(30 * LOOP_MSEC), 1, 2);
	assert_int_equal(rounds_in(30 * LOOP_MSEC), 1);
	assert_int_equal(e.calls, 0);
	watch_set(&e.watch, EPOLLIN);
	loop_round(&loop, -1);
	assert_int_equal(e.calls, 1);
	assert_true(e.events & EPOLLIN && e.events & EPOLLHUP);
	end_close(&e);
}

static void added_silent(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, 0);
	end_hang_up(&e);
	assert_in_range(rounds_in(20 * LOOP_MSEC), 1, 2);
	assert_int_equal(e.calls, 0);
	watch_set(&e.watch, EPOLLOUT);
	loop_round(&loop, -1);
	assert_int_equal(e.calls, 1);
	assert_true(e.events & EPOLLHUP);
	end_close(&e);
}

static void refuses_what_cannot_be_polled(void **state)
{
	struct watch w = WATCH_INIT;
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	assert_int_equal(watch_add(&loop, &w, fileno(f), EPOLLIN, NULL), -EPERM);
	assert_int_equal(watch_add(&loop, &w, -1, EPOLLIN, NULL), -EBADF);
	watch_del(&w);
	fclose(f);
}

static void more_watches_than_a_batch(void **state)
{
	static struct end ends[3 * LOOP_BATCH];
	int i, n = 3 * LOOP_BATCH;

	(void)state;
	for (i = 0; i < n; i++) {
		end_open(&ends[i], EPOLLIN);
		ends[i].then = remove_self;
		poke(&ends[i]);
	}
	for (i = 0; i < 3; i++)
		loop_round(&loop, 0);
	for (i = 0; i < n; i++) {
		assert_int_equal(ends[i].calls, 1);
		end_close(&ends[i]);
	}
}

/* ------------------------------------------------------------- timers */

static void timers_in_order(void **state)
{
	uint64_t now = loop_now();
	struct alarm a[5];
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		alarm_init(&a[i]);
	timer_arm(&loop, &a[0].timer, now + 3 * LOOP_MSEC);
	timer_arm(&loop, &a[1].timer, now + 1 * LOOP_MSEC);
	timer_arm(&loop, &a[2].timer, now + 2 * LOOP_MSEC);
	timer_arm(&loop, &a[3].timer, now + 2 * LOOP_MSEC);
	timer_arm(&loop, &a[4].timer, now + 1 * LOOP_MSEC);
	/* Moving counts from the moment of the move. */
	timer_arm(&loop, &a[4].timer, now + 2 * LOOP_MSEC);
	while (!a[0].calls)
		loop_round(&loop, -1);
	assert_int_equal(a[1].order, 1);
	assert_int_equal(a[2].order, 2);
	assert_int_equal(a[3].order, 3);
	assert_int_equal(a[4].order, 4);
	assert_int_equal(a[0].order, 5);
	for (i = 0; i < 5; i++)
		assert_false(timer_is_armed(&a[i].timer));
}

/* Were the wait rounded down, the last part of it would be a busy loop. */
static void timer_needs_one_round(void **state)
{
	int i;

	(void)state;
	for (i = 1; i <= 20; i++)
		assert_int_equal(rounds_in((uint64_t)i * 310 * 1000), 1);
}

static void timer_is_never_early(void **state)
{
	struct alarm a;
	uint64_t due = loop_now() + 2700 * 1000;

	(void)state;
	alarm_init(&a);
	timer_arm(&loop, &a.timer, due);
	rounds_until(&a);
	assert_true(loop_now() >= due);
}

static void arm_again_at_once(struct alarm *a)
{
	timer_arm(&loop, &a->timer, 0);
}

static void timer_armed_in_its_callback(void **state)
{
	struct alarm a;

	(void)state;
	alarm_init(&a);
	a.then = arm_again_at_once;
	timer_arm(&loop, &a.timer, 0);
	loop_round(&loop, -1);
	assert_int_equal(a.calls, 1);
	assert_true(timer_is_armed(&a.timer));
	loop_round(&loop, -1);
	assert_int_equal(a.calls, 2);
	timer_disarm(&a.timer);
	timer_disarm(&a.timer);
	loop_round(&loop, 0);
	assert_int_equal(a.calls, 2);
}

static void disarm_other(struct alarm *a)
{
	timer_disarm(&a->other->timer);
}

static void due_timer_disarmed_by_another(void **state)
{
	struct alarm a, b;

	(void)state;
	alarm_init(&a);
	alarm_init(&b);
	a.then = disarm_other;
	a.other = &b;
	timer_arm(&loop, &a.timer, 0);
	timer_arm(&loop, &b.timer, 0);
	loop_round(&loop, 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
}

static void wait_is_the_shorter_of_two(void **state)
{
	struct alarm a;
	uint64_t start = loop_now();

	(void)state;
	alarm_init(&a);
	timer_arm_in(&loop, &a.timer, UINT64_MAX);
	assert_true(a.timer.due == UINT64_MAX);
	loop_round(&loop, 1);
	assert_int_equal(a.calls, 0);
	timer_arm_in(&loop, &a.timer, LOOP_MSEC);
	loop_round(&loop, 60000);
	assert_int_equal(a.calls, 1);
	assert_true(loop_now() - start < 30 * LOOP_SEC);
}

static struct end *timer_victim;

static void remove_victim(struct alarm *a)
{
	(void)a;
	watch_del(&timer_victim->watch);
}

/* The events of a round are fetched before its timers run. */
static void timer_removes_a_ready_watch(void **state)
{
	struct alarm a;
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	poke(&e);
	timer_victim = &e;
	alarm_init(&a);
	a.then = remove_victim;
	timer_arm(&loop, &a.timer, 0);
	loop_round(&loop, 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(e.calls, 0);
	end_close(&e);
}

/* --------------------------------------------------------------- work */

struct job {
	struct work work;
	int calls, order;
	struct job *queues, *cancels;
};

static void job_runs(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->calls++;
	j->order = ++next_order;
	if (j->queues)
		work_queue(&loop, &j->queues->work);
	if (j->cancels)
		work_cancel(&j->cancels->work);
}

static void jobs_init(struct job *j, int n)
{
	next_order = 0;
	while (n--) {
		memset(j, 0, sizeof(*j));
		work_init(&j++->work, job_runs);
	}
}

static void work_runs_once_in_order(void **state)
{
	struct job j[3];

	(void)state;
	jobs_init(j, 3);
	work_queue(&loop, &j[1].work);
	work_queue(&loop, &j[0].work);
	work_queue(&loop, &j[1].work);
	work_queue(&loop, &j[2].work);
	work_cancel(&j[2].work);
	loop_round(&loop, 0);
	loop_round(&loop, 0);
	assert_int_equal(j[0].calls, 1);
	assert_int_equal(j[1].calls, 1);
	assert_int_equal(j[1].order, 1);
	assert_int_equal(j[2].calls, 0);
}

static void work_queues_work(void **state)
{
	struct job j[2];
	int i;

	(void)state;
	jobs_init(j, 2);
	j[0].queues = &j[1];
	work_queue(&loop, &j[0].work);
	/* Does not wait: there is work, and then the end of the round. */
	loop_round(&loop, -1);
	assert_int_equal(j[1].calls, 1);

	/* One that queues itself neither blocks the loop nor is lost. */
	j[1].queues = &j[1];
	work_queue(&loop, &j[1].work);
	for (i = 0; i < 5; i++)
		loop_round(&loop, -1);
	assert_int_equal(j[1].calls, 11);
	work_cancel(&j[1].work);
}

static void work_cancels_work(void **state)
{
	struct job j[2];

	(void)state;
	jobs_init(j, 2);
	j[0].cancels = &j[1];
	work_queue(&loop, &j[0].work);
	work_queue(&loop, &j[1].work);
	loop_round(&loop, 0);
	assert_int_equal(j[0].calls, 1);
	assert_int_equal(j[1].calls, 0);
}

static struct job *event_job;

static void queue_event_job(struct end *e)
{
	(void)e;
	assert_int_equal(event_job->calls, 0);
	work_queue(&loop, &event_job->work);
}

static void work_of_an_event_runs_in_its_round(void **state)
{
	struct job j;
	struct end e;

	(void)state;
	jobs_init(&j, 1);
	event_job = &j;
	end_open(&e, EPOLLIN);
	e.then = queue_event_job;
	poke(&e);
	loop_round(&loop, -1);
	assert_int_equal(j.calls, 1);
	end_close(&e);
}

static void fini_forgets(void **state)
{
	struct job j;
	struct alarm a;

	(void)state;
	jobs_init(&j, 1);
	alarm_init(&a);
	work_queue(&loop, &j.work);
	timer_arm(&loop, &a.timer, 0);
	loop_fini(&loop);
	assert_false(timer_is_armed(&a.timer));
	timer_disarm(&a.timer);
	work_cancel(&j.work);
	loop_fini(&loop);
}

/* ------------------------------------------------------ signals, stop */

static int last_signal, n_signals;

static void got_signal(struct sigwatch *s, int signo)
{
	last_signal = signo;
	n_signals++;
	if (signo == SIGUSR2)
		sigwatch_del(s);
}

static void signals_arrive(void **state)
{
	struct sigwatch s = { .watch = WATCH_INIT };
	sigset_t set, old;

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &old);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	n_signals = 0;
	assert_int_equal(sigwatch_add(&loop, &s, &set, got_signal), 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	loop_round(&loop, -1);
	assert_int_equal(n_signals, 1);
	assert_int_equal(last_signal, SIGUSR1);
	raise(SIGUSR2);
	loop_round(&loop, -1);
	assert_int_equal(last_signal, SIGUSR2);
	raise(SIGUSR1);
	assert_int_equal(rounds_in(5 * LOOP_MSEC), 1);
	assert_int_equal(n_signals, 2);
	sigwatch_del(&s);
	/* Still blocked, or this would have killed us; take it off the queue. */
	assert_int_equal(sigwaitinfo(&set, NULL), SIGUSR1);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void stop_with_7(struct alarm *a)
{
	(void)a;
	loop_stop(&loop, 7);
}

static void run_until_stopped(void **state)
{
	struct alarm a;

	(void)state;
	alarm_init(&a);
	a.then = stop_with_7;
	timer_arm_in(&loop, &a.timer, LOOP_MSEC);
	assert_int_equal(loop_run(&loop), 7);
	loop_stop(&loop, 3);
	assert_int_equal(loop_run(&loop), 3);
	timer_arm_in(&loop, &a.timer, LOOP_MSEC);
	assert_int_equal(loop_run(&loop), 7);
}

static int rests;

static void rest(struct loop *l)
{
	assert_ptr_equal(l, &loop);
	rests++;
}

/* Once after an event, when it has been quiet; not for timers, and not again. */
static void rests_once(void **state)
{
	struct alarm a;
	struct end e;

	(void)state;
	rests = 0;
	loop.quiet = rest;
	loop.quiet_ms = 2;
	end_open(&e, EPOLLIN);
	assert_int_equal(loop_round(&loop, 1), 0);
	assert_int_equal(rests, 0);
	assert_int_equal(loop_round(&loop, 10), 0);
	assert_int_equal(rests, 1);
	alarm_init(&a);
	timer_arm_in(&loop, &a.timer, 5 * LOOP_MSEC);
	assert_int_equal(loop_round(&loop, 10), 0);
	assert_int_equal(loop_round(&loop, 10), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(rests, 1);
	poke(&e);
	assert_int_equal(loop_round(&loop, -1), 0);
	assert_int_equal(rests, 1);
	watch_set(&e.watch, 0);
	assert_int_equal(loop_round(&loop, -1), 0);
	assert_int_equal(rests, 2);
	end_close(&e);
}

static void round_reports_failure(void **state)
{
	struct loop broken;

	(void)state;
	assert_int_equal(loop_init(&broken), 0);
	loop_fini(&broken);
	assert_int_equal(loop_round(&broken, 0), -EBADF);
	assert_int_equal(loop_run(&broken), -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(delivers_while_level_holds),
		TEST(watch_removes_itself),
		TEST(removed_in_the_same_batch),
		TEST(added_again_in_the_same_batch),
		TEST(mask_changed_in_the_same_batch),
		TEST(silent_watch_does_not_spin),
		TEST(added_silent),
		TEST(refuses_what_cannot_be_polled),
		TEST(more_watches_than_a_batch),
		TEST(timers_in_order),
		TEST(timer_needs_one_round),
		TEST(timer_is_never_early),
		TEST(timer_armed_in_its_callback),
		TEST(due_timer_disarmed_by_another),
		TEST(wait_is_the_shorter_of_two),
		TEST(timer_removes_a_ready_watch),
		TEST(work_runs_once_in_order),
		TEST(work_queues_work),
		TEST(work_cancels_work),
		TEST(work_of_an_event_runs_in_its_round),
		TEST(fini_forgets),
		TEST(signals_arrive),
		TEST(run_until_stopped),
		TEST(rests_once),
		TEST(round_reports_failure),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
