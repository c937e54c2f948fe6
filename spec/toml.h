/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for TOML 1.0 (https://toml.io/en/v1.0.0) in memory: one pass, no
 * tree, no recursion. Headers of tables and pairs of key and value are handed to
 * two functions in the order of the text; what they do not care for costs only
 * the reading, but must be right all the same.
 *
 * Two rules of TOML need a tree and are not looked after: that no table and no
 * key is there twice, and that no table goes by the name of a value.
 *
 * Functions that can fail return a negative errno after writing one line into
 * the document's struct spec_error, "NAME:LINE: reason" or "NAME:LINE: KEY:
 * reason" with the key as it stands there, lines counted from 1.
 *   EINVAL  not TOML, or what the document's functions refuse
 *   EFBIG   over a bound
 *   ENOMEM
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

#define TOML_MAX_SIZE (1u << 20)
/* Names in a dotted key; arrays and inline tables in one another. */
#define TOML_MAX_PARTS 32
#define TOML_MAX_DEPTH 64

enum toml_kind {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_TIME, /* dates, too */
	TOML_ARRAY,
	TOML_TABLE, /* "{" */
};

/* Decoded; not NUL-terminated, and may hold NUL bytes. */
struct toml_text {
	const char *s;
	size_t len;
};

struct toml_key {
	struct toml_text parts[TOML_MAX_PARTS];
	size_t n;
	struct toml_text raw; /* as it stands in the document, which it is a piece of */
	size_t line;
};

struct toml_value {
	enum toml_kind kind;
	struct toml_text string;
	int64_t integer;
	bool boolean;
};

struct toml;

/*
 * The functions end the reading by returning a negative errno, best by
 * toml_fail(). What they are given lives as long as the call, @key->raw as long
 * as the document.
 */
struct toml_doc {
	const char *name; /* for error texts */
	/* "[KEY]", or "[[KEY]]": @list. */
	int (*table)(struct toml *t, const struct toml_key *key, bool list);
	/*
	 * "KEY = VALUE"; for an array or inline table before what is in it. @depth:
	 * how many arrays and inline tables are open around it.
	 */
	int (*pair)(struct toml *t, const struct toml_key *key,
		    const struct toml_value *value, size_t depth);
	/* What an array holds, @depth counted alike: 1 in that of a table's pair. NULL: nobody asks. */
	int (*item)(struct toml *t, const struct toml_value *value, size_t depth);
	void *data; /* for the functions */
	struct spec_error *error;
};

int toml_parse(const struct toml_doc *doc, const char *text, size_t len);

/* For the document's functions. */

void *toml_data(const struct toml *t);
/* @key may be NULL; returns -@code. */
int toml_fail(struct toml *t, size_t line, const struct toml_key *key, int code,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));
/* "a string", "an integer" ... */
const char *toml_kind_name(enum toml_kind kind);

/*
 * A value that is neither string nor array nor table, all of @s. -EINVAL: it is
 * none; -ERANGE: an integer that does not fit. Writes no text.
 */
int toml_scalar(const char *s, size_t len, struct toml_value *out);
