/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a document's events along the rules: which rules are about this
 * value, is it of a kind they want, what is its path. It must cost next to
 * nothing where no rule reaches, and its memory must not depend on the input.
 */
#include "spec/walk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is left of the path of rule @i behind @n. */
static const char *rest_of(const struct walk *w, const struct walk_node *n, unsigned i)
{
	const char *s = w->rules[i].path + n->name;

	return *s == '.' ? s + 1 : s;
}

/* The length of the first name of a path. */
static size_t name_len(const char *path)
{
	return *path == '[' ? 2 : strcspn(path, ".[");
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool json_name_is(const char *key, size_t len, const char *name, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		char c = lower(name[i]);

		if (k < len && lower(key[k]) == c)
			k++;
		else if (c == 'k' && len - k >= 3 && !memcmp(key + k, "\xe2\x84\xaa", 3))
			k += 3; /* U+212A, the kelvin sign */
		else if (c == 's' && len - k >= 2 && !memcmp(key + k, "\xc5\xbf", 2))
			k += 2; /* U+017F, the long s */
		else
			return false;
	}
	return k == len;
}

static bool is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len);
}

static bool is_star(const char *key, size_t len, const char *name, size_t n)
{
	(void)key;
	(void)len;
	return is_same(name, n, "*", 1);
}

/* How a key may match a name, the best way first. */
static bool (*const ways[])(const char *, size_t, const char *, size_t) = {
	is_same,
	json_name_is,
	is_star,
};

/* The rules about the member @key of @from (NULL: about its elements). */
static struct walk_node below(const struct walk *w, const struct walk_node *from,
			      const char *key, size_t len)
{
	struct walk_node to = { .path_len = from->path_len };
	const char *name;
	size_t n;

	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
		for (unsigned i = from->lo; i < from->hi; i++) {
			name = rest_of(w, from, i);
			n = name_len(name);
			if (!n || (*name == '[') != !key ||
			    (key && !ways[way](key, len, name, n)))
				continue;
			to.lo = i;
			to.name = (size_t)(name - w->rules[i].path) + n;
			while (i < from->hi && !strncmp(rest_of(w, from, i), name, n) &&
			       name_len(rest_of(w, from, i)) == n)
				i++;
			to.hi = i;
			return to;
		}
	}
	return to;
}

/* Goes to @n, whose own name is @name. */
static void set_path(struct walk *w, struct walk_node *n, const char *name, size_t len)
{
	size_t room = sizeof(w->path) - 1 - n->path_len;

	w->key_at = n->path_len;
	w->key_len = len;
	if (n->path_len && *name != '[' && room) {
		w->path[w->key_at++] = '.';
		room--;
	}
	if (len > room)
		len = room;
	memcpy(w->path + w->key_at, name, len);
	n->path_len = w->key_at + len;
	w->path[n->path_len] = '\0';
}

/* The rule about @n itself, or NULL. */
static const struct json_rule *own_rule(const struct walk *w, const struct walk_node *n)
{
	return n->hi && !*rest_of(w, n, n->lo) ? &w->rules[n->lo] : NULL;
}

static int call_rule(struct walk *w, const struct walk_node *n, struct json *j,
		     struct json_event *e)
{
	e->rule = own_rule(w, n);
	return e->rule && (e->rule->want & e->kind) ? e->rule->fn(j, e) : 0;
}

/* Sets @n to none if the value is not of a kind that its rules want. */
static int check_kind(struct walk *w, struct walk_node *n, struct json *j,
		      const struct json_event *e)
{
	static const char *const names[] = {
		"null", "a boolean", "a number", "a string", "an object", "an array",
	};
	const struct json_rule *own = own_rule(w, n);
	unsigned want = own ? own->want & JSON_ANY : 0;
	unsigned child = n->lo + (own ? 1 : 0);
	const char *found = NULL;
	char list[100] = "", text[160];
	size_t len = 0;

	if (child < n->hi)
		want |= *rest_of(w, n, child) == '[' ? JSON_ARRAY : JSON_OBJECT;
	if ((want & e->kind) || (e->kind == JSON_NULL && w->depth > 0))
		return 0;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (e->kind == 1u << i)
			found = names[i];
		if (i > 0 && (want & 1u << i))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						len ? " or " : "", names[i]);
	}
	assert(len && found);
	snprintf(text, sizeof(text), "%s is needed, found %s", list, found);
	*n = (struct walk_node){ 0 };
	return json_mismatch(j, e, text);
}

/* The frame of the innermost open object or array, NULL if no rule is about it. */
static struct walk_frame *top_frame(struct walk *w)
{
	return w->n_frames && w->n_frames == w->depth ? &w->frames[w->n_frames - 1]
						      : NULL;
}

static struct walk_node find_value(struct walk *w)
{
	struct walk_frame *top = top_frame(w);
	struct walk_node n = { 0 };
	char index[32];

	if (w->depth == 0) {
		n.hi = (unsigned)w->n_rules;
		w->path[0] = '\0';
	} else if (top && top->is_array) {
		n = below(w, &top->node, NULL, 0);
		if (n.hi)
			set_path(w, &n, index,
				 (size_t)snprintf(index, sizeof(index), "[%zu]", top->n));
		top->n++;
	} else if (top) {
		n = w->member;
	}
	return n;
}

static int on_value(struct walk *w, struct json *j, struct json_event *e)
{
	bool opens = e->kind & (JSON_OBJECT | JSON_ARRAY);
	struct walk_node n = find_value(w);
	int r;

	if (opens && w->depth == SPEC_MAX_DEPTH)
		return json_fail(j, e, EFBIG, "nested deeper than %d", SPEC_MAX_DEPTH);
	if (n.hi) {
		e->rule = own_rule(w, &n);
		r = check_kind(w, &n, j, e);
		if (!r && n.hi)
			r = call_rule(w, &n, j, e);
		if (r)
			return r;
		if (opens && n.hi) {
			assert(w->n_frames < JSON_MAX_LEVELS);
			w->frames[w->n_frames++] = (struct walk_frame){
				.node = n,
				.is_array = e->kind == JSON_ARRAY,
			};
		}
	}
	w->depth += opens;
	return 0;
}

static int on_key(struct walk *w, struct json *j, struct json_event *e)
{
	struct walk_frame *top = top_frame(w);

	if (!top)
		return 0;
	w->member = below(w, &top->node, e->text, e->len);
	e->member = w->member.hi ? &w->rules[w->member.lo] : NULL;
	set_path(w, &w->member, e->text, e->len);
	return call_rule(w, &top->node, j, e);
}

static int on_end(struct walk *w, struct json *j, struct json_event *e)
{
	struct walk_frame *top = top_frame(w);

	w->depth--;
	if (!top)
		return 0;
	w->n_frames--;
	w->path[top->node.path_len] = '\0';
	return call_rule(w, &top->node, j, e);
}

int walk_step(struct walk *w, struct json *j, struct json_event *e)
{
	switch (e->kind) {
	case JSON_KEY:
		return on_key(w, j, e);
	case JSON_END:
		return on_end(w, j, e);
	default:
		return on_value(w, j, e);
	}
}
