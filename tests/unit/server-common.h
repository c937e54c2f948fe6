/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the server share: one with a peer made of raw bytes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/rig.h"

static struct rig rig;
static struct answer answer;
static int fds_before;

static inline int setup(void **state)
{
	(void)state;
	fds_before = rig_count_fds();
	return rig_open(&rig, NULL, -1);
}

/* For tests that open the rig with limits of their own. */
static inline int setup_fds(void **state)
{
	(void)state;
	fds_before = rig_count_fds();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return rig_count_fds() == fds_before ? 0 : -1;
}

static inline void open_with(unsigned conns, unsigned calls, unsigned all_calls, size_t output)
{
	const struct ttrpc_limits limits = {
		.conns = conns, .calls = calls, .all_calls = all_calls, .output = output,
	};

	assert_int_equal(rig_open(&rig, &limits, -1), 0);
}

static inline void want(uint32_t stream, int code, const char *text)
{
	assert_true(rig_answer(&rig, rig.peer, &answer));
	assert_int_equal(answer.head.stream, stream);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.code, code);
	if (code)
		assert_int_equal(answer.data_len, 0);
}

static inline void want_value(uint32_t stream, const char *value)
{
	want(stream, 0, "");
	assert_string_equal(answer.value, value);
}

/* The connection is in order, and nothing else was sent on it before. */
static inline void want_works(uint32_t stream)
{
	rig_ask(&rig, &(struct ask){ stream, .method = "Echo", .value = "works" });
	want_value(stream, "works");
	assert_int_equal(rig.server.n_calls, 0);
}

static inline void send_frame(uint32_t stream, unsigned type, unsigned flags,
		       const void *payload, size_t len)
{
	struct bytes b = { 0 };

	put_frame(&b, stream, type, flags, payload, len);
	rig_send(&rig, rig.peer, &b);
}

/* Runs until nothing happens any more. */
static inline void settle(void)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_round(&rig.loop, 0);
}

static inline void run_until(const int *counter, int value)
{
	while (*counter < value)
		loop_round(&rig.loop, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OWN(name) cmocka_unit_test_setup_teardown(name, setup_fds, teardown)
