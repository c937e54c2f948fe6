/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: watches removed from anywhere, silence, signals, stopping. */
#include "tests/unit/loop-common.h"

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
	/* Its owner closes it: whoever closes what the watch has must not do so again. */
	assert_int_equal(w.fd, -1);
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
static bool gives_back;

static bool rest(struct loop *l)
{
	assert_ptr_equal(l, &loop);
	rests++;
	return gives_back;
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

/* Something comes, and then nothing for @ms. */
static int rests_in(struct end *e, int ms)
{
	int before = rests;

	poke(e);
	assert_int_equal(loop_round(&loop, -1), 0);
	assert_int_equal(loop_round(&loop, ms), 0);
	return rests - before;
}

/* Rests that are always too short to pay are not tried each time. */
static void rests_only_if_it_pays(void **state)
{
	struct end e;

	(void)state;
	loop.quiet = rest;
	loop.quiet_ms = 50;
	end_open(&e, EPOLLIN | EPOLLET);
	gives_back = false;
	for (int i = 0; i < LOOP_HASTY + 1; i++)
		assert_int_equal(rests_in(&e, 51), 1);
	gives_back = true;
	for (int i = 0; i < LOOP_HASTY; i++)
		assert_int_equal(rests_in(&e, 51), 1);
	assert_int_equal(rests_in(&e, 50 * LOOP_REST_PAYS), 0);
	assert_int_equal(rests_in(&e, 50 * LOOP_REST_PAYS + 1), 1);
	assert_int_equal(rests_in(&e, 51), 0);
	assert_int_equal(rests_in(&e, 50 * LOOP_REST_PAYS + 1), 1);
	/* This time it lasts. */
	assert_int_equal(loop_round(&loop, 50 * LOOP_REST_PAYS), 0);
	assert_int_equal(rests_in(&e, 51), 1);
	gives_back = false;
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
		TEST(signals_arrive),
		TEST(run_until_stopped),
		TEST(rests_once),
		TEST(rests_only_if_it_pays),
		TEST(round_reports_failure),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
