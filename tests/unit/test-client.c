/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client, against our own server where that suffices, and against raw bytes
 * for what no server of ours would send.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/un.h>

#include <cmocka.h>

#include "tests/fuzz/rig.h"

static struct rig rig;       /* its loop is the client's, too */
static struct ttrpc_client client;
static int n_closed;
static int raw = -1;         /* the server's end, where the test plays the server */
static int fds_before;
static char path[64];

static void closed(struct ttrpc_client *c)
{
	assert_ptr_equal(c, &client);
	assert_null(c->conn);
	assert_true(list_empty(&c->requests));
	n_closed++;
}

static int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	(void)state;
	fds_before = rig_count_fds();
	snprintf(path, sizeof(path), "/tmp/test-client.%d", (int)getpid());
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(addr.sun_path, path, strlen(path));
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 1) < 0 || rig_open(&rig, NULL, fd) < 0)
		return -1;
	ttrpc_client_init(&client, &rig.loop, path);
	client.closed = closed;
	n_closed = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ttrpc_client_close(&client);
	if (raw >= 0)
		close(raw);
	raw = -1;
	rig_close(&rig);
	unlink(path);
	return rig_count_fds() == fds_before ? 0 : -1;
}

/* Makes the test the server. */
static void play_server(void)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(ttrpc_client_adopt(&client, sv[0]), 0);
	raw = sv[1];
}

/* A request, and what came of it. */
struct job {
	struct ttrpc_request request;
	int n_done;
	int code;
	char message[128];
	uint8_t reply[128];
	size_t reply_len;
	void (*then)(struct job *j);
	int sent; /* what then() got for sending again */
};

static void done(struct ttrpc_request *r, int code, const char *message,
		 const uint8_t *reply, size_t reply_len)
{
	struct job *j = container_of(r, struct job, request);

	assert_null(r->client);
	assert_non_null(message);
	assert_non_null(reply);
	j->n_done++;
	j->code = code;
	snprintf(j->message, sizeof(j->message), "%s", message);
	j->reply_len = reply_len;
	memcpy(j->reply, reply, reply_len < sizeof(j->reply) ? reply_len : 0);
	if (j->then)
		j->then(j);
}

static void job_init(struct job *j)
{
	memset(j, 0, sizeof(*j));
	ttrpc_request_init(&j->request, done);
}

static int call(struct job *j, const char *method, const char *message)
{
	return ttrpc_request_send(&client, &j->request, "rig.Rig", method, NULL, 0,
				  (const uint8_t *)message, strlen(message), 0);
}

static void run(const struct job *j)
{
	while (!j->n_done)
		loop_round(&rig.loop, 10);
}

static void settle(void)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_round(&rig.loop, 0);
}

static void want(const struct job *j, int code, const char *message)
{
	run(j);
	assert_int_equal(j->n_done, 1);
	assert_string_equal(j->message, message);
	assert_int_equal(j->code, code);
}

/* Reads exactly @len bytes of what the client has sent. */
static void take(uint8_t *data, size_t len)
{
	assert_true(rig_await(&rig, raw, data, len));
}

static void answer(uint32_t stream, unsigned type, const void *payload, size_t len)
{
	struct bytes b = { 0 };

	put_frame(&b, stream, type, 0, payload, len);
	rig_send(&rig, raw, &b);
}

/* -------------------------------------------------------------- calls */

static void bytes_of_a_call(void **state)
{
	const struct ttrpc_metadata md[] = { { "k", "v" }, { "K", "V" } };
	uint8_t got[64];
	struct job j;
	size_t len;

	(void)state;
	job_init(&j);
	play_server();
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s.", "m", md, 2,
					    (const uint8_t *)"abc", 3, 4 * LOOP_SEC), 0);
	take(got, FRAME_HEADER);
	assert_memory_equal(got, "\0\0\0\x22\0\0\0\1\1\0", FRAME_HEADER);
	len = got[3];
	take(got, len);
	assert_memory_equal(got, "\x0a\2s.\x12\1m\x1a\3abc\x20\x80\xd0\xac\xf3\x0e"
				 "\x2a\6\x0a\1k\x12\1v\x2a\6\x0a\1K\x12\1V", len);
	answer(1, FRAME_RESPONSE, "\x12\3xyz", 5);
	want(&j, TTRPC_OK, "");
	assert_int_equal(j.reply_len, 3);
	assert_memory_equal(j.reply, "xyz", 3);
	assert_true(list_empty(&rig.loop.timers));
}

