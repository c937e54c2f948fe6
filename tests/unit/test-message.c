/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON and back: every type that the Task service and an Any can hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events.pb-c.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "runc_options.pb-c.h"
#include "shim/tool/message.h"
#include "task.pb-c.h"

/* What a made-up message is made of: none of it is a default, unless @empty. */
struct maker {
	const ProtobufCMessageDescriptor
		*any; /* what is in its Anys; NULL: nothing we know */
	bool empty;
	unsigned n;
};

static ProtobufCMessage *make(struct maker *mk, const ProtobufCMessageDescriptor *d);

static void *get(size_t size)
{
	void *p = calloc(1, size);

	assert_non_null(p);
	return p;
}

static char *make_text(struct maker *mk)
{
	char *s = get(64);

	if (!mk->empty)
		snprintf(s, 64, "\"text\" %u\n\xc3\xa9\t\\", mk->n++);
	return s;
}

static ProtobufCMessage *make_any(struct maker *mk)
{
	Google__Protobuf__Any *any = get(sizeof(*any));
	ProtobufCMessage *inner;

	any->base.descriptor = &google__protobuf__any__descriptor;
	if (mk->any) {
		inner = make(mk, mk->any);
		any->type_url = strdup(mk->any->name);
		any->value.data = get(protobuf_c_message_get_packed_size(inner) + 1);
		any->value.len = protobuf_c_message_pack(inner, any->value.data);
		protobuf_c_message_free_unpacked(inner, NULL);
	} else {
		any->type_url = strdup("example.com/Unknown");
		any->value.data = get(4);
		memcpy(any->value.data, "\xff\0\x01", any->value.len = 3);
	}
	return &any->base;
}

static void make_value(struct maker *mk, const ProtobufCFieldDescriptor *f, void *at)
{
	ProtobufCBinaryData *b = at;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = make_text(mk);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		b->data = get(8);
		b->len = mk->empty ? 0 : 1 + mk->n++ % 8;
		memset(b->data, 0xfe, b->len);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at =
			f->descriptor == &google__protobuf__any__descriptor
				? make_any(mk)
				: make(mk, f->descriptor);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = !mk->empty;
		return;
	case PROTOBUF_C_TYPE_INT32: /* nanoseconds, and a level of the log */
		*(int32_t *)at = mk->empty ? 0 : 999999999;
		return;
	case PROTOBUF_C_TYPE_ENUM:
		*(int32_t *)at = mk->empty ? 0 : 3;
		return;
	case PROTOBUF_C_TYPE_UINT32:
		*(uint32_t *)at = mk->empty ? 0 : UINT32_MAX - mk->n++;
		return;
	case PROTOBUF_C_TYPE_INT64: /* seconds */
		*(int64_t *)at = mk->empty ? 0 : -62135596800;
		return;
	case PROTOBUF_C_TYPE_UINT64:
		*(uint64_t *)at = mk->empty ? 0 : UINT64_MAX - mk->n++;
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)at = mk->empty ? 0 : 1 / 3.0 + mk->n++;
		return;
	default:
		fail_msg("%s is of a type that nothing here can convert", f->name);
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE
		       ? sizeof(void *)
	       : f->type == PROTOBUF_C_TYPE_UINT64 ? 8
	       : f->type == PROTOBUF_C_TYPE_BYTES  ? sizeof(ProtobufCBinaryData)
						   : 4;
}

static ProtobufCMessage *make(struct maker *mk, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = get(d->sizeof_message);

	m->descriptor = d;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		char *at = (char *)m + f->offset;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			make_value(mk, f, at);
			continue;
		}
		*(size_t *)(void *)((char *)m + f->quantifier_offset) = 3;
		*(void **)(void *)at = get(3 * size_of(f));
		for (unsigned k = 0; k < 3; k++)
			make_value(mk, f, *(char **)(void *)at + k * size_of(f));
	}
	return m;
}

