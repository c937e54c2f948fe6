/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a document along the map: its rows are the rules of the parser, so that
 * a new row is read without a new line of code.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spec/map.h"

#define RULES_MAX 256

static const char *const prefixes[] = {
	[MAP_CONFIG] = "",
	[MAP_PROCESS] = "process.",
	[MAP_RESOURCES] = "linux.resources.",
};

static bool ends_in_brackets(const char *path)
{
	size_t len = strlen(path);

	return len > 2 && strcmp(path + len - 2, "[]") == 0;
}

/* What is at @path or below it was said before: this is a duplicate, which counts. */
static void forget(struct map_values *l, const char *path)
{
	size_t len = strlen(path), n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const char *at = l->v[i].field->path;

		if (strncmp(at, path, len) == 0 && (at[len] == '[' || !at[len]))
			free(l->v[i].text);
		else
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

static struct map_value *find(const struct map_values *l, const char *path, unsigned item)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].item == item && strcmp(l->v[i].field->path, path) == 0)
			return &l->v[i];
	return NULL;
}

static struct map_value *append(struct map_values *l)
{
	struct map_value *v;

	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 64;

		v = json_realloc(l->v, size * sizeof(*v));
		if (!v)
			return NULL;
		l->v = v;
		l->size = size;
	}
	v = &l->v[l->n++];
	*v = (struct map_value){ 0 };
	return v;
}

/* It is, or is part of, an object in an array. */
static bool is_in_item(const struct map_field *f)
{
	return strstr(f->path, "[].") ||
	       (f->kinds == JSON_OBJECT && ends_in_brackets(f->path));
}

/* Before a value is kept: which item it is in, and what it takes the place of. */
static void begin(struct map_values *l, const struct map_field *f, unsigned kind)
{
	if (kind == JSON_ARRAY && !is_in_item(f)) {
		forget(l, f->path);
		l->item = UINT32_MAX;
	} else if (kind == JSON_OBJECT && is_in_item(f)) {
		l->item++;
	}
}

static int on_value(struct json *j, const struct json_event *e)
{
	struct map_values *l = json_data(j);
	const struct map_field *f = &map_fields[e->rule->arg];
	struct map_value *v = NULL;
	unsigned item;

	begin(l, f, e->kind);
	item = is_in_item(f) ? l->item : 0;
	if (!ends_in_brackets(f->path))
		v = find(l, f->path, item);
	if (!v)
		v = append(l);
	if (!v)
		return json_fail(j, e, ENOMEM, "out of memory");
	v->field = f;
	v->item = item;
	v->kind = e->kind;
	v->line = e->line;
	if (e->kind == JSON_STRING || e->kind == JSON_NUMBER)
		return json_copy(j, e, &v->text);
	free(v->text);
	v->text = NULL;
	if (e->kind == JSON_BOOL) {
		struct json_event word = *e;

		word.text = e->boolean ? "true" : "false";
		word.len = strlen(word.text);
		return json_copy(j, &word, &v->text);
	}
	return 0;
}

int map_read(const char *name, enum map_document kind, const char *json, size_t len,
	     struct map_values *out, struct spec_error *e)
{
	struct json_rule rules[RULES_MAX];
	const char *prefix = prefixes[kind];
	struct json_doc doc = { .name = name, .rules = rules, .data = out, .error = e };

	for (size_t i = 0; i < map_n_fields && doc.n_rules < RULES_MAX; i++) {
		const struct map_field *f = &map_fields[i];

		if (strncmp(f->path, prefix, strlen(prefix)) != 0)
			continue;
		rules[doc.n_rules++] = (struct json_rule){ f->path + strlen(prefix),
							   f->kinds, on_value, i };
	}
	return json_parse(&doc, json, len);
}

void map_release(struct map_values *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct map_values){ 0 };
}

const struct map_value *map_find(const struct map_values *v, const char *path,
				 unsigned item)
{
	return find(v, path, item);
}

const char *map_text(const struct map_values *v, const char *path, unsigned item)
{
	const struct map_value *found = find(v, path, item);

	return found && found->text && *found->text ? found->text : NULL;
}

/* --------------------------------------------------------- which document */

static int on_top(struct json *j, const struct json_event *e)
{
	static const char *const names[] = { "ociVersion", "process", "root",	 "linux",
					     "mounts",	   "hooks",   "hostname" };

	if (e->kind == JSON_KEY)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (json_name_is(e->text, e->len, names[i], strlen(names[i])))
				*(bool *)json_data(j) = true;
	return 0;
}

enum map_document map_guess(const char *json, size_t len, enum map_document other)
{
	const struct json_rule rule = { "", JSON_OBJECT | JSON_KEY, on_top, 0 };
	struct spec_error ignored;
	bool config = false;
	struct json_doc doc = { .name = "",
				.rules = &rule,
				.n_rules = 1,
				.data = &config,
				.error = &ignored };

	return json_parse(&doc, json, len) == 0 && !config ? other : MAP_CONFIG;
}