static void ids_are_odd_and_increase(void **state)
{
	uint8_t got[64];
	struct job j[3];
	uint32_t i;

	(void)state;
	play_server();
	for (i = 0; i < 3; i++) {
		job_init(&j[i]);
		assert_int_equal(call(&j[i], "Echo", ""), 0);
		take(got, FRAME_HEADER);
		assert_int_equal(got[7], 2 * i + 1);
		take(got, got[3]);
	}
	/* Answers in another order reach the right one. */
	answer(5, FRAME_RESPONSE, "\x12\1c", 3);
	answer(1, FRAME_RESPONSE, "\x12\1a", 3);
	answer(3, FRAME_RESPONSE, "\x12\1b", 3);
	for (i = 0; i < 3; i++) {
		want(&j[i], TTRPC_OK, "");
		assert_int_equal(j[i].reply[0], 'a' + i);
	}
}

static void calls_our_server(void **state)
{
	struct job j;

	(void)state;
	assert_null(client.conn);
	job_init(&j);
	assert_int_equal(call(&j, "Echo", "\x0a\1k"), 0);
	want(&j, TTRPC_OK, "");
	assert_int_equal(j.reply_len, 3);
	assert_memory_equal(j.reply, "\x0a\1k", 3);
	j.n_done = 0;
	assert_int_equal(call(&j, "Fail", "\x0a\1" "5\x12\4gone"), 0);
	want(&j, TTRPC_NOT_FOUND, "gone");
	assert_int_equal(j.reply_len, 0);
	j.n_done = 0;
	assert_int_equal(call(&j, "Echo", ""), 0);
	want(&j, TTRPC_OK, "");
	assert_int_equal(j.reply_len, 0);
	j.n_done = 0;
	assert_int_equal(call(&j, "Nothing", ""), 0);
	want(&j, TTRPC_UNIMPLEMENTED, "method Nothing");
	assert_int_equal(rig.server.n_conns, 1);
}

static void status_of_code_0_is_success(void **state)
{
	struct job j;

	(void)state;
	job_init(&j);
	play_server();
	assert_int_equal(call(&j, "Echo", ""), 0);
	answer(1, FRAME_RESPONSE, "\x0a\6\x08\0\x12\2ok\x12\1r", 11);
	want(&j, TTRPC_OK, "");
	assert_int_equal(j.reply_len, 1);
}

static void bad_replies_fail_their_call(void **state)
{
	static uint8_t body[TTRPC_MAX_PAYLOAD + 1];
	struct job a, b, c;

	(void)state;
	job_init(&a);
	job_init(&b);
	job_init(&c);
	play_server();
	assert_int_equal(call(&a, "Echo", ""), 0);
	assert_int_equal(call(&b, "Echo", ""), 0);
	assert_int_equal(call(&c, "Echo", ""), 0);
	answer(1, FRAME_RESPONSE, body, sizeof(body));
	want(&a, TTRPC_RESOURCE_EXHAUSTED,
	     "the reply exceeds the maximum message size of 4194304");
	answer(3, FRAME_RESPONSE, "\x12\x7f", 2);
	want(&b, TTRPC_INTERNAL, "ttrpc: error unmarshalling the reply");
	assert_int_equal(c.n_done, 0);
	answer(5, FRAME_RESPONSE, "", 0);
	want(&c, TTRPC_OK, "");
	assert_int_equal(n_closed, 0);
}

