/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: sends unary calls over one connection, which it makes when it is
 * needed, and finds the call that a reply belongs to. It owns the connection;
 * requests are their owners'. It never waits and never tries again by itself:
 * a lost connection fails what was under way, and the next call makes a new one.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ttrpc.pb-c.h"
#include "ttrpc/call.h"
#include "ttrpc/limits.h"

/* ------------------------------------------------------------ replies */

/* Parts @r from the client; it is its owner's again. */
static void request_detach(struct ttrpc_request *r)
{
	list_del(&r->link);
	timer_disarm(&r->timeout);
	r->client = NULL;
}

static void request_fail(struct ttrpc_request *r, int code, const char *message)
{
	request_detach(r);
	r->done(r, code, message, (const uint8_t *)"", 0);
}

static void fail_all(struct ttrpc_client *c, int code, const char *message)
{
	struct list requests = LIST_INIT(requests);
	struct ttrpc_request *r;

	/* What is sent from within done() is not meant. */
	list_splice(&requests, &c->requests);
	while ((r = list_first(&requests, struct ttrpc_request, link)))
		request_fail(r, code, message);
}

static void request_expired(struct timer *t)
{
	request_fail(container_of(t, struct ttrpc_request, timeout),
		     TTRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static void decode_reply(struct ttrpc_request *r, const struct frame *f)
{
	const TtrpcPb__Response *response;
	struct ttrpc_arena arena;
	ProtobufCMessage *m;
	const uint8_t *data;
	int e;

	arena_init(&arena, f->length);
	e = arena_unpack(&arena, &ttrpc_pb__response__descriptor, f->payload, f->length, &m);
	if (e == -ENOMEM) {
		request_fail(r, TTRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
	} else if (e < 0) {
		request_fail(r, TTRPC_INTERNAL, "ttrpc: error unmarshalling the reply");
	} else {
		response = (const TtrpcPb__Response *)(void *)m;
		if (response->status && response->status->code != TTRPC_OK) {
			request_fail(r, response->status->code, response->status->message);
		} else {
			data = response->payload.data;
			request_detach(r);
			r->done(r, TTRPC_OK, "", data ? data : (const uint8_t *)"",
				response->payload.len);
		}
	}
	arena_release(&arena);
}

static struct ttrpc_request *find_request(struct ttrpc_client *c, uint32_t stream)
{
	struct ttrpc_request *r;

	list_for_each(r, &c->requests, link) {
		if (r->stream == stream)
			return r;
	}
	return NULL;
}

static void client_frame(struct ttrpc_conn *conn, const struct frame *f)
{
	struct ttrpc_request *r = find_request(conn->owner, f->stream);

	/* A reply that comes too late is no error, nor is a type yet to be invented. */
	if (!r || f->type != FRAME_RESPONSE)
		return;
	if (f->error == EMSGSIZE)
		request_fail(r, TTRPC_RESOURCE_EXHAUSTED,
			     "the reply exceeds the maximum message size of 4194304");
	else if (f->error)
		request_fail(r, TTRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
	else
		decode_reply(r, f);
}

static void client_lost(struct ttrpc_conn *conn, int error)
{
	struct ttrpc_client *c = conn->owner;

	(void)error;
	c->conn = NULL;
	conn_close(conn);
	fail_all(c, TTRPC_UNAVAILABLE, "ttrpc: closed");
	if (c->closed)
		c->closed(c);
}

/* --------------------------------------------------------- connection */

static const struct conn_ops client_ops = {
	.frame = client_frame,
	.lost = client_lost,
};

void ttrpc_client_init(struct ttrpc_client *c, struct loop *l, const char *path)
{
	*c = (struct ttrpc_client){ .loop = l, .path = path };
	list_init(&c->requests);
}

int ttrpc_client_adopt(struct ttrpc_client *c, int fd)
{
	assert(!c->conn);
	c->next_stream = 1;
	/*
	 * Without an output limit, since a client that stopped reading while the
	 * server does the same would wait for it for ever.
	 */
	return conn_new(&c->conn, c->loop, fd, &client_ops, c, SIZE_MAX);
}

int ttrpc_client_connect(struct ttrpc_client *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len;
	int fd, r;

	if (c->conn)
		return 0;
	if (!c->path || !*c->path)
		return -ENOTCONN;
	len = strlen(c->path);
	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, c->path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Never EINPROGRESS for this family: a full backlog is EAGAIN. */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return ttrpc_client_adopt(c, fd);
}

void ttrpc_client_close(struct ttrpc_client *c)
{
	struct ttrpc_conn *conn = c->conn;

	if (c->closing)
		return;
	c->closing = true;
	c->conn = NULL;
	if (conn)
		conn_close(conn);
	fail_all(c, TTRPC_CANCELLED, "ttrpc: client closed");
	c->closing = false;
}

/* ----------------------------------------------------------- requests */

void ttrpc_request_init(struct ttrpc_request *r,
			void (*done)(struct ttrpc_request *, int, const char *,
				     const uint8_t *, size_t))
{
	*r = (struct ttrpc_request){ .done = done };
	list_init(&r->link);
	timer_init(&r->timeout, request_expired);
}

/* protobuf-c does not write to what it packs; its types cannot say so. */
#define UNCONST(p) ((void *)(uintptr_t)(p))

/* The frame but for its stream id, which is not known before there is a connection. */
static int encode(TtrpcPb__Request *request, struct conn_frame **out)
{
	size_t n = protobuf_c_message_get_packed_size(&request->base);
	struct conn_frame *f;

	if (n > TTRPC_MAX_PAYLOAD)
		return -EMSGSIZE;
	f = conn_frame_new(FRAME_HEADER + n);
	if (!f)
		return -ENOMEM;
	protobuf_c_message_pack(&request->base, f->data + FRAME_HEADER);
	*out = f;
	return 0;
}

static int encode_metadata(TtrpcPb__Request *request, struct conn_frame **out,
			   const struct ttrpc_metadata *metadata, size_t n)
{
	TtrpcPb__KeyValue *entries, **pointers;
	size_t i;
	int r;

	if (n == 0)
		return encode(request, out);
	entries = calloc(n, sizeof(*entries));
	pointers = calloc(n, sizeof(*pointers));
	r = -ENOMEM;
	if (entries && pointers) {
		for (i = 0; i < n; i++) {
			entries[i] = (TtrpcPb__KeyValue)TTRPC_PB__KEY_VALUE__INIT;
			entries[i].key = UNCONST(metadata[i].key);
			entries[i].value = UNCONST(metadata[i].value);
			pointers[i] = &entries[i];
		}
		request->n_metadata = n;
		request->metadata = pointers;
		r = encode(request, out);
	}
	free(entries);
	free(pointers);
	return r;
}

static void request_start(struct ttrpc_client *c, struct ttrpc_request *r,
			  struct conn_frame *f, uint64_t timeout_ns)
{
	struct frame head = {
		.length = (uint32_t)(f->len - FRAME_HEADER),
		.type = FRAME_REQUEST,
	};

	/* All ids are used up; the next connection begins anew. */
	if (c->next_stream == 0)
		conn_fail(c->conn, 0);
	r->stream = head.stream = c->next_stream;
	c->next_stream = c->next_stream < UINT32_MAX ? c->next_stream + 2 : 0;
	r->client = c;
	list_append(&c->requests, &r->link);
	if (timeout_ns)
		timer_arm_in(c->loop, &r->timeout, timeout_ns);
	frame_encode(f->data, &head);
	/* If this fails, or has failed, the request fails with the connection. */
	conn_send(c->conn, f);
}

int ttrpc_request_send(struct ttrpc_client *c, struct ttrpc_request *r,
		       const char *service, const char *method,
		       const struct ttrpc_metadata *metadata, size_t n_metadata,
		       const uint8_t *message, size_t len, uint64_t timeout_ns)
{
	TtrpcPb__Request request = TTRPC_PB__REQUEST__INIT;
	struct conn_frame *f;
	int e;

	assert(!r->client);
	if (c->closing)
		return -ESHUTDOWN;
	if (len > TTRPC_MAX_PAYLOAD)
		return -EMSGSIZE;
	if (c->conn && c->conn->out_bytes > TTRPC_LIMIT_CLIENT_OUTPUT)
		return -ENOBUFS;
	request.service = UNCONST(service);
	request.method = UNCONST(method);
	request.payload.data = UNCONST(message);
	request.payload.len = len;
	request.timeout_nano = timeout_ns < INT64_MAX ? (int64_t)timeout_ns : INT64_MAX;
	e = encode_metadata(&request, &f, metadata, n_metadata);
	if (e < 0)
		return e;
	e = ttrpc_client_connect(c);
	if (e < 0) {
		free(f);
		return e;
	}
	request_start(c, r, f, timeout_ns);
	return 0;
}

void ttrpc_request_cancel(struct ttrpc_request *r)
{
	if (r->client)
		request_detach(r);
}
