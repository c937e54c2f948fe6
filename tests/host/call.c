/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the Task service on a shim's socket, for tests that have to say
 * what no client of containerd can:
 *
 *	task-call SOCKET METHOD [FIELD=VALUE]...
 *
 * FIELD is one of the request's, by its name in the .proto; a repeated one may be
 * given again. A field of type Any is options.FIELD=VALUE, whose message the
 * method decides on, or is given whole, as JSON (spec=, resources=). Prints the
 * reply, FIELD=VALUE a line, what is not set left out. Status 1: the call failed,
 * and "NAME-OF-CODE: TEXT" is printed instead; 2: it could not be made.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runc_options.pb-c.h"
#include "task.pb-c.h"
#include "ttrpc/loop.h"
#include "ttrpc/ttrpc.h"

#define MAX_BYTES (1u << 20)

struct bytes {
	size_t len;
	uint8_t data[MAX_BYTES];
};

static struct bytes request, options, any;
static struct loop loop;

static _Noreturn void die(const char *what, const char *about)
{
	fprintf(stderr, "task-call: %s: %s\n", what, about);
	exit(2);
}

/* --------------------------------------------------------------- request */

static void put(struct bytes *b, const void *data, size_t len)
{
	if (len > MAX_BYTES - b->len)
		die("too long", "request");
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_varint(struct bytes *b, uint64_t v)
{
	uint8_t byte;

	do {
		byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		put(b, &byte, 1);
		v >>= 7;
	} while (v);
}

static void put_bytes(struct bytes *b, unsigned field, const void *data, size_t len)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, len);
	put(b, data, len);
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *d,
						const char *name, size_t len)
{
	char copy[64];
	const ProtobufCFieldDescriptor *f;

	snprintf(copy, sizeof(copy), "%.*s", (int)len, name);
	f = protobuf_c_message_descriptor_get_field_by_name(d, copy);
	if (!f)
		die("no such field", name);
	return f;
}

static void put_any(unsigned field, const char *type, const void *data, size_t len)
{
	any.len = 0;
	put_bytes(&any, 1, type, strlen(type));
	put_bytes(&any, 2, data, len);
	put_bytes(&request, field, any.data, any.len);
}

static void put_field(struct bytes *b, const ProtobufCMessageDescriptor *d,
		      const char *arg)
{
	const char *value = strchr(arg, '=');
	const ProtobufCFieldDescriptor *f;

	if (!value)
		die("no FIELD=VALUE", arg);
	f = field_of(d, arg, (size_t)(value++ - arg));
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		put_bytes(b, f->id, value, strlen(value));
		break;
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_UINT32:
		put_varint(b, f->id << 3);
		put_varint(b, strtoull(value, NULL, 10));
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		put_any(f->id, "types.containerd.io/opencontainers/runtime-spec/1/any",
			value, strlen(value));
		break;
	default:
		die("cannot encode", arg);
	}
}

static void put_request(const ProtobufCMethodDescriptor *m, char **args)
{
	const ProtobufCMessageDescriptor *d =
		strcmp(m->name, "Checkpoint") == 0 ? &runc__checkpoint_options__descriptor
						   : &runc__options__descriptor;

	for (; *args; args++)
		if (strncmp(*args, "options.", 8) == 0)
			put_field(&options, d, *args + 8);
		else
			put_field(&request, m->input, *args);
	if (options.len > 0)
		put_any(field_of(m->input, "options", 7)->id, d->name, options.data,
			options.len);
}

/* ----------------------------------------------------------------- reply */

static void print_message(const ProtobufCMessage *m, const char *prefix);

static void print_value(const ProtobufCFieldDescriptor *f, const void *at,
			const char *prefix)
{
	char inner[128];

	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		snprintf(inner, sizeof(inner), "%s%s.", prefix, f->name);
		if (*(void *const *)at)
			print_message(*(ProtobufCMessage *const *)at, inner);
	} else if (f->type == PROTOBUF_C_TYPE_STRING) {
		if (**(char *const *)at)
			printf("%s%s=%s\n", prefix, f->name, *(char *const *)at);
	} else if (f->type == PROTOBUF_C_TYPE_INT64) {
		if (*(const int64_t *)at)
			printf("%s%s=%" PRId64 "\n", prefix, f->name,
			       *(const int64_t *)at);
	} else if (f->type == PROTOBUF_C_TYPE_BYTES) {
		printf("%s%s=%zu bytes\n", prefix, f->name,
		       ((const ProtobufCBinaryData *)at)->len);
	} else if (*(const uint32_t *)at) {
		printf("%s%s=%" PRIu32 "\n", prefix, f->name, *(const uint32_t *)at);
	}
}

static void print_message(const ProtobufCMessage *m, const char *prefix)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const char *at = (const char *)m + f->offset;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			print_value(f, at, prefix);
			continue;
		}
		/* Of a reply only messages are repeated. */
		for (size_t n = 0;
		     n < *(const size_t *)((const char *)m + f->quantifier_offset); n++)
			print_value(f, *(const char *const *)at + n * sizeof(void *),
				    prefix);
	}
}

static void on_done(struct ttrpc_request *r, int code, const char *message,
		    const uint8_t *reply, size_t len)
{
	const ProtobufCMethodDescriptor *m = r->data;
	ProtobufCMessage *decoded;

	if (code != TTRPC_OK) {
		printf("%s: %s\n", ttrpc_code_name(code), message);
		loop_stop(&loop, 1);
		return;
	}
	decoded = protobuf_c_message_unpack(m->output, NULL, len, reply);
	if (!decoded)
		die("the reply cannot be decoded", m->name);
	print_message(decoded, "");
	protobuf_c_message_free_unpacked(decoded, NULL);
	loop_stop(&loop, 0);
}

int main(int argc, char **argv)
{
	const ProtobufCMethodDescriptor *m;
	struct ttrpc_client client;
	struct ttrpc_request r;
	int err;

	if (argc < 3)
		die("usage", "task-call SOCKET METHOD [FIELD=VALUE]...");
	m = protobuf_c_service_descriptor_get_method_by_name(&task__task__descriptor,
							     argv[2]);
	if (!m)
		die("no such method", argv[2]);
	put_request(m, argv + 3);
	err = loop_init(&loop);
	if (err < 0)
		die("loop", strerror(-err));
	ttrpc_client_init(&client, &loop, argv[1]);
	ttrpc_request_init(&r, on_done);
	r.data = (void *)(uintptr_t)m;
	err = ttrpc_request_send(&client, &r, "containerd.task.v2.Task", m->name, NULL, 0,
				 request.data, request.len, 0);
	if (err < 0)
		die(argv[1], strerror(-err));
	err = loop_run(&loop);
	ttrpc_client_close(&client);
	return err;
}
