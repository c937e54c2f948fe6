/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules do with the values they get: check, copy, store. The ready-made
 * functions make a table of rules all that a plain structure needs.
 */
#include "spec/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int json_copy(struct json *j, const struct json_event *e, char **out)
{
	char *s;

	if (memchr(e->text, '\0', e->len))
		return json_fail(j, e, EINVAL, "has a NUL character");
	s = json_realloc(NULL, e->len + 1);
	if (!s)
		return json_fail(j, e, ENOMEM, "out of memory");
	memcpy(s, e->text, e->len);
	s[e->len] = '\0';
	free(*out);
	*out = s;
	return 0;
}

int json_int(struct json *j, const struct json_event *e, int64_t min, int64_t max,
	     int64_t *out)
{
	bool negative = e->text[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	uint64_t v = 0;

	for (size_t i = negative; i < e->len; i++) {
		unsigned digit = (unsigned)(e->text[i] - '0');

		if (digit > 9)
			return json_fail(j, e, EINVAL, "not an integer");
		v = v > limit / 10 ? limit + 1 : v * 10 + digit;
	}
	if (v <= limit)
		*out = negative ? (int64_t)-v : (int64_t)v;
	if (v > limit || *out < min || *out > max)
		return json_fail(j, e, EINVAL, "not from %" PRId64 " to %" PRId64, min,
				 max);
	return 0;
}

/* Where @e is to be stored. */
static char *target(const struct json *j, const struct json_event *e)
{
	return (char *)json_data(j) + e->rule->arg;
}

int json_put_string(struct json *j, const struct json_event *e)
{
	return json_copy(j, e, (char **)(void *)target(j, e));
}

int json_put_bool(struct json *j, const struct json_event *e)
{
	*(bool *)target(j, e) = e->boolean;
	return 0;
}

int json_put_u32(struct json *j, const struct json_event *e)
{
	int64_t v = 0;
	int r = json_int(j, e, 0, UINT32_MAX, &v);

	if (!r)
		*(uint32_t *)(void *)target(j, e) = (uint32_t)v;
	return r;
}
