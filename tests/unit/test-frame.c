/* SPDX-License-Identifier: Apache-2.0 */
/* Frames out of bytes: the same however they are cut, no memory for what did not come. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/fuzz/rig.h"

#define HELLO "\0\0\0\5\0\0\0\1\1\0hello"
#define EMPTY "\0\0\0\0\0\0\0\3\1\2"
#define OTHER "\0\0\0\3\xff\xff\xff\xff\x03\x05xyz"

static const char stream[] = HELLO EMPTY OTHER;
#define STREAM_LEN (sizeof(stream) - 1)

/* What the reader made of a stream, as text. */
struct seen {
	char text[512];
	size_t len;
};

static void note(struct seen *s, const struct frame *f)
{
	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len,
				   "%u/%u/%u/%u/%d ", f->length, f->stream, f->type,
				   f->flags, f->error);
	if (!f->error) {
		assert_non_null(f->payload);
		assert_true(f->length < sizeof(s->text) - s->len);
		memcpy(s->text + s->len, f->payload, f->length);
		s->len += f->length;
		s->text[s->len] = '\0';
	}
}

static void feed(struct frame_reader *r, const void *data, size_t len, struct seen *s)
{
	const uint8_t *in = data;
	struct frame f;

	while (frame_reader_next(r, &in, &len, &f)) {
		note(s, &f);
		frame_reader_release(r);
	}
	assert_int_equal(len, 0);
}

static const char all[] = "5/1/1/0/0 hello0/3/1/2/0 3/4294967295/3/5/0 xyz";

static void header_goes_both_ways(void **state)
{
	struct frame f = {
		.length = 0x01020304, .stream = 0xfffefdfc, .type = 2, .flags = 7,
	};
	uint8_t bytes[FRAME_HEADER];
	struct frame g;

	(void)state;
	frame_encode(bytes, &f);
	assert_memory_equal(bytes, "\1\2\3\4\xff\xfe\xfd\xfc\2\7", FRAME_HEADER);
	memset(&g, 0xff, sizeof(g));
	frame_decode(bytes, &g);
	assert_int_equal(g.length, f.length);
	assert_int_equal(g.stream, f.stream);
	assert_int_equal(g.type, 2);
	assert_int_equal(g.flags, 7);
	assert_int_equal(g.error, 0);
	assert_null(g.payload);
}

static void all_in_one_chunk(void **state)
{
	struct frame_reader r = { 0 };
	struct seen s = { 0 };

	(void)state;
	feed(&r, stream, STREAM_LEN, &s);
	assert_string_equal(s.text, all);
	assert_int_equal(r.header_len, 0);
}

static void byte_by_byte(void **state)
{
	struct frame_reader r = { 0 };
	struct seen s = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < STREAM_LEN; i++)
		feed(&r, stream + i, 1, &s);
	assert_string_equal(s.text, all);
	assert_null(r.buf);
}

static void at_every_split(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i <= STREAM_LEN; i++) {
		for (j = i; j <= STREAM_LEN; j++) {
			struct frame_reader r = { 0 };
			struct seen s = { 0 };

			feed(&r, stream, i, &s);
			feed(&r, stream + i, j - i, &s);
			feed(&r, stream + j, STREAM_LEN - j, &s);
			assert_string_equal(s.text, all);
			assert_null(r.buf);
		}
	}
}

static void whole_payload_is_not_copied(void **state)
{
	static const uint8_t bytes[] = HELLO;
	struct frame_reader r = { 0 };
	const uint8_t *in = bytes;
	size_t len = 4;
	struct frame f;

	(void)state;
	assert_int_equal(frame_reader_next(&r, &in, &len, &f), 0);
	len = sizeof(bytes) - 1 - 4;
	assert_int_equal(frame_reader_next(&r, &in, &len, &f), 1);
	assert_ptr_equal(f.payload, bytes + FRAME_HEADER);
	assert_null(r.buf);
	frame_reader_release(&r);
}

static void memory_follows_what_arrived(void **state)
{
	static const uint8_t header[] = "\0\x40\0\0\0\0\0\1\1\0";
	static uint8_t chunk[1000];
	struct frame_reader r = { 0 };
	const uint8_t *in = header;
	size_t len = FRAME_HEADER, got;
	struct frame f;

	(void)state;
	assert_int_equal(frame_reader_next(&r, &in, &len, &f), 0);
	assert_null(r.buf);
	for (got = sizeof(chunk); got < TTRPC_MAX_PAYLOAD; got += sizeof(chunk)) {
		in = chunk;
		len = sizeof(chunk);
		assert_int_equal(frame_reader_next(&r, &in, &len, &f), 0);
		assert_true(r.size <= 2 * got + 4096);
		assert_true(r.size <= TTRPC_MAX_PAYLOAD);
	}
	frame_reader_release(&r);
	assert_null(r.buf);
	assert_int_equal(r.header_len, 0);
}

