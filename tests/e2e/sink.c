/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's events service, as far as a shim uses it (contract 3.3): keeps
 * what it was sent, in order. Can be silent, refuse, or be gone.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/internal.h"

#define MAX_EVENTS 65536

static struct {
	bool open;
	int bound; /* the descriptor that is to be opened, if is_bound */
	bool is_bound;
	enum sink_mode mode;
	struct {
		struct ttrpc_server server;
		struct ttrpc_service service;
	} of[2], *now;
	struct list parked, lost;
	struct event *events[MAX_EVENTS];
	size_t n, expected;
	unsigned failed; /* how often, in SINK_FAIL */
	int record; /* descriptor, if is_recorded */
	bool is_recorded;
} sink;

static const struct {
	const char *type;
	const ProtobufCMessageDescriptor *descriptor;
} types[] = {
	{ "containerd.events.TaskCreate", &events__task_create__descriptor },
	{ "containerd.events.TaskStart", &events__task_start__descriptor },
	{ "containerd.events.TaskExit", &events__task_exit__descriptor },
	{ "containerd.events.TaskDelete", &events__task_delete__descriptor },
	{ "containerd.events.TaskExecAdded", &events__task_exec_added__descriptor },
	{ "containerd.events.TaskExecStarted", &events__task_exec_started__descriptor },
	{ "containerd.events.TaskOOM", &events__task_oom__descriptor },
	{ "containerd.events.TaskPaused", &events__task_paused__descriptor },
	{ "containerd.events.TaskResumed", &events__task_resumed__descriptor },
};

/* The line of expect_events(): the topic's last word and what tells events apart. */
static void render(struct event *e)
{
	const char *topic = strrchr(e->topic, '/') ? strrchr(e->topic, '/') + 1
						   : e->topic;
	const void *m = e->message;
	char *l = e->line;

	if (!m)
		snprintf(l, sizeof(e->line), "%s ?", topic);
	else if (e->message->descriptor == &events__task_exit__descriptor)
		snprintf(l, sizeof(e->line), "%s %s %s %u", topic,
			 ((const Events__TaskExit *)m)->container_id,
			 ((const Events__TaskExit *)m)->id,
			 ((const Events__TaskExit *)m)->exit_status);
	else if (e->message->descriptor == &events__task_delete__descriptor)
		snprintf(l, sizeof(e->line), "%s %s %u", topic,
			 ((const Events__TaskDelete *)m)->container_id,
			 ((const Events__TaskDelete *)m)->exit_status);
	else if (e->message->descriptor == &events__task_exec_added__descriptor ||
		 e->message->descriptor == &events__task_exec_started__descriptor)
		snprintf(l, sizeof(e->line), "%s %s %s", topic,
			 ((const Events__TaskExecAdded *)m)->container_id,
			 ((const Events__TaskExecAdded *)m)->exec_id);
	else /* the container's id is field 1 of all the others */
		snprintf(l, sizeof(e->line), "%s %s", topic,
			 ((const Events__TaskOOM *)m)->container_id);
}

static void event_free(struct event *e)
{
	if (e->message)
		protobuf_c_message_free_unpacked(
			(ProtobufCMessage *)(uintptr_t)e->message, NULL);
	free(e);
}

static void record(struct event *e)
{
	char line[sizeof(e->line) + 1];
	int n = snprintf(line, sizeof(line), "%s\n", e->line);

	if (write(sink.record, line, (size_t)n) != n)
		abort();
	event_free(e);
}

static void take(struct ttrpc_call *call, const ProtobufCMessage *request)
{
	const Types__Envelope *v =
		((const Forward__ForwardRequest *)(const void *)request)->envelope;
	const char *ns = ttrpc_call_metadata(call, "containerd-namespace-ttrpc");
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct event *e = calloc(1, sizeof(*e));

	if (!e || !v || !v->event || sink.n == MAX_EVENTS) {
		free(e);
		ttrpc_call_fail(call, TTRPC_INVALID_ARGUMENT, "bad envelope");
		return;
	}
	snprintf(e->ns, sizeof(e->ns), "%s", v->namespace_);
	snprintf(e->topic, sizeof(e->topic), "%s", v->topic);
	snprintf(e->type, sizeof(e->type), "%s", v->event->type_url);
	snprintf(e->metadata_ns, sizeof(e->metadata_ns), "%s", ns ? ns : "");
	e->seconds = v->timestamp ? v->timestamp->seconds : 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].type, e->type))
			e->message = protobuf_c_message_unpack(types[i].descriptor, NULL,
							       v->event->value.len,
							       v->event->value.data);
	render(e);
	if (sink.is_recorded)
		record(e);
	else
		sink.events[sink.n++] = e;
	ttrpc_call_reply(call, &empty.base);
}

