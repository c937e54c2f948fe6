/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ttrpc server with a service of stubs, and the bytes to talk to it, for the
 * unit tests and the fuzzer. The service is written by hand, so that libttrpc is
 * tested without any of the program; its one message is KeyValue.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ttrpc.pb-c.h"
#include "ttrpc/call.h"
#include "ttrpc/status.h"
#include "ttrpc/ttrpc.h"

struct rig {
	struct loop loop;
	struct ttrpc_server server;
	struct ttrpc_service services[2];
	struct list parked;      /* struct ttrpc_call, of the methods Park and Wait */
	int n_handled;
	int n_cancelled;
	enum ttrpc_code why;     /* of the last cancel() */
	bool answers_on_cancel;
	int n_changes;           /* of the number of connections */
	int n_logged;
	char logged[256];
	int peer;                /* our end of the first connection */
	int fds;                 /* before all this */
};

/* One row of the table below. */
#define RIG_METHOD(method_name)                                             \
	{                                                                   \
		.name = method_name,                                        \
		.input = &ttrpc_pb__key_value__descriptor,                  \
		.output = &ttrpc_pb__key_value__descriptor,                 \
	}

/* By name, since the index below says so. */
static const ProtobufCMethodDescriptor rig_methods[] = {
	RIG_METHOD("Big"),    /* a reply with as many bytes as .key says */
	RIG_METHOD("Echo"),   /* the request itself */
	RIG_METHOD("Fail"),   /* code .key, text .value */
	RIG_METHOD("Meta"),   /* the metadata of .key */
	RIG_METHOD("Park"),   /* no reply; on rig.parked */
	RIG_METHOD("Vanish"), /* the peer hangs up, then the reply */
	RIG_METHOD("Wait"),   /* as Park, if it may */
};
#define RIG_N_METHODS (sizeof(rig_methods) / sizeof(*rig_methods))

static const unsigned rig_by_name[] = { 0, 1, 2, 3, 4, 5, 6 };

static const ProtobufCServiceDescriptor rig_descriptor = {
	.magic = PROTOBUF_C__SERVICE_DESCRIPTOR_MAGIC,
	.name = "rig.Rig",
	.n_methods = RIG_N_METHODS,
	.methods = rig_methods,
	.method_indices_by_name = rig_by_name,
};

static inline void rig_cancelled(struct ttrpc_call *call, enum ttrpc_code why)
{
	struct rig *rig = call->service->data;

	rig->n_cancelled++;
	rig->why = why;
	if (rig->answers_on_cancel) {
		list_del(&call->link);
		ttrpc_call_fail(call, why, "cancelled");
	}
}

static inline void rig_big(struct ttrpc_call *call, const char *size)
{
	TtrpcPb__KeyValue reply = TTRPC_PB__KEY_VALUE__INIT;
	size_t n = strtoul(size, NULL, 10);

	reply.value = n < SIZE_MAX ? ttrpc_call_alloc(call, n + 1) : NULL;
	if (!reply.value) {
		ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "too big for the rig");
		return;
	}
	memset(reply.value, 'b', n);
	reply.value[n] = '\0';
	ttrpc_call_reply(call, &reply.base);
}

static inline void rig_meta(struct ttrpc_call *call, const char *key)
{
	TtrpcPb__KeyValue reply = TTRPC_PB__KEY_VALUE__INIT;
	const char *value = ttrpc_call_metadata(call, key);

	reply.value = ttrpc_call_copy(call, value ? value : "(none)");
	if (reply.value)
		ttrpc_call_reply(call, &reply.base);
	else
		ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "too big for the rig");
}

static inline void rig_handle(struct ttrpc_call *call, const ProtobufCMessage *request)
{
	const TtrpcPb__KeyValue *kv = (const TtrpcPb__KeyValue *)(const void *)request;
	struct rig *rig = call->service->data;
	int code;

	rig->n_handled++;
	switch (call->method->name[0]) {
	case 'B':
		rig_big(call, kv->key);
		break;
	case 'F':
		code = (int)strtol(kv->key, NULL, 10);
		ttrpc_call_fail(call, code ? code : TTRPC_UNKNOWN, "%s", kv->value);
		break;
	case 'M':
		rig_meta(call, kv->key);
		break;
	case 'W':
		if (!ttrpc_call_may_wait(call)) {
			ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "no more may wait");
			break;
		}
		/* fall through */
	case 'P':
		call->cancel = rig_cancelled;
		list_append(&rig->parked, &call->link);
		break;
	case 'V':
		if (rig->peer >= 0)
			close(rig->peer);
		rig->peer = -1;
		ttrpc_call_reply(call, request);
		break;
	default:
		ttrpc_call_reply(call, request);
	}
}

