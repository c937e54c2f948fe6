/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place in a TOML document, and what can be read there without knowing
 * where one is: white space, comments, strings. Private to toml*.c.
 */
#pragma once

#include "spec/toml.h"

struct toml_level {
	bool array; /* or inline table */
	bool filled; /* a value was read: a comma or the end is due */
	bool comma; /* one was read */
};

struct toml {
	const struct toml_doc *doc;
	const char *at, *end;
	size_t line;
	/*
	 * The decoded strings of one statement; as long as the document, since no
	 * string is longer decoded than written.
	 */
	char *decoded;
	size_t n_decoded;
	struct toml_key key;
	bool in_value; /* errors are about the key */
	struct toml_level levels[TOML_MAX_DEPTH];
	size_t depth;
};

/* EINVAL, at the place that is being read; returns it, negative. */
int toml_wrong(struct toml *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same: @wanted is needed, and something else is there. */
int toml_wrong_char(struct toml *t, const char *wanted);
/* How much of a key or value of @len bytes is shown in an error text. */
int toml_shown(size_t len);

static inline bool toml_at(const struct toml *t, char c)
{
	return t->at < t->end && *t->at == c;
}

static inline bool toml_skip(struct toml *t, char c)
{
	bool there = toml_at(t, c);

	t->at += there;
	return there;
}

void toml_skip_blanks(struct toml *t);
bool toml_skip_newline(struct toml *t);
/* Blanks, and a comment if there is one. */
int toml_skip_comment(struct toml *t);
/* A string, at its opening quote. */
int toml_read_string(struct toml *t, bool may_have_lines, struct toml_text *out);
