/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker's engine: follows a document along its rules, checks what every
 * value has to be (there, of its type, in its range, written once and as the
 * specification writes it), and leaves what it means to the tables' functions.
 */
#include "spec/check-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "spec/utf8.h"

/* ------------------------------------------------------------ findings */

#define add_finding(c, severity, basis, at, path, format)             \
	do {                                                          \
		va_list ap_;                                          \
		va_start(ap_, format);                                \
		check_add(c, severity, basis, at, path, format, ap_); \
		va_end(ap_);                                          \
	} while (0)

void check_note(struct checker *c, const struct json_event *e, const char *format, ...)
{
	const struct place at = check_place(e);

	add_finding(c, CHECK_NOTE, OF_DOCUMENT, &at, json_path(c->json), format);
}

void check_warn(struct checker *c, const struct json_event *e, const char *format, ...)
{
	const struct place at = check_place(e);

	add_finding(c, CHECK_WARNING, OF_DOCUMENT, &at, json_path(c->json), format);
}

/*
 * What an update means is for the runtime to say: it takes some fields and passes
 * over the others. And a member that older runtimes do not know is nothing to them.
 */
static enum check_severity worst(const struct checker *c)
{
	bool mild = c->request->document == CHECK_RESOURCES ||
		    (c->node && (c->node->flags & NEWER));

	return mild ? CHECK_WARNING : CHECK_ERROR;
}

void check_fail(struct checker *c, const struct json_event *e, const char *format, ...)
{
	const struct place at = check_place(e);

	add_finding(c, worst(c), OF_VALUE, &at, json_path(c->json), format);
}

void check_note_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...)
{
	if (at->line)
		add_finding(c, CHECK_NOTE, OF_DOCUMENT, at, path, format);
}

void check_warn_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...)
{
	if (at->line)
		add_finding(c, CHECK_WARNING, OF_DOCUMENT, at, path, format);
}

/* What is refused when the text is read. */
__attribute__((format(printf, 4, 5))) static void
tell_undecodable(struct checker *c, const struct place *at, const char *path,
		 const char *format, ...)
{
	add_finding(c, CHECK_ERROR, OF_DECODER, at, path, format);
}

void check_fail_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...)
{
	if (at->line)
		add_finding(c, CHECK_ERROR, OF_DOCUMENT, at, path, format);
}

/* What the runtime's decoder does not take, if it knows the field. */
static void undecodable(struct checker *c, const struct json_event *e, const char *text)
{
	const struct place at = check_place(e);

	if (c->node->flags & NEWER)
		check_warn(c, e, "%s: refused by a runc that knows the field", text);
	else
		tell_undecodable(c, &at, json_path(c->json), "%s", text);
}

/* ------------------------------------------------------------- helpers */

bool check_is(const struct json_event *e, const char *s)
{
	return e->len == strlen(s) && !memcmp(e->text, s, e->len);
}

bool check_starts(const struct json_event *e, const char *s)
{
	size_t len = strlen(s);

	return e->len >= len && !memcmp(e->text, s, len);
}

int check_shown(const struct json_event *e)
{
	return e->len < 60 ? (int)e->len : 60;
}

int check_word(const struct json_event *e, const char *list)
{
	for (int i = 0; *list; i++) {
		size_t len = strcspn(list, " ");

		if (len == e->len && !memcmp(list, e->text, len))
			return i;
		list += len;
		list += *list == ' ';
	}
	return -1;
}

bool check_nul(struct checker *c, const struct json_event *e)
{
	if (!memchr(e->text, '\0', e->len))
		return false;
	check_fail(c, e, "has a NUL character, which no path can have");
	return true;
}

