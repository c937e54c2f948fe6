/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of TOML, and of the options in it: what it hands over lies in the
 * document and in order, texts are one line of UTF-8, warnings are few, and what
 * is behind a piece that was accepted does not change what was in it.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/toml.h"
#include "spec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const char *at, *end; /* what of the document is behind the last key */
	size_t line;
	size_t n, limit; /* refuses after so many */
};

static void check_utf8(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		assert(n > 0);
	}
}

static void check_line(const char *text)
{
	assert(text[0] && strlen(text) < 512 && !strchr(text, '\n'));
	check_utf8(text, strlen(text));
}

static int check_key(struct toml *t, const struct toml_key *key)
{
	struct seen *s = toml_data(t);

	assert(key->n > 0 && key->n <= TOML_MAX_PARTS);
	assert(key->raw.s >= s->at && key->raw.len > 0);
	assert(key->raw.s + key->raw.len <= s->end);
	assert(key->line >= s->line);
	for (size_t i = 0; i < key->n; i++)
		check_utf8(key->parts[i].s, key->parts[i].len);
	s->at = key->raw.s + key->raw.len;
	s->line = key->line;
	return s->n++ < s->limit ? 0 : toml_fail(t, key->line, key, EPERM, "enough");
}

static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	(void)list;
	return check_key(t, key);
}

static int on_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	assert(depth <= TOML_MAX_DEPTH);
	if (v->kind == TOML_STRING)
		check_utf8(v->string.s, v->string.len);
	assert(toml_kind_name(v->kind));
	return check_key(t, key);
}

static int on_item(struct toml *t, const struct toml_value *v, size_t depth)
{
	(void)t;
	assert(depth > 0 && depth <= TOML_MAX_DEPTH);
	if (v->kind == TOML_STRING)
		check_utf8(v->string.s, v->string.len);
	assert(toml_kind_name(v->kind));
	return 0;
}

static int run(const char *toml, size_t len, size_t limit, size_t *n)
{
	struct spec_error e = { .text = "" };
	struct seen s = { .at = toml, .end = toml + len, .limit = limit };
	struct toml_doc doc = { "fuzz", on_table, on_pair, on_item, &s, &e };
	int r = toml_parse(&doc, toml, len);

	if (r == 0)
		assert(!e.text[0]);
	else
		check_line(e.text);
	assert(r == 0 || r == -EINVAL || r == -EFBIG ||
	       (r == -EPERM && s.n == limit + 1));
	*n = s.n;
	return r;
}

static void on_warning(void *data, const char *text)
{
	assert(++*(unsigned *)data <= SPEC_MAX_WARNINGS);
	check_line(text);
}

static int read_options(const char *toml, size_t len)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error e = { .text = "" };
	unsigned n_warnings = 0;
	int r = spec_options_parse_toml("fuzz", toml, len, &o, on_warning, &n_warnings,
					&e);

	assert(r == 0 ? !e.text[0] : r == -EINVAL || r == -EFBIG);
	if (r)
		check_line(e.text);
	if (o.root)
		check_utf8(o.root, strlen(o.root));
	assert(o.systemd_cgroup_said || !o.systemd_cgroup);
	spec_options_release(&o);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char more[] = "\n[x]\na = [\n]\n";
	const char *toml = (const char *)data;
	size_t n, k;
	char *longer;

	if (run(toml, size, SIZE_MAX, &n) != 0) {
		assert(read_options(toml, size) != 0);
		return 0;
	}
	if (n > 0)
		assert(run(toml, size, n - 1, &k) == -EPERM);
	longer = malloc(size + sizeof(more));
	assert(longer);
	memcpy(longer, data, size);
	memcpy(longer + size, more, sizeof(more));
	assert(run(longer, size + sizeof(more) - 1, SIZE_MAX, &k) == 0 && k == n + 2);
	assert(read_options(toml, size) == read_options(longer, size + sizeof(more) - 1));
	free(longer);
	return 0;
}
