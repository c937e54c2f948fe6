/* SPDX-License-Identifier: Apache-2.0 */
/* Timers and work of the event loop: in order, never early, and no round too many. */
#include "tests/unit/loop-common.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("loop timers", tests, NULL, NULL);
}
