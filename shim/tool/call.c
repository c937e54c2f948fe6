/* SPDX-License-Identifier: Apache-2.0 */
/* "brass call": one call of the Task service by hand. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "shim/tool/ask.h"
#include "shim/tool/message.h"
#include "shim/tool/shims.h"
#include "shim/tool/tool.h"
#include "shim/tool/tree.h"
#include "shim/util.h"
#include "task.pb-c.h"

#define TASK_V2 "containerd.task.v2.Task"
#define TASK_V3 "containerd.task.v3.Task"
#define JSON_MAX (8u << 20)
#define DEFAULT_MS 30000

struct call {
	const char *ns, *target, *service;
	const ProtobufCMethodDescriptor *method;
	const char *json;
	uint64_t timeout_ms;
	bool compact;
};

static void print_help(void)
{
	fputs("Usage: brass call [OPTION]... SOCKET|ID [SERVICE/]METHOD [JSON]\n"
	      "Makes one call of containerd's Task service, as containerd would. SOCKET is a\n"
	      "path (or unix://PATH), ID a container or the pid of a shim. JSON is the request,\n"
	      "\"-\" reads it from stdin; its \"id\" is ID where it says none.\n\n"
	      "  -n, --namespace NS  the namespace of the container\n"
	      "  -t, --timeout MS    the call's deadline (default 30000; 0: none)\n"
	      "  -c, --compact       the reply on one line\n"
	      "  -l, --list          the methods and what their requests hold\n"
	      "  -h, --help\n\n"
	      "SERVICE is " TASK_V2 " or " TASK_V3 ".\n"
	      "Exit code: 0, 1 if the call was answered by an error, 2 if it could not be made.\n"
	      "\n"
	      "  brass call web State\n"
	      "  brass call web Kill '{\"signal\": 15, \"all\": true}'\n"
	      "  brass call web Exec '{\"exec_id\": \"e\", \"spec\": {\"args\": [\"id\"], \"cwd\": \"/\"}}'\n",
	      stdout);
}

static const char *type_name(const ProtobufCFieldDescriptor *f)
{
	static const char *const names[] = {
		[PROTOBUF_C_TYPE_INT32] = "number",  [PROTOBUF_C_TYPE_INT64] = "number",
		[PROTOBUF_C_TYPE_UINT32] = "number", [PROTOBUF_C_TYPE_UINT64] = "number",
		[PROTOBUF_C_TYPE_BOOL] = "bool",     [PROTOBUF_C_TYPE_STRING] = "string",
		[PROTOBUF_C_TYPE_BYTES] = "base64",  [PROTOBUF_C_TYPE_DOUBLE] = "number",
	};

	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return message_is_map(f)
			       ? "object of strings"
			       : ((const ProtobufCMessageDescriptor *)f->descriptor)
					 ->name;
	if (f->type == PROTOBUF_C_TYPE_ENUM)
		return ((const ProtobufCEnumDescriptor *)f->descriptor)->name;
	return f->type < ARRAY_SIZE(names) && names[f->type] ? names[f->type] : "?";
}

static void print_list(void)
{
	const ProtobufCServiceDescriptor *s = &task__task__descriptor;

	for (unsigned i = 0; i < s->n_methods; i++) {
		const ProtobufCMessageDescriptor *d = s->methods[i].input;

		printf("%s\n", s->methods[i].name);
		for (unsigned k = 0; k < d->n_fields; k++) {
			const ProtobufCFieldDescriptor *f = &d->fields[k];
			const char *any = message_expected(d, f->name);

			printf("    %-18s %s%s%s%s\n", f->name, type_name(f),
			       f->label == PROTOBUF_C_LABEL_REPEATED && !message_is_map(f)
				       ? "[]"
				       : "",
			       any ? ": " : "", any ? any : "");
		}
	}
}

/* "METHOD", or "SERVICE/METHOD". */
static int find_method(struct call *c, const char *word)
{
	const char *slash = strrchr(word, '/'), *name = slash ? slash + 1 : word;

	c->service = TASK_V2;
	if (slash) {
		size_t len = (size_t)(slash - word);

		if (len == strlen(TASK_V3) && memcmp(word, TASK_V3, len) == 0)
			c->service = TASK_V3;
		else if (len != strlen(TASK_V2) || memcmp(word, TASK_V2, len) != 0)
			return tool_fail("there is no service \"%.*s\" here: " TASK_V2
					 ", " TASK_V3,
					 (int)len, word);
	}
	c->method = protobuf_c_service_descriptor_get_method_by_name(
		&task__task__descriptor, name);
	if (c->method)
		return 0;
	tool_fail("there is no method \"%s\" (\"brass call --list\" lists them)", name);
	return TOOL_FAILED;
}