void check_library(struct checker *c, enum check_name kind, const struct json_event *e)
{
	bool cap = kind == CHECK_CAPABILITY;
	const struct check_names *names = cap ? c->request->cap : c->request->seccomp;
	bool *noted = cap ? &c->cap_noted : &c->seccomp_noted;
	const char *wrong;
	char name[128];

	if (!names)
		return;
	if (!names->wrong) {
		if (!*noted)
			check_note(c, e, "%s", names->missing);
		*noted = true;
		return;
	}
	snprintf(name, sizeof(name), "%.*s",
		 (int)(e->len < sizeof(name) ? e->len : sizeof(name)), e->text);
	wrong = e->len == strlen(name) ? names->wrong(kind, name) : "no such name";
	if (wrong)
		check_warn(c, e, "\"%.*s\": %s", check_shown(e), e->text, wrong);
}

static bool is_utf8(const struct json_event *e)
{
	for (size_t i = 0, n; i < e->len; i += n) {
		n = utf8_len(e->text + i, e->len - i);
		if (!n)
			return false;
	}
	return true;
}

/* -------------------------------------------------------------- values */

/* A decimal integer as Go's strconv reads it: of @bits, with a sign or not. */
static bool read_int(const struct json_event *e, unsigned bits, bool is_signed,
		     uint64_t *out)
{
	bool negative = e->text[0] == '-';
	uint64_t max, v = 0;

	assert(bits > 0 && bits <= 64);
	max = UINT64_MAX >> (64 - bits);
	if (negative && !is_signed)
		return false;
	if (is_signed)
		max = max / 2 + negative;
	for (size_t i = negative; i < e->len; i++) {
		unsigned digit = (unsigned)(e->text[i] - '0');

		if (digit > 9 || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = negative ? -v : v;
	return true;
}

static bool check_number(struct checker *c, const struct json_event *e)
{
	static const struct {
		uint8_t bits;
		bool is_signed;
		const char range[40];
	} types[] = {
		[T_INT] = { 64, true, "an integer of 64 bits" },
		[T_INT32] = { 32, true, "an integer of 32 bits" },
		[T_UINT] = { 64, false, "an integer from 0 to 2^64-1" },
		[T_UINT32] = { 32, false, "an integer from 0 to 2^32-1" },
		[T_UINT16] = { 16, false, "an integer from 0 to 65535" },
	};
	unsigned type = c->node->rule->type;
	char text[120];
	uint64_t v = 0;

	if (!read_int(e, types[type].bits, types[type].is_signed, &v)) {
		snprintf(text, sizeof(text), "%.*s is not %s", check_shown(e), e->text,
			 types[type].range);
		undecodable(c, e, text);
		return false;
	}
	c->number = (struct check_number){ .i = (int64_t)v, .u = v };
	return true;
}

static void call_table(struct checker *c, const struct json_event *e)
{
	if (c->node->rule->fn && !(c->node->flags & FOREIGN))
		check_table(c->node->table)->value(c, c->node->rule->fn, e);
}

static void on_scalar(struct checker *c, const struct json_event *e)
{
	if (e->kind == JSON_NUMBER && !check_number(c, e))
		return;
	if (e->kind == JSON_STRING && !is_utf8(e))
		check_warn(c, e, "is not UTF-8: runc puts U+FFFD where it is not");
	call_table(c, e);
}

/* Null: as if it were not there, or in an array or map the value's zero. */
static void on_null(struct checker *c, const struct json_event *e)
{
	struct check_frame *f = c->depth ? &c->frames[c->depth - 1] : NULL;
	enum check_type in = f ? c->nodes[f->node].rule->type : T_MAP;

	if (in == T_OBJECT)
		f->seen &= ~(1u << c->node->ordinal);
	else if (in == T_ARRAY)
		check_warn(c, e, "null: runtimes take it for an empty one");
}

static void on_open(struct checker *c, const struct json_event *e)
{
	assert(c->depth < JSON_MAX_LEVELS);
	c->frames[c->depth++] = (struct check_frame){
		.node = (uint16_t)(c->node - c->nodes),
		.at = check_place(e),
	};
	if (c->node->rule->type == T_MAP)
		c->n_keys = 0;
	call_table(c, e);
}

/* The last name of a node's path. */
static const char *name_of(const struct checker *c, const struct check_node *n)
{
	const char *path = c->rules[n - c->nodes].path, *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static void missing(struct checker *c, const struct check_frame *f,
		    const struct check_node *n)
{
	const char *object = json_path(c->json);
	bool must = (n->flags & MUST) && !(n->flags & NEWER);
	char path[300];

	snprintf(path, sizeof(path), "%s%s%s", object, *object ? "." : "", name_of(c, n));
	if (must && worst(c) == CHECK_ERROR)
		check_fail_at(c, &f->at, path, "is missing");
	else
		check_warn_at(c, &f->at, path,
			      "is missing: the specification requires it");
}

/* What is required in an object but was not there. Its members' rules follow its own. */
static void check_missing(struct checker *c, const struct check_frame *f)
{
	const struct check_node *object = &c->nodes[f->node];
	size_t len = strlen(c->rules[f->node].path);

	for (size_t i = f->node + 1u, n = 0; n < object->children; i++) {
		const char *rest = c->rules[i].path + len;

		rest += *rest == '.';
		if (strpbrk(rest, ".["))
			continue;
		n++;
		if ((c->nodes[i].flags & (REQUIRED | MUST)) &&
		    !(f->seen & 1u << c->nodes[i].ordinal))
			missing(c, f, &c->nodes[i]);
	}
}

static void on_close(struct checker *c, const struct json_event *e)
{
	const struct check_frame *f = &c->frames[c->depth - 1];

	if (c->node->rule->type == T_OBJECT && !(c->node->flags & FOREIGN))
		check_missing(c, f);
	call_table(c, e);
	c->depth--;
}

/* ---------------------------------------------------------------- keys */

/* What @n and the rules below it have found since the object began counts no more. */
static void key_is_twice(struct checker *c, const struct check_node *n,
			 const struct json_event *e)
{
	const struct check_frame *f = &c->frames[c->depth - 1];
	size_t first = (size_t)(n - c->nodes), last = first;
	size_t len = strlen(c->rules[first].path);

	while (last + 1 < c->n_rules &&
	       !strncmp(c->rules[last + 1].path, c->rules[first].path, len))
		last++;
	if (++c->twice <= CHECK_MAX_TWICE)
		check_supersede(c, first, last, &f->at);
	check_warn(c, e, "is there twice: runc takes the last one");
}

static void on_foreign(struct checker *c, const struct json_event *e)
{
	c->facts.foreign |= c->depth == 1;
	check_note(c, e,
		   "is for another platform than Linux: only its types are looked at");
}

static void on_member(struct checker *c, struct check_frame *f,
		      const struct json_event *e)
{
	const struct check_node *n = &c->nodes[e->member - c->rules];
	const char *name = name_of(c, n);
	uint32_t bit = 1u << n->ordinal;

	if (f->seen & bit)
		key_is_twice(c, n, e);
	f->seen |= bit;
	if (!check_is(e, name))
		check_warn(c, e, "the specification writes it \"%s\"", name);
	if (n->flags & DEPRECATED)
		check_warn(c, e, "is deprecated");
	if (n->flags & FOREIGN && !(c->node->flags & FOREIGN))
		on_foreign(c, e);
	c->facts.for_linux |= c->depth == 1 && !strcmp(name, "linux");
}

static void on_map_key(struct checker *c, const struct json_event *e)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < e->len; i++)
		hash = (hash ^ (unsigned char)e->text[i]) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < c->n_keys; i++)
		if (c->keys[i] == hash) {
			key_is_twice(c, c->node, e);
			return;
		}
	if (c->n_keys < sizeof(c->keys) / sizeof(c->keys[0]))
		c->keys[c->n_keys++] = hash;
	if (!e->len)
		check_warn(c, e, "a name is empty");
}

