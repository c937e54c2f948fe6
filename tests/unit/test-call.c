/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call: its memory and the bounds of that, answers out of order, late, to
 * nobody and after the server is gone; deadlines; metadata; status texts.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/fuzz/rig.h"

static struct rig rig;
static struct answer answer;
static int fds_before;

static int setup(void **state)
{
	(void)state;
	fds_before = rig_count_fds();
	return rig_open(&rig, NULL, -1);
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return rig_count_fds() == fds_before ? 0 : -1;
}

static void want(uint32_t stream, int code, const char *text)
{
	assert_true(rig_answer(&rig, rig.peer, &answer));
	assert_int_equal(answer.head.stream, stream);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.code, code);
}

static void want_works(uint32_t stream)
{
	rig_ask(&rig, &(struct ask){ stream, .method = "Echo", .value = "works" });
	want(stream, 0, "");
	assert_string_equal(answer.value, "works");
}

static void run_until(const int *counter, int value)
{
	while (*counter < value)
		loop_round(&rig.loop, 10);
}

/* Parks @n calls on streams 1, 3, 5 … */
static void park(int n)
{
	int i;

	for (i = 0; i < n; i++)
		rig_ask(&rig, &(struct ask){ (uint32_t)(2 * i + 1), .method = "Park" });
	run_until(&rig.n_handled, n);
}

static struct ttrpc_call *take(uint32_t stream)
{
	struct ttrpc_call *call;

	list_for_each(call, &rig.parked, link) {
		if (call->stream == stream) {
			list_del(&call->link);
			return call;
		}
	}
	return NULL;
}

static void hang_up(void)
{
	close(rig.peer);
	rig.peer = -1;
}

/* -------------------------------------------------------------- arena */

static void arena_is_aligned_and_distinct(void **state)
{
	struct ttrpc_arena a;
	uint8_t *p[200];
	int i;

	(void)state;
	arena_init(&a, 100000);
	for (i = 0; i < 200; i++) {
		size_t align = (size_t)1 << i % 5;

		p[i] = arena_alloc(&a, (size_t)i * 13, align);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % align, 0);
		memset(p[i], i, (size_t)i * 13);
	}
	for (i = 1; i < 200; i++) {
		assert_int_equal(p[i][0], i);
		assert_int_equal(p[i][i * 13 - 1], i);
	}
	arena_release(&a);
	assert_int_equal(a.total, 0);
}

static void arena_is_bounded(void **state)
{
	struct ttrpc_arena a;
	size_t n = 0;

	(void)state;
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, SIZE_MAX, 1));
	assert_null(arena_alloc(&a, SIZE_MAX - 64, 16));
	assert_null(arena_alloc(&a, a.max, 1));
	while (arena_alloc(&a, 100, 8))
		n += 100;
	assert_true(a.total <= a.max);
	assert_true(n > a.max * 3 / 4);
	assert_null(arena_alloc(&a, 100, 8));
	arena_release(&a);
}

/* A large piece must not cost the room that is left for small ones. */
static void large_piece_stands_alone(void **state)
{
	struct ttrpc_arena a;
	uint8_t *small, *next;

	(void)state;
	arena_init(&a, 1 << 20);
	small = arena_alloc(&a, 16, 8);
	assert_non_null(arena_alloc(&a, 1 << 20, 8));
	next = arena_alloc(&a, 16, 8);
	assert_ptr_equal(next, small + 16);
	arena_release(&a);
}

static void garbage_is_not_lack_of_memory(void **state)
{
	struct bytes b = { 0 }, f = { 0 };
	struct ttrpc_arena a;
	ProtobufCMessage *m;
	int i;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(arena_unpack(&a, &ttrpc_pb__request__descriptor,
				      (const uint8_t *)"\x0a\x05", 2, &m), -EBADMSG);
	arena_release(&a);
	/* Empty metadata entries: two bytes each here, a hundred in memory. */
	for (i = 0; i < 100000; i++)
		put(&b, "\x2a\0", 2);
	arena_init(&a, b.len);
	assert_int_equal(arena_unpack(&a, &ttrpc_pb__request__descriptor, b.data, b.len,
				      &m), -ENOMEM);
	assert_true(a.total <= a.max);
	arena_release(&a);
	put_frame(&f, 1, FRAME_REQUEST, 0, b.data, b.len);
	rig_send(&rig, rig.peer, &f);
	drop(&b);
	want(1, TTRPC_RESOURCE_EXHAUSTED,
	     "unmarshal request error: 200000 bytes need too much memory");
	want_works(3);
}

