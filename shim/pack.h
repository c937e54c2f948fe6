/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protobuf message, written field by field into memory that grows. For
 * messages that only leave: the tables that protobuf-c needs for one are
 * relocated at each start, and those of the metrics would cost each shim four
 * dirty pages.
 *
 * Errors stick: nothing is written after one, and it need only be looked at once.
 */
#pragma once

#include "shim/limits.h"

#include <stddef.h>
#include <stdint.h>


struct pack {
	uint8_t *data;
	size_t len, size;
	int error; /* -ENOMEM, or -EFBIG: more than LIMIT_STATS */
};

#define PACK_INIT { 0 }

/* May be called again. */
void pack_release(struct pack *p);

/* A value that is 0 or "" is left out, as proto3 does it. */
void pack_uint(struct pack *p, unsigned field, uint64_t value);
void pack_double(struct pack *p, unsigned field, double value);
void pack_text(struct pack *p, unsigned field, const char *value, size_t len);

/*
 * A message inside, or a packed list (of pack_element()): what is written until
 * pack_end(). It is there even if nothing is. Returns what pack_end() needs.
 */
size_t pack_begin(struct pack *p, unsigned field);
void pack_element(struct pack *p, uint64_t value);
void pack_end(struct pack *p, size_t begin);

/* Takes back what was written since p->len was @len. */
void pack_truncate(struct pack *p, size_t len);
