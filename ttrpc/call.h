/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server and client need of a call's inside: its memory, decoding into
 * it, and its bond to a connection. Private to libttrpc.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "ttrpc/conn.h"
#include "ttrpc/ttrpc.h"

/* An empty arena for the decoding of a frame of @frame_len bytes. */
void arena_init(struct ttrpc_arena *a, size_t frame_len);
/* @size bytes, aligned to @align (a power of two, at most max_align_t's); or NULL. */
void *arena_alloc(struct ttrpc_arena *a, size_t size, size_t align);
void arena_release(struct ttrpc_arena *a);

/*
 * Decodes @len bytes into @a. -ENOMEM: they ask for more memory than is there
 * or allowed; -EBADMSG: they are no message of this type.
 */
int arena_unpack(struct ttrpc_arena *a, const ProtobufCMessageDescriptor *type,
		 const uint8_t *data, size_t len, ProtobufCMessage **out);

/* Sends an error reply for a stream that has no call. */
void call_refuse(struct ttrpc_conn *c, uint32_t stream, int code,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A call on @stream of @c, in flight from now on; or NULL. */
struct ttrpc_call *call_new(struct ttrpc_server *s, struct ttrpc_conn *c,
			    uint32_t stream, size_t frame_len);

/* Sets the deadline that the request asks for; 0: none. */
void call_set_timeout(struct ttrpc_call *call, int64_t timeout_ns);

/* Lets the handler's own memory begin, after decoding. */
void call_decoded(struct ttrpc_call *call);

/* Parts @call from its connection, and tells the handler that wants to know. */
void call_cancel(struct ttrpc_call *call, enum ttrpc_code why);
