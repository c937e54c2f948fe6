/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call, from its decoding to its reply. It owns the call's memory, which
 * is freed as one, and the bond to the connection; a call that is cut off from
 * its peer lives on until its handler has answered. It must not judge requests
 * (server.c does) and never lets a reply fail silently: what cannot be sent
 * becomes an error reply, and where not even that is possible the connection
 * goes.
 */
#include "ttrpc/call.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc.pb-c.h"
#include "ttrpc/limits.h"
#include "ttrpc/status.h"

/* Bytes of a chunk, unless it is made for one large piece. */
#define CHUNK_MIN 512
#define CHUNK_MAX (64u << 10)
/*
 * A reply up to this is made on the stack, and so cannot fail for want of memory:
 * what it says has happened already.
 */
#define SMALL_REPLY 512
/* Of the chunk that is one allocation with the call. */
#define FIRST_MAX 4096

struct ttrpc_arena_chunk {
	struct ttrpc_arena_chunk *next;
	bool embedded; /* in the call */
	alignas(max_align_t) uint8_t data[];
};

/* -------------------------------------------------------------- arena */

void arena_init(struct ttrpc_arena *a, size_t frame_len)
{
	*a = (struct ttrpc_arena){
		.max = TTRPC_LIMIT_DECODE_MORE + TTRPC_LIMIT_DECODE_FACTOR * frame_len,
	};
}

/* Makes a chunk for @size bytes, which is left in front if it has room for more. */
static void *arena_grow(struct ttrpc_arena *a, size_t size)
{
	size_t room = 2 * a->size, left = a->max - a->total;
	struct ttrpc_arena_chunk *k, **at;

	if (room < CHUNK_MIN)
		room = CHUNK_MIN;
	if (room > CHUNK_MAX)
		room = CHUNK_MAX;
	if (size > room / 2)
		room = size;
	if (left < sizeof(*k) || left - sizeof(*k) < size)
		return NULL;
	if (room > left - sizeof(*k))
		room = left - sizeof(*k);
	k = malloc(sizeof(*k) + room);
	if (!k)
		return NULL;
	k->embedded = false;
	a->total += sizeof(*k) + room;
	at = room == size && a->chunks ? &a->chunks->next : &a->chunks;
	k->next = *at;
	*at = k;
	if (at == &a->chunks) {
		a->size = room;
		a->used = size;
	}
	return k->data;
}

void *arena_alloc(struct ttrpc_arena *a, size_t size, size_t align)
{
	size_t pos = (a->used + align - 1) & ~(align - 1);

	if (size == 0)
		size = 1;
	if (pos > a->size || size > a->size - pos)
		return arena_grow(a, size);
	a->used = pos + size;
	return a->chunks->data + pos;
}

void arena_release(struct ttrpc_arena *a)
{
	struct ttrpc_arena_chunk *k, *next;

	for (k = a->chunks; k; k = next) {
		next = k->next;
		if (!k->embedded)
			free(k);
	}
	a->chunks = NULL;
	a->used = a->size = a->total = 0;
}

struct unpacking {
	ProtobufCAllocator allocator;
	struct ttrpc_arena *arena;
	bool failed;
};

static void *unpack_alloc(void *data, size_t size)
{
	struct unpacking *u = data;
	/* Nothing that protobuf-c keeps is wider than a pointer or a double. */
	void *p = arena_alloc(u->arena, size, alignof(uint64_t));

	if (!p)
		u->failed = true;
	return p;
}

static void unpack_free(void *data, void *p)
{
	(void)data;
	(void)p;
}

int arena_unpack(struct ttrpc_arena *a, const ProtobufCMessageDescriptor *type,
		 const uint8_t *data, size_t len, ProtobufCMessage **out)
{
	struct unpacking u = {
		.allocator = {
			.alloc = unpack_alloc,
			.free = unpack_free,
			.allocator_data = &u,
		},
		.arena = a,
	};

	*out = protobuf_c_message_unpack(type, &u.allocator, len, data);
	if (*out)
		return 0;
	return u.failed ? -ENOMEM : -EBADMSG;
}