static void inner_message_needs_too_much(void **state)
{
	struct bytes b = { 0 }, request = { 0 }, f = { 0 };
	int i;

	(void)state;
	/* Unknown fields are kept by protobuf-c, at a price. */
	for (i = 0; i < 100000; i++)
		put(&b, "\x18\1", 2);
	put_text(&request, 1, "rig.Rig");
	put_text(&request, 2, "Echo");
	put_field(&request, 3, b.data, b.len);
	put_frame(&f, 1, FRAME_REQUEST, 0, request.data, request.len);
	rig_send(&rig, rig.peer, &f);
	drop(&request);
	drop(&b);
	want(1, TTRPC_RESOURCE_EXHAUSTED,
	     "ttrpc: error unmarshalling payload: 200000 bytes need too much memory");
	assert_int_equal(rig.n_handled, 0);
	want_works(3);
}

/* What a parked Wait of containerd costs, with an id and a trace in it. */
static void parked_call_is_small(void **state)
{
	char id[65];
	struct ttrpc_call *call;

	(void)state;
	memset(id, 'c', 64);
	id[64] = '\0';
	rig_ask(&rig, &(struct ask){
		.stream = 1, .method = "Park", .key = id, .metadata = {
			"containerd-namespace-ttrpc", "k8s.io", "traceparent",
			"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		},
	});
	run_until(&rig.n_handled, 1);
	call = list_first(&rig.parked, struct ttrpc_call, link);
	assert_true(malloc_usable_size(call) < 1024);
	/* It is all there is: one allocation. */
	assert_int_equal(call->arena.total, call->arena.size + 16);
	assert_true(malloc_usable_size(call) >= sizeof(*call) + call->arena.total);
}

static void handler_memory(void **state)
{
	struct ttrpc_call *call;
	size_t n = 0;
	char *s;

	(void)state;
	park(1);
	call = take(1);
	assert_int_equal((uintptr_t)ttrpc_call_alloc(call, 1) % 16, 0);
	assert_int_equal((uintptr_t)ttrpc_call_alloc(call, 1) % 16, 0);
	s = ttrpc_call_copy(call, "copied");
	assert_string_equal(s, "copied");
	assert_string_equal(ttrpc_call_copy(call, ""), "");
	assert_null(ttrpc_call_alloc(call, 17 << 20));
	while (ttrpc_call_alloc(call, 1 << 20))
		n++;
	assert_int_equal(n, 15);
	assert_string_equal(s, "copied");
	ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "%zu MiB", n);
	want(1, TTRPC_RESOURCE_EXHAUSTED, "15 MiB");
}

static void message_inside_the_request(void **state)
{
	const ProtobufCMessageDescriptor *type = &ttrpc_pb__key_value__descriptor;
	struct ttrpc_call *call;
	ProtobufCMessage *m;

	(void)state;
	park(1);
	call = take(1);
	assert_int_equal(ttrpc_call_unpack(call, type, (const uint8_t *)"\x0a\1k", 3, &m), 0);
	assert_string_equal(((TtrpcPb__KeyValue *)(void *)m)->key, "k");
	assert_int_equal(ttrpc_call_unpack(call, type, (const uint8_t *)"\x0a\2k", 3, &m),
			 -EBADMSG);
	assert_int_equal(ttrpc_call_unpack(call, type, NULL, 0, &m), 0);
	while (ttrpc_call_alloc(call, 1 << 20))
		;
	while (ttrpc_call_alloc(call, 16))
		;
	assert_int_equal(ttrpc_call_unpack(call, type, (const uint8_t *)"\x0a\1k", 3, &m),
			 -ENOMEM);
	ttrpc_call_fail(call, 2, "done");
	want(1, 2, "done");
}

/* A reply for which there is no memory becomes a small one that needs none. */
static void no_memory_for_a_reply(void **state)
{
	TtrpcPb__KeyValue reply = TTRPC_PB__KEY_VALUE__INIT;
	struct rlimit old, tight;

	(void)state;
	if (!rig_memory_can_be_limited())
		skip();
	park(1);
	reply.value = malloc(3000001);
	assert_non_null(reply.value);
	memset(reply.value, 'r', 3000000);
	reply.value[3000000] = '\0';
	malloc_trim(0);
	getrlimit(RLIMIT_AS, &old);
	tight = old;
	tight.rlim_cur = rig_mapped_bytes() + 65536;
	setrlimit(RLIMIT_AS, &tight);
	ttrpc_call_reply(take(1), &reply.base);
	setrlimit(RLIMIT_AS, &old);
	free(reply.value);
	want(1, TTRPC_RESOURCE_EXHAUSTED, "no memory for a reply of 3000005 bytes");
	assert_int_equal(rig.server.n_calls, 0);
	want_works(3);
}