static inline void rig_changed(struct ttrpc_server *s)
{
	((struct rig *)s->data)->n_changes++;
}

static inline void rig_logs(struct ttrpc_server *s, const char *text)
{
	struct rig *rig = s->data;

	rig->n_logged++;
	snprintf(rig->logged, sizeof(rig->logged), "%s", text);
}

static inline int rig_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Not under an emulator: qemu's user mode passes over the limit. */
static inline bool rig_limit_is_obeyed(void)
{
	struct rlimit old, tight;
	void *page;

	getrlimit(RLIMIT_AS, &old);
	tight = old;
	tight.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &tight);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	setrlimit(RLIMIT_AS, &old);
	if (page != MAP_FAILED)
		munmap(page, 4096);
	return page == MAP_FAILED;
}

/* A sanitizer's or valgrind's own memory would be limited too. */
static inline bool rig_memory_can_be_limited(void)
{
	const char *preload = getenv("LD_PRELOAD");

#if defined(__SANITIZE_ADDRESS__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return false;
#endif
#endif
	return (!preload || !strstr(preload, "vgpreload")) && rig_limit_is_obeyed();
}

/* The address space in use, which RLIMIT_AS counts. */
static inline size_t rig_mapped_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%lu", &pages) != 1)
		abort();
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Valgrind's accept(2) takes a connection before it says that there are too many. */
static inline bool rig_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* A new connection: the server's end is adopted, ours returned. */
static inline int rig_connect(struct rig *rig)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	if (ttrpc_server_adopt(&rig->server, sv[0]) == 0)
		return sv[1];
	close(sv[1]);
	return -1;
}

/* A server on @listen_fd (-1: none, with one connection, rig.peer). */
static inline int rig_open(struct rig *rig, const struct ttrpc_limits *limits,
			   int listen_fd)
{
	static const char *const names[] = { "rig.Rig", "rig.v2.Rig" };
	int i, r, fd = listen_fd;

	memset(rig, 0, sizeof(*rig));
	list_init(&rig->parked);
	r = loop_init(&rig->loop);
	if (r < 0)
		return r;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = ttrpc_server_open(&rig->server, &rig->loop, fd, limits);
	if (r < 0)
		return r;
	rig->server.data = rig;
	rig->server.conns_changed = rig_changed;
	rig->server.log = rig_logs;
	for (i = 0; i < 2; i++) {
		rig->services[i].name = names[i];
		rig->services[i].descriptor = &rig_descriptor;
		rig->services[i].handle = rig_handle;
		rig->services[i].data = rig;
		ttrpc_server_add(&rig->server, &rig->services[i]);
	}
	rig->peer = -1;
	if (listen_fd < 0) {
		ttrpc_server_stop_listening(&rig->server);
		rig->peer = rig_connect(rig);
	}
	return 0;
}

/* Answers the last parked calls, after the server is gone, and closes all. */
static inline void rig_close(struct rig *rig)
{
	struct ttrpc_call *call;

	ttrpc_server_close(&rig->server);
	while ((call = list_first(&rig->parked, struct ttrpc_call, link))) {
		list_del(&call->link);
		ttrpc_call_fail(call, TTRPC_UNAVAILABLE, "closed");
	}
	if (rig->peer >= 0)
		close(rig->peer);
	rig->peer = -1;
	loop_fini(&rig->loop);
}

/* --------------------------------------------------------------- bytes */