/* --------------------------------------------------------- its course */

static void send_status(struct ttrpc_conn *c, uint32_t stream, int code, char *text)
{
	uint8_t frame[STATUS_FRAME_MAX];

	status_clean(text);
	conn_send_copy(c, frame, status_frame(frame, stream, code, text));
}

static void send_failure(struct ttrpc_conn *c, uint32_t stream, int code,
			 const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));
static void send_failure(struct ttrpc_conn *c, uint32_t stream, int code,
			 const char *format, va_list ap)
{
	char text[STATUS_TEXT_MAX];

	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		text[0] = '\0';
	send_status(c, stream, code, text);
}

void call_refuse(struct ttrpc_conn *c, uint32_t stream, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	send_failure(c, stream, code, format, ap);
	va_end(ap);
}

/* Nobody waits for the reply any more. */
static void call_detach(struct ttrpc_call *call)
{
	timer_disarm(&call->deadline);
	if (!call->conn)
		return;
	list_del(&call->conn_link);
	call->conn->n_calls--;
	call->conn = NULL;
	list_append(&call->server->orphans, &call->conn_link);
}

static void call_end(struct ttrpc_call *call)
{
	call_detach(call);
	list_del(&call->conn_link);
	if (call->server)
		call->server->n_calls--;
	arena_release(&call->arena);
	free(call);
}

void call_cancel(struct ttrpc_call *call, enum ttrpc_code why)
{
	void (*cancel)(struct ttrpc_call *, enum ttrpc_code) = call->cancel;

	call_detach(call);
	call->cancel = NULL;
	if (cancel)
		cancel(call, why);
}

static void call_expired(struct timer *t)
{
	struct ttrpc_call *call = container_of(t, struct ttrpc_call, deadline);

	call_refuse(call->conn, call->stream, TTRPC_DEADLINE_EXCEEDED,
		    "context deadline exceeded");
	call_cancel(call, TTRPC_DEADLINE_EXCEEDED);
}

struct call_block {
	struct ttrpc_call call;
	alignas(max_align_t) uint8_t first[];
};

struct ttrpc_call *call_new(struct ttrpc_server *s, struct ttrpc_conn *c, uint32_t stream,
			    size_t frame_len)
{
	/* What the usual small request decodes to, and no more: it may be parked. */
	size_t room = 192 + 2 * frame_len;
	struct ttrpc_arena_chunk *first;
	struct call_block *b;

	if (room > FIRST_MAX)
		room = FIRST_MAX;
	b = malloc(sizeof(*b) + sizeof(*first) + room);
	if (!b)
		return NULL;
	b->call = (struct ttrpc_call){
		.server = s,
		.conn = c,
		.stream = stream,
	};
	first = (void *)b->first;
	first->next = NULL;
	first->embedded = true;
	arena_init(&b->call.arena, frame_len);
	b->call.arena.chunks = first;
	b->call.arena.size = room;
	b->call.arena.total = sizeof(*first) + room;
	timer_init(&b->call.deadline, call_expired);
	list_init(&b->call.link);
	list_append(&c->calls, &b->call.conn_link);
	c->n_calls++;
	s->n_calls++;
	return &b->call;
}

void call_set_timeout(struct ttrpc_call *call, int64_t timeout_ns)
{
	if (timeout_ns == 0)
		return;
	/* A negative one is over already, as it is for Go; the sum cannot overflow. */
	call->due = loop_now() + (timeout_ns > 0 ? (uint64_t)timeout_ns : 0);
	timer_arm(call->server->loop, &call->deadline, call->due);
}

void call_decoded(struct ttrpc_call *call)
{
	call->arena.max = call->arena.total + TTRPC_LIMIT_HANDLER;
}

