/* SPDX-License-Identifier: Apache-2.0 */
/* The server against a peer made of raw bytes: every row of contract 2.3. */
#include "tests/unit/server-common.h"

/* --------------------------------------------------------- the bytes */

static void bytes_of_a_call(void **state)
{
	static const char ask[] = "\0\0\0\x17\0\0\0\1\1\0"
				  "\x0a\7rig.Rig\x12\4Echo\x1a\6\x0a\1k\x12\1v";
	static const char reply[] = "\0\0\0\x08\0\0\0\1\2\0\x12\6\x0a\1k\x12\1v";
	uint8_t got[sizeof(reply) - 1];

	(void)state;
	assert_int_equal(write(rig.peer, ask, sizeof(ask) - 1), sizeof(ask) - 1);
	assert_true(rig_await(&rig, rig.peer, got, sizeof(got)));
	assert_memory_equal(got, reply, sizeof(got));
	want_works(3);
}

static void empty_messages_are_messages(void **state)
{
	static const char reply[] = "\0\0\0\0\0\0\0\1\2\0";
	uint8_t got[FRAME_HEADER];

	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Echo" });
	assert_true(rig_await(&rig, rig.peer, got, sizeof(got)));
	assert_memory_equal(got, reply, sizeof(got));
}

static void same_service_under_two_names(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, "rig.v2.Rig", .method = "Echo", .value = "two" });
	want_value(1, "two");
	rig_ask(&rig, &(struct ask){ 3, "rig.Rig", .method = "Echo", .value = "one" });
	want_value(3, "one");
}

static void at_once_and_byte_by_byte(void **state)
{
	struct bytes b = { 0 };
	uint32_t i;
	size_t pos;

	(void)state;
	for (i = 0; i < 50; i++)
		put_ask(&b, &(struct ask){ 2 * i + 1, .method = "Echo", .value = "x" });
	rig_send(&rig, rig.peer, &b);
	for (i = 0; i < 50; i++)
		want_value(2 * i + 1, "x");
	put_ask(&b, &(struct ask){ 101, .method = "Echo", .value = "slow" });
	for (pos = 0; pos < b.len; pos++) {
		assert_int_equal(write(rig.peer, b.data + pos, 1), 1);
		settle();
	}
	drop(&b);
	want_value(101, "slow");
}

/* --------------------------------------------------- contract 2.3 */

static void too_long(void **state)
{
	static uint8_t body[TTRPC_MAX_PAYLOAD + 1];

	(void)state;
	send_frame(1, FRAME_REQUEST, 0, body, sizeof(body));
	want(1, TTRPC_RESOURCE_EXHAUSTED,
	       "message length 4194305 exceed maximum message size of 4194304");
	want_works(1);
}

static void even_stream(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 2, .method = "Echo" });
	want(2, TTRPC_INVALID_ARGUMENT,
	       "StreamID must be odd for client initiated streams");
	rig_ask(&rig, &(struct ask){ 0, .method = "Echo" });
	want(0, TTRPC_INVALID_ARGUMENT,
	       "StreamID must be odd for client initiated streams");
	want_works(1);
}

static void stream_used_again(void **state)
{
	const char *text = "StreamID cannot be re-used and must increment";

	(void)state;
	want_works(5);
	rig_ask(&rig, &(struct ask){ 5, .method = "Echo" });
	want(5, TTRPC_INVALID_ARGUMENT, text);
	rig_ask(&rig, &(struct ask){ 3, .method = "Echo" });
	want(3, TTRPC_INVALID_ARGUMENT, text);
	want_works(7);
	want_works(UINT32_MAX);
	rig_ask(&rig, &(struct ask){ 9, .method = "Echo" });
	want(9, TTRPC_INVALID_ARGUMENT, text);
}

static void request_undecodable(void **state)
{
	const char *text = "unmarshal request error: "
			   "proto: cannot parse invalid wire-format data";

	(void)state;
	send_frame(1, FRAME_REQUEST, 0, "\x0a\x7f", 2);
	want(1, TTRPC_INVALID_ARGUMENT, text);
	/* The id is used up. */
	send_frame(1, FRAME_REQUEST, 0, "\xff", 1);
	want(1, TTRPC_INVALID_ARGUMENT, "StreamID cannot be re-used and must increment");
	want_works(3);
}

static void unknown_names(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, "rig.None", .method = "Echo" });
	want(1, TTRPC_UNIMPLEMENTED, "service rig.None");
	rig_ask(&rig, &(struct ask){ 3, .method = "Nothing" });
	want(3, TTRPC_UNIMPLEMENTED, "method Nothing");
	send_frame(5, FRAME_REQUEST, 0, "", 0);
	want(5, TTRPC_UNIMPLEMENTED, "service ");
	want_works(7);
}

static void message_undecodable(void **state)
{
	static const char bad[] = "\x0a\7rig.Rig\x12\4Echo\x1a\2\x0a\x7f";

	(void)state;
	send_frame(1, FRAME_REQUEST, 0, bad, sizeof(bad) - 1);
	want(1, TTRPC_INTERNAL, "ttrpc: error unmarshalling payload: "
				  "proto: cannot parse invalid wire-format data");
	want_works(3);
	assert_int_equal(rig.n_handled, 1);
}