/* Feeds one frame of @length in chunks; true if it came, with all its bytes. */
static bool passes(uint32_t length, size_t chunk_len, int *error)
{
	uint8_t *bytes = malloc(FRAME_HEADER + (size_t)length);
	struct frame head = { .length = length, .stream = 1, .type = 1 }, f;
	struct frame_reader r = { 0 };
	size_t pos = 0, total = FRAME_HEADER + (size_t)length, i;
	bool whole = false;

	assert_non_null(bytes);
	frame_encode(bytes, &head);
	for (i = FRAME_HEADER; i < total; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	while (pos < total) {
		const uint8_t *in = bytes + pos;
		size_t len = total - pos < chunk_len ? total - pos : chunk_len;
		int r1;

		pos += len;
		r1 = frame_reader_next(&r, &in, &len, &f);
		assert_int_equal(r1, pos == total);
	}
	*error = f.error;
	assert_int_equal(f.length, length);
	if (!f.error)
		whole = memcmp(f.payload, bytes + FRAME_HEADER, length) == 0;
	else
		assert_null(f.payload);
	frame_reader_release(&r);
	free(bytes);
	return whole;
}

static void bound_is_inclusive(void **state)
{
	int error;

	(void)state;
	assert_true(passes(TTRPC_MAX_PAYLOAD, 16384, &error));
	assert_int_equal(error, 0);
	assert_true(passes(TTRPC_MAX_PAYLOAD, SIZE_MAX, &error));
	assert_false(passes(TTRPC_MAX_PAYLOAD + 1, 16384, &error));
	assert_int_equal(error, EMSGSIZE);
	assert_false(passes(TTRPC_MAX_PAYLOAD + 1, SIZE_MAX, &error));
	assert_int_equal(error, EMSGSIZE);
}

static void oversize_is_skipped(void **state)
{
	static const uint8_t header[] = "\xff\xff\xff\xff\0\0\0\1\1\0";
	static uint8_t chunk[1 << 20];
	struct frame_reader r = { 0 };
	struct seen s = { 0 };
	uint64_t left = UINT32_MAX;

	(void)state;
	feed(&r, header, FRAME_HEADER, &s);
	while (left > 0) {
		size_t n = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		assert_int_equal(s.len, 0);
		feed(&r, chunk, n, &s);
		assert_null(r.buf);
		left -= n;
	}
	feed(&r, HELLO, sizeof(HELLO) - 1, &s);
	assert_string_equal(s.text, "4294967295/1/1/0/90 5/1/1/0/0 hello");
}

static void lack_of_memory_skips_one_frame(void **state)
{
	static uint8_t bytes[FRAME_HEADER + TTRPC_MAX_PAYLOAD] = "\0\x40\0\0\0\0\0\7\1\0";
	struct frame_reader r = { 0 };
	struct seen s = { 0 };
	struct rlimit old, tight;
	size_t pos, n;

	(void)state;
	if (!rig_memory_can_be_limited())
		skip();
	malloc_trim(0);
	getrlimit(RLIMIT_AS, &old);
	tight = old;
	tight.rlim_cur = rig_mapped_bytes() + (512 << 10);
	setrlimit(RLIMIT_AS, &tight);
	for (pos = 0; pos < sizeof(bytes); pos += n) {
		n = sizeof(bytes) - pos < 8192 ? sizeof(bytes) - pos : 8192;
		feed(&r, bytes + pos, n, &s);
	}
	setrlimit(RLIMIT_AS, &old);
	feed(&r, HELLO, sizeof(HELLO) - 1, &s);
	assert_string_equal(s.text, "4194304/7/1/0/12 5/1/1/0/0 hello");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_goes_both_ways),
		cmocka_unit_test(all_in_one_chunk),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(at_every_split),
		cmocka_unit_test(whole_payload_is_not_copied),
		cmocka_unit_test(memory_follows_what_arrived),
		cmocka_unit_test(bound_is_inclusive),
		cmocka_unit_test(oversize_is_skipped),
		cmocka_unit_test(lack_of_memory_skips_one_frame),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
