/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message to JSON; see message.h. Numbers, texts and flags are written also
 * where they are 0, "" and false: who asks for an exit status wants to see it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "shim/tool/message.h"
#include "shim/tool/tree.h"
#include "shim/util.h"

static int write_message(const ProtobufCMessage *m, struct json_out *out, struct err *e);
static int write_fields(const ProtobufCMessage *m, struct json_out *out, struct err *e);

bool message_is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	size_t len = f->type == PROTOBUF_C_TYPE_MESSAGE ? strlen(d->name) : 0;

	return len > 5 && strcmp(d->name + len - 5, "Entry") == 0 && d->n_fields == 2 &&
	       strcmp(d->fields[0].name, "key") == 0 &&
	       strcmp(d->fields[1].name, "value") == 0;
}

static int write_base64(const ProtobufCBinaryData *b, struct json_out *out, struct err *e)
{
	_cleanup_free_ char *text = malloc(4 * ((b->len + 2) / 3) + 1);

	if (!text)
		return err_nomem(e);
	json_out_string(out, text, base64_encode(b->data, b->len, text));
	return 0;
}

static void write_text(const char *s, struct json_out *out)
{
	json_out_string(out, s, strlen(s));
}

static void write_number(struct json_out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void write_number(struct json_out *out, const char *format, ...)
{
	char text[48];
	va_list ap;

	va_start(ap, format);
	json_out_raw(out, text, (size_t)vsnprintf(text, sizeof(text), format, ap));
	va_end(ap);
}

static void write_double(double v, struct json_out *out)
{
	if (isfinite(v))
		write_number(out, "%.17g", v);
	else
		write_text(isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity", out);
}

static void write_enum(const ProtobufCEnumDescriptor *d, int32_t number,
		       struct json_out *out)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, number);

	if (v)
		write_text(v->name, out);
	else
		json_out_int(out, number);
}

static bool is_json(const ProtobufCBinaryData *b)
{
	struct tree tree;
	struct err e;
	bool ok = b->len > 0 &&
		  tree_parse(&tree, "", (const char *)b->data, b->len, &e) == 0;

	if (b->len > 0)
		tree_release(&tree);
	return ok;
}

static int write_any(const Google__Protobuf__Any *any, struct json_out *out,
		     struct err *e)
{
	const ProtobufCMessageDescriptor *d = message_type(any->type_url);
	ProtobufCMessage *m = NULL;
	int r = 0;

	if (d)
		m = protobuf_c_message_unpack(d, NULL, any->value.len, any->value.data);
	json_out_open(out, '{');
	json_out_key(out, "@type");
	write_text(any->type_url, out);
	if (m) {
		r = write_fields(m, out, e);
		protobuf_c_message_free_unpacked(m, NULL);
	} else {
		json_out_key(out, "value");
		if (message_is_json(any->type_url) && is_json(&any->value))
			json_out_raw(out, (const char *)any->value.data, any->value.len);
		else
			r = write_base64(&any->value, out, e);
	}
	json_out_close(out, '}');
	return r;
}

static int write_value(const ProtobufCFieldDescriptor *f, const void *at,
		       struct json_out *out, struct err *e)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		write_text(*(char *const *)at, out);
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return write_base64(at, out, e);
	case PROTOBUF_C_TYPE_MESSAGE:
		return write_message(*(ProtobufCMessage *const *)at, out, e);
	case PROTOBUF_C_TYPE_BOOL:
		json_out_bool(out, *(const protobuf_c_boolean *)at);
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(f->descriptor, *(const int32_t *)at, out);
		return 0;
	case PROTOBUF_C_TYPE_INT32:
		json_out_int(out, *(const int32_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
		json_out_int(out, *(const uint32_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_INT64:
		json_out_int(out, *(const int64_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_UINT64:
		write_number(out, "%" PRIu64, *(const uint64_t *)at);
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		write_double(*(const double *)at, out);
		return 0;
	default:
		return err_set(e, TTRPC_INTERNAL,
			       "field %s is of a type that cannot be shown", f->name);
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static int write_list(const ProtobufCFieldDescriptor *f, const char *at, size_t n,
		      struct json_out *out, struct err *e)
{
	int r = 0;

	json_out_open(out, '[');
	for (size_t i = 0; i < n && r == 0; i++)
		r = write_value(f, at + i * size_of(f), out, e);
	json_out_close(out, ']');
	return r;
}

static int write_map(const char *at, size_t n, struct json_out *out, struct err *e)
{
	int r = 0;

	json_out_open(out, '{');
	for (size_t i = 0; i < n && r == 0; i++) {
		const ProtobufCMessage *m =
			((ProtobufCMessage *const *)(const void *)at)[i];
		const ProtobufCFieldDescriptor *f = m->descriptor->fields;

		json_out_key(out, *(char *const *)(const void *)((const char *)m +
								 f[0].offset));
		r = write_value(&f[1], (const char *)m + f[1].offset, out, e);
	}
	json_out_close(out, '}');
	return r;
}

/* One field, unless it is a message or list that is not there. */
static int write_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		       struct json_out *out, struct err *e)
{
	const char *at = (const char *)m + f->offset;
	size_t n = 1;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		n = *(const size_t *)(const void *)((const char *)m +
						    f->quantifier_offset);
		at = *(const char *const *)(const void *)at;
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		n = *(const void *const *)(const void *)at != NULL;
	}
	if (n == 0)
		return 0;
	json_out_key(out, f->name);
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return write_value(f, at, out, e);
	return message_is_map(f) ? write_map(at, n, out, e)
				 : write_list(f, at, n, out, e);
}

static int write_fields(const ProtobufCMessage *m, struct json_out *out, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < m->descriptor->n_fields && r == 0; i++)
		r = write_field(m, &m->descriptor->fields[i], out, e);
	return r;
}

static int write_message(const ProtobufCMessage *m, struct json_out *out, struct err *e)
{
	const Google__Protobuf__Timestamp *t = (const void *)m;
	char text[TIMESTAMP_SIZE];
	int r;

	if (m->descriptor == &google__protobuf__any__descriptor)
		return write_any((const void *)m, out, e);
	if (m->descriptor == &google__protobuf__timestamp__descriptor &&
	    timestamp_write(t->seconds, t->nanos, text)) {
		write_text(text, out);
		return 0;
	}
	json_out_open(out, '{');
	r = write_fields(m, out, e);
	json_out_close(out, '}');
	return r;
}

int message_write(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len,
		  struct json_out *out, struct err *e)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, len, data);
	int r;

	if (!m)
		return err_set(e, TTRPC_DATA_LOSS, "%zu bytes are no %s", len, d->name);
	r = write_message(m, out, e);
	protobuf_c_message_free_unpacked(m, NULL);
	return r;
}
