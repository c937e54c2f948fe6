/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of a TOML document: headers, keys and values, and what is
 * nested in a value. Knows no key by name.
 */
#include "spec/toml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spec/json.h"
#include "spec/toml-text.h"

void *toml_data(const struct toml *t)
{
	return t->doc->data;
}

const char *toml_kind_name(enum toml_kind kind)
{
	static const char *const names[] = {
		[TOML_STRING] = "a string", [TOML_INTEGER] = "an integer",
		[TOML_FLOAT] = "a float",   [TOML_BOOL] = "a boolean",
		[TOML_TIME] = "a time",	    [TOML_ARRAY] = "an array",
		[TOML_TABLE] = "a table",
	};

	return names[kind];
}

/* --------------------------------------------------------------------- keys */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int read_part(struct toml *t, struct toml_text *out)
{
	if (toml_at(t, '"') || toml_at(t, '\''))
		return toml_read_string(t, false, out);
	out->s = t->at;
	while (t->at < t->end && is_word_char(*t->at))
		t->at++;
	out->len = (size_t)(t->at - out->s);
	return out->len ? 0 : toml_wrong_char(t, "a key");
}

static int read_key(struct toml *t)
{
	struct toml_key *key = &t->key;

	t->in_value = false;
	t->n_decoded = 0;
	key->raw.s = t->at;
	key->line = t->line;
	key->n = 0;
	do {
		int r;

		if (key->n == TOML_MAX_PARTS)
			return toml_fail(t, t->line, NULL, EFBIG,
					 "a key of more than %d parts", TOML_MAX_PARTS);
		toml_skip_blanks(t);
		r = read_part(t, &key->parts[key->n++]);
		if (r < 0)
			return r;
		key->raw.len = (size_t)(t->at - key->raw.s);
		toml_skip_blanks(t);
	} while (toml_skip(t, '.'));
	return 0;
}

/* ------------------------------------------------------------------- values */

/* How many bytes from @at on may belong to a scalar. */
static size_t scalar_len(const struct toml *t, size_t at)
{
	size_t left = (size_t)(t->end - t->at);

	for (; at < left; at++) {
		char c = t->at[at];

		if (!is_word_char(c) && c != '+' && c != '.' && c != ':')
			break;
	}
	return at;
}

static int read_scalar(struct toml *t, struct toml_value *value)
{
	const char *s = t->at;
	size_t len = scalar_len(t, 0);
	int r;

	if (len == 0)
		return toml_wrong_char(t, "a value");
	r = toml_scalar(s, len, value);
	/* There may be a blank between a date and its time. */
	if (r == 0 && value->kind == TOML_TIME && len == 10 && t->end - s > 11 &&
	    s[10] == ' ' && s[11] >= '0' && s[11] <= '9') {
		len = scalar_len(t, 11);
		r = toml_scalar(s, len, value);
	}
	if (r == -ERANGE)
		return toml_wrong(t, "%.*s does not fit 64 bits", toml_shown(len), s);
	if (r < 0)
		return toml_wrong(t, "\"%.*s\" is no value; a string needs quotes",
				  toml_shown(len), s);
	t->at += len;
	return 0;
}

/*
 * Reads a value, of an array or inline table only the bracket that opens it.
 * @pair: of a key, and not in an array.
 */
static int read_value(struct toml *t, bool pair)
{
	struct toml_value value = { .kind = TOML_STRING };
	size_t depth = t->depth;
	int r = 0;

	if (toml_at(t, '[') || toml_at(t, '{')) {
		value.kind = toml_at(t, '[') ? TOML_ARRAY : TOML_TABLE;
		if (depth == TOML_MAX_DEPTH)
			return toml_fail(t, t->line, NULL, EFBIG,
					 "nested deeper than %d levels", TOML_MAX_DEPTH);
		t->at++;
		t->levels[t->depth++] =
			(struct toml_level){ .array = value.kind == TOML_ARRAY };
	} else if (toml_at(t, '"') || toml_at(t, '\'')) {
		r = toml_read_string(t, true, &value.string);
	} else {
		r = read_scalar(t, &value);
	}
	if (r == 0 && pair)
		r = t->doc->pair(t, &t->key, &value, depth);
	else if (r == 0 && t->doc->item)
		r = t->doc->item(t, &value, depth);
	return r;
}

