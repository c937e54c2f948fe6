/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML character by character: error texts, white space, comments, strings. All
 * bytes that are not ASCII pass here, and must be UTF-8.
 */
#include "spec/toml-text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec/utf8.h"

#define SHOWN 100

/* ------------------------------------------------------------------ errors */

int toml_shown(size_t len)
{
	return len < SHOWN ? (int)len : SHOWN;
}

static int __attribute__((format(printf, 5, 0)))
fail_va(struct toml *t, size_t line, const struct toml_key *key, int code,
	const char *format, va_list ap)
{
	char *s = t->doc->error->text;
	size_t size = sizeof(t->doc->error->text), len;

	snprintf(s, size, "%.200s:%zu: ", t->doc->name, line);
	len = strlen(s);
	if (key)
		snprintf(s + len, size - len, "%.*s: ", toml_shown(key->raw.len),
			 key->raw.s);
	len = strlen(s);
	vsnprintf(s + len, size - len, format, ap);
	utf8_clean(s, strlen(s), true);
	return -code;
}

int toml_fail(struct toml *t, size_t line, const struct toml_key *key, int code,
	      const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail_va(t, line, key, code, format, ap);
	va_end(ap);
	return -code;
}

int toml_wrong(struct toml *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail_va(t, t->line, t->in_value ? &t->key : NULL, EINVAL, format, ap);
	va_end(ap);
	return -EINVAL;
}

static size_t newline_len(const struct toml *t)
{
	if (toml_at(t, '\n'))
		return 1;
	return toml_at(t, '\r') && t->end - t->at > 1 && t->at[1] == '\n' ? 2 : 0;
}

int toml_wrong_char(struct toml *t, const char *wanted)
{
	char c;

	if (t->at == t->end)
		return toml_wrong(t, "%s is needed, found the end of the text", wanted);
	c = *t->at;
	if (newline_len(t) > 0)
		return toml_wrong(t, "%s is needed, found the end of the line", wanted);
	if (c >= ' ' && c < 0x7f)
		return toml_wrong(t, "%s is needed, found '%c'", wanted, c);
	return toml_wrong(t, "%s is needed, found the byte 0x%02x", wanted,
			  (unsigned char)c);
}

/* -------------------------------------------------------------- white space */

void toml_skip_blanks(struct toml *t)
{
	while (toml_at(t, ' ') || toml_at(t, '\t'))
		t->at++;
}

bool toml_skip_newline(struct toml *t)
{
	size_t n = newline_len(t);

	t->at += n;
	t->line += n > 0;
	return n > 0;
}

/* The length of the character here, which must be one for strings and comments. */
static int char_len(struct toml *t)
{
	size_t n = utf8_len(t->at, (size_t)(t->end - t->at));
	unsigned char c = (unsigned char)*t->at;

	if (n == 0)
		return toml_wrong(t, "the byte 0x%02x is no UTF-8", c);
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return toml_wrong(t, "the control character 0x%02x is not allowed", c);
	return (int)n;
}

int toml_skip_comment(struct toml *t)
{
	toml_skip_blanks(t);
	if (!toml_at(t, '#'))
		return 0;
	while (t->at < t->end && newline_len(t) == 0) {
		int n = char_len(t);

		if (n < 0)
			return n;
		t->at += n;
	}
	return 0;
}

/* ------------------------------------------------------------------ strings */

static void put(struct toml *t, const char *s, size_t len)
{
	memcpy(t->decoded + t->n_decoded, s, len);
	t->n_decoded += len;
}

static void put_utf8(struct toml *t, uint32_t c)
{
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	char u[4] = { (char)(lead[more] | c >> (6 * more)) };

	for (size_t i = 1; i <= more; i++)
		u[i] = (char)(0x80 | ((c >> (6 * (more - i))) & 0x3f));
	put(t, u, more + 1);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind "\u" and "\U". */
static int read_code_point(struct toml *t, size_t n_digits)
{
	uint32_t c = 0;

	for (; n_digits > 0; n_digits--, t->at++) {
		int v = t->at < t->end ? hex_value(*t->at) : -1;

		if (v < 0)
			return toml_wrong_char(t, "a hexadecimal digit");
		c = c << 4 | (uint32_t)v;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return toml_wrong(t, "U+%04X is no character", (unsigned)c);
	put_utf8(t, c);
	return 0;
}

/* Behind a backslash. */
static int read_escape(struct toml *t)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	const char *name = t->at < t->end && *t->at ? strchr(names, *t->at) : NULL;

	if (name) {
		t->at++;
		put(t, values + (name - names), 1);
		return 0;
	}
	if (toml_skip(t, 'u'))
		return read_code_point(t, 4);
	if (toml_skip(t, 'U'))
		return read_code_point(t, 8);
	return toml_wrong_char(t, "one of b t n f r \" \\ u U behind a backslash");
}

static int read_char(struct toml *t)
{
	int n = char_len(t);

	if (n < 0)
		return n;
	put(t, t->at, (size_t)n);
	t->at += n;
	return 0;
}

/* Behind a backslash: at the end of a line it swallows the space up to the next character. */
static bool skip_line_end(struct toml *t)
{
	const char *here = t->at;

	toml_skip_blanks(t);
	if (newline_len(t) == 0) {
		t->at = here;
		return false;
	}
	while (toml_skip_newline(t))
		toml_skip_blanks(t);
	return true;
}

/* Behind the three quotes that open it. */
static int read_lines(struct toml *t, char quote)
{
	size_t first = t->line;

	toml_skip_newline(t);
	while (t->at < t->end) {
		size_t n = 0;
		int r = 0;

		/* One or two quotes may stand before the three that end it. */
		while (n < 5 && n < (size_t)(t->end - t->at) && t->at[n] == quote)
			n++;
		if (n > 0) {
			put(t, t->at, n < 3 ? n : n - 3);
			t->at += n;
			if (n >= 3)
				return 0;
		} else if (toml_skip_newline(t)) {
			put(t, "\n", 1);
		} else if (quote == '"' && toml_skip(t, '\\')) {
			r = skip_line_end(t) ? 0 : read_escape(t);
		} else {
			r = read_char(t);
		}
		if (r < 0)
			return r;
	}
	return toml_wrong(t, "the string that begins in line %zu has no end", first);
}

/* Behind the quote that opens it. */
static int read_line(struct toml *t, char quote)
{
	while (!toml_skip(t, quote)) {
		int r;

		if (t->at == t->end || newline_len(t) > 0)
			return toml_wrong(t, "the string has no closing quote");
		if (quote == '"' && toml_skip(t, '\\'))
			r = read_escape(t);
		else
			r = read_char(t);
		if (r < 0)
			return r;
	}
	return 0;
}

int toml_read_string(struct toml *t, bool may_have_lines, struct toml_text *out)
{
	char quote = *t->at++;
	size_t begin = t->n_decoded;
	int r;

	if (t->end - t->at >= 2 && t->at[0] == quote && t->at[1] == quote) {
		if (!may_have_lines)
			return toml_wrong(t, "a key cannot be a string of many lines");
		t->at += 2;
		r = read_lines(t, quote);
	} else {
		r = read_line(t, quote);
	}
	out->s = t->decoded + begin;
	out->len = t->n_decoded - begin;
	return r;
}
