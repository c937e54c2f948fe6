/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server against a peer made of raw bytes: every row of contract 2.3, the
 * limits, who may connect, and that nothing is held afterwards.
 */
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

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

/* For tests that open the rig with limits of their own. */
static int setup_fds(void **state)
{
	(void)state;
	fds_before = rig_count_fds();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return rig_count_fds() == fds_before ? 0 : -1;
}

static void open_with(unsigned conns, unsigned calls, unsigned all_calls, size_t output)
{
	const struct ttrpc_limits limits = {
		.conns = conns, .calls = calls, .all_calls = all_calls, .output = output,
	};

	assert_int_equal(rig_open(&rig, &limits, -1), 0);
}

static void want(uint32_t stream, int code, const char *text)
{
	assert_true(rig_answer(&rig, rig.peer, &answer));
	assert_int_equal(answer.head.stream, stream);
	assert_string_equal(answer.text, text);
	assert_int_equal(answer.code, code);
	if (code)
		assert_int_equal(answer.data_len, 0);
}

static void want_value(uint32_t stream, const char *value)
{
	want(stream, 0, "");
	assert_string_equal(answer.value, value);
}

/* The connection is in order, and nothing else was sent on it before. */
static void want_works(uint32_t stream)
{
	rig_ask(&rig, &(struct ask){ stream, .method = "Echo", .value = "works" });
	want_value(stream, "works");
	assert_int_equal(rig.server.n_calls, 0);
}

static void send_frame(uint32_t stream, unsigned type, unsigned flags,
		       const void *payload, size_t len)
{
	struct bytes b = { 0 };

	put_frame(&b, stream, type, flags, payload, len);
	rig_send(&rig, rig.peer, &b);
}

/* Runs until nothing happens any more. */
static void settle(void)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_round(&rig.loop, 0);
}

static void run_until(const int *counter, int value)
{
	while (*counter < value)
		loop_round(&rig.loop, 10);
}

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

/* ------------------------------------------------------------- limits */

static void calls_in_flight(void **state)
{
	struct ttrpc_call *call;
	uint32_t id;

	(void)state;
	open_with(10, 3, 100, 1 << 20);
	for (id = 1; id <= 7; id += 2)
		rig_ask(&rig, &(struct ask){ id, .method = "Park" });
	want(7, TTRPC_RESOURCE_EXHAUSTED,
	       "3 calls are in flight on this connection, the limit is 3");
	assert_int_equal(rig.server.n_calls, 3);
	call = list_first(&rig.parked, struct ttrpc_call, link);
	list_del(&call->link);
	ttrpc_call_fail(call, 2, "one less");
	want(1, 2, "one less");
	rig_ask(&rig, &(struct ask){ 9, .method = "Echo", .value = "again" });
	want_value(9, "again");
}

static void calls_owed_to_nobody(void **state)
{
	(void)state;
	open_with(10, 3, 2, 1 << 20);
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	rig_ask(&rig, &(struct ask){ 3, .method = "Park" });
	run_until(&rig.n_handled, 2);
	close(rig.peer);
	run_until(&rig.n_cancelled, 2);
	assert_int_equal(rig.server.n_calls, 2);
	rig.peer = rig_connect(&rig);
	rig_ask(&rig, &(struct ask){ 1, .method = "Echo" });
	want(1, TTRPC_RESOURCE_EXHAUSTED, "2 calls are being worked on, the limit is 2");
}

static void connections(void **state)
{
	int second;

	(void)state;
	open_with(2, 3, 2, 1 << 20);
	second = rig_connect(&rig);
	assert_true(second >= 0);
	assert_int_equal(rig_connect(&rig), -1);
	assert_int_equal(rig.server.n_conns, 2);
	assert_int_equal(rig.n_changes, 2);
	assert_string_equal(rig.logged, "connection refused: 2 are open");
	close(second);
	run_until(&rig.n_changes, 3);
	second = rig_connect(&rig);
	assert_true(second >= 0);
	close(second);
	want_works(1);
}

static struct ttrpc_conn *first_conn(void)
{
	return list_first(&rig.server.conns, struct ttrpc_conn, link);
}

