/* SPDX-License-Identifier: Apache-2.0 */
/* Writing protobuf's wire format; see pack.h. Knows no message. */
#include "shim/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/limits.h"

#define FIRST_SIZE 2048
#define VARINT_MAX 10

enum wire_type { VARINT = 0, FIXED64 = 1, LENGTH = 2 };

void pack_release(struct pack *p)
{
	free(p->data);
	*p = (struct pack)PACK_INIT;
}

/* Room for @n more bytes at the end, or NULL. */
static uint8_t *room(struct pack *p, size_t n)
{
	size_t size = p->size ? p->size : FIRST_SIZE;
	uint8_t *data;

	if (p->error)
		return NULL;
	if (n > LIMIT_STATS || p->len + n > LIMIT_STATS) {
		p->error = -EFBIG;
		return NULL;
	}
	while (size < p->len + n)
		size *= 2;
	if (size > p->size) {
		data = realloc(p->data, size);
		if (!data) {
			p->error = -ENOMEM;
			return NULL;
		}
		p->data = data;
		p->size = size;
	}
	return p->data + p->len;
}

static size_t put_varint(uint8_t *at, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		at[n++] = (uint8_t)(value | 0x80);
	at[n++] = (uint8_t)value;
	return n;
}

void pack_element(struct pack *p, uint64_t value)
{
	uint8_t *at = room(p, VARINT_MAX);

	if (at)
		p->len += put_varint(at, value);
}

static void put_tag(struct pack *p, unsigned field, enum wire_type type)
{
	assert(field > 0);
	pack_element(p, (uint64_t)field << 3 | type);
}

void pack_uint(struct pack *p, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put_tag(p, field, VARINT);
	pack_element(p, value);
}

void pack_double(struct pack *p, unsigned field, double value)
{
	uint64_t bits;
	uint8_t *at;

	static_assert(sizeof(bits) == sizeof(value), "a double of eight bytes");
	memcpy(&bits, &value, sizeof(bits));
	if (bits == 0)
		return;
	put_tag(p, field, FIXED64);
	at = room(p, sizeof(bits));
	if (!at)
		return;
	for (size_t i = 0; i < sizeof(bits); i++)
		at[i] = (uint8_t)(bits >> 8 * i);
	p->len += sizeof(bits);
}

void pack_text(struct pack *p, unsigned field, const char *value, size_t len)
{
	uint8_t *at;

	if (len == 0)
		return;
	put_tag(p, field, LENGTH);
	pack_element(p, len);
	at = room(p, len);
	if (!at)
		return;
	memcpy(at, value, len);
	p->len += len;
}

size_t pack_begin(struct pack *p, unsigned field)
{
	put_tag(p, field, LENGTH);
	return p->len;
}

void pack_end(struct pack *p, size_t begin)
{
	size_t len = p->len - begin, n;
	uint8_t length[VARINT_MAX];

	n = put_varint(length, len);
	if (!room(p, n))
		return;
	assert(begin <= p->len);
	/* The length comes first, but is only known now. */
	memmove(p->data + begin + n, p->data + begin, len);
	memcpy(p->data + begin, length, n);
	p->len += n;
}

void pack_truncate(struct pack *p, size_t len)
{
	assert(len <= p->len);
	p->len = len;
}
