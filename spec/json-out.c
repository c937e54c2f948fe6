/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON. It trusts its caller to open, name and close in an order that
 * makes a document; what it guards is the text, the commas and the memory.
 */
#include "spec/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/utf8.h"

static void put(struct json_out *o, const char *s, size_t len)
{
	char *text;

	if (o->failed)
		return;
	if (o->size - o->len < len) {
		o->size = 2 * o->size + len + 128;
		text = json_realloc(o->text, o->size);
		if (!text) {
			o->failed = true;
			return;
		}
		o->text = text;
	}
	memcpy(o->text + o->len, s, len);
	o->len += len;
}

static void put_comma(struct json_out *o)
{
	if (o->comma)
		put(o, ",", 1);
	o->comma = true;
}

void json_out_open(struct json_out *o, char bracket)
{
	put_comma(o);
	put(o, &bracket, 1);
	o->comma = false;
}

void json_out_close(struct json_out *o, char bracket)
{
	put(o, &bracket, 1);
	o->comma = true;
}

void json_out_key(struct json_out *o, const char *key)
{
	json_out_string(o, key, strlen(key));
	put(o, ":", 1);
	o->comma = false;
}

void json_out_string(struct json_out *o, const char *s, size_t len)
{
	char escape[16];
	size_t n;

	put_comma(o);
	put(o, "\"", 1);
	for (; len > 0; s += n, len -= n) {
		n = utf8_len(s, len);
		if (n == 0) {
			put(o, "\xef\xbf\xbd", 3);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			put(o, "\\", 1);
			put(o, s, 1);
		} else if ((n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f)) ||
			   utf8_is_harmful(s, n)) {
			snprintf(escape, sizeof(escape), "\\u%04x", utf8_value(s, n));
			put(o, escape, 6);
		} else {
			put(o, s, n);
		}
	}
	put(o, "\"", 1);
}

void json_out_bool(struct json_out *o, bool value)
{
	put_comma(o);
	put(o, value ? "true" : "false", value ? 4 : 5);
}

void json_out_int(struct json_out *o, int64_t value)
{
	char text[24];

	put_comma(o);
	put(o, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void json_out_raw(struct json_out *o, const char *json, size_t len)
{
	put_comma(o);
	put(o, json, len);
}

char *json_out_take(struct json_out *o, size_t *len)
{
	char *text;

	put(o, "", 1);
	text = o->failed ? NULL : o->text;
	if (o->failed)
		free(o->text);
	else
		*len = o->len - 1;
	*o = (struct json_out)JSON_OUT_INIT;
	return text;
}