/* Field notes, row 34. */
static void thirteen_bytes(void **state)
{
	(void)state;
	send_frame(1, FRAME_DATA, 0, "abc", 3);
	want(1, TTRPC_INVALID_ARGUMENT, "StreamID is no longer active");
	send_frame(1, FRAME_DATA, FRAME_REMOTE_CLOSED | FRAME_NO_DATA, "", 0);
	want(1, TTRPC_INVALID_ARGUMENT, "StreamID is no longer active");
	want_works(1);
	send_frame(1, FRAME_DATA, 0, "abc", 3);
	want(1, TTRPC_INVALID_ARGUMENT, "StreamID is no longer active");
	want_works(3);
}

static void other_types_are_ignored(void **state)
{
	unsigned types[] = { 0, 2, 4, 17, 255 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		send_frame(1, types[i], 0xff, "abc", 3);
	want_works(1);
}

static void data_on_a_unary_stream(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	send_frame(1, FRAME_DATA, FRAME_REMOTE_CLOSED | FRAME_NO_DATA, "", 0);
	settle();
	assert_int_equal(rig.n_cancelled, 0);
	send_frame(1, FRAME_DATA, 0, "abc", 3);
	want(1, TTRPC_INVALID_ARGUMENT, "data handling error: ttrpc: stream closed");
	assert_int_equal(rig.n_cancelled, 1);
	rig_ask(&rig, &(struct ask){ 3, .method = "Park" });
	send_frame(3, FRAME_DATA, FRAME_REMOTE_CLOSED, "abc", 3);
	want(3, TTRPC_INVALID_ARGUMENT, "data close message cannot include data");
	assert_int_equal(rig.n_cancelled, 2);
	rig_ask(&rig, &(struct ask){ 5, .method = "Echo", .value = "on" });
	want_value(5, "on");
}

static void end_of_stream(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	run_until(&rig.n_handled, 1);
	/* In the middle of a header. */
	assert_int_equal(write(rig.peer, "\0\0\0", 3), 3);
	assert_int_equal(shutdown(rig.peer, SHUT_WR), 0);
	run_until(&rig.n_cancelled, 1);
	assert_int_equal(rig.why, TTRPC_CANCELLED);
	assert_int_equal(rig.server.n_conns, 0);
	assert_int_equal(rig.n_changes, 2);
	assert_false(rig_answer(&rig, rig.peer, &answer));
	assert_int_equal(rig.n_logged, 0);
}

static void reset_with_replies_unread(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	rig_ask(&rig, &(struct ask){ 3, .method = "Echo", .value = "unread" });
	run_until(&rig.n_handled, 2);
	close(rig.peer);
	rig.peer = -1;
	run_until(&rig.n_cancelled, 1);
	assert_int_equal(rig.server.n_conns, 0);
	assert_int_equal(rig.n_logged, 0);
}

static void reply_too_long(void **state)
{
	/* 1 tag + 4 length in the envelope, the same in the message. */
	static const char most[] = "4194294", more[] = "4194295";

	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Big", .key = most });
	want(1, 0, "");
	assert_int_equal(answer.head.length, TTRPC_MAX_PAYLOAD);
	assert_int_equal(answer.value_len, 4194294);
	rig_ask(&rig, &(struct ask){ 3, .method = "Big", .key = more });
	want(3, TTRPC_RESOURCE_EXHAUSTED,
	       "message length 4194305 exceed maximum message size of 4194304");
	want_works(5);
}

static void handler_errors(void **state)
{
	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Fail", .key = "5", .value = "x: not found" });
	want(1, TTRPC_NOT_FOUND, "x: not found");
	rig_ask(&rig, &(struct ask){ 3, .method = "Fail", .key = "2", .value = "a\xff\xc3" });
	want(3, TTRPC_UNKNOWN, "a?");
	want_works(5);
}

static void request_of_the_greatest_length(void **state)
{
	/* 9 + 7 for the names, 5 around the message, 5 around its value. */
	size_t n = TTRPC_MAX_PAYLOAD - 9 - 6 - 5 - 5;
	char *value = malloc(n + 1);

	(void)state;
	assert_non_null(value);
	memset(value, 'v', n);
	value[n] = '\0';
	rig_ask(&rig, &(struct ask){ 1, .method = "Echo", .value = value });
	want(1, 0, "");
	assert_int_equal(answer.value_len, n);
	free(value);
	want_works(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_of_a_call),
		TEST(empty_messages_are_messages),
		TEST(same_service_under_two_names),
		TEST(at_once_and_byte_by_byte),
		TEST(too_long),
		TEST(even_stream),
		TEST(stream_used_again),
		TEST(request_undecodable),
		TEST(unknown_names),
		TEST(message_undecodable),
		TEST(thirteen_bytes),
		TEST(other_types_are_ignored),
		TEST(data_on_a_unary_stream),
		TEST(end_of_stream),
		TEST(reset_with_replies_unread),
		TEST(reply_too_long),
		TEST(handler_errors),
		TEST(request_of_the_greatest_length),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