/* To JSON and back, which must give the same bytes. */
static void round_trip(struct maker *mk, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = make(mk, d);
	size_t len = protobuf_c_message_get_packed_size(m), n_json;
	uint8_t *packed = get(len + 1);
	struct json_out out = JSON_OUT_INIT;
	struct pack again = PACK_INIT;
	struct err e = ERR_INIT;
	char *json;

	protobuf_c_message_pack(m, packed);
	assert_int_equal(message_write(d, packed, len, &out, &e), 0);
	json = json_out_take(&out, &n_json);
	assert_non_null(json);
	if (message_read(d, "json", json, n_json, &again, &e) < 0)
		fail_msg("%s: %s: %s", d->name, e.text, json);
	if (again.len != len ||
	    memcmp(again.data ? again.data : packed, packed, len) != 0)
		fail_msg("%s: not the same: %s", d->name, json);
	pack_release(&again);
	free(json);
	free(packed);
	protobuf_c_message_free_unpacked(m, NULL);
}

static void all_round(struct maker *mk)
{
	const ProtobufCServiceDescriptor *s = &task__task__descriptor;

	for (unsigned i = 0; i < s->n_methods; i++) {
		round_trip(mk, s->methods[i].input);
		round_trip(mk, s->methods[i].output);
	}
	round_trip(mk, &events__task_create__descriptor);
	for (size_t i = 0; message_types[i]; i++)
		round_trip(mk, message_types[i]);
}

static void test_round_trip(void **state)
{
	(void)state;
	all_round(&(struct maker){ 0 });
	all_round(&(struct maker){ .empty = true });
}

static void test_round_trip_of_any(void **state)
{
	(void)state;
	for (size_t i = 0; message_types[i]; i++) {
		all_round(&(struct maker){ .any = message_types[i] });
		all_round(&(struct maker){ .any = message_types[i], .empty = true });
	}
}

/* ---------------------------------------------------------------- reading */

static ProtobufCMessage *read_as(const ProtobufCMessageDescriptor *d, const char *json)
{
	struct pack out = PACK_INIT;
	struct err e = ERR_INIT;
	ProtobufCMessage *m;

	if (message_read(d, "json", json, strlen(json), &out, &e) < 0)
		fail_msg("%s: %s", json, e.text);
	m = protobuf_c_message_unpack(d, NULL, out.len, out.data);
	assert_non_null(m);
	pack_release(&out);
	return m;
}

