/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to a packed message; see message.h. Goes through the document, not the
 * message: what is not there is not written, as proto3 has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/tool/message.h"
#include "shim/tool/tree.h"
#include "shim/util.h"

struct reader {
	struct tree tree;
	const char *json; /* the document */
	struct pack *out;
	struct err *e;
};

static int put_members(struct reader *r, const ProtobufCMessageDescriptor *d,
		       const struct node *object);

static int check_kind(struct reader *r, const struct node *n, unsigned kind,
		      const char *what)
{
	return n->kind & kind ? 0 : tree_fail(&r->tree, n, r->e, "%s is needed", what);
}

/* --------------------------------------------------------------- scalars */

/* A whole number from @min to @max, as the 64 bits that are sent. */
static int read_integer(struct reader *r, const struct node *n, int64_t min, uint64_t max,
			uint64_t *out)
{
	const char *digits = n->text;
	bool negative;

	if (check_kind(r, n, JSON_NUMBER | JSON_STRING, "a number") < 0)
		return -r->e->code;
	negative = *digits == '-';
	if (parse_uint(digits + negative, UINT64_MAX, out) < 0)
		return tree_fail(&r->tree, n, r->e, "\"%s\" is no whole number", n->text);
	if (negative ? *out > -(uint64_t)min : *out > max)
		return tree_fail(&r->tree, n, r->e, "not from %" PRId64 " to %" PRIu64,
				 min, max);
	if (negative)
		*out = -*out;
	return 0;
}

static int read_enum(struct reader *r, const struct node *n,
		     const ProtobufCEnumDescriptor *d, uint64_t *out)
{
	const ProtobufCEnumValue *v =
		n->kind == JSON_STRING
			? protobuf_c_enum_descriptor_get_value_by_name(d, n->text)
			: NULL;

	if (n->kind == JSON_NUMBER)
		return read_integer(r, n, INT32_MIN, INT32_MAX, out);
	if (!v)
		return tree_fail(&r->tree, n, r->e, "a name or number of %s is needed",
				 d->name);
	*out = (uint64_t)(int64_t)v->value;
	return 0;
}

/* What is sent as a varint. */
static int read_varint(struct reader *r, const ProtobufCFieldDescriptor *f,
		       const struct node *n, uint64_t *out)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*out = n->boolean;
		return check_kind(r, n, JSON_BOOL, "true or false");
	case PROTOBUF_C_TYPE_INT32:
		return read_integer(r, n, INT32_MIN, INT32_MAX, out);
	case PROTOBUF_C_TYPE_INT64:
		return read_integer(r, n, INT64_MIN, INT64_MAX, out);
	case PROTOBUF_C_TYPE_UINT32:
		return read_integer(r, n, 0, UINT32_MAX, out);
	case PROTOBUF_C_TYPE_UINT64:
		return read_integer(r, n, 0, UINT64_MAX, out);
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(r, n, f->descriptor, out);
	default:
		return tree_fail(&r->tree, n, r->e,
				 "a field of a type that cannot be written");
	}
}

static void put_bytes(struct reader *r, unsigned field, const void *data, size_t len,
		      bool always)
{
	if (len > 0)
		pack_text(r->out, field, data, len);
	else if (always)
		pack_end(r->out, pack_begin(r->out, field));
}

static int put_base64(struct reader *r, unsigned field, const struct node *n, bool always)
{
	_cleanup_free_ uint8_t *data = malloc(n->len + 1);
	ptrdiff_t len;

	if (!data)
		return err_nomem(r->e);
	if (check_kind(r, n, JSON_STRING, "base64 in a string") < 0)
		return -r->e->code;
	len = base64_decode(n->text, n->len, data);
	if (len < 0)
		return tree_fail(&r->tree, n, r->e, "no base64");
	put_bytes(r, field, data, (size_t)len, always);
	return 0;
}

/* -------------------------------------------------------------- messages */

static int put_timestamp(struct reader *r, const struct node *n)
{
	int64_t seconds;
	int32_t nanos;

	if (!timestamp_read(n->text, &seconds, &nanos))
		return tree_fail(&r->tree, n, r->e,
				 "a time as 2026-01-02T03:04:05Z is needed");
	pack_uint(r->out, 1, (uint64_t)seconds);
	pack_uint(r->out, 2, (uint64_t)nanos);
	return 0;
}

static int put_any(struct reader *r, const struct node *n, const char *expected)
{
	const struct node *value = tree_member(n, "value");
	const char *url = tree_text(n, "@type", NULL);
	const ProtobufCMessageDescriptor *d;
	size_t before, begin;

	if (!url) {
		value = n;
		url = expected;
	}
	if (!url)
		return tree_fail(&r->tree, n, r->e, "needs a type URL, as \"@type\"");
	pack_text(r->out, 1, url, strlen(url));
	d = message_type(url);
	if (d) {
		before = r->out->len;
		begin = pack_begin(r->out, 2);
		if (put_members(r, d, n) < 0)
			return -r->e->code;
		/* Nothing but defaults is no value. */
		if (r->out->len == begin)
			pack_truncate(r->out, before);
		else
			pack_end(r->out, begin);
		return 0;
	}
	if (!value)
		return 0;
	if (!message_is_json(url) || value->kind == JSON_STRING)
		return put_base64(r, 2, value, false);
	pack_text(r->out, 2, r->json + value->offset, value->end - value->offset);
	return 0;
}