static void strange_frames_are_ignored(void **state)
{
	struct job j;

	(void)state;
	job_init(&j);
	play_server();
	assert_int_equal(call(&j, "Echo", ""), 0);
	answer(7, FRAME_RESPONSE, "\x12\x7f", 2);
	answer(0, FRAME_RESPONSE, "", 0);
	answer(1, FRAME_DATA, "abc", 3);
	answer(1, FRAME_REQUEST, "abc", 3);
	answer(1, 99, "", 0);
	settle();
	assert_int_equal(j.n_done, 0);
	answer(1, FRAME_RESPONSE, "", 0);
	want(&j, TTRPC_OK, "");
	/* Answered twice. */
	answer(1, FRAME_RESPONSE, "", 0);
	settle();
	assert_int_equal(j.n_done, 1);
}

static void timeout(void **state)
{
	struct job j, k;

	(void)state;
	job_init(&j);
	job_init(&k);
	play_server();
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, NULL,
					    0, 2 * LOOP_MSEC), 0);
	want(&j, TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	answer(1, FRAME_RESPONSE, "", 0);
	assert_int_equal(call(&k, "Echo", ""), 0);
	answer(3, FRAME_RESPONSE, "", 0);
	want(&k, TTRPC_OK, "");
	assert_int_equal(j.n_done, 1);
	j.n_done = 0;
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, NULL,
					    0, UINT64_MAX), 0);
	answer(5, FRAME_RESPONSE, "", 0);
	want(&j, TTRPC_OK, "");
}

static void cancel(void **state)
{
	struct job j, k;

	(void)state;
	job_init(&j);
	job_init(&k);
	play_server();
	ttrpc_request_cancel(&j.request);
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, NULL,
					    0, 2 * LOOP_MSEC), 0);
	ttrpc_request_cancel(&j.request);
	ttrpc_request_cancel(&j.request);
	assert_int_equal(call(&k, "Echo", ""), 0);
	answer(1, FRAME_RESPONSE, "", 0);
	answer(3, FRAME_RESPONSE, "", 0);
	want(&k, TTRPC_OK, "");
	assert_int_equal(j.n_done, 0);
	assert_true(list_empty(&rig.loop.timers));
}

/* --------------------------------------------------------- connecting */

