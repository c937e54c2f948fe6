/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that do not speak ttrpc as they should (contract 2.3): each mistake
 * gets its answer on its stream, the connection lives on, and other clients
 * notice nothing.
 */
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ttrpc.pb-c.h"

#define MAX_PAYLOAD (4u << 20)

static int raw_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", e2e.path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail_at(HERE, "connect: %s", strerror(errno));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Writes all of it, the loop running meanwhile. */
static void raw_write(int fd, const void *data, size_t len)
{
	uint64_t due = deadline_in(SOON);

	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			fail_at(HERE, "send: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
		if (n < 0 && !loop_until(due))
			fail_at(HERE, "the peer does not read");
	}
}

static void raw_header(int fd, uint32_t len, uint32_t stream, uint8_t type, uint8_t flags)
{
	struct {
		uint32_t len, stream;
		uint8_t type, flags;
	} __attribute__((packed)) h = { htonl(len), htonl(stream), type, flags };

	raw_write(fd, &h, 10);
}

static void raw_request(int fd, uint32_t stream, const char *service, const char *method,
			const void *payload, size_t len)
{
	TtrpcPb__Request q = TTRPC_PB__REQUEST__INIT;
	uint8_t *bytes;
	size_t n;

	q.service = text("%s", service);
	q.method = text("%s", method);
	q.payload.data = (uint8_t *)(uintptr_t)payload;
	q.payload.len = len;
	n = pack(&q.base, &bytes);
	raw_header(fd, (uint32_t)n, stream, 1, 0);
	raw_write(fd, bytes, n);
}

