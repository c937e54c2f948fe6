/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: takes connections from our own user only, judges frames, finds
 * service and method, hands the decoded call to its handler. It owns the
 * listening socket and the list of connections. Nothing a peer sends closes its
 * connection: a mistake is answered on the stream it was made on, in the words
 * of the Go server (contract 2.3).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ttrpc.pb-c.h"
#include "ttrpc/call.h"
#include "ttrpc/limits.h"

#define BACKOFF_MIN LOOP_MSEC
#define BACKOFF_MAX (TTRPC_LIMIT_BACKOFF_MS * LOOP_MSEC)

#define BAD_BYTES "proto: cannot parse invalid wire-format data"

static void server_log(struct ttrpc_server *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void server_log(struct ttrpc_server *s, const char *format, ...)
{
	char text[256];
	va_list ap;

	if (!s->log)
		return;
	va_start(ap, format);
	if (vsnprintf(text, sizeof(text), format, ap) >= 0)
		s->log(s, text);
	va_end(ap);
}

/* ------------------------------------------------------------- frames */

static const struct ttrpc_service *find_service(const struct ttrpc_server *s,
						const char *name)
{
	const struct ttrpc_service *service;

	list_for_each(service, &s->services, link) {
		if (strcmp(service->name, name) == 0)
			return service;
	}
	return NULL;
}

static void decode_failed(struct ttrpc_call *call, int error, int code,
			  const char *what, size_t len)
{
	if (error == -ENOMEM)
		ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED,
				"%s: %zu bytes need too much memory", what, len);
	else
		ttrpc_call_fail(call, code, "%s: %s", what, BAD_BYTES);
}

static void dispatch(struct ttrpc_call *call, const struct frame *f)
{
	const TtrpcPb__Request *request;
	ProtobufCMessage *m;
	int r;

	r = arena_unpack(&call->arena, &ttrpc_pb__request__descriptor, f->payload,
			 f->length, &m);
	if (r < 0) {
		decode_failed(call, r, TTRPC_INVALID_ARGUMENT,
			      "unmarshal request error", f->length);
		return;
	}
	call->request = m;
	request = call->request;
	call->service = find_service(call->server, request->service);
	if (!call->service) {
		ttrpc_call_fail(call, TTRPC_UNIMPLEMENTED, "service %s", request->service);
		return;
	}
	call->method = protobuf_c_service_descriptor_get_method_by_name(
		call->service->descriptor, request->method);
	if (!call->method) {
		ttrpc_call_fail(call, TTRPC_UNIMPLEMENTED, "method %s", request->method);
		return;
	}
	r = arena_unpack(&call->arena, call->method->input, request->payload.data,
			 request->payload.len, &m);
	if (r < 0) {
		decode_failed(call, r, TTRPC_INTERNAL,
			      "ttrpc: error unmarshalling payload", request->payload.len);
		return;
	}
	call_decoded(call);
	call_set_timeout(call, request->timeout_nano);
	call->service->handle(call, m);
}

/* On one connection. */
static unsigned most_calls(const struct ttrpc_server *s, bool waits)
{
	unsigned reserve = s->limits.calls / TTRPC_LIMIT_RESERVE;

	return s->limits.calls + (waits ? 0 : reserve);
}

/* On all of them, for one more on one that has @n. */
static unsigned most_of_all(const struct ttrpc_server *s, unsigned n, bool waits)
{
	unsigned reserve = s->limits.all_calls / TTRPC_LIMIT_RESERVE;

	return s->limits.all_calls + (waits ? 0 : reserve) +
	       (n < TTRPC_LIMIT_FEW ? reserve : 0);
}

bool ttrpc_call_may_wait(const struct ttrpc_call *call)
{
	const struct ttrpc_server *s = call->server;
	const struct ttrpc_conn *c = call->conn;

	return c && c->n_calls <= most_calls(s, true) &&
	       s->n_calls <= most_of_all(s, c->n_calls - 1, true);
}

bool ttrpc_call_same_conn(const struct ttrpc_call *a, const struct ttrpc_call *b)
{
	return a->conn && a->conn == b->conn;
}

