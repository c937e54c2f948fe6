/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets one member of the process document of an exec. The parser only says
 * where things stand; what is not replaced is copied byte for byte, so that
 * numbers, strings and members unknown to us cannot change on the way.
 */
#include "spec/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY "\"terminal\""

struct rewrite {
	const char *json;
	size_t copied; /* bytes of json that are done with */
	const char *value; /* to be written */
	char *out;
	size_t len, size;
	size_t member_end; /* of the last member: where another could be added */
	bool any; /* there was a member */
	bool found; /* and one of the name */
	bool is_target,
		is_again; /* the member at hand is of the name; not the first such */
};

static void put(struct rewrite *w, const char *s, size_t len)
{
	assert(len <= w->size - w->len);
	memcpy(w->out + w->len, s, len);
	w->len += len;
}

/* Copies up to @end, and leaves out what follows up to @next. */
static void copy_to(struct rewrite *w, size_t end, size_t next)
{
	put(w, w->json + w->copied, end - w->copied);
	w->copied = next;
}

static void on_key(struct rewrite *w, const struct json_event *e)
{
	w->is_target = json_name_is(e->text, e->len, "terminal", 8);
	w->is_again = w->is_target && w->found;
	if (w->is_target && !w->is_again) {
		copy_to(w, e->offset, e->end);
		put(w, KEY, strlen(KEY));
		w->found = true;
	}
}

/* The document's braces and keys. */
static int on_process(struct json *j, const struct json_event *e)
{
	struct rewrite *w = json_data(j);

	if (e->kind == JSON_KEY) {
		on_key(w, e);
	} else if (e->kind == JSON_OBJECT) {
		w->member_end = e->end;
	} else if (!w->found) {
		copy_to(w, w->member_end, w->member_end);
		if (w->any)
			put(w, ",", 1);
		put(w, KEY ":", strlen(KEY ":"));
		put(w, w->value, strlen(w->value));
	}
	return 0;
}

/* The value of a member: all of it, or its beginning or end. */
static int on_member(struct json *j, const struct json_event *e)
{
	struct rewrite *w = json_data(j);

	if (e->kind != JSON_END && w->is_target && !w->is_again) {
		copy_to(w, e->offset, e->end);
		put(w, w->value, strlen(w->value));
	}
	if (e->kind == JSON_OBJECT || e->kind == JSON_ARRAY)
		return 0;
	if (w->is_again)
		copy_to(w, w->member_end, e->end);
	else if (w->is_target)
		w->copied = e->end;
	w->member_end = e->end;
	w->any = true;
	return 0;
}

static const struct json_rule rules[] = {
	{ "", JSON_OBJECT | JSON_KEY | JSON_END, on_process, 0 },
	{ "*", JSON_ANY | JSON_END, on_member, 0 },
};

int spec_process_set_terminal(const char *json, size_t len, bool terminal, char **out,
			      size_t *out_len, struct spec_error *e)
{
	struct rewrite w = {
		.json = json,
		.value = terminal ? "true" : "false",
		.size = len + strlen("," KEY ":false"),
	};
	struct json_doc doc = {
		.name = "process",
		.rules = rules,
		.n_rules = sizeof(rules) / sizeof(rules[0]),
		.data = &w,
		.error = e,
	};
	int r;

	if (len > SPEC_MAX_SIZE)
		return json_error(e, EFBIG, doc.name, "larger than 10 MiB");
	w.out = json_realloc(NULL, w.size);
	if (!w.out)
		return json_error(e, ENOMEM, doc.name, NULL);
	r = json_parse(&doc, json, len);
	if (r) {
		free(w.out);
		return r;
	}
	copy_to(&w, len, len);
	*out = w.out;
	*out_len = w.len;
	return 0;
}
