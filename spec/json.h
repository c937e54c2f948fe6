/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push parser for JSON. Bytes come in chunks of any size; what a document
 * holds at the paths of a rule table is handed to the table's functions, each
 * with its place in the text; the rest costs nothing but the reading. Memory is
 * one chunk, a byte per level of nesting, and the token that straddles two chunks;
 * time is linear, however long that token is and however small the pieces are.
 *
 * What it accepts is what Go's encoding/json accepts, so that a document has
 * here the meaning that it has for runc: strings need not be UTF-8, an escaped
 * surrogate without its partner is U+FFFD, keys match in any case, and of
 * duplicates the last one counts. What follows the document is an error, unless
 * the reader takes the first value as a json.Decoder does (json_doc.first_only).
 *
 * Functions that can fail return a negative errno after writing one line into
 * the document's struct spec_error: "NAME:LINE:COL: PATH: reason", where line
 * and column count from 1, in bytes, and PATH is as "linux.namespaces[2].type".
 *   EINVAL  not JSON, or not what the rules ask for
 *   EFBIG   over SPEC_MAX_SIZE or SPEC_MAX_DEPTH
 *   ENOMEM
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

/* How much is read, and given to yajl, at once; more only inside of a longer token. */
#define JSON_CHUNK (16u << 10)
/* Names in the longest path of a rule. */
#define JSON_MAX_LEVELS 16

/* What an event is, one bit each. */
enum {
	JSON_NULL = 1 << 0,
	JSON_BOOL = 1 << 1,
	JSON_NUMBER = 1 << 2,
	JSON_STRING = 1 << 3,
	JSON_OBJECT = 1 << 4, /* '{' */
	JSON_ARRAY = 1 << 5, /* '[' */
	JSON_KEY = 1 << 6, /* a key of the object that the rule is about */
	JSON_END = 1 << 7, /* '}' or ']' */
};

#define JSON_ANY \
	(JSON_NULL | JSON_BOOL | JSON_NUMBER | JSON_STRING | JSON_OBJECT | JSON_ARRAY)

struct json;

/* Lives as long as the call it is passed to. */
struct json_event {
	unsigned kind;
	/* JSON_STRING, JSON_KEY: decoded; JSON_NUMBER: as written. Not NUL-terminated. */
	const char *text;
	size_t len;
	bool boolean;
	/* The token: bytes offset to end-1, counted from 0; its first line and column. */
	size_t offset, end;
	size_t line, column;
	/* JSON_KEY: the first rule about this key, or about what is below it, or NULL. */
	const struct json_rule *member;
	/* The rule whose function is called. */
	const struct json_rule *rule;
};

/*
 * What is wanted at @path: names with '.' between them, "[]" for the elements
 * of an array, "*" for a key that has no name of its own in the table, "" for
 * the document itself. Rules with a common beginning stand together, the
 * shortest first.
 *
 * A value must be of a kind in @want, or an object or array if longer paths ask
 * for that; anything else is EINVAL. Null passes for absent everywhere but at
 * the document itself. @fn is called for the events in @want, and ends the
 * parsing by returning a negative errno, best by json_fail().
 */
struct json_rule {
	const char *path;
	unsigned want;
	int (*fn)(struct json *j, const struct json_event *e);
	size_t arg; /* for @fn: an offset into the data */
};

struct json_doc {
	const char *name; /* for error texts */
	const struct json_rule *rules;
	size_t n_rules;
	void *data; /* for the rules' functions */
	struct spec_error *error;
	bool many; /* any number of documents, one after another */
	/* Each event, whatever the rules (there may be none), after their functions; may be NULL. */
	int (*every)(struct json *j, const struct json_event *e);
	bool first_only; /* only the first value is read; see json_rest() */
	/*
	 * May be NULL. Called instead of failing for a value of a kind that is not
	 * wanted, with the text that would be the error's; 0: go on, passing it over.
	 */
	int (*mismatch)(struct json *j, const struct json_event *e, const char *text);
};

/* @doc and what it points to must outlive the parser. NULL: ENOMEM, with its text. */
struct json *json_new(const struct json_doc *doc);
void json_free(struct json *j);
/* Parses on; once it has failed it returns the same error ever after. */
int json_feed(struct json *j, const char *bytes, size_t len);
/* Feeds a regular file that is not a symbolic link, whole. */
int json_feed_file(struct json *j, const char *path);
/* The input has ended. */
int json_finish(struct json *j);
/* Nothing is half read: before, between and after documents. */
bool json_is_idle(const struct json *j);
/* Forgets what was fed, and whether it failed. */
void json_reset(struct json *j);

/* All of it: from memory, or from a regular file that is not a symbolic link. */
int json_parse(const struct json_doc *doc, const char *json, size_t len);
int json_parse_file(const struct json_doc *doc, const char *path);

/*
 * With first_only, after the end of the first value: whether anything but white
 * space came behind it, and where.
 */
bool json_rest(const struct json *j, size_t *line, size_t *column);

/* For the rules' functions. */

void *json_data(const struct json *j);
/* Where we are, "linux.namespaces[2].type"; cut if it is long. */
const char *json_path(const struct json *j);
/* The key that brought here: the whole key, also where "*" matched. */
bool json_key_is(const struct json *j, const char *key);
/* Fails at the place of @e; returns -@code. */
int json_fail(struct json *j, const struct json_event *e, int code, const char *format,
	      ...) __attribute__((format(printf, 4, 5)));
/* A copy, to be free()d, in *@out, whose old value is freed. Fails on a NUL byte. */
int json_copy(struct json *j, const struct json_event *e, char **out);
/* The value of a decimal integer between @min and @max; fails for other numbers. */
int json_int(struct json *j, const struct json_event *e, int64_t min, int64_t max,
	     int64_t *out);
/* Functions for rules: store into the char *, bool or uint32_t at data + rule->arg. */
int json_put_string(struct json *j, const struct json_event *e);
int json_put_bool(struct json *j, const struct json_event *e);
int json_put_u32(struct json *j, const struct json_event *e);

/* Whether @key is @name, which is ASCII, in the eyes of encoding/json: in any case. */
bool json_name_is(const char *key, size_t len, const char *name, size_t name_len);

/* Writes NAME: REASON (errno @code if @reason is NULL) to @e; returns -@code. */
int json_error(struct spec_error *e, int code, const char *name, const char *reason);

/*
 * realloc(3), for everything that spec/ allocates, what yajl asks for included.
 * It is weak: a test that defines its own decides which allocation fails.
 */
void *json_realloc(void *old, size_t size);

/* ------------------------------------------------------------- writing */

/*
 * A document in growing memory. Failure is remembered, so that only the end
 * needs looking at: json_out_take() returns NULL if any step had no memory.
 */
struct json_out {
	char *text;
	size_t len, size;
	bool comma; /* one is due before the next key or element */
	bool failed;
};

#define JSON_OUT_INIT \
	{             \
		0     \
	}

/* '{' or '['; '}' or ']'. */
void json_out_open(struct json_out *o, char bracket);
void json_out_close(struct json_out *o, char bracket);
void json_out_key(struct json_out *o, const char *key);
/* What is not UTF-8 becomes U+FFFD. */
void json_out_string(struct json_out *o, const char *s, size_t len);
void json_out_bool(struct json_out *o, bool value);
void json_out_int(struct json_out *o, int64_t value);
/* A value that is JSON already. */
void json_out_raw(struct json_out *o, const char *json, size_t len);
/* The document, NUL-terminated, to be free()d; @o is empty again. */
char *json_out_take(struct json_out *o, size_t *len);
