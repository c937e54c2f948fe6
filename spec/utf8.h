/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that comes from outside and goes into a protobuf string or a log line:
 * the first must be UTF-8, or the peer drops the whole message; the second must
 * not contain what starts another line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The length of the UTF-8 character at @s of @len bytes; 0: there is none. */
static inline size_t utf8_len(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	/* The second byte has bounds of its own after some first bytes. */
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (!len)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (u[0] == 0xe0)
		lo = 0xa0;
	else if (u[0] == 0xed)
		hi = 0x9f;
	else if (u[0] == 0xf0)
		lo = 0x90;
	else if (u[0] == 0xf4)
		hi = 0x8f;
	if (len < n || u[1] < lo || u[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The character of @n bytes at @s, which utf8_len() has found good. */
static inline unsigned utf8_value(const char *s, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned v = (unsigned char)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s[i] & 0x3f);
	return v;
}

/*
 * Whether what utf8_len() has found good is more than a character to a terminal
 * although it is none of ASCII's controls: U+0080 to U+009F, which some obey, what
 * turns the text around or ends its line, and what cannot be seen.
 */
static inline bool utf8_is_harmful(const char *s, size_t n)
{
	unsigned v = n > 1 ? utf8_value(s, n) : 0;

	return (v >= 0x80 && v <= 0x9f) || v == 0x61c || (v >= 0x200b && v <= 0x200f) ||
	       (v >= 0x2028 && v <= 0x202e) || (v >= 0x2060 && v <= 0x206f) ||
	       v == 0xfeff;
}

/*
 * Makes @len bytes UTF-8 without NUL bytes: what is not becomes '?', byte by
 * byte, and so do the other control characters, and what is harmful to a
 * terminal, if it is to be @one_line.
 */
static inline void utf8_clean(char *s, size_t len, bool one_line)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (n == 0 || s[i] == '\0' ||
		    (one_line && ((unsigned char)s[i] < ' ' || s[i] == 0x7f ||
				  utf8_is_harmful(s + i, n)))) {
			n = n ? n : 1;
			memset(s + i, '?', n);
		}
	}
}