static int read_pair(struct toml *t)
{
	int r = read_key(t);

	if (r < 0)
		return r;
	t->in_value = true;
	if (!toml_skip(t, '='))
		return toml_wrong_char(t, "'='");
	toml_skip_blanks(t);
	return read_value(t, true);
}

/* Lines may end between the values of an array, not in an inline table. */
static int skip_space(struct toml *t, bool lines)
{
	int r = 0;

	toml_skip_blanks(t);
	if (!lines)
		return 0;
	do
		r = toml_skip_comment(t);
	while (r == 0 && toml_skip_newline(t));
	return r;
}

/* One step in the array or inline table that is open: its end, a comma, or a value. */
static int read_nested(struct toml *t)
{
	struct toml_level *l = &t->levels[t->depth - 1];
	int r = skip_space(t, l->array);

	if (r < 0)
		return r;
	if (toml_at(t, l->array ? ']' : '}') && !(l->comma && !l->array)) {
		t->at++;
		t->depth--;
		return 0;
	}
	if (l->filled) {
		l->filled = false;
		l->comma = true;
		return toml_skip(t, ',') ? 0
					 : toml_wrong_char(t, l->array ? "',' or ']'"
								       : "',' or '}'");
	}
	l->filled = true;
	l->comma = false;
	if (l->array) {
		/* A string that the array holds is told, and not kept. */
		t->n_decoded = 0;
		return read_value(t, false);
	}
	return read_pair(t);
}

/* --------------------------------------------------------------- statements */

static int read_header(struct toml *t)
{
	bool list;
	int r;

	t->in_value = false;
	t->at++;
	list = toml_skip(t, '[');
	r = read_key(t);
	if (r < 0)
		return r;
	if (!toml_skip(t, ']') || (list && !toml_skip(t, ']')))
		return toml_wrong_char(t, list ? "']]'" : "']'");
	return t->doc->table(t, &t->key, list);
}

static int read_statement(struct toml *t)
{
	int r;

	if (toml_at(t, '['))
		return read_header(t);
	r = read_pair(t);
	while (r == 0 && t->depth > 0)
		r = read_nested(t);
	return r;
}

static int read_document(struct toml *t)
{
	for (;;) {
		int r = toml_skip_comment(t);

		if (r == 0 && t->at < t->end && !toml_at(t, '\n') && !toml_at(t, '\r')) {
			r = read_statement(t);
			if (r == 0)
				r = toml_skip_comment(t);
		}
		if (r < 0 || t->at == t->end)
			return r;
		if (!toml_skip_newline(t))
			return toml_wrong_char(t, "the end of the line");
		t->in_value = false;
	}
}

int toml_parse(const struct toml_doc *doc, const char *text, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct toml t = { .doc = doc, .line = 1 };
	int r;

	/* A message without its bytes gives NULL, which nothing may be added to. */
	if (!text)
		text = "";
	t.at = text;
	t.end = text + len;

	if (len > TOML_MAX_SIZE)
		return toml_fail(&t, 1, NULL, EFBIG, "larger than %u bytes",
				 TOML_MAX_SIZE);
	t.decoded = json_realloc(NULL, len + 1);
	if (!t.decoded)
		return toml_fail(&t, 1, NULL, ENOMEM, "%s", strerror(ENOMEM));
	/* What editors of Windows begin a file with. */
	if (len >= 3 && !memcmp(text, mark, 3))
		t.at += 3;
	r = read_document(&t);
	free(t.decoded);
	return r;
}
