/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little JSON that fake-runc needs, read in place from a NUL-terminated
 * text: find a member, decode strings. Included by fake-runc.c alone.
 */
#pragma once

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STRINGS 4096

static const char *blank(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* All of these return NULL for what is no JSON, and take NULL for it. */
static const char *skip_string(const char *p)
{
	if (!p || *p != '"')
		return NULL;
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && !*++p)
			return NULL;
	return *p ? p + 1 : NULL;
}

static const char *skip_value(const char *p)
{
	int depth = 0;

	do {
		p = blank(p);
		if (*p == '"') {
			p = skip_string(p);
			if (!p)
				return NULL;
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			depth--;
			p++;
		} else if (depth && (*p == ',' || *p == ':')) {
			p++;
		} else {
			const char *q = p;

			while (isalnum((unsigned char)*p) || (*p && strchr("+-.", *p)))
				p++;
			if (p == q)
				return NULL;
		}
	} while (depth > 0);
	return depth ? NULL : p;
}

/* The value of @key in the object at @p, or NULL. */
static const char *member(const char *p, const char *key)
{
	size_t len = strlen(key);

	if (!p || *(p = blank(p)) != '{')
		return NULL;
	for (p = blank(p + 1); *p == '"'; p = blank(p + 1)) {
		const char *name = p + 1, *end = skip_string(p);

		p = end ? blank(end) : NULL;
		if (!p || *p != ':')
			return NULL;
		p = blank(p + 1);
		if ((size_t)(end - 1 - name) == len && !memcmp(name, key, len))
			return p;
		p = skip_value(p);
		if (!p || *(p = blank(p)) != ',')
			return NULL;
	}
	return NULL;
}

static unsigned hex4(const char *p)
{
	char text[5] = { 0 };

	memcpy(text, p, strnlen(p, 4));
	return (unsigned)strtoul(text, NULL, 16);
}

static char *put_utf8(char *o, unsigned c)
{
	if (c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xc0 | c >> 6);
		*o++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*o++ = (char)(0xe0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 0x3f));
		*o++ = (char)(0x80 | (c & 0x3f));
	} else {
		*o++ = (char)(0xf0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 0x3f));
		*o++ = (char)(0x80 | (c >> 6 & 0x3f));
		*o++ = (char)(0x80 | (c & 0x3f));
	}
	return o;
}

static char *string_at(const char *p)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *end = skip_string(p);
	char *out, *o;

	if (!end)
		return NULL;
	o = out = malloc((size_t)(end - p));
	if (!out)
		return NULL;
	for (p++; p < end - 1; p++) {
		const char *e;
		unsigned c;

		if (*p != '\\') {
			*o++ = *p;
		} else if (*++p == 'u') {
			c = hex4(p + 1);
			p += 4;
			if (c >= 0xd800 && c < 0xdc00 && p[1] == '\\' && p[2] == 'u') {
				c = 0x10000 + ((c - 0xd800) << 10) +
				    (hex4(p + 3) - 0xdc00);
				p += 6;
			}
			o = put_utf8(o, c);
		} else {
			e = strchr(from, *p);
			*o++ = e ? to[e - from] : *p;
		}
	}
	*o = 0;
	return out;
}

/* An array of strings, NULL-terminated, or NULL. */
static char **strings_at(const char *p)
{
	char **out = calloc(MAX_STRINGS + 1, sizeof(*out));
	size_t n = 0;

	if (!out || !p || *(p = blank(p)) != '[')
		return NULL;
	for (p = blank(p + 1); p && *p == '"' && n < MAX_STRINGS; p = blank(p + 1)) {
		out[n++] = string_at(p);
		p = skip_string(p);
		if (!p || *(p = blank(p)) != ',')
			break;
	}
	return n ? out : NULL;
}