static void on_key(struct checker *c, const struct json_event *e)
{
	struct check_frame *f = &c->frames[c->depth - 1];

	if (!is_utf8(e))
		check_warn(c, e, "a key that is not UTF-8");
	if (c->node->rule->type == T_MAP)
		on_map_key(c, e);
	else if (e->member)
		on_member(c, f, e);
	else if (!(c->node->flags & FOREIGN))
		check_warn(c, e, "unknown key: runtimes pass over it");
}

static int on_event(struct json *j, const struct json_event *e)
{
	struct checker *c = json_data(j);
	struct check_frame *f = c->depth ? &c->frames[c->depth - 1] : NULL;

	c->node = &c->nodes[e->rule->arg];
	if (f && e->kind != JSON_END && c->nodes[f->node].rule->type == T_ARRAY)
		f->seen = 1;
	switch (e->kind) {
	case JSON_NULL:
		on_null(c, e);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		on_open(c, e);
		break;
	case JSON_END:
		on_close(c, e);
		break;
	case JSON_KEY:
		on_key(c, e);
		break;
	default:
		on_scalar(c, e);
	}
	return 0;
}

/* Go's decoder goes on too, and fails at the end. */
static int on_mismatch(struct json *j, const struct json_event *e, const char *text)
{
	struct checker *c = json_data(j);
	struct check_frame *f = c->depth ? &c->frames[c->depth - 1] : NULL;

	c->node = &c->nodes[e->rule->arg];
	if (f && c->nodes[f->node].rule->type == T_ARRAY)
		f->seen = 1;
	undecodable(c, e, text);
	return 0;
}

