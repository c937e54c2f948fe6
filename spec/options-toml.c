/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options in TOML. Decides which keys of a document are ours: those outside of
 * all tables and those in its table of options, be it "[a.b.options]", "options
 * = {...}" or "options.key". One such table only, so that the options of two
 * runtimes in a piece of config.toml cannot be mixed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/options.h"
#include "spec/toml.h"
#include "spec/utf8.h"

struct reading {
	const char *name;
	struct spec_options *out;
	void (*warn)(void *data, const char *text);
	void *data;
	unsigned n_warnings;

	/* The table that the last header opened; at first the one without a name. */
	struct toml_text table;
	size_t table_line;
	uint64_t table_hash;
	bool table_counts;
	bool table_warned;
	/* The table of options: its name, where it began, and whether it may go on. */
	uint64_t options_hash;
	size_t options_line;
	bool options_open;
	/* The depth of pairs in "options = {...}", 0 outside of it. */
	size_t inline_depth;
	/* Where a key was set; 0: it was not. */
	size_t lines[SPEC_N_OPTIONS];
};

/* Keys of the message that CRI fills from the same table; said already by being here. */
static const char *const not_ours[] = { "type_url", "config_path", "config_body" };

/* ----------------------------------------------------------------- warnings */

static void __attribute__((format(printf, 3, 4)))
warn(struct reading *r, size_t line, const char *format, ...)
{
	char text[512];
	va_list ap;
	int n;

	if (!r->warn || r->n_warnings == SPEC_MAX_WARNINGS)
		return;
	if (++r->n_warnings == SPEC_MAX_WARNINGS) {
		snprintf(text, sizeof(text), "%.200s: there is more that is ignored",
			 r->name);
		r->warn(r->data, text);
		return;
	}
	n = snprintf(text, sizeof(text), "%.200s:%zu: ", r->name, line);
	va_start(ap, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, ap);
	va_end(ap);
	utf8_clean(text, strlen(text), true);
	r->warn(r->data, text);
}

/* For "%.*s". */
static int shown(struct toml_text t)
{
	return t.len < 200 ? (int)t.len : 200;
}

/* -------------------------------------------------------------------- names */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* @name is in lower case; case and underscores make no difference. */
static bool is_named(struct toml_text key, const char *name)
{
	for (size_t i = 0; i < key.len; i++) {
		if (key.s[i] == '_')
			continue;
		while (*name == '_')
			name++;
		if (!*name || lower(key.s[i]) != *name++)
			return false;
	}
	while (*name == '_')
		name++;
	return !*name;
}

static bool is_options(struct toml_text part)
{
	return is_named(part, "options");
}

/* FNV-1a over the names of a table; they are not the same by accident. */
#define HASH_INIT UINT64_C(0xcbf29ce484222325)

static uint64_t hash_parts(uint64_t hash, const struct toml_text *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < parts[i].len; k++)
			hash = (hash ^ (unsigned char)parts[i].s[k]) *
			       UINT64_C(0x100000001b3);
		/* No byte of UTF-8. */
		hash = (hash ^ 0xff) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* ------------------------------------------------------------------- tables */

/* A table of options: @open if more of it may come elsewhere ("options.key"). */
static int enter_options(struct toml *t, const struct toml_key *key, uint64_t hash,
			 bool open)
{
	struct reading *r = toml_data(t);

	if (r->options_line && !(open && r->options_open && r->options_hash == hash))
		return toml_fail(
			t, key->line, key, EINVAL,
			"a second table of options; the first one is in line %zu",
			r->options_line);
	if (r->options_line)
		return 0;
	r->options_line = key->line;
	r->options_hash = hash;
	r->options_open = open;
	return 0;
}

static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	struct reading *r = toml_data(t);

	r->inline_depth = 0;
	r->table = key->raw;
	r->table_line = key->line;
	r->table_hash = hash_parts(HASH_INIT, key->parts, key->n);
	r->table_counts = !list && is_options(key->parts[key->n - 1]);
	r->table_warned = false;
	return r->table_counts ? enter_options(t, key, r->table_hash, false) : 0;
}

/* ------------------------------------------------------------------- values */