/* All of stdin, NUL-terminated. */
static char *read_stdin(void)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, n;

	do {
		char *more = realloc(text, len + (64u << 10) + 1);

		if (!more)
			return NULL;
		text = more;
		n = fread(text + len, 1, 64u << 10, stdin);
		len += n;
		text[len] = 0;
	} while (n > 0 && len < JSON_MAX);
	return TAKE(text);
}

static int parse(struct call *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "namespace", required_argument, NULL, 'n' },
		{ "timeout", required_argument, NULL, 't' },
		{ "compact", no_argument, NULL, 'c' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "n:t:clh", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			c->ns = optarg;
			break;
		case 't':
			if (tool_timeout(optarg, 0, &c->timeout_ms) != 0)
				return TOOL_FAILED;
			break;
		case 'c':
			c->compact = true;
			break;
		case 'l':
			print_list();
			return tool_printed();
		case 'h':
			print_help();
			return tool_printed();
		default:
			return tool_misused();
		}
	}
	if (argc - optind < 2 || argc - optind > 3) {
		tool_fail(
			"a socket or container and a method are needed, and perhaps a request");
		return tool_misused();
	}
	c->target = argv[optind];
	c->json = argc - optind > 2 ? argv[optind + 2] : "{}";
	return find_method(c, argv[optind + 1]);
}

static int print_reply(const struct call *c, const struct question *q)
{
	_cleanup_free_ char *text = NULL;
	struct json_out out = JSON_OUT_INIT;
	struct err e = ERR_INIT;
	size_t len;
	int r = message_write(c->method->output, q->reply, q->reply_len, &out, &e);

	text = json_out_take(&out, &len);
	if (r < 0)
		return tool_fail("%s: the reply: %s", c->method->name, e.text);
	if (!text)
		return tool_fail("out of memory");
	if (c->compact)
		printf("%s\n", text);
	else
		tree_print(stdout, text, len);
	return tool_end(TOOL_OK);
}

static int make_call(const struct call *c, const char *path, const struct pack *message)
{
	struct question q = {
		.path = path,
		.service = c->service,
		.method = c->method->name,
		.message = message->data,
		.len = message->len,
		.timeout_ms = c->timeout_ms,
	};
	char text[4400];
	int r = ask_all(&q, 1);

	if (r < 0)
		return tool_fail("%s", strerror(-r));
	if (q.code == TTRPC_OK)
		r = print_reply(c, &q);
	else
		r = tool_fail("%s: %s", c->method->name,
			      question_describe(&q, text, sizeof(text)));
	if (q.code > 0)
		r = TOOL_FOUND;
	question_release(&q);
	return r;
}

int tool_call(int argc, char **argv)
{
	struct call c = { .timeout_ms = DEFAULT_MS };
	_cleanup_(pack_release) struct pack message = PACK_INIT;
	_cleanup_(shims_release) struct shims shims = SHIMS_INIT;
	_cleanup_free_ char *input = NULL;
	const ProtobufCFieldDescriptor *id;
	struct err e = ERR_INIT;
	char path[SHIM_PATH_MAX];
	int r = parse(&c, argc, argv);

	if (r != 0)
		return r < 0 ? TOOL_OK : r;
	assert(c.target && c.method);
	if (strcmp(c.json, "-") == 0) {
		input = read_stdin();
		if (!input)
			return tool_fail("out of memory");
		c.json = input;
	}
	if (!strchr(c.target, '/') && (r = shims_find(&shims)) < 0)
		return tool_fail("/proc: %s", strerror(-r));
	id = protobuf_c_message_descriptor_get_field_by_name(c.method->input, "id");
	/* A field that comes again in the request takes the place of this one. */
	if (id && !strchr(c.target, '/'))
		pack_text(&message, id->id, c.target, strlen(c.target));
	if (message_read(c.method->input, "request", c.json, strlen(c.json), &message,
			 &e) < 0 ||
	    shims_resolve(&shims, c.target, c.ns, path, NULL, &e) < 0)
		return tool_fail("%s", e.text);
	return make_call(&c, path, &message);
}
