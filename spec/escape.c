/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the escapes in a piece of JSON, without knowing what is a string:
 * there is no backslash elsewhere. What is wrong is left for the lexer to say.
 */
#include "spec/escape.h"

#include <string.h>

/* The value of @n hex digits, or -1. */
static int hex_value(const char *s, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		char c = (char)(s[i] | 0x20);

		if (s[i] >= '0' && s[i] <= '9')
			v = v * 16 + (s[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/*
 * The code unit of the escape "\uXXXX" at @p; -1: it is none; -2: it may become
 * one, the first @len bytes do not tell.
 */
static int unit_at(const char *p, size_t len)
{
	size_t n = len < 6 ? len : 6;
	int v;

	if (memcmp(p, "\\u", n < 2 ? n : 2) != 0)
		return -1;
	v = n > 2 ? hex_value(p + 2, n - 2) : 0;
	return v >= 0 && n < 6 ? -2 : v;
}

/* The length of the escape at @p, having mended it; 0: more bytes are needed. */
static size_t mend(char *p, size_t len)
{
	int unit = unit_at(p, len), next;

	if (unit == -2)
		return 0;
	if (unit < 0)
		return 2; /* there is a second byte, and it is no 'u' or no use */
	if (unit < 0xd800 || unit > 0xdfff)
		return 6;
	if (unit < 0xdc00) {
		next = unit_at(p + 6, len - 6);
		if (next == -2)
			return 0;
		if (next >= 0xdc00 && next <= 0xdfff)
			return 12;
	}
	memcpy(p + 2, "fffd", 4);
	return 6;
}

size_t escape_mend(char *text, size_t len)
{
	char *p = text, *end = text + len;
	size_t n;

	while ((p = memchr(p, '\\', (size_t)(end - p)))) {
		n = mend(p, (size_t)(end - p));
		if (!n)
			return (size_t)(p - text);
		p += n;
	}
	return len;
}
