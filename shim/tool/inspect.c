/* SPDX-License-Identifier: Apache-2.0 */
/* "brass inspect": everything that one shim knows of itself, and the kernel of it. */
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "inspect.pb-c.h"
#include "shim/tool/ask.h"
#include "shim/tool/inspect.h"
#include "shim/tool/shims.h"
#include "shim/tool/tool.h"
#include "shim/tool/tree.h"
#include "shim/tool/usage.h"
#include "shim/util.h"

struct inspect {
	const char *ns, *target;
	uint64_t timeout_ms;
	bool compact, one;
};

void inspect_ask(struct question *q, const char *path, uint64_t timeout_ms)
{
	*q = (struct question){
		.path = path,
		.service = inspect__inspect__descriptor.name,
		.method = "State",
		.timeout_ms = timeout_ms,
	};
}

char *inspect_answer(const struct question *q, size_t *len)
{
	Inspect__StateResponse *m = (void *)protobuf_c_message_unpack(
		&inspect__state_response__descriptor, NULL, q->reply_len, q->reply);
	char *json = m ? malloc(m->json.len + 1) : NULL;

	if (json) {
		memcpy(json, m->json.data, m->json.len);
		json[m->json.len] = 0;
		*len = m->json.len;
	}
	if (m)
		protobuf_c_message_free_unpacked(&m->base, NULL);
	return json;
}

static void print_help(void)
{
	fputs("Usage: brass inspect [OPTION]... SOCKET|ID\n"
	      "Prints everything that one shim of ours knows, as JSON: its containers and\n"
	      "processes, their stdio, what is under way, events, limits, memory. SOCKET is a\n"
	      "path, ID a container or the pid of a shim (\"brass ps\").\n\n"
	      "  -n, --namespace NS  the namespace of the container\n"
	      "  -o, --one           of the containers only the one of this ID\n"
	      "  -t, --timeout MS    how long the shim may take (default 2000)\n"
	      "  -c, --compact       on one line\n"
	      "  -h, --help\n\n"
	      "Exit code: 0, or 2 if there is no such shim, or it does not answer.\n",
	      stdout);
}

static int parse(struct inspect *in, int argc, char **argv)
{
	static const struct option options[] = {
		{ "namespace", required_argument, NULL, 'n' },
		{ "one", no_argument, NULL, 'o' },
		{ "timeout", required_argument, NULL, 't' },
		{ "compact", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "n:ot:ch", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			in->ns = optarg;
			break;
		case 'o':
			in->one = true;
			break;
		case 't':
			if (tool_timeout(optarg, 1, &in->timeout_ms) != 0)
				return TOOL_FAILED;
			break;
		case 'c':
			in->compact = true;
			break;
		case 'h':
			print_help();
			return tool_printed();
		default:
			return tool_misused();
		}
	}
	if (argc - optind != 1) {
		tool_fail("one socket, container or shim is needed");
		return tool_misused();
	}
	in->target = argv[optind];
	return 0;
}

/* The shim's own answer, with what the kernel says of its process in front. */
static int print(const struct inspect *in, const char *json, size_t len)
{
	struct json_out out = JSON_OUT_INIT;
	_cleanup_(tree_release) struct tree tree = { 0 };
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_INIT;
	struct usage usage;
	size_t n;

	if (tree_parse(&tree, "the answer", json, len, &e) < 0)
		return tool_fail("%s", e.text);
	usage_of((pid_t)tree_int(tree.root, "pid"), &usage);
	json_out_open(&out, '{');
	json_out_key(&out, "process");
	json_out_open(&out, '{');
	usage_write(&usage, &out);
	json_out_close(&out, '}');
	for (const struct node *m = tree.root->first; m; m = m->next) {
		json_out_key(&out, m->key);
		json_out_raw(&out, json + m->offset, m->end - m->offset);
	}
	json_out_close(&out, '}');
	text = json_out_take(&out, &n);
	if (!text)
		return tool_fail("out of memory");
	if (in->compact)
		printf("%s\n", text);
	else
		tree_print(stdout, text, n);
	return tool_end(TOOL_OK);
}

static int fail(const struct inspect *in, const struct question *q)
{
	char text[4400];

	if (q->code == TTRPC_UNIMPLEMENTED)
		return tool_fail(
			"%s: its shim is none of ours, and cannot be inspected (\"brass "
			"call\" can ask it)",
			in->target);
	return tool_fail("%s: %s", in->target, question_describe(q, text, sizeof(text)));
}

int tool_inspect(int argc, char **argv)
{
	struct inspect in = { .timeout_ms = ASK_MS };
	_cleanup_(shims_release) struct shims shims = SHIMS_INIT;
	_cleanup_(question_release) struct question q = { 0 };
	Inspect__StateRequest request = INSPECT__STATE_REQUEST__INIT;
	_cleanup_free_ uint8_t *packed = NULL;
	_cleanup_free_ char *json = NULL;
	struct err e = ERR_INIT;
	char path[SHIM_PATH_MAX];
	size_t len;
	int r = parse(&in, argc, argv);

	if (r != 0)
		return r < 0 ? TOOL_OK : r;
	assert(in.target);
	if (!strchr(in.target, '/') && (r = shims_find(&shims)) < 0)
		return tool_fail("/proc: %s", strerror(-r));
	if (shims_resolve(&shims, in.target, in.ns, path, NULL, &e) < 0)
		return tool_fail("%s", e.text);
	inspect_ask(&q, path, in.timeout_ms);
	if (in.one)
		request.id = (char *)in.target;
	packed = malloc(protobuf_c_message_get_packed_size(&request.base) + 1);
	if (!packed)
		return tool_fail("out of memory");
	q.message = packed;
	q.len = protobuf_c_message_pack(&request.base, packed);
	r = ask_all(&q, 1);
	if (r < 0)
		return tool_fail("%s", strerror(-r));
	if (q.code != TTRPC_OK)
		return fail(&in, &q);
	json = inspect_answer(&q, &len);
	return json ? print(&in, json, len)
		    : tool_fail("%s: the answer cannot be read", in.target);
}
