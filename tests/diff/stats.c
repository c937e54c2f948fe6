/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stats: the counters change from moment to moment, so that what is compared is
 * which fields are set, and the values of limits.
 */
#include "tests/diff/diff.h"

#include <inttypes.h>

#include "metrics_v1.pb-c.h"
#include "metrics_v2.pb-c.h"

static void say_message(const char *path, const ProtobufCMessage *m);

/* Zero at one moment, not at the next. */
static bool is_volatile(const char *name)
{
	static const char *const names[] = { "dirty",
					     "writeback",
					     "total_dirty",
					     "total_writeback",
					     "mapped_file",
					     "cache",
					     "total_cache",
					     "total_mapped_file",
					     "usage_user",
					     "kernel",
					     "user",
					     "active_file",
					     "inactive_file",
					     "total_active_file",
					     "total_inactive_file",
					     "pg_maj_fault",
					     "total_pg_maj_fault",
					     "active_anon",
					     "total_active_anon",
					     "inactive_anon",
					     "rss",
					     "total_inactive_anon",
					     "total_rss",
					     "per_cpu" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void say_field(const char *path, const ProtobufCFieldDescriptor *d, const void *at)
{
	const ProtobufCMessage *m;

	switch (d->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		m = *(ProtobufCMessage *const *)at;
		if (m)
			say_message(path, m);
		break;
	case PROTOBUF_C_TYPE_STRING:
		say(path, "%s", *(char *const *)at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
		if (strstr(d->name, "limit"))
			say(path, "%" PRIu64, *(const uint64_t *)at);
		else if (*(const uint64_t *)at && !is_volatile(d->name))
			say(path, "set");
		break;
	default:
		break;
	}
}

static void say_message(const char *path, const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
		const char *at = (const char *)m + d->offset;
		const char *name = text("%s.%s", path, d->name);
		size_t n;

		if (d->label != PROTOBUF_C_LABEL_REPEATED) {
			say_field(name, d, at);
			continue;
		}
		n = *(const size_t *)(const void *)((const char *)m +
						    d->quantifier_offset);
		if (d->type != PROTOBUF_C_TYPE_MESSAGE || strstr(name, "blkio")) {
			say(name, "%s", n ? "some" : "none");
			continue;
		}
		for (size_t k = 0; k < n; k++)
			say_field(text("%s[%zu]", name, k), d,
				  &(*(ProtobufCMessage *const *const *)(const void *)
					    at)[k]);
	}
}

void do_stats(const char *id)
{
	Task__StatsRequest q = TASK__STATS_REQUEST__INIT;
	const Google__Protobuf__Any *any;
	struct answer *a;
	ProtobufCMessage *m;
	bool v1;

	q.id = text("%s", id);
	a = await(ask("Stats", &q));
	if (a->code != TTRPC_OK || !a->reply) {
		told(a, "Stats %s", id);
		return;
	}
	any = ((const Task__StatsResponse *)(const void *)a->reply)->stats;
	say(text("Stats %s", id), "OK %s", any ? any->type_url : "nothing");
	if (!any)
		return;
	v1 = strstr(any->type_url, ".v1.");
	m = protobuf_c_message_unpack(v1 ? &metrics_v1__metrics__descriptor
					 : &metrics_v2__metrics__descriptor,
				      NULL, any->value.len, any->value.data);
	if (!m) {
		say("Stats", "cannot be decoded");
		return;
	}
	say_message("Stats", m);
	protobuf_c_message_free_unpacked(m, NULL);
}
