/* SPDX-License-Identifier: Apache-2.0 */
/* When small pieces of output are left to gather, and when they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shim/gather.h"
#include "shim/limits.h"

static struct loop loop;
static struct gather gather;
static int looks;

static void look(struct timer *t)
{
	(void)t;
	looks++;
}

static int setup(void **state)
{
	(void)state;
	looks = 0;
	gather_init(&gather, look);
	return loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	timer_disarm(&gather.timer);
	loop_fini(&loop);
	return 0;
}

/* Pieces of a window that does not end. Whether one of them began to gather. */
static bool come(unsigned n, size_t size)
{
	bool begun = false;

	for (unsigned i = 0; i < n; i++) {
		gather.since = loop_now();
		begun |= gather_begins(&gather, &loop, size);
	}
	return begun;
}

static void a_stream_gathers(void **state)
{
	uint64_t begin;

	(void)state;
	assert_false(come(LIMIT_GATHER_PIECES - 1, 80));
	assert_int_equal(looks, 0);
	begin = loop_now();
	assert_true(come(1, 80));
	while (looks == 0)
		assert_int_equal(loop_round(&loop, 1000), 0);
	assert_true(loop_now() - begin >= LIMIT_GATHER_MS * LOOP_MSEC);
	/* It was worth it: once more, at once. */
	assert_true(gather_begins(&gather, &loop, LIMIT_GATHER_LEAST));
	/* It was not: they have to be counted anew. */
	assert_false(gather_begins(&gather, &loop, 0));
	gather.pieces = 0;
	assert_false(come(1, LIMIT_GATHER_LEAST));
}

static void a_conversation_does_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * LIMIT_GATHER_PIECES; i++) {
		gather.since -= i % 8 == 0 ? LIMIT_GATHER_WINDOW_MS * LOOP_MSEC : 0;
		assert_false(gather_begins(&gather, &loop, 80));
	}
}

static void much_does_not(void **state)
{
	(void)state;
	assert_false(come(3 * LIMIT_GATHER_PIECES, LIMIT_GATHER_MOST));
	/* And ends it. */
	assert_true(come(LIMIT_GATHER_PIECES, 80));
	assert_false(gather_begins(&gather, &loop, LIMIT_GATHER_MOST));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stream_gathers),
		TEST(a_conversation_does_not),
		TEST(much_does_not),
	};

	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