struct bytes {
	uint8_t *data;
	size_t len, size;
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
	if (!b->data || b->len + len + 1 > b->size) {
		b->size = (b->len + len + 1) * 2;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			abort();
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void put_byte(struct bytes *b, unsigned v)
{
	uint8_t byte = (uint8_t)v;

	put(b, &byte, 1);
}

static inline void put_varint(struct bytes *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(b, (unsigned)(v | 0x80) & 0xff);
	put_byte(b, (unsigned)v);
}

/* A length-delimited field: a string, bytes, a message. */
static inline void put_field(struct bytes *b, unsigned number, const void *data,
			     size_t len)
{
	put_varint(b, number << 3 | 2);
	put_varint(b, len);
	put(b, data, len);
}

static inline void put_text(struct bytes *b, unsigned number, const char *text)
{
	put_field(b, number, text, strlen(text));
}

static inline void put_frame(struct bytes *b, uint32_t stream, unsigned type,
			     unsigned flags, const void *payload, size_t len)
{
	uint32_t words[2] = { __builtin_bswap32((uint32_t)len),
			      __builtin_bswap32(stream) };

	put(b, words, 8);
	put_byte(b, type);
	put_byte(b, flags);
	put(b, payload, len);
}

static inline void drop(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

/* A request's envelope; the message is a KeyValue, made of @key and @value. */
struct ask {
	uint32_t stream;
	const char *service; /* NULL: "rig.Rig" */
	const char *method;
	const char *key, *value;
	int64_t timeout;
	const char *metadata[4]; /* key, value, key, value */
};

static inline void put_ask(struct bytes *b, const struct ask *ask)
{
	struct bytes kv = { 0 }, request = { 0 };
	int i;

	if (ask->key)
		put_text(&kv, 1, ask->key);
	if (ask->value)
		put_text(&kv, 2, ask->value);
	put_text(&request, 1, ask->service ? ask->service : "rig.Rig");
	put_text(&request, 2, ask->method);
	if (kv.len)
		put_field(&request, 3, kv.data, kv.len);
	drop(&kv);
	if (ask->timeout) {
		put_varint(&request, 4 << 3);
		put_varint(&request, (uint64_t)ask->timeout);
	}
	for (i = 0; i < 4 && ask->metadata[i]; i += 2) {
		put_text(&kv, 1, ask->metadata[i]);
		put_text(&kv, 2, ask->metadata[i + 1]);
		put_field(&request, 5, kv.data, kv.len);
		drop(&kv);
	}
	put_frame(b, ask->stream, FRAME_REQUEST, 0, request.data, request.len);
	drop(&request);
}

/* ------------------------------------------------------------- replies */

struct answer {
	struct frame head;
	uint8_t payload[2 * TTRPC_MAX_PAYLOAD];
	int code;
	char text[STATUS_TEXT_MAX];
	size_t data_len; /* of Response.payload */
	char value[256]; /* the beginning of KeyValue.value in it */
	size_t value_len;
};

/* Reads what is there of @len bytes into @data; how many there are, 0: the end. */
static inline ssize_t rig_read(int fd, uint8_t *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	return n < 0 ? 0 : n;
}

/* Runs the server until @len bytes came; false if the end of the stream came. */
static inline bool rig_await(struct rig *rig, int fd, uint8_t *data, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = rig_read(fd, data + got, len - got);
		if (n > 0)
			got += (size_t)n;
		else if (n == 0)
			return false;
		else
			loop_round(&rig->loop, 10);
	}
	return true;
}

static inline void rig_decode(struct answer *a)
{
	ProtobufCMessage *m, *v;
	TtrpcPb__Response *response;
	TtrpcPb__KeyValue *kv;

	a->code = a->text[0] = a->value[0] = 0;
	a->data_len = a->value_len = 0;
	m = protobuf_c_message_unpack(&ttrpc_pb__response__descriptor, NULL,
				      a->head.length, a->payload);
	if (!m)
		abort();
	response = (TtrpcPb__Response *)(void *)m;
	if (response->status) {
		a->code = response->status->code;
		snprintf(a->text, sizeof(a->text), "%s", response->status->message);
	}
	a->data_len = response->payload.len;
	v = protobuf_c_message_unpack(&ttrpc_pb__key_value__descriptor, NULL,
				      response->payload.len, response->payload.data);
	if (!v)
		abort();
	kv = (TtrpcPb__KeyValue *)(void *)v;
	a->value_len = strlen(kv->value);
	snprintf(a->value, sizeof(a->value), "%s", kv->value);
	protobuf_c_message_free_unpacked(v, NULL);
	protobuf_c_message_free_unpacked(m, NULL);
}

/* The next reply on @fd; false if the stream ended instead. */
static inline bool rig_answer(struct rig *rig, int fd, struct answer *a)
{
	uint8_t header[FRAME_HEADER];

	if (!rig_await(rig, fd, header, sizeof(header)))
		return false;
	frame_decode(header, &a->head);
	if (a->head.length > sizeof(a->payload) || a->head.type != FRAME_RESPONSE ||
	    a->head.flags != 0)
		abort();
	if (!rig_await(rig, fd, a->payload, a->head.length))
		return false;
	rig_decode(a);
	return true;
}

/* Sends @b on @fd, running the server when it does not take more, and drops @b. */
static inline void rig_send(struct rig *rig, int fd, struct bytes *b)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < b->len) {
		n = send(fd, b->data + sent, b->len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			abort();
		else
			loop_round(&rig->loop, 0);
	}
	drop(b);
}

static inline void rig_ask(struct rig *rig, const struct ask *ask)
{
	struct bytes b = { 0 };

	put_ask(&b, ask);
	rig_send(rig, rig->peer, &b);
}