static void raw_read(struct where w, int fd, void *to, size_t len)
{
	uint64_t due = deadline_in(SOON);

	for (size_t at = 0; at < len;) {
		ssize_t n = recv(fd, (char *)to + at, len - at, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			fail_at(w, "the connection was closed");
		at += n > 0 ? (size_t)n : 0;
		if (n < 0 && !loop_until(due))
			fail_at(w, "no answer");
	}
}

/* The next frame must be a response on @stream with this code and text (NULL: any). */
#define raw_expect(fd, stream, code, text) raw_expect_at(HERE, fd, stream, code, text)
static void raw_expect_at(struct where w, int fd, uint32_t stream, int code,
			  const char *part)
{
	uint8_t h[10], *body;
	TtrpcPb__Response *r;
	uint32_t len, id;
	int got;

	raw_read(w, fd, h, 10);
	memcpy(&len, h, 4);
	memcpy(&id, h + 4, 4);
	len = ntohl(len);
	body = forget_later(malloc(len + 1));
	raw_read(w, fd, body, len);
	r = (void *)protobuf_c_message_unpack(&ttrpc_pb__response__descriptor, NULL, len,
					      body);
	if (!r || ntohl(id) != stream || h[8] != 2 || h[9] != 0)
		fail_at(w, "frame: stream %u type %d flags %d", ntohl(id), h[8], h[9]);
	got = r->status ? r->status->code : 0;
	if (got != code || (part && !strstr(r->status->message, part)))
		fail_at(w, "%s \"%s\", expected: %s \"%s\"", ttrpc_code_name(got),
			r->status ? r->status->message : "", ttrpc_code_name(code),
			part ? part : "*");
	if (code && r->payload.len)
		fail_at(w, "an error with a payload");
	protobuf_c_message_free_unpacked(&r->base, NULL);
}

/* A good call on a raw connection, after whatever was done to it. */
#define raw_lives(fd, stream) raw_lives_at(HERE, fd, stream)
static void raw_lives_at(struct where w, int fd, uint32_t stream)
{
	raw_request(fd, stream, V2, "Connect", NULL, 0);
	raw_expect_at(w, fd, stream, TTRPC_OK, NULL);
	ok_at(w, ask_state("c1", NULL));
}

static void frame_too_long(void **st)
{
	char *body = forget_later(calloc(1, MAX_PAYLOAD + 1));
	int fd;

	(void)st;
	run_c1("exec sleep 1000");
	fd = raw_connect();
	raw_header(fd, MAX_PAYLOAD + 1, 1, 1, 0);
	raw_write(fd, body, MAX_PAYLOAD / 2);
	ok(ask_state("c1", NULL)); /* while half of it has arrived */
	raw_write(fd, body, MAX_PAYLOAD - MAX_PAYLOAD / 2 + 1);
	raw_expect(fd, 1, TTRPC_RESOURCE_EXHAUSTED,
		   "message length 4194305 exceed maximum message size of 4194304");
	raw_lives(fd, 3);
	close(fd);
	end_c1();
}

/* Four GiB are announced, and the peer goes away. */
static void frame_of_gigabytes(void **st)
{
	int fd, fds;

	(void)st;
	run_c1("exec sleep 1000");
	fds = count_fds(e2e.server);
	fd = raw_connect();
	raw_header(fd, 0xffffffff, 1, 1, 0);
	raw_write(fd, "abc", 3);
	ok(ask_state("c1", NULL));
	close(fd);
	until(count_fds(e2e.server) == fds);
	end_c1();
}

static void bad_streams(void **st)
{
	int fd;

	(void)st;
	run_c1("exec sleep 1000");
	fd = raw_connect();
	raw_request(fd, 2, V2, "Connect", NULL, 0);
	raw_expect(fd, 2, TTRPC_INVALID_ARGUMENT,
		   "StreamID must be odd for client initiated streams");
	raw_lives(fd, 7);
	raw_request(fd, 7, V2, "Connect", NULL, 0);
	raw_expect(fd, 7, TTRPC_INVALID_ARGUMENT,
		   "StreamID cannot be re-used and must increment");
	raw_request(fd, 5, V2, "Connect", NULL, 0);
	raw_expect(fd, 5, TTRPC_INVALID_ARGUMENT,
		   "StreamID cannot be re-used and must increment");
	raw_lives(fd, 9);
	raw_request(fd, 0, V2, "Connect", NULL, 0);
	raw_expect(fd, 0, TTRPC_INVALID_ARGUMENT, NULL);
	raw_lives(fd, 0xffffffff);
	close(fd);
	end_c1();
}

static void bad_types(void **st)
{
	int fd;

	(void)st;
	run_c1("exec sleep 1000");
	fd = raw_connect();
	for (int type = 0; type < 256; type++) {
		if (type == 1 || type == 3)
			continue;
		raw_header(fd, 3, 1, (uint8_t)type, 0xff);
		raw_write(fd, "abc", 3); /* ignored, without an answer */
	}
	raw_header(fd, 2, 1, 3, 0);
	raw_write(fd, "ab", 2);
	raw_expect(fd, 1, TTRPC_INVALID_ARGUMENT, "StreamID is no longer active");
	raw_lives(fd, 3);
	close(fd);
	end_c1();
}

static void bad_requests(void **st)
{
	static const char junk[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
	int fd;

	(void)st;
	run_c1("exec sleep 1000");
	fd = raw_connect();
	raw_header(fd, 12, 1, 1, 0);
	raw_write(fd, junk, 12);
	raw_expect(fd, 1, TTRPC_INVALID_ARGUMENT, "unmarshal request error: ");
	raw_request(fd, 3, "no.such.Service", "Connect", NULL, 0);
	raw_expect(fd, 3, TTRPC_UNIMPLEMENTED, "service no.such.Service");
	raw_request(fd, 5, V2, "NoSuchMethod", NULL, 0);
	raw_expect(fd, 5, TTRPC_UNIMPLEMENTED, "method NoSuchMethod");
	raw_request(fd, 7, V2, "State", junk, 12);
	raw_expect(fd, 7, TTRPC_INTERNAL, "ttrpc: error unmarshalling payload: ");
	raw_header(fd, 0, 9, 1, 0); /* empty: no service */
	raw_expect(fd, 9, TTRPC_UNIMPLEMENTED, NULL);
	raw_request(fd, 11, V2, text("%0100000d", 1), NULL, 0);
	raw_expect(fd, 11, TTRPC_UNIMPLEMENTED, NULL);
	raw_lives(fd, 13);
	close(fd);
	end_c1();
}

/* A frame in single bytes is a frame. */
static void single_bytes(void **st)
{
	uint8_t frame[512], header[10] = { 0 };
	TtrpcPb__Request q = TTRPC_PB__REQUEST__INIT;
	size_t n;
	int fd;

	(void)st;
	run_c1("exec sleep 1000");
	fd = raw_connect();
	q.service = text(V2);
	q.method = text("Connect");
	n = protobuf_c_message_pack(&q.base, frame + 10);
	header[3] = (uint8_t)n;
	header[7] = 1;
	header[8] = 1;
	memcpy(frame, header, 10);
	for (size_t i = 0; i < n + 10; i++) {
		raw_write(fd, frame + i, 1);
		ok(ask_connect("c1"));
	}
	raw_expect(fd, 1, TTRPC_OK, NULL);
	close(fd);
	end_c1();
}

/* Noise in all sizes, and connections cut off in the middle of a frame. */
static void noise_and_cuts(void **st)
{
	char *junk = noise(1 << 20, 49);
	int fds;

	(void)st;
	run_c1("exec sleep 1000");
	fds = count_fds(e2e.server);
	for (size_t i = 0; i < 50; i++) {
		int fd = raw_connect();

		/* It may close before it has read our answers. */
		if (send(fd, junk + i * 1000, i * 400 + 1, MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EAGAIN);
		ok(ask_state("c1", NULL));
		close(fd);
	}
	until(count_fds(e2e.server) == fds);
	end_c1();
}

/* Somebody who sends requests and never reads the answers is not served for ever. */
static void never_reads(void **st)
{
	int fd;
	size_t sent = 0;
	uint32_t stream = 1;
	char *rss, *after;

	(void)st;
	run_c1("exec sleep 1000");
	rss = proc_status(e2e.server, "VmRSS");
	fd = raw_connect();
	for (; sent < 20000; sent++, stream += 2) {
		uint8_t frame[512] = { 0 };
		TtrpcPb__Request q = TTRPC_PB__REQUEST__INIT;
		size_t n;

		q.service = text(V2);
		q.method = text("%0200d", 3);
		n = protobuf_c_message_pack(&q.base, frame + 10);
		frame[2] = (uint8_t)(n >> 8);
		frame[3] = (uint8_t)n;
		frame[4] = (uint8_t)(stream >> 24);
		frame[5] = (uint8_t)(stream >> 16);
		frame[6] = (uint8_t)(stream >> 8);
		frame[7] = (uint8_t)stream;
		frame[8] = 1;
		if (send(fd, frame, n + 10, MSG_NOSIGNAL) != (ssize_t)(n + 10))
			break;
	}
	for (int i = 0; i < 20; i++)
		ok(ask_state("c1", NULL));
	after = proc_status(e2e.server, "VmRSS");
	assert_true(strtol(after, NULL, 10) - strtol(rss, NULL, 10) < 16 << 10);
	close(fd);
	end_c1();
}

/* 300 connections, each with a parked call; all descriptors come back. */
static void many_connections(void **st)
{
	struct ttrpc_client *clients = forget_later(calloc(300, sizeof(*clients)));
	struct answer *waiting[300];
	Task__WaitRequest q = TASK__WAIT_REQUEST__INIT;
	int fds;

	(void)st;
	run_c1("exec sleep 1000");
	fds = count_fds(e2e.server);
	q.id = text("c1");
	for (size_t i = 0; i < 300; i++) {
		ttrpc_client_init(&clients[i], &e2e.loop, e2e.path);
		waiting[i] = ask_on(&clients[i], V2, "Wait", &q);
	}
	until(count_fds(e2e.server) == fds + 300);
	kill_task("c1", NULL, SIGKILL);
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(as_wait(ok(waiting[i]))->exit_status, 137);
		ttrpc_client_close(&clients[i]);
	}
	until(count_fds(e2e.server) <= fds); /* the container's are gone as well */
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Of the Waits for c1 that a client has left it knows nothing: there is no message for it. */
static void abandoned_waits(void **st)
{
	enum { N = 4096 };
	struct answer **waiting = forget_later(calloc(N + 2, sizeof(*waiting)));
	struct ttrpc_client other;
	Task__WaitRequest q = TASK__WAIT_REQUEST__INIT;

	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exec sleep 1000");
	start("c1", "e1");
	for (int i = 0; i < N; i++)
		waiting[i] = ask_wait("c1", NULL);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	/* The first is that of its monitor, the last one may well be somebody's. */
	waiting[N] = ask_wait("c1", NULL);
	fails_with(waiting[1], TTRPC_RESOURCE_EXHAUSTED, "given up for a later one");
	waiting[N + 1] = ask_wait("c1", "e1");
	fails_with(waiting[2], TTRPC_RESOURCE_EXHAUSTED, "given up for a later one");
	kill_task("c1", "e1", SIGKILL);
	assert_int_equal(as_wait(ok(waiting[N + 1]))->exit_status, 137);
	delete_task("c1", "e1");
	assert_false(waiting[0]->done || waiting[3]->done);
	/* Nobody else pays for it. */
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	q.id = text("c1");
	waiting[1] = ask_on(&other, V2, "Wait", &q);
	kill_task("c1", NULL, SIGKILL);
	for (int i = 0; i <= N; i++)
		if (i != 2)
			assert_int_equal(as_wait(ok(waiting[i]))->exit_status, 137);
	ttrpc_client_close(&other);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Another user can connect, since the test lets him, and is not heard. */
static void other_user(void **st)
{
	pid_t pid;
	int status;

	(void)st;
	run_c1("exec sleep 1000");
	chmod(SHIM_SOCKETS, 0755);
	chmod("/run/containerd", 0755);
	chmod(e2e.path, 0777);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char byte;

		snprintf(a.sun_path, sizeof(a.sun_path), "%s", e2e.path);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(77);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			_exit(2);
		_exit(recv(fd, &byte, 1, 0) <= 0 ? 0 : 1); /* closed at once */
	}
	until(waitpid(pid, &status, WNOHANG) == pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		print_message("# no other user here\n");
	else
		assert_int_equal(WEXITSTATUS(status), 0);
	ok(ask_state("c1", NULL));
	end_c1();
}

/* Of methods that are served, none crashes on an empty or a foreign message. */
static void empty_requests(void **st)
{
	const ProtobufCServiceDescriptor *d = &task__task__descriptor;
	static const char foreign[] = "\x0a\x02"
				      "c1\x10\x7f\x1a\x00\x22\x00\xa8\x01\x01";
	struct bundle *b = run_c1("exec sleep 1000");
	uint32_t stream = 1;
	int fd = raw_connect();

	(void)st;
	for (unsigned i = 0; i < d->n_methods; i++) {
		uint8_t h[10];
		uint32_t len;

		for (int k = 0; k < 2; k++) {
			if (!strcmp(d->methods[i].name, "Wait"))
				continue; /* would be parked */
			print_message("# %s\n", d->methods[i].name);
			raw_request(fd, stream, V2, d->methods[i].name,
				    k ? foreign : NULL, k ? sizeof(foreign) - 1 : 0);
			raw_read(HERE, fd, h, 10);
			memcpy(&len, h, 4);
			raw_read(HERE, fd, forget_later(malloc(ntohl(len) + 1)),
				 ntohl(len));
			stream += 2;
		}
	}
	close(fd);
	assert_string_equal(state("c1", NULL)->bundle, b->dir);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

E2E_GROUP(E2E(frame_too_long), E2E(frame_of_gigabytes), E2E(bad_streams), E2E(bad_types),
	  E2E(bad_requests), E2E(single_bytes), E2E(noise_and_cuts), E2E(never_reads),
	  E2E(many_connections), E2E(abandoned_waits), E2E(other_user), E2E(empty_requests))