static void server_vanishes(void **state)
{
	struct job j[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		job_init(&j[i]);
		assert_int_equal(call(&j[i], "Park", ""), 0);
	}
	while (rig.n_handled < 3)
		loop_round(&rig.loop, 10);
	assert_int_equal(n_closed, 0);
	rig.answers_on_cancel = false;
	ttrpc_server_close(&rig.server);
	for (i = 0; i < 3; i++)
		want(&j[i], TTRPC_UNAVAILABLE, "ttrpc: closed");
	while (!n_closed)
		loop_round(&rig.loop, 10);
	assert_int_equal(n_closed, 1);
	j[0].n_done = 0;
	assert_int_equal(call(&j[0], "Echo", ""), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(call(&j[0], "Echo", ""), -ENOENT);
	assert_int_equal(ttrpc_client_connect(&client), -ENOENT);
	settle();
	assert_int_equal(j[0].n_done, 0);
	assert_int_equal(n_closed, 1);
}

static void connects_again(void **state)
{
	struct job j;

	(void)state;
	job_init(&j);
	play_server();
	assert_int_equal(call(&j, "Echo", ""), 0);
	close(raw);
	raw = -1;
	want(&j, TTRPC_UNAVAILABLE, "ttrpc: closed");
	settle();
	assert_int_equal(n_closed, 1);
	j.n_done = 0;
	assert_int_equal(call(&j, "Echo", ""), 0);
	assert_int_equal(j.request.stream, 1);
	want(&j, TTRPC_OK, "");
	assert_int_equal(n_closed, 1);
}

/* The loss shows only when something is sent. */
static void server_is_gone_when_it_is_called(void **state)
{
	struct job j, k;

	(void)state;
	job_init(&j);
	job_init(&k);
	play_server();
	close(raw);
	raw = -1;
	assert_int_equal(call(&j, "Echo", ""), 0);
	assert_int_equal(call(&k, "Echo", ""), 0);
	assert_int_equal(j.n_done + k.n_done, 0);
	want(&j, TTRPC_UNAVAILABLE, "ttrpc: closed");
	want(&k, TTRPC_UNAVAILABLE, "ttrpc: closed");
	assert_int_equal(n_closed, 1);
	k.n_done = 0;
	assert_int_equal(call(&k, "Echo", ""), 0);
	want(&k, TTRPC_OK, "");
}

static void send_again(struct job *j)
{
	j->then = NULL;
	j->n_done = 0;
	j->sent = call(j, "Echo", "");
}

static void closed_but_called_again(struct ttrpc_client *c)
{
	(void)c;
	n_closed++;
}

static void sent_again_from_within(void **state)
{
	struct job j[3];
	int i;

	(void)state;
	client.closed = closed_but_called_again;
	play_server();
	for (i = 0; i < 3; i++) {
		job_init(&j[i]);
		j[i].then = send_again;
		assert_int_equal(call(&j[i], "Echo", ""), 0);
	}
	close(raw);
	raw = -1;
	for (i = 0; i < 3; i++) {
		want(&j[i], TTRPC_OK, "");
		assert_int_equal(j[i].sent, 0);
	}
	assert_int_equal(n_closed, 1);
	/* The same for an ordinary reply. */
	j[0].n_done = 0;
	j[0].then = send_again;
	assert_int_equal(call(&j[0], "Echo", ""), 0);
	want(&j[0], TTRPC_OK, "");
	assert_null(j[0].then);
}

static void close_client(struct job *j)
{
	(void)j;
	ttrpc_client_close(&client);
}

static void closed_from_within(void **state)
{
	struct job j[3];
	struct bytes b = { 0 };
	int i;

	(void)state;
	play_server();
	for (i = 0; i < 3; i++) {
		job_init(&j[i]);
		assert_int_equal(call(&j[i], "Echo", ""), 0);
	}
	j[0].then = close_client;
	j[1].then = send_again;
	put_frame(&b, 1, FRAME_RESPONSE, 0, "", 0);
	put_frame(&b, 3, FRAME_RESPONSE, 0, "", 0);
	rig_send(&rig, raw, &b);
	want(&j[0], TTRPC_OK, "");
	want(&j[2], TTRPC_CANCELLED, "ttrpc: client closed");
	assert_null(j[1].then);
	assert_int_equal(j[1].sent, -ESHUTDOWN);
	assert_int_equal(j[1].code, TTRPC_CANCELLED);
	settle();
	assert_int_equal(n_closed, 0);
	/* And while a loss is being reported. */
	close(raw);
	play_server();
	for (i = 0; i < 3; i++) {
		job_init(&j[i]);
		assert_int_equal(call(&j[i], "Echo", ""), 0);
	}
	j[0].then = close_client;
	close(raw);
	raw = -1;
	for (i = 0; i < 3; i++)
		want(&j[i], TTRPC_UNAVAILABLE, "ttrpc: closed");
}

static void close_cancels(void **state)
{
	struct job j;

	(void)state;
	job_init(&j);
	assert_int_equal(call(&j, "Park", ""), 0);
	ttrpc_client_close(&client);
	assert_int_equal(j.n_done, 1);
	assert_int_equal(j.code, TTRPC_CANCELLED);
	assert_int_equal(n_closed, 0);
	ttrpc_client_close(&client);
	j.n_done = 0;
	assert_int_equal(call(&j, "Echo", ""), 0);
	want(&j, TTRPC_OK, "");
}

static void ids_run_out(void **state)
{
	struct job j, k, l;

	(void)state;
	job_init(&j);
	job_init(&k);
	job_init(&l);
	play_server();
	client.next_stream = UINT32_MAX;
	assert_int_equal(call(&j, "Echo", ""), 0);
	answer(UINT32_MAX, FRAME_RESPONSE, "", 0);
	want(&j, TTRPC_OK, "");
	assert_int_equal(call(&k, "Echo", ""), 0);
	want(&k, TTRPC_UNAVAILABLE, "ttrpc: closed");
	assert_int_equal(call(&l, "Echo", ""), 0);
	assert_int_equal(l.request.stream, 1);
	want(&l, TTRPC_OK, "");
}

/* ------------------------------------------------------------ refusals */

static void paths(void **state)
{
	static char longest[200];

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	client.path = longest;
	assert_int_equal(ttrpc_client_connect(&client), -ENAMETOOLONG);
	client.path = "";
	assert_int_equal(ttrpc_client_connect(&client), -ENOTCONN);
	client.path = NULL;
	assert_int_equal(ttrpc_client_connect(&client), -ENOTCONN);
	client.path = path;
	assert_int_equal(ttrpc_client_connect(&client), 0);
	assert_int_equal(ttrpc_client_connect(&client), 0);
}

static void never_waits_for_the_backlog(void **state)
{
	struct ttrpc_client c[8];
	int i, r = 0;

	(void)state;
	for (i = 0; i < 8; i++)
		ttrpc_client_init(&c[i], &rig.loop, path);
	for (i = 0; i < 8 && r == 0; i++)
		r = ttrpc_client_connect(&c[i]);
	assert_int_equal(r, -EAGAIN);
	for (i = 0; i < 8; i++)
		ttrpc_client_close(&c[i]);
}

static void longest_message(void **state)
{
	static uint8_t body[TTRPC_MAX_PAYLOAD + 1];
	/* 3 for the service, 6 for the method, 5 around the message. */
	size_t most = TTRPC_MAX_PAYLOAD - 3 - 3 - 5;
	struct ttrpc_metadata md = { "k", "v" };
	struct job j;

	(void)state;
	job_init(&j);
	memset(body, 0x18, sizeof(body));
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, body,
					    most + 1, 0), -EMSGSIZE);
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", &md, 1, body,
					    most, 0), -EMSGSIZE);
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, body,
					    SIZE_MAX, 0), -EMSGSIZE);
	assert_null(client.conn);
	assert_int_equal(ttrpc_request_send(&client, &j.request, "s", "m", NULL, 0, body,
					    most, 0), 0);
	want(&j, TTRPC_UNIMPLEMENTED, "service s");
}

