/* SPDX-License-Identifier: Apache-2.0 */
/* Showing a place in a document; see excerpt.h. A character is one column wide here. */
#include "shim/tool/excerpt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "spec/utf8.h"

#define NUMBER_WIDTH 5 /* of the line's number, and " | " behind it */
#define DOTS "..."

/* The line of that number; *@end is behind its last byte. */
static const char *find_line(const char *text, size_t len, size_t line, const char **end)
{
	const char *at = text, *stop = text + len, *next;

	while (--line && (next = memchr(at, '\n', (size_t)(stop - at))))
		at = next + 1;
	next = memchr(at, '\n', (size_t)(stop - at));
	*end = next ? next : stop;
	return at;
}

/* The character at @s: its length, 1 if it is none. */
static size_t char_len(const char *s, const char *end)
{
	size_t n = utf8_len(s, (size_t)(end - s));

	return n ? n : 1;
}

/* Goes back by one character. */
static const char *before(const char *s, const char *begin)
{
	const char *p = s - 1;

	for (int i = 0; i < 3 && p > begin && (*p & 0xc0) == 0x80; i++)
		p--;
	return char_len(p, s) == (size_t)(s - p) ? p : s - 1;
}

/* Behind the token at @s. */
static const char *token_end(const char *s, const char *end)
{
	const char *p = s;

	if (p < end && *p == '"') {
		for (p++; p < end && *p != '"'; p++)
			p += *p == '\\' && p + 1 < end;
		return p < end ? p + 1 : end;
	}
	while (p < end && !memchr(" \t\r,:[]{}\"", *p, 10))
		p++;
	return p == s && p < end ? p + 1 : p;
}

static void put_text(const char *s, const char *end)
{
	for (size_t n; s < end; s += n) {
		n = char_len(s, end);
		if (!utf8_len(s, n) || utf8_is_harmful(s, n))
			putchar('?');
		else if (n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f))
			putchar(' ');
		else
			fwrite(s, 1, n, stdout);
	}
}

/* Characters from @s to @end. */
static int count(const char *s, const char *end)
{
	int n = 0;

	for (; s < end; s += char_len(s, end))
		n++;
	return n;
}

/* Where the window begins so that @at has a third of it before, and ends. */
static const char *window(const char *begin, const char *at, const char *end, int width,
			  const char **stop)
{
	const char *from = at, *to = at;
	int n = 0;

	while (from > begin && n < width / 3) {
		from = before(from, begin);
		n++;
	}
	/* What would be left of the line is shown too. */
	if (count(begin, from) <= (int)strlen(DOTS))
		from = begin;
	n = count(from, at);
	while (to < end && n < width) {
		to += char_len(to, end);
		n++;
	}
	*stop = to;
	return from;
}

void excerpt_print(const char *text, size_t len, size_t line, size_t column, int width,
		   const char *colour, const char *plain)
{
	const char *end, *begin = find_line(text, len, line, &end);
	const char *at = column - 1 < (size_t)(end - begin) ? begin + column - 1 : end;
	int room = width - NUMBER_WIDTH - 3 - 2 * (int)strlen(DOTS);
	const char *to, *from = window(begin, at, end, room, &to);
	const char *token = token_end(at, to);
	int indent = count(from, at) + (from > begin ? (int)strlen(DOTS) : 0);
	int marks = count(at, token);

	printf("%*zu | %s", NUMBER_WIDTH, line, from > begin ? DOTS : "");
	put_text(from, to);
	printf("%s\n%*s | %*s%s^", to < end ? DOTS : "", NUMBER_WIDTH, "", indent, "",
	       colour);
	for (int i = 1; i < marks; i++)
		putchar('~');
	printf("%s\n", plain);
}
