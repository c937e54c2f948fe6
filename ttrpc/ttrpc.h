/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libttrpc: ttrpc (a light gRPC over local stream sockets) for C, on top of
 * protobuf-c and the loop of loop.h. Server and client of unary calls.
 *
 * Services are bound by their protobuf-c descriptor: there are no stubs. One
 * handler per service receives every call, decoded, and answers it at once or
 * later, in any order. The same descriptor may be served under several names.
 *
 * Everything is bounded (struct ttrpc_limits), every frame is distrusted, and
 * no oddity of a peer closes its connection, only the end of the stream does:
 * what a peer's mistake gets is an error reply on the stream it was made on.
 *
 * Functions that can fail return a negative errno.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"

/* Payload of one frame, inclusive; a constant of the protocol. */
#define TTRPC_MAX_PAYLOAD (4u << 20)

/* Status codes, as in gRPC. */
enum ttrpc_code {
	TTRPC_OK = 0,
	TTRPC_CANCELLED = 1,
	TTRPC_UNKNOWN = 2,
	TTRPC_INVALID_ARGUMENT = 3,
	TTRPC_DEADLINE_EXCEEDED = 4,
	TTRPC_NOT_FOUND = 5,
	TTRPC_ALREADY_EXISTS = 6,
	TTRPC_PERMISSION_DENIED = 7,
	TTRPC_RESOURCE_EXHAUSTED = 8,
	TTRPC_FAILED_PRECONDITION = 9,
	TTRPC_ABORTED = 10,
	TTRPC_OUT_OF_RANGE = 11,
	TTRPC_UNIMPLEMENTED = 12,
	TTRPC_INTERNAL = 13,
	TTRPC_UNAVAILABLE = 14,
	TTRPC_DATA_LOSS = 15,
	TTRPC_UNAUTHENTICATED = 16,
};

/* "NotFound" and so on; "unknown code" for what is not in the list. */
const char *ttrpc_code_name(int code);

/* ------------------------------------------------------------- server */

struct ttrpc_call;
struct ttrpc_conn;

struct ttrpc_limits {
	/* Open connections; more are closed at once. */
	unsigned conns;
	/*
	 * In flight on one connection; more are answered ResourceExhausted. Those
	 * that do not wait (ttrpc_call_may_wait()) may be an eighth more.
	 */
	unsigned calls;
	/*
	 * Owed by the handlers, over all connections; those count whose peer is
	 * gone or was told that time is up. More are answered ResourceExhausted;
	 * a connection with few calls may have an eighth more, and one that does
	 * not wait is let in for another.
	 */
	unsigned all_calls;
	/*
	 * Unsent reply bytes of one connection before its requests wait. From
	 * twice as many on, replies become ResourceExhausted.
	 */
	size_t output;
};

#define TTRPC_LIMITS_DEFAULT                                                \
	{ .conns = 4096, .calls = 4096, .all_calls = 16384,                 \
	  .output = 2 * TTRPC_MAX_PAYLOAD }

/*
 * A service, owned by the caller; must outlive the server. @handle is called
 * for each call of a method that @descriptor has, with the decoded request,
 * which lives as long as the call. It owes the call exactly one
 * ttrpc_call_reply() or ttrpc_call_fail(), now or later.
 */
struct ttrpc_service {
	struct list link;
	const char *name; /* on the wire, e.g. "containerd.task.v2.Task" */
	const ProtobufCServiceDescriptor *descriptor;
	void (*handle)(struct ttrpc_call *call, const ProtobufCMessage *request);
	void *data;
};

struct ttrpc_server {
	struct loop *loop;
	struct ttrpc_limits limits;
	struct watch listener;
	struct timer backoff; /* accept(2) failed for want of something */
	uint64_t backoff_ns;
	struct list services; /* struct ttrpc_service */
	struct list conns;    /* struct ttrpc_conn */
	struct list orphans;  /* struct ttrpc_call that lost their connection */
	unsigned n_conns;
	unsigned n_calls;     /* owed by the handlers, also to peers that are gone */
	/*
	 * Called when n_conns changes (not by ttrpc_server_close(), which may not
	 * be called from here), and with what is worth a log line; may be NULL.
	 */
	void (*conns_changed)(struct ttrpc_server *s);
	void (*log)(struct ttrpc_server *s, const char *text);
	void *data;
};