static int set_string(struct toml *t, const struct toml_key *key,
		      const struct toml_value *v, char **field)
{
	char *s;

	if (memchr(v->string.s, 0, v->string.len))
		return toml_fail(t, key->line, key, EINVAL,
				 "the string has a NUL character");
	s = json_realloc(NULL, v->string.len + 1);
	if (!s)
		return toml_fail(t, key->line, key, ENOMEM, "%s", strerror(ENOMEM));
	memcpy(s, v->string.s, v->string.len);
	s[v->string.len] = '\0';
	free(*field);
	*field = s;
	return 0;
}

static int set_field(struct toml *t, const struct toml_key *key,
		     const struct toml_value *v, const struct json_rule *rule)
{
	struct reading *r = toml_data(t);
	enum toml_kind kind = rule->want == JSON_STRING ? TOML_STRING
			      : rule->want == JSON_BOOL ? TOML_BOOL
							: TOML_INTEGER;
	void *field = (char *)r->out + rule->arg;

	if (v->kind != kind)
		return toml_fail(t, key->line, key, EINVAL, "%s is needed, found %s",
				 toml_kind_name(kind), toml_kind_name(v->kind));
	if (kind == TOML_STRING)
		return set_string(t, key, v, field);
	if (kind == TOML_BOOL) {
		*(bool *)field = v->boolean;
		if (field == &r->out->systemd_cgroup)
			r->out->systemd_cgroup_said = true;
		return 0;
	}
	if (v->integer < 0 || v->integer > UINT32_MAX)
		return toml_fail(t, key->line, key, EINVAL, "not from 0 to %u",
				 UINT32_MAX);
	*(uint32_t *)field = (uint32_t)v->integer;
	return 0;
}

/* A pair that counts. */
static int on_option(struct toml *t, const struct toml_key *key,
		     const struct toml_value *v)
{
	struct reading *r = toml_data(t);
	struct toml_text name = key->parts[key->n - 1];

	for (size_t i = 0; i < SPEC_N_OPTIONS; i++) {
		if (!is_named(name, spec_option_rules[i].path))
			continue;
		if (r->lines[i])
			return toml_fail(t, key->line, key, EINVAL,
					 "set twice, the first time in line %zu",
					 r->lines[i]);
		r->lines[i] = key->line;
		return set_field(t, key, v, &spec_option_rules[i]);
	}
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		if (is_named(name, not_ours[i]))
			return 0;
	warn(r, key->line, "the unknown key %.*s is ignored", shown(key->raw),
	     key->raw.s);
	return 0;
}

/* A pair of somebody else; @level: others beside it count. */
static int on_foreign(struct reading *r, const struct toml_key *key, bool level)
{
	if (level) {
		warn(r, key->line, "the unknown key %.*s is ignored", shown(key->raw),
		     key->raw.s);
	} else if (!r->table_warned) {
		warn(r, r->table_line, "the table %.*s is ignored: it is not of options",
		     shown(r->table), r->table.s);
		r->table_warned = true;
	}
	return 0;
}

static int on_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	struct reading *r = toml_data(t);
	bool dotted = key->n > 1, level, counts;
	int result = 0;

	if (depth < r->inline_depth)
		r->inline_depth = 0;
	/* What is in other inline tables goes with their keys. */
	if (depth != r->inline_depth)
		return 0;
	level = depth > 0 || r->table_counts;
	counts = dotted ? is_options(key->parts[key->n - 2]) : level;
	if (v->kind == TOML_TABLE && is_options(key->parts[key->n - 1])) {
		r->inline_depth = depth + 1;
		return enter_options(t, key, 0, false);
	}
	if (!counts)
		return on_foreign(r, key, level);
	if (dotted)
		result = enter_options(
			t, key, hash_parts(r->table_hash, key->parts, key->n - 1), true);
	return result < 0 ? result : on_option(t, key, v);
}

int spec_options_parse_toml(const char *name, const char *toml, size_t len,
			    struct spec_options *out,
			    void (*warn_fn)(void *data, const char *text), void *data,
			    struct spec_error *e)
{
	struct reading r = {
		.name = name,
		.out = out,
		.warn = warn_fn,
		.data = data,
		.table_hash = HASH_INIT,
		.table_counts = true,
	};
	struct toml_doc doc = {
		.name = name,
		.table = on_table,
		.pair = on_pair,
		.data = &r,
		.error = e,
	};

	return toml_parse(&doc, toml, len);
}
