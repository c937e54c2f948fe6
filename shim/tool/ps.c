/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass ps": the shims of this node and what they do. All are asked at once;
 * of one that does not answer /proc and its bundles have to tell.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "shim/socket.h"
#include "shim/tool/inspect.h"
#include "shim/tool/ps.h"
#include "shim/tool/tool.h"
#include "shim/util.h"
#include "task.pb-c.h"

/* ---------------------------------------------------------------- asking */

static bool make_rows(struct report *r, size_t n)
{
	free(r->rows);
	r->rows = calloc(n ? n : 1, sizeof(*r->rows));
	r->n_rows = r->rows ? n : 0;
	return r->rows;
}

/* What is known without an answer: the containers of the bundles. */
static void read_seen(struct report *r)
{
	if (!make_rows(r, r->seen->n_containers))
		return;
	for (size_t i = 0; i < r->n_rows; i++)
		r->rows[i] = (struct row){ .id = r->seen->containers[i],
					   .state = "?",
					   .execs = UNKNOWN,
					   .ops = UNKNOWN };
}

static int64_t count_ops(const struct node *process)
{
	const struct node *ops = tree_member(process, "ops");
	const struct node *asides = tree_member(process, "asides");

	return (int64_t)((ops ? ops->n : 0) + (asides ? asides->n : 0));
}

static void read_containers(struct report *r, const struct node *list)
{
	struct row *row;

	if (!make_rows(r, list ? list->n : 0))
		return;
	row = r->rows;
	for (const struct node *c = list ? list->first : NULL; c; c = c->next, row++) {
		const struct node *init = tree_member(c, "init"),
				  *execs = tree_member(c, "execs");

		*row = (struct row){
			.id = tree_text(c, "id", "?"),
			.state = tree_bool(c, "ready") ? tree_text(init, "state", "?")
						       : "creating",
			.pid = tree_int(init, "pid"),
			.execs = tree_int(c, "n_execs"),
			.ops = count_ops(init),
		};
		for (const struct node *p = execs ? execs->first : NULL; p; p = p->next)
			row->ops += count_ops(p);
	}
}

static void read_inspected(struct report *r)
{
	struct err e = ERR_INIT;
	size_t len;

	r->json = inspect_answer(&r->question, &len);
	if (!r->json || tree_parse(&r->tree, "the answer", r->json, len, &e) < 0) {
		snprintf(r->why, sizeof(r->why), "cannot be read: %.150s", e.text);
		return;
	}
	r->ours = true;
	r->calls = tree_int(r->tree.root, "calls");
	r->ops = tree_int(r->tree.root, "ops");
	r->events = tree_int(tree_member(r->tree.root, "events"), "queued");
	read_containers(r, tree_member(r->tree.root, "containers"));
}

static void read_answer(struct report *r)
{
	char text[4400];

	if (r->seen->socket && r->question.code == TTRPC_OK)
		read_inspected(r);
	else if (!r->seen->socket)
		snprintf(r->why, sizeof(r->why), "its socket is not known: %s",
			 r->seen->why ? err_strerror(r->seen->why)
				      : "it listens nowhere");
	else if (r->question.code != TTRPC_UNIMPLEMENTED &&
		 r->question.code != TTRPC_NOT_FOUND)
		snprintf(r->why, sizeof(r->why), "%s",
			 question_describe(&r->question, text, sizeof(text)));
}

static int ask_ours(struct ps *ps)
{
	_cleanup_free_ struct question *all = calloc(ps->n + 1, sizeof(*all));
	size_t n = 0;
	int r;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < ps->n; i++) {
		const struct shim_seen *seen = ps->reports[i].seen;

		assert(seen); /* collect() */
		if (seen->socket)
			inspect_ask(&all[n++], seen->socket, ps->timeout_ms);
	}
	r = ask_all(all, n);
	n = 0;
	for (size_t i = 0; i < ps->n && r == 0; i++) {
		struct report *report = &ps->reports[i];

		if (report->seen->socket)
			report->question = all[n++];
		report->calls = report->events = report->ops = UNKNOWN;
		usage_of(report->seen->pid, &report->usage);
		read_seen(report);
		read_answer(report);
	}
	return r;
}

/* Of a stranger, one container: asks in both versions of the service. */
static void ask_stranger(struct report *report, struct row *row, const uint8_t *message,
			 size_t len, uint64_t timeout_ms)
{
	static const char *const services[] = { "containerd.task.v2.Task",
						"containerd.task.v3.Task" };
	static const char *const states[] = { "unknown", "created", "running",
					      "stopped", "paused",  "pausing" };
	struct question q[2];
	char text[4400];

	for (size_t i = 0; i < 2; i++)
		q[i] = (struct question){ .path = report->seen->socket,
					  .service = services[i],
					  .method = "State",
					  .message = message,
					  .len = len,
					  .timeout_ms = timeout_ms };
	if (ask_all(q, 2) < 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		Task__StateResponse *m = NULL;

		if (q[i].code == TTRPC_OK)
			m = (void *)protobuf_c_message_unpack(
				&task__state_response__descriptor, NULL, q[i].reply_len,
				q[i].reply);
		else if (q[i].code != TTRPC_UNIMPLEMENTED && q[i].code != TTRPC_NOT_FOUND)
			snprintf(report->why, sizeof(report->why), "%s",
				 question_describe(&q[i], text, sizeof(text)));
		if (m) {
			row->state = (unsigned)m->status < ARRAY_SIZE(states)
					     ? states[m->status]
					     : "?";
			row->pid = m->pid;
			protobuf_c_message_free_unpacked(&m->base, NULL);
		}
		question_release(&q[i]);
	}
}

