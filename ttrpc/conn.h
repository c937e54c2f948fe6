/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream socket that carries frames, of a server or of a client. An idle
 * connection holds this struct and nothing else. Private to libttrpc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttrpc/frame.h"
#include "ttrpc/list.h"
#include "ttrpc/loop.h"

struct ttrpc_conn;

struct conn_ops {
	/*
	 * A frame has arrived; it dies with the callback, which may send, fail
	 * or close the connection.
	 */
	void (*frame)(struct ttrpc_conn *c, const struct frame *f);
	/*
	 * The connection is lost, because of @error (negative errno; 0: the peer
	 * closed it). Called once, from the loop and never from within another
	 * function of this file. It is to be closed from here.
	 */
	void (*lost)(struct ttrpc_conn *c, int error);
};

/* A frame on its way out, header included. */
struct conn_frame {
	struct list link;
	size_t len, sent;
	uint8_t data[];
};

/* Bytes that were read, and whose turn has not come: see TTRPC_LIMIT_FRAMES, out_limit. */
struct conn_stash {
	size_t len, pos;
	uint8_t data[];
};

struct ttrpc_conn {
	struct loop *loop;
	struct watch watch; /* of the socket, which is ours */
	struct work closer;
	struct timer more;  /* its next turn, if there is a stash */
	const struct conn_ops *ops;
	void *owner;
	struct frame_reader reader;
	struct conn_stash *stash;
	struct list out;     /* struct conn_frame */
	size_t out_bytes;    /* memory of it */
	size_t out_limit;
	int error;
	int turn;     /* frames that it may still deliver before others are heard */
	bool paused;  /* not read until the output has drained */
	bool dead;    /* nothing is read or sent any more */
	bool busy;    /* in ops->frame() */
	bool doomed;  /* closed while busy */

	/* The server's. */
	struct list link;
	struct list calls;
	unsigned n_calls;
	uint32_t last_stream;
};

/*
 * Makes a connection of the stream socket @fd, which is taken over also on
 * failure. While more than @out_limit bytes wait to be sent, nothing is read.
 * The owner's part is cleared.
 */
int conn_new(struct ttrpc_conn **out, struct loop *l, int fd,
	     const struct conn_ops *ops, void *owner, size_t out_limit);

/* Closes and frees it; without ops->lost(). May be called from anywhere. */
void conn_close(struct ttrpc_conn *c);

/* Gives it up: ops->lost() is called later. No-op if it is lost already. */
void conn_fail(struct ttrpc_conn *c, int error);

/* A frame of @len bytes, header included, to be filled in and sent; or NULL. */
struct conn_frame *conn_frame_new(size_t len);

/* Sends @f, now or when the peer has room for it. Takes it. */
void conn_send(struct ttrpc_conn *c, struct conn_frame *f);

/* Sends a copy of @len bytes; lack of memory for what must wait fails @c. */
void conn_send_copy(struct ttrpc_conn *c, const uint8_t *data, size_t len);