/* Replies of 100 kB each; neither they nor the requests may pile up. */
static void slow_reader(void **state)
{
	enum { N = 400, LIMIT = 256 << 10 };
	struct bytes b = { 0 };
	int i;

	(void)state;
	open_with(10, 4096, 4096, LIMIT);
	for (i = 0; i < N; i++)
		put_ask(&b, &(struct ask){ (uint32_t)(2 * i + 1), .method = "Big",
					   .key = "100000" });
	assert_int_equal(write(rig.peer, b.data, b.len), b.len);
	drop(&b);
	settle();
	assert_true(first_conn()->out_bytes > LIMIT);
	assert_true(first_conn()->out_bytes < LIMIT + 110000);
	assert_in_range(rig.n_handled, 3, 10);
	for (i = 0; i < N; i++) {
		want((uint32_t)(2 * i + 1), 0, "");
		assert_int_equal(answer.value_len, 100000);
		assert_true(first_conn()->out_bytes < LIMIT + 110000);
	}
	assert_int_equal(first_conn()->out_bytes, 0);
	assert_null(first_conn()->stash);
	want_works(2 * N + 1);
}

static void slow_reader_hangs_up(void **state)
{
	struct bytes b = { 0 };
	int i;

	(void)state;
	open_with(10, 4096, 4096, 64 << 10);
	rig_ask(&rig, &(struct ask){ 1, .method = "Park" });
	for (i = 1; i < 100; i++)
		put_ask(&b, &(struct ask){ (uint32_t)(2 * i + 1), .method = "Big",
					   .key = "1000000" });
	rig_send(&rig, rig.peer, &b);
	settle();
	assert_true(first_conn()->paused);
	close(rig.peer);
	rig.peer = -1;
	run_until(&rig.n_cancelled, 1);
	assert_int_equal(rig.server.n_conns, 0);
}

/* What was asked for before the limit was met is bounded too. */
static void many_parked_replies(void **state)
{
	enum { N = 100, LIMIT = 1 << 20 };
	TtrpcPb__KeyValue reply = TTRPC_PB__KEY_VALUE__INIT;
	struct ttrpc_call *call;
	int i, refused = 0;

	(void)state;
	open_with(10, 4096, 4096, LIMIT);
	for (i = 0; i < N; i++)
		rig_ask(&rig, &(struct ask){ (uint32_t)(2 * i + 1), .method = "Park" });
	run_until(&rig.n_handled, N);
	reply.value = malloc(200001);
	assert_non_null(reply.value);
	memset(reply.value, 'r', 200000);
	reply.value[200000] = '\0';
	list_for_each(call, &rig.parked, link) {
		list_del(&call->link);
		ttrpc_call_reply(call, &reply.base);
	}
	free(reply.value);
	assert_true(first_conn()->out_bytes < 2 * LIMIT + 300000);
	for (i = 0; i < N; i++) {
		assert_true(rig_answer(&rig, rig.peer, &answer));
		assert_int_equal(answer.head.stream, 2 * i + 1);
		refused += answer.code == TTRPC_RESOURCE_EXHAUSTED;
	}
	assert_in_range(refused, 80, 95);
	want_works(2 * N + 1);
}

