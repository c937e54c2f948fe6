/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames out of bytes. It owns the buffer of a payload that arrives in pieces
 * and trusts nothing in a header: a length only bounds how much is kept, and
 * memory follows the bytes that really came. It does no I/O and judges nothing
 * but the length; types and stream ids are for the server and the client.
 */
#include "ttrpc/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/ttrpc.h"

/* The first buffer, unless the payload is smaller. */
#define BUFFER_MIN 4096

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void frame_encode(uint8_t out[FRAME_HEADER], const struct frame *f)
{
	put32(out, f->length);
	put32(out + 4, f->stream);
	out[8] = f->type;
	out[9] = f->flags;
}

void frame_decode(const uint8_t in[FRAME_HEADER], struct frame *f)
{
	*f = (struct frame){
		.length = get32(in),
		.stream = get32(in + 4),
		.type = in[8],
		.flags = in[9],
	};
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Makes room for @n more bytes of a payload of @length. */
static int reserve(struct frame_reader *r, size_t n, size_t length)
{
	size_t size;
	uint8_t *buf;

	if (r->size - r->got >= n)
		return 0;
	size = r->got + n < BUFFER_MIN / 2 ? BUFFER_MIN : 2 * (r->got + n);
	size = min_size(size, length);
	buf = realloc(r->buf, size);
	if (!buf)
		return -ENOMEM;
	r->buf = buf;
	r->size = size;
	return 0;
}

static void skip_payload(struct frame_reader *r, int error)
{
	free(r->buf);
	r->buf = NULL;
	r->size = 0;
	r->error = error;
}

/* Takes what is there of the payload, which is not the whole of it. */
static void take_part(struct frame_reader *r, const uint8_t **in, size_t *len,
		      size_t length)
{
	size_t n = min_size(*len, length - r->got);

	if (!r->error && n && reserve(r, n, length) < 0)
		skip_payload(r, ENOMEM);
	if (!r->error && n)
		memcpy(r->buf + r->got, *in, n);
	r->got += n;
	*in += n;
	*len -= n;
}

int frame_reader_next(struct frame_reader *r, const uint8_t **in, size_t *len,
		      struct frame *out)
{
	if (r->header_len < FRAME_HEADER) {
		size_t n = min_size(*len, FRAME_HEADER - r->header_len);

		memcpy(r->header + r->header_len, *in, n);
		r->header_len = (uint8_t)(r->header_len + n);
		*in += n;
		*len -= n;
		if (r->header_len < FRAME_HEADER)
			return 0;
	}
	frame_decode(r->header, out);
	if (out->length > TTRPC_MAX_PAYLOAD)
		r->error = EMSGSIZE;

	if (r->got == 0 && !r->error && *len >= out->length) {
		out->payload = *in;
		r->got = out->length;
		*in += out->length;
		*len -= out->length;
		return 1;
	}
	take_part(r, in, len, out->length);
	if (r->got < out->length)
		return 0;
	out->error = r->error;
	out->payload = r->buf;
	return 1;
}

size_t frame_reader_lacks(const struct frame_reader *r)
{
	return r->header_len < FRAME_HEADER ? 0 : get32(r->header) - r->got;
}

void frame_reader_release(struct frame_reader *r)
{
	free(r->buf);
	*r = (struct frame_reader){ 0 };
}