/*
 * Serves on @listen_fd, a listening stream socket (taken over: also on
 * failure). Peers whose user and group (SO_PEERCRED) are not our effective
 * ones are closed unread. @limits NULL: the defaults. The hooks and data of @s
 * are the caller's to set afterwards.
 */
int ttrpc_server_open(struct ttrpc_server *s, struct loop *l, int listen_fd,
		      const struct ttrpc_limits *limits);

/* Adds a connection that is accepted already (socketpair(2) in tests); takes @fd. */
int ttrpc_server_adopt(struct ttrpc_server *s, int fd);

/* Stops accepting and closes the listening socket; connections live on. */
void ttrpc_server_stop_listening(struct ttrpc_server *s);

/*
 * Closes listener and connections. Calls that are in flight are cancelled and
 * still owed their (discarded) reply. May not be called from a handler.
 */
void ttrpc_server_close(struct ttrpc_server *s);

void ttrpc_server_add(struct ttrpc_server *s, struct ttrpc_service *service);

/* ---------------------------------------------------------- one call */

struct ttrpc_arena_chunk;

/* The memory of a call: request, reply, whatever the handler asks for. Freed as one. */
struct ttrpc_arena {
	struct ttrpc_arena_chunk *chunks;
	size_t used, size; /* of the first chunk */
	size_t total, max; /* bytes over all chunks */
};

struct ttrpc_call {
	/* For the handler's use: parks the call on a list of its own. */
	struct list link;
	void *data;
	/*
	 * Set by a handler that answers later and wants to hear, at most once,
	 * that nobody listens any more (TTRPC_CANCELLED: the peer hung up) or
	 * that time is up (TTRPC_DEADLINE_EXCEEDED: already answered so). The
	 * call is still owed its reply, which is thrown away; replying from
	 * within is allowed.
	 */
	void (*cancel)(struct ttrpc_call *call, enum ttrpc_code why);

	/* To be read only. */
	const struct ttrpc_service *service;
	const ProtobufCMethodDescriptor *method;
	uint64_t due; /* deadline on the loop's clock, 0: none */

	/* Private. */
	struct ttrpc_server *server;
	struct ttrpc_conn *conn; /* NULL: the peer is gone, or was answered */
	struct list conn_link;
	uint32_t stream;
	struct timer deadline;
	struct ttrpc_arena arena;
	void *request; /* the decoded envelope (ttrpc.proto) */
};

/*
 * Whether a handler, which asks this first, may keep @call for something that may never
 * come. A peer cannot say that it no longer listens (ttrpc knows no cancelling), so that
 * such calls may fill the limits: they must leave room for others. If not, it is to be
 * answered TTRPC_RESOURCE_EXHAUSTED, or another such call of its connection.
 */
bool ttrpc_call_may_wait(const struct ttrpc_call *call);
/* Whether both are of one connection, which is there still. */
bool ttrpc_call_same_conn(const struct ttrpc_call *a, const struct ttrpc_call *b);

/* Answers with @reply, which must be of method->output, and ends the call. */
void ttrpc_call_reply(struct ttrpc_call *call, const ProtobufCMessage *reply);

/*
 * Answers with an error, and ends the call. @code is not TTRPC_OK. The text is
 * cut at 4 kB; bytes that are not UTF-8 become '?', since peers refuse them.
 *
 * Neither function calls anything back: a peer that turns out to be gone is
 * noticed later, so lists of parked calls may be walked while answering them.
 */