static void ask_strangers(struct ps *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		struct report *r = &ps->reports[i];

		for (size_t k = 0; k < r->n_rows && !r->ours && !r->why[0]; k++) {
			Task__StateRequest q = TASK__STATE_REQUEST__INIT;
			uint8_t packed[512];

			q.id = (char *)r->rows[k].id;
			if (protobuf_c_message_get_packed_size(&q.base) <= sizeof(packed))
				ask_stranger(r, &r->rows[k], packed,
					     protobuf_c_message_pack(&q.base, packed),
					     ps->timeout_ms);
		}
	}
}

/* --------------------------------------------------------------- sockets */

static bool is_known(const struct ps *ps, const char *path)
{
	for (size_t i = 0; i < ps->shims.n; i++)
		if (ps->shims.list[i].socket &&
		    strcmp(ps->shims.list[i].socket, path) == 0)
			return true;
	return false;
}

/* The files of shims that were killed: nobody listens there any more. */
static void find_stale(struct ps *ps)
{
	DIR *d = opendir(ps->sockets);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		_cleanup_free_ char *path =
			str_printf("%s/%s", ps->sockets, entry->d_name);
		char **more;

		if (!path || entry->d_type != DT_SOCK || is_known(ps, path) ||
		    socket_is_alive(path))
			continue;
		more = realloc(ps->stale, (ps->n_stale + 1) * sizeof(*more));
		if (!more)
			break;
		ps->stale = more;
		ps->stale[ps->n_stale++] = TAKE(path);
		ps->unsound = true;
	}
	if (d)
		closedir(d);
}

/* ------------------------------------------------------------------- all */

static void print_help(void)
{
	fputs("Usage: brass ps [OPTION]...\n"
	      "Lists the shims of containerd that run on this node, ours and others, and their\n"
	      "containers: state, pid of the init, execs; the shim's memory in kB (PSS, and\n"
	      "dirty pages that are its own), calls that wait for an answer, events that\n"
	      "containerd has not taken yet, operations under way. \"-\" is not known.\n\n"
	      "  -n, --namespace NS  only this namespace of containerd's\n"
	      "  -s, --sockets DIR   where sockets of dead shims are looked for\n"
	      "                      (default " SOCKET_DIR ")\n"
	      "  -t, --timeout MS    how long a shim may take to answer (default 2000)\n"
	      "  -q, --quiet         only the ids of the containers\n"
	      "  -j, --json\n"
	      "  -h, --help\n\n"
	      "Exit code: 0, 1 if a shim does not answer or a socket is dead, 2 on failure.\n",
	      stdout);
}

static int parse(struct ps *ps, int argc, char **argv)
{
	static const struct option options[] = {
		{ "namespace", required_argument, NULL, 'n' },
		{ "sockets", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "n:s:t:jqh", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			ps->ns = optarg;
			break;
		case 's':
			ps->sockets = optarg;
			break;
		case 't':
			if (tool_timeout(optarg, 1, &ps->timeout_ms) != 0)
				return TOOL_FAILED;
			break;
		case 'j':
			ps->json = true;
			break;
		case 'q':
			ps->quiet = true;
			break;
		case 'h':
			print_help();
			return tool_printed();
		default:
			return tool_misused();
		}
	}
	if (optind < argc) {
		tool_fail("\"%s\": no argument is needed", argv[optind]);
		return tool_misused();
	}
	return 0;
}

static int collect(struct ps *ps)
{
	int r = shims_find(&ps->shims);

	if (r < 0)
		return r;
	ps->reports = calloc(ps->shims.n + 1, sizeof(*ps->reports));
	if (!ps->reports)
		return -ENOMEM;
	for (size_t i = 0; i < ps->shims.n; i++)
		if (!ps->ns || strcmp(ps->shims.list[i].ns, ps->ns) == 0)
			ps->reports[ps->n++].seen = &ps->shims.list[i];
	r = ask_ours(ps);
	if (r < 0)
		return r;
	ask_strangers(ps);
	for (size_t i = 0; i < ps->n; i++)
		ps->unsound |= ps->reports[i].why[0];
	find_stale(ps);
	return 0;
}

static void release(struct ps *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		question_release(&ps->reports[i].question);
		tree_release(&ps->reports[i].tree);
		free(ps->reports[i].json);
		free(ps->reports[i].rows);
	}
	free(ps->reports);
	for (size_t i = 0; i < ps->n_stale; i++)
		free(ps->stale[i]);
	free(ps->stale);
	shims_release(&ps->shims);
}

int tool_ps(int argc, char **argv)
{
	struct ps ps = { .sockets = SOCKET_DIR, .timeout_ms = ASK_MS };
	int r = parse(&ps, argc, argv);

	if (r != 0)
		return r < 0 ? TOOL_OK : r;
	r = collect(&ps);
	if (r < 0)
		r = tool_fail("%s", strerror(-r));
	else if (ps.quiet)
		ps_print_ids(&ps);
	else if (ps.json)
		r = ps_print_json(&ps);
	else
		ps_print_table(&ps);
	if (r == 0)
		r = tool_end(ps.unsound ? TOOL_FOUND : TOOL_OK);
	release(&ps);
	return r;
}
