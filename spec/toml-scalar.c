/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Booleans, numbers, dates and times of TOML. Each function looks at a piece of
 * text and says whether it is, all of it, such a thing. Only the values of
 * booleans and integers are kept: nobody asks for the others.
 */
#include <errno.h>
#include <string.h>

#include "spec/toml.h"

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(s, word, len);
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

/* How many bytes at @s are digits with single underscores between them. */
static size_t digits(const char *s, size_t len, unsigned base)
{
	size_t n = 0;

	while (n < len) {
		if (digit_value(s[n]) < base)
			n++;
		else if (s[n] == '_' && n > 0 && n + 1 < len &&
			 digit_value(s[n + 1]) < base)
			n += 2;
		else
			break;
	}
	return n;
}

static size_t sign(const char *s, size_t len)
{
	return len > 0 && (s[0] == '+' || s[0] == '-');
}

static unsigned prefix_base(const char *s, size_t len)
{
	if (len < 3 || s[0] != '0')
		return 10;
	return s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : s[1] == 'b' ? 2 : 10;
}

static int parse_integer(const char *s, size_t len, int64_t *out)
{
	unsigned base = prefix_base(s, len);
	size_t at = base == 10 ? sign(s, len) : 2;
	bool negative = base == 10 && at && s[0] == '-';
	uint64_t max = (uint64_t)INT64_MAX + negative, v = 0;

	if (at == len || digits(s + at, len - at, base) != len - at)
		return -EINVAL;
	if (base == 10 && s[at] == '0' && len - at > 1)
		return -EINVAL;
	for (; at < len; at++) {
		unsigned d = digit_value(s[at]);

		if (s[at] == '_')
			continue;
		if (v > (max - d) / base)
			return -ERANGE;
		v = v * base + d;
	}
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

static bool is_float(const char *s, size_t len)
{
	size_t at = sign(s, len), n;
	bool whole = true; /* neither fraction nor exponent so far */

	if (is_word(s + at, len - at, "inf") || is_word(s + at, len - at, "nan"))
		return true;
	n = digits(s + at, len - at, 10);
	if (n == 0 || (s[at] == '0' && n > 1))
		return false;
	at += n;
	if (at < len && s[at] == '.') {
		n = digits(s + at + 1, len - at - 1, 10);
		if (n == 0)
			return false;
		at += 1 + n;
		whole = false;
	}
	if (at < len && (s[at] | 0x20) == 'e') {
		at++;
		at += sign(s + at, len - at);
		n = digits(s + at, len - at, 10);
		if (n == 0)
			return false;
		at += n;
		whole = false;
	}
	return at == len && !whole;
}

/* Does @s begin as @pattern says, in which 'd' is any digit? */
static bool looks(const char *s, size_t len, const char *pattern)
{
	for (size_t i = 0; pattern[i]; i++)
		if (i == len ||
		    (pattern[i] == 'd' ? digit_value(s[i]) > 9 : s[i] != pattern[i]))
			return false;
	return true;
}

static unsigned two(const char *s)
{
	return digit_value(s[0]) * 10 + digit_value(s[1]);
}

static bool is_day(const char *s)
{
	static const unsigned char days[] = { 31, 29, 31, 30, 31, 30,
					      31, 31, 30, 31, 30, 31 };
	unsigned century = two(s), year = two(s + 2), month = two(s + 5),
		 day = two(s + 8);
	bool leap = (year ? year : century) % 4 == 0;

	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || leap;
}

/* How long the time of day at @s is; 0: there is none. */
static size_t time_len(const char *s, size_t len)
{
	size_t n = 8;

	/* 60: a leap second. */
	if (!looks(s, len, "dd:dd:dd") || two(s) > 23 || two(s + 3) > 59 ||
	    two(s + 6) > 60)
		return 0;
	if (!looks(s + n, len - n, ".d"))
		return n;
	for (n += 2; n < len && digit_value(s[n]) < 10; n++)
		;
	return n;
}

static bool is_time(const char *s, size_t len)
{
	size_t at = 0, n;

	if (looks(s, len, "dddd-dd-dd")) {
		if (!is_day(s))
			return false;
		if (len == 10)
			return true;
		if (s[10] != 'T' && s[10] != 't' && s[10] != ' ')
			return false;
		at = 11;
	}
	n = time_len(s + at, len - at);
	if (n == 0 || at + n == len)
		return n > 0;
	/* Only a time with a date has an offset. */
	s += at + n;
	len -= at + n;
	if (at == 0)
		return false;
	if (len == 1)
		return s[0] == 'Z' || s[0] == 'z';
	return len == 6 && sign(s, len) && looks(s + 1, len - 1, "dd:dd") &&
	       two(s + 1) < 24 && two(s + 4) < 60;
}

int toml_scalar(const char *s, size_t len, struct toml_value *out)
{
	int r;

	*out = (struct toml_value){ .kind = TOML_BOOL };
	if (is_word(s, len, "false"))
		return 0;
	if (is_word(s, len, "true")) {
		out->boolean = true;
		return 0;
	}
	out->kind = TOML_INTEGER;
	r = parse_integer(s, len, &out->integer);
	if (r != -EINVAL)
		return r;
	out->kind = TOML_FLOAT;
	if (is_float(s, len))
		return 0;
	out->kind = TOML_TIME;
	return is_time(s, len) ? 0 : -EINVAL;
}