/* -------------------------------------------------- for the handlers */

/* Response.payload (field 2, bytes) is written here to spare a copy of the reply. */
static uint8_t *put_payload_tag(uint8_t *p, size_t n)
{
	*p++ = 2 << 3 | 2;
	for (; n >= 0x80; n >>= 7)
		*p++ = (uint8_t)(n | 0x80);
	*p++ = (uint8_t)n;
	return p;
}

static void put_reply(uint8_t *frame, const struct frame *head, const uint8_t *tag,
		      size_t tag_len, const ProtobufCMessage *reply)
{
	frame_encode(frame, head);
	memcpy(frame + FRAME_HEADER, tag, tag_len);
	protobuf_c_message_pack(reply, frame + FRAME_HEADER + tag_len);
}

static void send_reply(struct ttrpc_conn *c, uint32_t stream,
		       const ProtobufCMessage *reply)
{
	size_t n = protobuf_c_message_get_packed_size(reply);
	struct frame head = { .stream = stream, .type = FRAME_RESPONSE };
	uint8_t tag[16], small[SMALL_REPLY];
	size_t tag_len = n ? (size_t)(put_payload_tag(tag, n) - tag) : 0;
	struct conn_frame *f;

	if (n + tag_len > TTRPC_MAX_PAYLOAD) {
		call_refuse(c, stream, TTRPC_RESOURCE_EXHAUSTED,
			    "message length %zu exceed maximum message size of %u",
			    n + tag_len, TTRPC_MAX_PAYLOAD);
		return;
	}
	/* Nothing is read from such a peer, but what it sent before may be a lot. */
	if (c->out_bytes / 2 > c->out_limit) {
		call_refuse(c, stream, TTRPC_RESOURCE_EXHAUSTED,
			    "reply dropped: the client has not read %zu bytes of replies",
			    c->out_bytes);
		return;
	}
	head.length = (uint32_t)(n + tag_len);
	if (FRAME_HEADER + head.length <= sizeof(small)) {
		put_reply(small, &head, tag, tag_len, reply);
		conn_send_copy(c, small, FRAME_HEADER + head.length);
		return;
	}
	f = conn_frame_new(FRAME_HEADER + head.length);
	if (!f) {
		call_refuse(c, stream, TTRPC_RESOURCE_EXHAUSTED,
			    "no memory for a reply of %zu bytes", n);
		return;
	}
	put_reply(f->data, &head, tag, tag_len, reply);
	conn_send(c, f);
}

void ttrpc_call_reply(struct ttrpc_call *call, const ProtobufCMessage *reply)
{
	assert(reply->descriptor == call->method->output);
	if (call->conn)
		send_reply(call->conn, call->stream, reply);
	call_end(call);
}

void ttrpc_call_fail(struct ttrpc_call *call, int code, const char *format, ...)
{
	va_list ap;

	assert(code != TTRPC_OK);
	if (call->conn) {
		va_start(ap, format);
		send_failure(call->conn, call->stream, code, format, ap);
		va_end(ap);
	}
	call_end(call);
}

void *ttrpc_call_alloc(struct ttrpc_call *call, size_t size)
{
	return arena_alloc(&call->arena, size, alignof(max_align_t));
}

char *ttrpc_call_copy(struct ttrpc_call *call, const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = arena_alloc(&call->arena, size, 1);

	return p ? memcpy(p, s, size) : NULL;
}

int ttrpc_call_unpack(struct ttrpc_call *call, const ProtobufCMessageDescriptor *type,
		      const uint8_t *data, size_t len, ProtobufCMessage **out)
{
	return arena_unpack(&call->arena, type, data, len, out);
}

const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key)
{
	const TtrpcPb__Request *request = call->request;
	size_t i;

	for (i = 0; i < request->n_metadata; i++) {
		if (strcmp(request->metadata[i]->key, key) == 0)
			return request->metadata[i]->value;
	}
	return NULL;
}