static void server_that_does_not_read(void **state)
{
	static uint8_t body[1 << 20], got[1 << 20];
	struct job j[40];
	int i, n = 0, r = 0;

	(void)state;
	play_server();
	for (n = 0; n < 40; n++) {
		job_init(&j[n]);
		r = ttrpc_request_send(&client, &j[n].request, "s", "m", NULL, 0, body,
				       sizeof(body), 0);
		if (r < 0)
			break;
	}
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(n, 8, 11);
	/* It reads after all. */
	for (i = 0; i < n; i++) {
		/* The header; what is around the message; the message. */
		take(got, FRAME_HEADER + 10);
		take(got, sizeof(body));
	}
	assert_int_equal(client.conn->out_bytes, 0);
	for (i = 0; i < n; i++) {
		answer((uint32_t)(2 * i + 1), FRAME_RESPONSE, "", 0);
		want(&j[i], TTRPC_OK, "");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_of_a_call),
		TEST(ids_are_odd_and_increase),
		TEST(calls_our_server),
		TEST(status_of_code_0_is_success),
		TEST(bad_replies_fail_their_call),
		TEST(strange_frames_are_ignored),
		TEST(timeout),
		TEST(cancel),
		TEST(server_vanishes),
		TEST(connects_again),
		TEST(server_is_gone_when_it_is_called),
		TEST(sent_again_from_within),
		TEST(closed_from_within),
		TEST(close_cancels),
		TEST(ids_run_out),
		TEST(paths),
		TEST(never_waits_for_the_backlog),
		TEST(longest_message),
		TEST(server_that_does_not_read),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