void ttrpc_call_fail(struct ttrpc_call *call, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Memory that lives as long as the call, aligned for any type, or NULL: there
 * is none, or it is over 16 MiB for one call. ttrpc_call_copy() copies a string
 * into it.
 */
void *ttrpc_call_alloc(struct ttrpc_call *call, size_t size);
char *ttrpc_call_copy(struct ttrpc_call *call, const char *s);

/*
 * Decodes a message inside the request (a google.protobuf.Any's value) into the
 * call's memory: -EBADMSG, it is none of this type; -ENOMEM.
 */
int ttrpc_call_unpack(struct ttrpc_call *call, const ProtobufCMessageDescriptor *type,
		      const uint8_t *data, size_t len, ProtobufCMessage **out);

/* The value that the client sent for @key, or NULL. Lives as long as the call. */
const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key);

/* ------------------------------------------------------------- client */

struct ttrpc_request;

struct ttrpc_metadata {
	const char *key, *value;
};

/*
 * A connection to one server, made when first needed and made again after it
 * was lost. All memory is the caller's.
 */
struct ttrpc_client {
	struct loop *loop;
	const char *path; /* of the socket; borrowed */
	struct ttrpc_conn *conn; /* NULL: not connected */
	uint32_t next_stream; /* 0: there is none left */
	bool closing;
	struct list requests; /* struct ttrpc_request, in order of sending */
	/*
	 * The connection was lost, after every request has failed; may be NULL.
	 * The client may be closed from here and from done(), but not freed.
	 */
	void (*closed)(struct ttrpc_client *c);
	void *data;
};

/* An outgoing call; embedded in its owner. */
struct ttrpc_request {
	struct list link;
	struct ttrpc_client *client; /* NULL: not under way */
	uint32_t stream;
	struct timer timeout;
	/*
	 * The end of the call: @code and @message (never NULL) of the status, and
	 * for TTRPC_OK the packed reply. Both die with the callback. A lost
	 * connection is TTRPC_UNAVAILABLE "ttrpc: closed", a reply that cannot be
	 * read TTRPC_INTERNAL, one that is too large or for which there is no memory
	 * TTRPC_RESOURCE_EXHAUSTED. The request may be sent again from within.
	 */
	void (*done)(struct ttrpc_request *r, int code, const char *message,
		     const uint8_t *reply, size_t reply_len);
	void *data;
};

void ttrpc_client_init(struct ttrpc_client *c, struct loop *l, const char *path);
/* Connects now, if it is not: 0, or why not (ENOENT, ECONNREFUSED, EAGAIN …). */
int ttrpc_client_connect(struct ttrpc_client *c);
/* Uses a connected socket instead of a path; takes @fd. */
int ttrpc_client_adopt(struct ttrpc_client *c, int fd);
/*
 * Closes the connection, without closed(); requests under way fail with
 * TTRPC_CANCELLED first. May be used again, and closed again.
 */
void ttrpc_client_close(struct ttrpc_client *c);

void ttrpc_request_init(struct ttrpc_request *r,
			void (*done)(struct ttrpc_request *, int, const char *,
				     const uint8_t *, size_t));
/*
 * Sends @message (packed already: @len bytes) as a call, connecting if need
 * be. @timeout_ns 0: none; it is also told to the server. Returns 0 and later
 * calls done() once, or returns why it could not be sent and calls nothing
 * (connect(2)'s errors, ENAMETOOLONG, ENOTCONN: there is no path, ENOMEM,
 * EMSGSIZE: over TTRPC_MAX_PAYLOAD, ENOBUFS: too much is unsent already,
 * ESHUTDOWN: within ttrpc_client_close()). Nothing is called from within.
 */
int ttrpc_request_send(struct ttrpc_client *c, struct ttrpc_request *r,
		       const char *service, const char *method,
		       const struct ttrpc_metadata *metadata, size_t n_metadata,
		       const uint8_t *message, size_t len, uint64_t timeout_ns);
/* Forgets a request; done() is not called, a late reply is dropped. */
void ttrpc_request_cancel(struct ttrpc_request *r);