struct parked {
	struct list link;
	struct ttrpc_call *call;
	const ProtobufCMessage *request;
};

static void handle(struct ttrpc_call *call, const ProtobufCMessage *request)
{
	struct parked *p;

	switch (sink.mode) {
	case SINK_TAKE:
		take(call, request);
		break;
	case SINK_REFUSE:
		ttrpc_call_fail(call, TTRPC_UNAVAILABLE, "the sink refuses");
		break;
	case SINK_FAIL:
		sink.failed++;
		ttrpc_call_fail(call, TTRPC_UNKNOWN, "the sink fails");
		break;
	case SINK_SILENT:
		p = ttrpc_call_alloc(call, sizeof(*p));
		*p = (struct parked){ .call = call, .request = request };
		list_append(&sink.parked, &p->link);
		break;
	}
}

void sink_bind(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	sink.bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", e2e.ttrpc_address);
	if (sink.bound < 0 || bind(sink.bound, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail_at(HERE, "sink: %s", strerror(errno));
	sink.is_bound = true;
}

void sink_open(void)
{
	if (!sink.parked.next) {
		list_init(&sink.parked);
		list_init(&sink.lost);
	}
	if (!sink.is_bound)
		sink_bind();
	sink.is_bound = false;
	sink.now = sink.open ? &sink.of[1] : &sink.of[0];
	if (listen(sink.bound, 16) < 0 ||
	    ttrpc_server_open(&sink.now->server, &e2e.loop, sink.bound, NULL) < 0)
		fail_at(HERE, "sink: %s", strerror(errno));
	sink.now->service = (struct ttrpc_service){
		.name = "containerd.services.events.ttrpc.v1.Events",
		.descriptor = &forward__events__descriptor,
		.handle = handle,
	};
	ttrpc_server_add(&sink.now->server, &sink.now->service);
	sink.open = true;
}

/* What was parked is owed an answer, also when nobody can hear it any more. */
static void unpark(struct list *from, bool refuse)
{
	struct list parked;
	struct parked *p;

	list_init(&parked);
	list_splice(&parked, from);
	list_for_each(p, &parked, link) {
		list_del(&p->link);
		if (refuse)
			ttrpc_call_fail(p->call, TTRPC_CANCELLED, "gone");
		else
			handle(p->call, p->request);
	}
}

void sink_set(enum sink_mode mode)
{
	sink.mode = mode;
	unpark(&sink.parked, false);
}

void sink_supersede(void)
{
	assert_true(sink.open && sink.now == &sink.of[0]);
	list_splice(&sink.lost, &sink.parked);
	sink.mode = SINK_TAKE;
	unlink(e2e.ttrpc_address);
	sink_bind();
}

void sink_record(int fd)
{
	sink.record = fd;
	sink.is_recorded = true;
}

void sink_close(void)
{
	if (!sink.open)
		return;
	if (sink.now == &sink.of[1])
		ttrpc_server_close(&sink.of[1].server);
	ttrpc_server_close(&sink.of[0].server);
	unpark(&sink.parked, true);
	unpark(&sink.lost, true);
	unlink(e2e.ttrpc_address);
	sink.open = false;
}

void sink_free(void)
{
	while (sink.n)
		event_free(sink.events[--sink.n]);
	memset(&sink, 0, sizeof(sink));
}

/* ------------------------------------------------------------ what tests ask */

size_t sink_count(void)
{
	return sink.n;
}

unsigned sink_failed(void)
{
	return sink.failed;
}

const struct event *event_at(struct where w, size_t i)
{
	uint64_t due = deadline_in(SOON);

	while (sink.n <= i)
		if (!loop_until(due))
			fail_at(w, LATE "event %zu; the last: %s", i,
				sink.n ? sink.events[sink.n - 1]->line : "none");
	return sink.events[i];
}

void expect_events_at(struct where w, const char *const lines[])
{
	for (; *lines; lines++) {
		const char *line = event_at(w, sink.expected)->line;

		if (strcmp(line, *lines))
			fail_at(w, "event %zu is \"%s\", expected: \"%s\"", sink.expected,
				line, *lines);
		sink.expected++;
	}
}

void expect_no_more_events_at(struct where w)
{
	if (sink.n > sink.expected)
		fail_at(w, "one event too many: \"%s\"",
			sink.events[sink.expected]->line);
}
