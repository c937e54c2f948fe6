/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame reader: the same bytes give the same frames however they are cut,
 * and it never holds more than twice what has arrived. The first byte of the
 * input chooses the cuts.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/frame.h"
#include "ttrpc/ttrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Also where NDEBUG is. */
static void check(bool holds)
{
	if (!holds)
		abort();
}

/* FNV-1a over all that a frame says. */
static void mix(uint64_t *sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		*sum = (*sum ^ *p++) * UINT64_C(0x100000001b3);
}

static void take(struct frame_reader *r, const uint8_t *in, size_t len, uint64_t *sum)
{
	struct frame f;

	while (frame_reader_next(r, &in, &len, &f)) {
		uint8_t header[FRAME_HEADER];

		check(f.error || f.payload);
		check(!f.error || !f.payload);
		check((f.length > TTRPC_MAX_PAYLOAD) == (f.error != 0));
		frame_encode(header, &f);
		mix(sum, header, sizeof(header));
		if (f.payload)
			mix(sum, f.payload, f.length);
		frame_reader_release(r);
	}
	check(len == 0);
	check(r->size <= 2 * r->got + 4096);
	check(r->size <= TTRPC_MAX_PAYLOAD);
}

static uint64_t read_all(const uint8_t *data, size_t size, unsigned seed)
{
	struct frame_reader r = { 0 };
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	size_t n;

	while (size > 0) {
		n = size;
		if (seed) {
			seed = seed * 1103515245 + 12345;
			n = (seed >> 16) % 23;
			n = n < size ? n : size;
		}
		take(&r, data, n, &sum);
		data += n;
		size -= n;
	}
	mix(&sum, &r.header_len, sizeof(r.header_len));
	mix(&sum, &r.got, sizeof(r.got));
	frame_reader_release(&r);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (read_all(data + 1, size - 1, 0) != read_all(data + 1, size - 1, data[0] + 1u))
		abort();
	return 0;
}