static void busy_peer_does_not_starve_others(void **state)
{
	struct bytes b = { 0 };
	int busy = rig_connect(&rig), size = 4 << 20, rounds = 0;
	uint32_t id = 1;

	(void)state;
	setsockopt(busy, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (; b.len < 2 << 20; id += 2)
		put_ask(&b, &(struct ask){ id, .method = "Fail", .key = "2", .value = "x" });
	assert_true(send(busy, b.data, b.len, MSG_DONTWAIT) > 100000);
	drop(&b);
	rig_ask(&rig, &(struct ask){ 1, .method = "Echo", .value = "me too" });
	while (rig_read(rig.peer, answer.payload, 1) < 0) {
		loop_round(&rig.loop, 0);
		rounds++;
	}
	assert_in_range(rounds, 1, 2);
	close(busy);
}

static void idle_connection_holds_nothing(void **state)
{
	struct bytes b = { 0 };
	struct ttrpc_conn *c = first_conn();
	struct timer t;
	int rounds = 0;

	(void)state;
	rig_ask(&rig, &(struct ask){ 1, .method = "Big", .key = "3000000" });
	want(1, 0, "");
	put_frame(&b, 3, FRAME_REQUEST, 0, answer.payload, 1000000);
	rig_send(&rig, rig.peer, &b);
	want(3, TTRPC_INVALID_ARGUMENT, "unmarshal request error: "
	     "proto: cannot parse invalid wire-format data");
	settle();
	assert_null(c->reader.buf);
	assert_null(c->stash);
	assert_true(list_empty(&c->out));
	assert_int_equal(c->out_bytes, 0);
	assert_int_equal(c->watch.mask, EPOLLIN);
	assert_true(sizeof(*c) <= 320);
	/* Nor does it wake anybody up. */
	timer_init(&t, timer_disarm);
	timer_arm_in(&rig.loop, &t, 20 * LOOP_MSEC);
	while (timer_is_armed(&t)) {
		loop_round(&rig.loop, -1);
		rounds++;
	}
	assert_int_equal(rounds, 1);
}

/* ---------------------------------------------------------- accepting */

static char socket_path[64];

static void listen_here(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(socket_path, sizeof(socket_path), "/tmp/test-server.%d", (int)getpid());
	unlink(socket_path);
	memcpy(addr.sun_path, socket_path, strlen(socket_path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(chmod(socket_path, 0777), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(rig_open(&rig, NULL, fd), 0);
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path, socket_path, strlen(socket_path));
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void accepts(void **state)
{
	int i;

	(void)state;
	listen_here();
	for (i = 1; i <= 40; i++) {
		rig.peer = dial();
		assert_true(rig.peer >= 0);
		want_works(1);
		close(rig.peer);
		rig.peer = -1;
		run_until(&rig.n_changes, 2 * i);
	}
	rig.peer = dial();
	want_works(1);
	ttrpc_server_stop_listening(&rig.server);
	ttrpc_server_stop_listening(&rig.server);
	assert_int_equal(dial(), -1);
	want_works(3);
	unlink(socket_path);
}

/* Whoever it is, it must see the end of the stream, and no reply. */
static int stranger(void)
{
	struct bytes b = { 0 };
	uint8_t byte;
	int fd;

	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return 2;
	fd = dial();
	if (fd < 0)
		return 3;
	put_ask(&b, &(struct ask){ 1, .method = "Echo" });
	send(fd, b.data, b.len, MSG_NOSIGNAL);
	return recv(fd, &byte, 1, 0) > 0 ? 4 : 0;
}

static void refuses_strangers(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	listen_here();
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(stranger());
	run_until(&rig.n_logged, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rig.server.n_conns, 0);
	assert_int_equal(rig.n_handled, 0);
	assert_int_equal(rig.n_changes, 0);
	assert_non_null(strstr(rig.logged, "of user 65534, group 65534"));
	unlink(socket_path);
}

static void backs_off_without_descriptors(void **state)
{
	struct rlimit old, tight;
	uint64_t end;
	int rounds = 0, fd;

	(void)state;
	listen_here();
	if (rig_under_valgrind())
		skip();
	rig.peer = dial();
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	fd = dup(0);
	close(fd);
	tight.rlim_cur = (rlim_t)fd;
	setrlimit(RLIMIT_NOFILE, &tight);
	end = loop_now() + 100 * LOOP_MSEC;
	while (loop_now() < end) {
		loop_round(&rig.loop, 10);
		rounds++;
	}
	setrlimit(RLIMIT_NOFILE, &old);
	/* 1, 2, 4 … 64 ms are over, and each took two rounds at most. */
	assert_in_range(rounds, 5, 40);
	assert_int_equal(rig.n_logged, 1);
	assert_string_equal(rig.logged, "cannot accept connections: Too many open files");
	want_works(1);
	assert_int_equal(rig.server.backoff_ns, 0);
	unlink(socket_path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OWN(name) cmocka_unit_test_setup_teardown(name, setup_fds, teardown)

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
		TEST_OWN(calls_in_flight),
		TEST_OWN(calls_owed_to_nobody),
		TEST_OWN(connections),
		TEST_OWN(slow_reader),
		TEST_OWN(slow_reader_hangs_up),
		TEST_OWN(many_parked_replies),
		TEST(busy_peer_does_not_starve_others),
		TEST(idle_connection_holds_nothing),
		TEST_OWN(accepts),
		TEST_OWN(refuses_strangers),
		TEST_OWN(backs_off_without_descriptors),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