/* ------------------------------------------------------------ documents */

static void tell_rest(struct checker *c)
{
	struct place at;

	if (json_rest(c->json, &at.line, &at.column))
		check_warn_at(c, &at, "",
			      "text behind the document: runc does not read it");
}

static int run(struct checker *c, const struct json_doc *doc, const char *path,
	       const char *json, size_t len)
{
	int r;

	c->json = json_new(doc);
	if (!c->json)
		return -ENOMEM;
	r = path ? json_feed_file(c->json, path) : json_feed(c->json, json, len);
	if (!r)
		r = json_finish(c->json);
	if (!r)
		tell_rest(c);
	if (r && doc->error->line) {
		const struct place at = { doc->error->line, doc->error->column };

		tell_undecodable(c, &at, "", "%s", doc->error->text + doc->error->reason);
		r = 0;
	}
	check_tell(c);
	json_free(c->json);
	return r;
}

/* Zeroed, and nobody's memory afterwards: what is freed may stay with a shim. */
static struct checker *map_checker(void)
{
	void *p = mmap(NULL, sizeof(struct checker), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int check_any(const struct check *request, const char *path, const char *json,
		     size_t len, struct spec_error *e)
{
	static const uint8_t tables[CHECK_DOCUMENTS] = {
		[CHECK_CONFIG] = TABLE_CONFIG,	     [CHECK_PROCESS] = TABLE_PROCESS,
		[CHECK_RESOURCES] = TABLE_RESOURCES, [CHECK_FEATURES] = TABLE_FEATURES,
		[CHECK_STATE] = TABLE_STATE,
	};
	struct checker *c = map_checker();
	struct json_doc doc = {
		.name = request->name,
		.error = e,
		.first_only = true,
		.mismatch = on_mismatch,
	};
	int r;

	if (!c)
		return json_error(e, ENOMEM, request->name, NULL);
	c->request = request;
	check_build(c, tables[request->document], on_event);
	doc.rules = c->rules;
	doc.n_rules = c->n_rules;
	doc.data = c;
	r = run(c, &doc, path, json, len);
	munmap(c, sizeof(*c));
	return r;
}

int check_parse(const struct check *c, const char *json, size_t len, struct spec_error *e)
{
	return check_any(c, NULL, json, len, e);
}

int check_file(const struct check *c, const char *path, struct spec_error *e)
{
	return check_any(c, path, NULL, 0, e);
}