/* ------------------------------------------------------------ answers */

static void out_of_order(void **state)
{
	static const uint32_t order[] = { 5, 1, 7, 3 };
	int i;

	(void)state;
	park(4);
	assert_int_equal(rig.server.n_calls, 4);
	for (i = 0; i < 4; i++) {
		ttrpc_call_fail(take(order[i]), 2, "nr %d", i);
		assert_int_equal(rig.server.n_calls, 3 - i);
	}
	want(5, 2, "nr 0");
	want(1, 2, "nr 1");
	want(7, 2, "nr 2");
	want(3, 2, "nr 3");
	want_works(9);
}

static void hang_up_cancels(void **state)
{
	struct ttrpc_call *call;

	(void)state;
	park(2);
	hang_up();
	run_until(&rig.n_cancelled, 2);
	assert_int_equal(rig.why, TTRPC_CANCELLED);
	assert_int_equal(rig.server.n_conns, 0);
	/* Still owed, and thrown away. */
	assert_int_equal(rig.server.n_calls, 2);
	call = take(1);
	assert_null(call->conn);
	ttrpc_call_fail(call, 2, "to nobody");
	assert_int_equal(rig.server.n_calls, 1);
}

static void answers_from_cancel(void **state)
{
	(void)state;
	rig.answers_on_cancel = true;
	park(3);
	hang_up();
	run_until(&rig.n_cancelled, 3);
	assert_int_equal(rig.server.n_calls, 0);
	assert_int_equal(rig.server.n_conns, 0);
}

static void peer_vanishes_while_handled(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	rig_ask(&rig, &(struct ask){ 3, .method = "Vanish" });
	rig_ask(&rig, &(struct ask){ 5, .method = "Echo" });
	run_until(&rig.n_cancelled, 1);
	assert_int_equal(rig.n_handled, 2);
	assert_int_equal(rig.server.n_conns, 0);
}

/*
 * Whoever answers a list of parked calls must not see others of them go
 * meanwhile, even when the first answer finds that the peer is gone.
 */
static void answering_calls_nothing_back(void **state)
{
	struct ttrpc_call *call;
	int n = 0;

	(void)state;
	rig.answers_on_cancel = true;
	park(5);
	hang_up();
	list_for_each(call, &rig.parked, link) {
		list_del(&call->link);
		ttrpc_call_fail(call, 2, "gone");
		n++;
	}
	assert_int_equal(n, 5);
	assert_int_equal(rig.n_cancelled, 0);
	assert_int_equal(rig.server.n_conns, 1);
	run_until(&rig.n_changes, 2);
	assert_int_equal(rig.n_cancelled, 0);
}

static void answers_after_the_server(void **state)
{
	struct ttrpc_call *call;

	(void)state;
	park(3);
	hang_up();
	run_until(&rig.n_cancelled, 3);
	rig.peer = rig_connect(&rig);
	rig.n_handled = 0;
	park(2);
	ttrpc_server_close(&rig.server);
	assert_int_equal(rig.n_cancelled, 5);
	memset(&rig.server, 0xa5, sizeof(rig.server));
	while ((call = list_first(&rig.parked, struct ttrpc_call, link))) {
		list_del(&call->link);
		ttrpc_call_fail(call, 2, "too late");
	}
	assert_false(rig_answer(&rig, rig.peer, &answer));
	/* Something to close for the teardown. */
	loop_fini(&rig.loop);
	hang_up();
	assert_int_equal(rig_open(&rig, NULL, -1), 0);
}

static void server_closes_while_parked(void **state)
{
	(void)state;
	rig.answers_on_cancel = true;
	park(3);
	ttrpc_server_close(&rig.server);
	assert_int_equal(rig.n_cancelled, 3);
	assert_int_equal(rig.server.n_calls, 0);
	assert_int_equal(rig.server.n_conns, 0);
}

/* ---------------------------------------------------------- deadlines */

