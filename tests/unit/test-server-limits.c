/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's limits against a peer made of raw bytes, who may connect, and that
 * nothing is held afterwards.
 */
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/server-common.h"
#include "ttrpc/limits.h"

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

static uint32_t next_id;

static void ask_so_many(unsigned n, const char *method)
{
	int handled = rig.n_handled;

	for (unsigned i = 0; i < n; i++, next_id += 2)
		rig_ask(&rig, &(struct ask){ next_id, .method = method });
	for (unsigned i = 0; i < n; i++)
		settle();
	assert_int_equal(rig.n_handled, handled + (int)n);
}

static void want_refused(const char *method, const char *text)
{
	rig_ask(&rig, &(struct ask){ next_id, .method = method });
	want(next_id, TTRPC_RESOURCE_EXHAUSTED, text);
	next_id += 2;
}

/* As many wait as may: the next may not, but others are heard, within a bound. */
static void waiting_calls_leave_room(void **state)
{
	enum { N = 2 * TTRPC_LIMIT_RESERVE };

	(void)state;
	next_id = 1;
	open_with(10, N, 10 * N, 1 << 20);
	ask_so_many(N, "Wait");
	want_refused("Wait", "no more may wait");
	rig_ask(&rig, &(struct ask){ next_id, .method = "Echo", .value = "heard" });
	want_value(next_id, "heard");
	next_id += 2;
	ask_so_many(2, "Park");
	want_refused("Echo", "18 calls are in flight on this connection, the limit is 18");
}

/* Somebody has all the calls that there are: who has few can still be heard, and wait. */
static void few_calls_beside_many(void **state)
{
	enum { ALL = 4 * TTRPC_LIMIT_RESERVE, MORE = ALL / TTRPC_LIMIT_RESERVE };
	int busy;

	(void)state;
	next_id = 1;
	open_with(10, 2 * ALL, ALL, 1 << 20);
	ask_so_many(ALL, "Wait");
	want_refused("Wait", "no more may wait");
	busy = rig.peer;
	rig.peer = rig_connect(&rig);
	next_id = 1;
	ask_so_many(MORE, "Wait");
	want_refused("Wait", "no more may wait");
	ask_so_many(MORE, "Park");
	want_refused("Park", "40 calls are being worked on, the limit is 40");
	close(busy);
}

/* The same of calls that do something: somebody who has many has less than who has few. */
static void few_calls_beside_much_work(void **state)
{
	enum { ALL = 4 * TTRPC_LIMIT_RESERVE, MORE = ALL / TTRPC_LIMIT_RESERVE };
	int busy;

	(void)state;
	next_id = 1;
	open_with(10, 2 * ALL, ALL, 1 << 20);
	ask_so_many(ALL + MORE, "Park");
	want_refused("Park", "36 calls are being worked on, the limit is 36");
	busy = rig.peer;
	rig.peer = rig_connect(&rig);
	next_id = 1;
	ask_so_many(MORE, "Park");
	want_refused("Park", "40 calls are being worked on, the limit is 40");
	close(busy);
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

/* Whoever asks once is not behind all that another has asked before. */
static void many_requests_at_once(void **state)
{
	enum { N = 1000 };
	struct bytes b = { 0 };
	int busy = rig_connect(&rig);

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		put_ask(&b, &(struct ask){ 2 * i + 1, .method = "Fail", .key = "2" });
	assert_int_equal(send(busy, b.data, b.len, MSG_DONTWAIT), b.len);
	drop(&b);
	rig_ask(&rig, &(struct ask){ 1, .method = "Echo", .value = "me too" });
	while (rig_read(rig.peer, answer.payload, 1) < 0)
		loop_round(&rig.loop, 0);
	/* Two turns at most. */
	assert_in_range(rig.n_handled, 2, 2 * TTRPC_LIMIT_FRAMES + 1);
	/* The rest takes no reminder. */
	run_until(&rig.n_handled, N + 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OWN(calls_in_flight),
		TEST_OWN(calls_owed_to_nobody),
		TEST_OWN(waiting_calls_leave_room),
		TEST_OWN(few_calls_beside_many),
		TEST_OWN(few_calls_beside_much_work),
		TEST_OWN(connections),
		TEST_OWN(slow_reader),
		TEST_OWN(slow_reader_hangs_up),
		TEST_OWN(many_parked_replies),
		TEST(busy_peer_does_not_starve_others),
		TEST(many_requests_at_once),
		TEST(idle_connection_holds_nothing),
		TEST_OWN(accepts),
		TEST_OWN(refuses_strangers),
		TEST_OWN(backs_off_without_descriptors),
	};

	return cmocka_run_group_tests_name("server limits", tests, NULL, NULL);
}