static void request_frame(struct ttrpc_server *s, struct ttrpc_conn *c,
			  const struct frame *f)
{
	struct ttrpc_call *call;
	unsigned most;

	if (f->stream <= c->last_stream) {
		call_refuse(c, f->stream, TTRPC_INVALID_ARGUMENT,
			    "StreamID cannot be re-used and must increment");
		return;
	}
	c->last_stream = f->stream;
	most = most_calls(s, false);
	if (c->n_calls >= most) {
		call_refuse(c, f->stream, TTRPC_RESOURCE_EXHAUSTED,
			    "%u calls are in flight on this connection, the limit is %u",
			    c->n_calls, most);
		return;
	}
	most = most_of_all(s, c->n_calls, false);
	if (s->n_calls >= most) {
		call_refuse(c, f->stream, TTRPC_RESOURCE_EXHAUSTED,
			    "%u calls are being worked on, the limit is %u", s->n_calls, most);
		return;
	}
	call = call_new(s, c, f->stream, f->length);
	if (call)
		dispatch(call, f);
	else
		call_refuse(c, f->stream, TTRPC_RESOURCE_EXHAUSTED,
			    "no memory for a request of %u bytes", f->length);
}

static struct ttrpc_call *find_call(struct ttrpc_conn *c, uint32_t stream)
{
	struct ttrpc_call *call;

	list_for_each(call, &c->calls, conn_link) {
		if (call->stream == stream)
			return call;
	}
	return NULL;
}

/*
 * All methods are unary, so a stream is half closed from its request on: the
 * only data frame with a right to exist is an empty one that says so once more.
 * For any other the error is the stream's one reply, and the call is cut off.
 */
static void data_frame(struct ttrpc_conn *c, const struct frame *f)
{
	struct ttrpc_call *call = find_call(c, f->stream);
	bool closes = f->flags & FRAME_REMOTE_CLOSED;
	bool empty = f->length == 0 && (closes || f->flags & FRAME_NO_DATA);
	const char *text;

	if (!call)
		text = "StreamID is no longer active";
	else if (empty)
		return;
	else if (closes)
		text = "data close message cannot include data";
	else
		text = "data handling error: ttrpc: stream closed";
	call_refuse(c, f->stream, TTRPC_INVALID_ARGUMENT, "%s", text);
	if (call)
		call_cancel(call, TTRPC_CANCELLED);
}

static void server_frame(struct ttrpc_conn *c, const struct frame *f)
{
	if (f->error == EMSGSIZE)
		call_refuse(c, f->stream, TTRPC_RESOURCE_EXHAUSTED,
			    "message length %u exceed maximum message size of %u",
			    f->length, TTRPC_MAX_PAYLOAD);
	else if (f->error)
		call_refuse(c, f->stream, TTRPC_RESOURCE_EXHAUSTED,
			    "no memory for a message of %u bytes", f->length);
	else if (f->stream % 2 == 0)
		call_refuse(c, f->stream, TTRPC_INVALID_ARGUMENT,
			    "StreamID must be odd for client initiated streams");
	else if (f->type == FRAME_DATA)
		data_frame(c, f);
	else if (f->type == FRAME_REQUEST)
		request_frame(c->owner, c, f);
}

/* -------------------------------------------------------- connections */

static void drop_conn(struct ttrpc_server *s, struct ttrpc_conn *c)
{
	struct ttrpc_call *call;

	list_del(&c->link);
	s->n_conns--;
	while ((call = list_first(&c->calls, struct ttrpc_call, conn_link)))
		call_cancel(call, TTRPC_CANCELLED);
	conn_close(c);
}

static void server_lost(struct ttrpc_conn *c, int error)
{
	struct ttrpc_server *s = c->owner;

	if (error && error != -EPIPE && error != -ECONNRESET)
		server_log(s, "connection given up: %s", strerror(-error));
	drop_conn(s, c);
	if (s->conns_changed)
		s->conns_changed(s);
}

static const struct conn_ops server_ops = {
	.frame = server_frame,
	.lost = server_lost,
};