static void test_create(void **state)
{
	static const char json[] =
		"{\"id\": \"a\", \"terminal\": true, \"parentCheckpoint\": \"p\", \"stdin\": null,"
		" \"rootfs\": [{\"type\": \"bind\", \"options\": [\"ro\", \"\"]}, {}],"
		" \"options\": {\"binary_name\": \"crun\", \"ioUid\": \"7\"}}";
	Task__CreateTaskRequest *m =
		(void *)read_as(&task__create_task_request__descriptor, json);
	Runc__Options *o;

	(void)state;
	assert_string_equal(m->id, "a");
	assert_true(m->terminal);
	assert_string_equal(m->parent_checkpoint, "p");
	assert_string_equal(m->stdin, "");
	assert_int_equal(m->n_rootfs, 2);
	assert_int_equal(m->rootfs[0]->n_options, 2);
	assert_string_equal(m->rootfs[0]->options[1], "");
	assert_string_equal(m->options->type_url, "containerd.runc.v1.Options");
	o = (void *)protobuf_c_message_unpack(&runc__options__descriptor, NULL,
					      m->options->value.len,
					      m->options->value.data);
	assert_non_null(o);
	assert_string_equal(o->binary_name, "crun");
	assert_int_equal(o->io_uid, 7);
	protobuf_c_message_free_unpacked(&o->base, NULL);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

/* Documents of the OCI specification go as they stand. */
static void test_documents(void **state)
{
	static const char *const json[] = {
		"{\"spec\": {\"args\": [ \"a\\u0041\" ],\n \"x\": 1e3} }",
		"{\"spec\": {\"value\": {\"args\": [ \"a\\u0041\" ],\n \"x\": 1e3}, \"@type\": "
		"\"types.containerd.io/opencontainers/runtime-spec/1/Process\"}}",
		"{\"spec\": {\"value\": \"eyJhcmdzIjogWyAiYVx1MDA0MSIgXSwKICJ4IjogMWUzfQ\", \"@type\":"
		" \"types.containerd.io/opencontainers/runtime-spec/1/Process\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(json) / sizeof(json[0]); i++) {
		Task__ExecProcessRequest *m =
			(void *)read_as(&task__exec_process_request__descriptor, json[i]);

		assert_string_equal(
			m->spec->type_url,
			"types.containerd.io/opencontainers/runtime-spec/1/Process");
		assert_int_equal(m->spec->value.len, 34);
		assert_memory_equal(m->spec->value.data,
				    "{\"args\": [ \"a\\u0041\" ],\n \"x\": 1e3}", 34);
		protobuf_c_message_free_unpacked(&m->base, NULL);
	}
}

static void test_map(void **state)
{
	Task__UpdateTaskRequest *m =
		(void *)read_as(&task__update_task_request__descriptor,
				"{\"annotations\": {\"k\": \"v\", \"\": \"\"}}");

	(void)state;
	assert_int_equal(m->n_annotations, 2);
	assert_string_equal(m->annotations[0]->key, "k");
	assert_string_equal(m->annotations[0]->value, "v");
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

#define BAD(type, json, text)                   \
	{                                       \
		&type##__descriptor, json, text \
	}
static const struct {
	const ProtobufCMessageDescriptor *type;
	const char *json, *text;
} bad[] = {
	BAD(task__state_request, "", "request:1:1: premature EOF"),
	BAD(task__state_request, "[]", "request:1:1: an object is needed"),
	BAD(task__state_request, "{\"id\": \"a\"} x", "request:1:13: "),
	BAD(task__state_request, "{\"i\": 1}",
	    "request:1:7: i: containerd.task.v3.StateRequest has no "
	    "such field; it has id, exec_id"),
	BAD(task__state_request, "{\n \"id\": 1}", "request:2:8: id: a string is needed"),
	BAD(task__state_request, "{\"id\": \"\\u0000\"}",
	    "request:1:8: has a NUL character"),
	BAD(task__state_request, "{\"exec_id\": \"\", \"execId\": \"\"}",
	    "execId: is there twice"),
	BAD(task__kill_request, "{\"signal\": -1}", "signal: not from 0 to 4294967295"),
	BAD(task__kill_request, "{\"signal\": 4294967296}",
	    "signal: not from 0 to 4294967295"),
	BAD(task__kill_request, "{\"signal\": 1.5}",
	    "signal: \"1.5\" is no whole number"),
	BAD(task__kill_request, "{\"signal\": 99999999999999999999}",
	    "is no whole number"),
	BAD(task__kill_request, "{\"all\": 1}", "all: true or false is needed"),
	BAD(task__create_task_request, "{\"rootfs\": {}}", "rootfs: an array is needed"),
	BAD(task__create_task_request, "{\"rootfs\": [{}, {\"options\": [1]}]}",
	    "rootfs[1].options[0]: a string is needed"),
	BAD(task__create_task_request, "{\"rootfs\": [null]}",
	    "rootfs[0]: an object is needed"),
	BAD(task__create_task_request, "{\"options\": {\"root\": []}}",
	    "options.root: a string is needed"),
	BAD(task__create_task_request,
	    "{\"options\": {\"@type\": \"x\", \"value\": \"?\"}}",
	    "options.value: no base64"),
	BAD(task__create_task_request, "{\"options\": {\"@type\": \"x\", \"value\": {}}}",
	    "options.value: base64 in a string is needed"),
	BAD(task__stats_response, "{\"stats\": {\"value\": \"\"}}",
	    "stats: needs a type URL, as \"@type\""),
	BAD(task__update_task_request, "{\"annotations\": {\"k\": 1}}",
	    "annotations.k: a string is needed"),
	BAD(task__state_response, "{\"status\": \"RUNING\"}",
	    "status: a name or number of containerd.types.Status is needed"),
	BAD(task__wait_response, "{\"exited_at\": \"2026-02-30T00:00:00Z\"}",
	    "exited_at: a time as"),
	BAD(task__wait_response, "{\"exited_at\": \"yesterday\"}",
	    "exited_at: a time as"),
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pack out = PACK_INIT;
		struct err e = ERR_INIT;

		if (message_read(bad[i].type, "request", bad[i].json, strlen(bad[i].json),
				 &out, &e) == 0)
			fail_msg("taken: %s", bad[i].json);
		if (!strstr(e.text, bad[i].text))
			fail_msg("%s: %s", bad[i].json, e.text);
		pack_release(&out);
	}
}

/* Nested as deep as a document may be: no stack is used up by it. */
static void test_deep(void **state)
{
	enum { DEPTH = 9990 };
	char *json = get(2 * DEPTH + 100);
	struct pack out = PACK_INIT;
	struct err e = ERR_INIT;
	int n = snprintf(json, 100, "{\"spec\": {\"x\": ");

	(void)state;
	memset(json + n, '[', DEPTH);
	memset(json + n + DEPTH, ']', DEPTH);
	memcpy(json + n + 2 * DEPTH, "}}", 3);
	assert_int_equal(message_read(&task__exec_process_request__descriptor, "request",
				      json, strlen(json), &out, &e),
			 0);
	pack_release(&out);
	free(json);
}

/* ---------------------------------------------------------------- writing */

static void writes(const ProtobufCMessage *m, const char *json)
{
	uint8_t packed[512];
	struct json_out out = JSON_OUT_INIT;
	struct err e = ERR_INIT;
	size_t len = protobuf_c_message_pack(m, packed);
	char *s;

	assert_int_equal(message_write(m->descriptor, packed, len, &out, &e), 0);
	s = json_out_take(&out, &len);
	assert_string_equal(s, json);
	free(s);
}

static void test_write(void **state)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Task__WaitResponse wait = TASK__WAIT_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	(void)state;
	writes(&wait.base, "{\"exit_status\":0}");
	wait.exited_at = &at;
	at.seconds = 1767323045;
	at.nanos = 5000;
	writes(&wait.base,
	       "{\"exit_status\":0,\"exited_at\":\"2026-01-02T03:04:05.000005000Z\"}");
	at.seconds = -62135596800;
	at.nanos = 0;
	writes(&wait.base, "{\"exit_status\":0,\"exited_at\":\"0001-01-01T00:00:00Z\"}");
	at.seconds--;
	writes(&wait.base,
	       "{\"exit_status\":0,\"exited_at\":{\"seconds\":-62135596801,\"nanos\":0}}");

	any.type_url =
		(char *)"types.containerd.io/opencontainers/runtime-spec/1/Process";
	any.value.data = (uint8_t *)"{\"a\":";
	any.value.len = 5;
	writes(&any.base,
	       "{\"@type\":\"types.containerd.io/opencontainers/runtime-spec/1/Process\","
	       "\"value\":\"eyJhIjo=\"}");
}