static void deadline(void **state)
{
	struct ttrpc_call *call;

	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park", .timeout = 3000000 });
	want(1, TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	assert_int_equal(rig.n_cancelled, 1);
	assert_int_equal(rig.why, TTRPC_DEADLINE_EXCEEDED);
	call = take(1);
	assert_true(call->due > 0 && call->due <= loop_now());
	assert_int_equal(rig.server.n_calls, 1);
	/* It has been answered: this goes nowhere. */
	ttrpc_call_fail(call, 2, "too late");
	want_works(3);
	assert_int_equal(rig.n_cancelled, 1);
}

static void deadline_met(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park", .timeout = 3600000000000 });
	rig_ask(&rig, &(struct ask){ 3, .method = "Echo", .timeout = 1 });
	want(3, 0, "");
	assert_false(list_empty(&rig.loop.timers));
	ttrpc_call_fail(take(1), 2, "in time");
	want(1, 2, "in time");
	assert_true(list_empty(&rig.loop.timers));
}

static void odd_deadlines(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park", .timeout = INT64_MAX });
	rig_ask(&rig, &(struct ask){ 3, .method = "Park", .timeout = INT64_MIN });
	want(3, TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	assert_int_equal(rig.n_cancelled, 1);
	rig_ask(&rig, &(struct ask){ 5, .method = "Echo" });
	want(5, 0, "");
}

static void deadline_after_hang_up(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park", .timeout = 3600000000000 });
	run_until(&rig.n_handled, 1);
	hang_up();
	run_until(&rig.n_cancelled, 1);
	assert_true(list_empty(&rig.loop.timers));
	assert_int_equal(rig.why, TTRPC_CANCELLED);
}

/* ----------------------------------------------------- metadata, text */

static void metadata(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Meta", .key = "ns", .metadata = {
		"ns", "first", "ns", "second" } });
	want(1, 0, "");
	assert_string_equal(answer.value, "first");
	rig_ask(&rig, &(struct ask){ 3, .method = "Meta", .key = "b", .metadata = {
		"a", "1", "b", "" } });
	want(3, 0, "");
	assert_string_equal(answer.value, "");
	rig_ask(&rig, &(struct ask){ 5, .method = "Meta", .key = "b" });
	want(5, 0, "");
	assert_string_equal(answer.value, "(none)");
}

static void long_error_is_cut(void **state)
{
	char *text = malloc(100001);
	size_t i;

	(void)state;
	assert_non_null(text);
	/* Two bytes each, and the cut is at an odd one. */
	for (i = 0; i < 100000; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	text[100000] = '\0';
	park(1);
	ttrpc_call_fail(take(1), 2, "%s", text);
	free(text);
	assert_true(rig_answer(&rig, rig.peer, &answer));
	assert_int_equal(strlen(answer.text), 4094);
	assert_string_equal(answer.text + 4092, "\xc3\xbc");
	want_works(3);
}

static void status_texts(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\x80" "a\xff" "b\xfe", "?a?b?" },
		{ "\xc0\xaf.", "??." },             /* overlong */
		{ "\xe0\x80\x80.", "???." },
		{ "\xf0\x80\x80\x80.", "????." },
		{ "\xed\xa0\x80.", "???." },        /* surrogate */
		{ "\xf4\x90\x80\x80.", "????." },   /* beyond the last */
		{ "\xc3(.", "?(." },
		{ "x\xe2\x82", "x" },               /* cut off */
		{ "x\xf0\x9f\x98", "x" },
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		snprintf(text, sizeof(text), "%s", pairs[i][0]);
		status_clean(text);
		assert_string_equal(text, pairs[i][1]);
	}
}

static void code_names(void **state)
{
	(void)state;
	assert_string_equal(ttrpc_code_name(TTRPC_OK), "OK");
	assert_string_equal(ttrpc_code_name(TTRPC_NOT_FOUND), "NotFound");
	assert_string_equal(ttrpc_code_name(TTRPC_UNAUTHENTICATED), "Unauthenticated");
	assert_string_equal(ttrpc_code_name(17), "unknown code");
	assert_string_equal(ttrpc_code_name(-1), "unknown code");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_is_aligned_and_distinct),
		cmocka_unit_test(arena_is_bounded),
		cmocka_unit_test(large_piece_stands_alone),
		TEST(garbage_is_not_lack_of_memory),
		TEST(inner_message_needs_too_much),
		TEST(parked_call_is_small),
		TEST(handler_memory),
		TEST(message_inside_the_request),
		TEST(no_memory_for_a_reply),
		TEST(out_of_order),
		TEST(hang_up_cancels),
		TEST(answers_from_cancel),
		TEST(peer_vanishes_while_handled),
		TEST(answering_calls_nothing_back),
		TEST(answers_after_the_server),
		TEST(server_closes_while_parked),
		TEST(deadline),
		TEST(deadline_met),
		TEST(odd_deadlines),
		TEST(deadline_after_hang_up),
		TEST(metadata),
		TEST(long_error_is_cut),
		cmocka_unit_test(status_texts),
		cmocka_unit_test(code_names),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
