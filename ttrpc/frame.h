/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc frames (contract 2.1): ten bytes of header, then the payload. This
 * turns headers into bytes and back, and chunks of bytes of any size into
 * frames. No I/O. Private to libttrpc.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 10

enum frame_type {
	FRAME_REQUEST = 1,
	FRAME_RESPONSE = 2,
	FRAME_DATA = 3,
};

enum frame_flag {
	FRAME_REMOTE_CLOSED = 0x1,
	FRAME_REMOTE_OPEN = 0x2,
	FRAME_NO_DATA = 0x4,
};

struct frame {
	uint32_t length; /* of the payload, as the header says */
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
	/*
	 * 0, or why @payload is missing though the peer sent it: EMSGSIZE (over
	 * TTRPC_MAX_PAYLOAD) or ENOMEM. Its bytes have been thrown away.
	 */
	int error;
	const uint8_t *payload; /* not NULL without an error */
};

/* Writes length, stream, type and flags of @f to @out. */
void frame_encode(uint8_t out[FRAME_HEADER], const struct frame *f);
/* Reads them back; the rest of @f is cleared. */
void frame_decode(const uint8_t in[FRAME_HEADER], struct frame *f);

/*
 * What has arrived of the frame that is under way. All zeroes is its initial
 * state, in which it holds no memory. A buffer is made only for a payload that
 * arrives in pieces, and is never more than twice what has arrived.
 */
struct frame_reader {
	uint8_t header[FRAME_HEADER];
	uint8_t header_len;
	int error;      /* of the frame whose payload is skipped */
	uint8_t *buf;
	size_t size;    /* of buf */
	size_t got;     /* bytes of the payload, kept or skipped */
};

/*
 * Takes bytes from @in (moving it and @len on) until one frame is complete:
 * returns 1 and @out, or 0 when more bytes are needed. out->payload points into
 * the chunk or into the reader, and lives until frame_reader_release(), which
 * is due before the next call.
 */
int frame_reader_next(struct frame_reader *r, const uint8_t **in, size_t *len,
		      struct frame *out);

/* Bytes that the payload that is under way still lacks; 0 if none is. */
size_t frame_reader_lacks(const struct frame_reader *r);

/* Drops what is kept, and begins a new frame. */
void frame_reader_release(struct frame_reader *r);