static int put_message(struct reader *r, const ProtobufCFieldDescriptor *f,
		       const struct node *n, const char *expected)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	size_t begin = pack_begin(r->out, f->id);
	int ret;

	if (n->kind == JSON_STRING && strcmp(d->name, "google.protobuf.Timestamp") == 0)
		ret = put_timestamp(r, n);
	else if (check_kind(r, n, JSON_OBJECT, "an object") < 0)
		return -r->e->code;
	else if (strcmp(d->name, "google.protobuf.Any") == 0)
		ret = put_any(r, n, expected);
	else
		ret = put_members(r, d, n);
	pack_end(r->out, begin);
	return ret;
}

/* ---------------------------------------------------------------- fields */

/* @always: an element of a list, which is written even if it is empty. */
static int put_value(struct reader *r, const ProtobufCMessageDescriptor *d,
		     const ProtobufCFieldDescriptor *f, const struct node *n, bool always)
{
	uint64_t v = 0;
	char *end;
	double real;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (check_kind(r, n, JSON_STRING, "a string") < 0)
			return -r->e->code;
		put_bytes(r, f->id, n->text, n->len, always);
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return put_base64(r, f->id, n, always);
	case PROTOBUF_C_TYPE_MESSAGE:
		return put_message(r, f, n, message_expected(d, f->name));
	case PROTOBUF_C_TYPE_DOUBLE:
		if (check_kind(r, n, JSON_NUMBER, "a number") < 0)
			return -r->e->code;
		real = strtod(n->text, &end);
		pack_double(r->out, f->id, real);
		return 0;
	default:
		if (read_varint(r, f, n, &v) < 0)
			return -r->e->code;
		if (always)
			pack_element(r->out, v);
		else
			pack_uint(r->out, f->id, v);
		return 0;
	}
}

static bool is_packed(const ProtobufCFieldDescriptor *f)
{
	return f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES &&
	       f->type != PROTOBUF_C_TYPE_MESSAGE;
}

static int put_list(struct reader *r, const ProtobufCMessageDescriptor *d,
		    const ProtobufCFieldDescriptor *f, const struct node *list)
{
	size_t begin = 0;

	if (check_kind(r, list, JSON_ARRAY, "an array") < 0)
		return -r->e->code;
	if (is_packed(f) && list->n > 0)
		begin = pack_begin(r->out, f->id);
	for (const struct node *n = list->first; n; n = n->next)
		if (put_value(r, d, f, n, true) < 0)
			return -r->e->code;
	if (begin)
		pack_end(r->out, begin);
	return 0;
}

/* Of a map only values that are strings are known here. */
static int put_map(struct reader *r, const ProtobufCFieldDescriptor *f,
		   const struct node *object)
{
	if (check_kind(r, object, JSON_OBJECT, "an object") < 0)
		return -r->e->code;
	for (const struct node *n = object->first; n; n = n->next) {
		size_t begin = pack_begin(r->out, f->id);

		if (check_kind(r, n, JSON_STRING, "a string") < 0)
			return -r->e->code;
		put_bytes(r, 1, n->key, strlen(n->key), false);
		put_bytes(r, 2, n->text, n->len, false);
		pack_end(r->out, begin);
	}
	return 0;
}

/* @key is @name, or its lowerCamelCase. */
static bool is_name(const char *name, const char *key)
{
	if (strcmp(name, key) == 0)
		return true;
	for (; *name; name++, key++) {
		char c = *name;

		if (c == '_') {
			c = *++name;
			c = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
		}
		if (*key != c)
			return false;
	}
	return !*key;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *d,
						  const char *key)
{
	for (unsigned i = 0; i < d->n_fields; i++)
		if (is_name(d->fields[i].name, key))
			return &d->fields[i];
	return NULL;
}

static int fail_unknown(struct reader *r, const ProtobufCMessageDescriptor *d,
			const struct node *n)
{
	char names[400] = "";
	size_t len = 0;

	for (unsigned i = 0; i < d->n_fields && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					i ? ", " : "", d->fields[i].name);
	return tree_fail(&r->tree, n, r->e, "%s has no such field; it has %s", d->name,
			 *names ? names : "none");
}

static int put_member(struct reader *r, const ProtobufCMessageDescriptor *d,
		      const struct node *n)
{
	const ProtobufCFieldDescriptor *f = find_field(d, n->key);

	if (!f)
		return fail_unknown(r, d, n);
	for (const struct node *other = n->parent->first; other != n; other = other->next)
		if (find_field(d, other->key) == f)
			return tree_fail(&r->tree, n, r->e, "is there twice");
	if (n->kind == JSON_NULL)
		return 0;
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return put_value(r, d, f, n, false);
	return message_is_map(f) ? put_map(r, f, n) : put_list(r, d, f, n);
}

static int put_members(struct reader *r, const ProtobufCMessageDescriptor *d,
		       const struct node *object)
{
	for (const struct node *n = object->first; n; n = n->next)
		if (strcmp(n->key, "@type") != 0 && put_member(r, d, n) < 0)
			return -r->e->code;
	return 0;
}

int message_read(const ProtobufCMessageDescriptor *d, const char *name, const char *json,
		 size_t len, struct pack *out, struct err *e)
{
	struct reader r = { .json = json, .out = out, .e = e };
	int ret = tree_parse(&r.tree, name, json, len, e);

	if (ret == 0)
		ret = check_kind(&r, r.tree.root, JSON_OBJECT, "an object");
	if (ret == 0)
		ret = put_members(&r, d, r.tree.root);
	if (ret == 0 && out->error == -ENOMEM)
		ret = err_nomem(e);
	else if (ret == 0 && out->error)
		ret = err_set(e, TTRPC_INVALID_ARGUMENT,
			      "%s: more than %u bytes as a message", name, LIMIT_STATS);
	tree_release(&r.tree);
	return ret;
}
