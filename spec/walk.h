/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way through a document along the rules of json.h. Private to json.c.
 */
#pragma once

#include "spec/json.h"

/* A value that rules lo to hi-1 are about (none: hi is 0), whose paths are used
 * up to their byte @name. */
struct walk_node {
	unsigned lo, hi;
	size_t name;
	size_t path_len; /* of walk.path, up to here */
};

/* An open object or array that rules are about. */
struct walk_frame {
	struct walk_node node;
	bool is_array;
	size_t n; /* elements so far */
};

struct walk {
	const struct json_rule *rules;
	size_t n_rules;
	size_t depth; /* of open objects and arrays */
	/* Of these the outer ones, as far as rules reach. */
	unsigned n_frames;
	struct walk_frame frames[JSON_MAX_LEVELS];
	struct walk_node member; /* the value that belongs to the last key */
	/* Where we are, for people; cut if it is long. */
	char path[256];
	size_t key_at, key_len; /* the last name in it */
};

/* json.c: fails with @text, or tells the document's reader, who may go on. */
int json_mismatch(struct json *j, const struct json_event *e, const char *text);
/* One event: calls the rule that is about it, and returns what that returned. */
int walk_step(struct walk *w, struct json *j, struct json_event *e);