int ttrpc_server_adopt(struct ttrpc_server *s, int fd)
{
	struct ttrpc_conn *c;
	int r;

	if (s->n_conns >= s->limits.conns) {
		server_log(s, "connection refused: %u are open", s->n_conns);
		close(fd);
		return -EUSERS;
	}
	r = conn_new(&c, s->loop, fd, &server_ops, s, s->limits.output);
	if (r < 0) {
		server_log(s, "connection refused: %s", strerror(-r));
		return r;
	}
	list_append(&s->conns, &c->link);
	s->n_conns++;
	if (s->conns_changed)
		s->conns_changed(s);
	return 0;
}

static bool peer_is_us(struct ttrpc_server *s, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == geteuid() && peer.gid == getegid())
		return true;
	server_log(s, "connection refused: from pid %d of user %u, group %u",
		   (int)peer.pid, (unsigned)peer.uid, (unsigned)peer.gid);
	return false;
}

static void accept_failed(struct ttrpc_server *s, int error)
{
	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	/* The peer waits in the backlog; asking again at once would only spin. */
	if (!s->backoff_ns)
		server_log(s, "cannot accept connections: %s", strerror(error));
	s->backoff_ns = s->backoff_ns ? 2 * s->backoff_ns : BACKOFF_MIN;
	if (s->backoff_ns > BACKOFF_MAX)
		s->backoff_ns = BACKOFF_MAX;
	watch_set(&s->listener, 0);
	timer_arm_in(s->loop, &s->backoff, s->backoff_ns);
}

static void backoff_over(struct timer *t)
{
	struct ttrpc_server *s = container_of(t, struct ttrpc_server, backoff);

	watch_set(&s->listener, EPOLLIN);
}

static void server_accept(struct watch *w, uint32_t events)
{
	struct ttrpc_server *s = container_of(w, struct ttrpc_server, listener);
	int i;

	(void)events;
	/* A hook may have stopped the listening. */
	for (i = 0; i < TTRPC_LIMIT_ACCEPTS && w->loop; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			accept_failed(s, errno);
			break;
		}
		s->backoff_ns = 0;
		if (peer_is_us(s, fd))
			ttrpc_server_adopt(s, fd);
		else
			close(fd);
	}
}

/* ----------------------------------------------------------- lifetime */

int ttrpc_server_open(struct ttrpc_server *s, struct loop *l, int listen_fd,
		      const struct ttrpc_limits *limits)
{
	const struct ttrpc_limits defaults = TTRPC_LIMITS_DEFAULT;
	int flags, r;

	*s = (struct ttrpc_server){
		.loop = l,
		.limits = limits ? *limits : defaults,
		.listener = WATCH_INIT,
	};
	timer_init(&s->backoff, backoff_over);
	list_init(&s->services);
	list_init(&s->conns);
	list_init(&s->orphans);
	flags = fcntl(listen_fd, F_GETFL);
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		r = -errno;
	else
		r = watch_add(l, &s->listener, listen_fd, EPOLLIN, server_accept);
	if (r < 0 && listen_fd >= 0)
		close(listen_fd);
	return r;
}

void ttrpc_server_stop_listening(struct ttrpc_server *s)
{
	timer_disarm(&s->backoff);
	if (!s->listener.loop)
		return;
	watch_del(&s->listener);
	close(s->listener.fd);
}

void ttrpc_server_close(struct ttrpc_server *s)
{
	struct ttrpc_conn *c;
	struct ttrpc_call *call;

	ttrpc_server_stop_listening(s);
	while ((c = list_first(&s->conns, struct ttrpc_conn, link))) {
		assert(!c->busy);
		drop_conn(s, c);
	}
	/* Their handlers may answer when the server is no more. */
	while ((call = list_first(&s->orphans, struct ttrpc_call, conn_link))) {
		list_del(&call->conn_link);
		call->server = NULL;
	}
	s->n_calls = 0;
}

void ttrpc_server_add(struct ttrpc_server *s, struct ttrpc_service *service)
{
	list_append(&s->services, &service->link);
}