static void test_write_garbage(void **state)
{
	struct json_out out = JSON_OUT_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_true(message_write(&task__wait_response__descriptor,
				  (const uint8_t *)"\xff", 1, &out, &e) < 0);
	assert_string_equal(e.text, "1 bytes are no containerd.task.v3.WaitResponse");
}

static void test_timestamp(void **state)
{
	int64_t seconds;
	int32_t nanos;

	(void)state;
	assert_true(timestamp_read("2026-01-02T05:04:05.25+02:00", &seconds, &nanos));
	assert_int_equal(seconds, 1767323045);
	assert_int_equal(nanos, 250000000);
	assert_false(timestamp_read("2026-01-02T05:04:05", &seconds, &nanos));
	assert_false(timestamp_read("2026-01-02T25:04:05Z", &seconds, &nanos));
	assert_false(timestamp_read("2026-01-02T05:04:05Zx", &seconds, &nanos));
	assert_false(timestamp_read("2026-01-02T05:04:05+2:00", &seconds, &nanos));
}

static void test_base64(void **state)
{
	static const char *const texts[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==" };
	uint8_t data[16];
	char text[16];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(base64_decode(texts[i], strlen(texts[i]), data), i);
		assert_memory_equal(data, "foob", i);
		assert_int_equal(base64_encode(data, i, text), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
	}
	assert_int_equal(base64_decode("_-8", 3, data), 2);
	assert_memory_equal(data, "\xff\xef", 2);
	assert_true(base64_decode("Z", 1, data) < 0);
	assert_true(base64_decode("Zg=", 3, data) < 0);
	assert_true(base64_decode("Z===", 4, data) < 0);
	assert_true(base64_decode("Zm 9", 4, data) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_of_any),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_garbage),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
