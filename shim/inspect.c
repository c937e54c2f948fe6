/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Inspect service: everything that the shim knows, as JSON, for people who
 * want to see what it is doing. Answered from memory, in one go; of a pod with
 * more in it than LIMIT_INSPECT the rest is left out ("truncated").
 */
#include <string.h>
#include <sys/stat.h>

#include "inspect.pb-c.h"
#include "shim/limits.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"
#include "spec/json.h"
#include "version.h"


/* --------------------------------------------------------------- members */

static void put_text(struct json_out *o, const char *key, const char *value)
{
	if (!value)
		return;
	json_out_key(o, key);
	json_out_string(o, value, strlen(value));
}

static void put_int(struct json_out *o, const char *key, int64_t value)
{
	json_out_key(o, key);
	json_out_int(o, value);
}

static void put_bool(struct json_out *o, const char *key, bool value)
{
	json_out_key(o, key);
	json_out_bool(o, value);
}

static void open_object(struct json_out *o, const char *key)
{
	json_out_key(o, key);
	json_out_open(o, '{');
}

/* Milliseconds until a timer fires; nothing if it is not armed. */
static void put_timer(struct json_out *o, const char *key, const struct timer *t)
{
	uint64_t now = loop_now();

	if (timer_is_armed(t))
		put_int(o, key, t->due > now ? (int64_t)((t->due - now) / LOOP_MSEC) : 0);
}

static int64_t length(const struct list *head)
{
	int64_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

/* ------------------------------------------------------------- a process */

static void put_stream(struct json_out *o, const char *key, const struct io_stream *s)
{
	static const char *const states[] = {
		[RELAY_IDLE] = "idle",
		[RELAY_SPLICE] = "splice",
		[RELAY_COPY] = "copy",
		[RELAY_DROP] = "drop",
		[RELAY_DISCARD] = "discard",
	};

	/* To a file the container writes without us, unless it has a log policy. */
	const struct relay *relay = s->file && !s->pace ? &s->file->relay : &s->relay;
	uint64_t lost = s->relay.lost + (s->file ? s->file->lost + s->file->relay.lost : 0);

	if (!s->path)
		return;
	open_object(o, key);
	put_text(o, "path", s->path);
	put_bool(o, "ended", s->done);
	put_text(o, "relay", states[relay->state]);
	put_int(o, "moved_bytes", (int64_t)relay->moved);
	put_int(o, "lost_bytes", (int64_t)lost);
	if (s->pace) {
		put_text(o, "log_policy", s->pace->policy.drop ? "drop" : "block");
		put_int(o, "log_rate", (int64_t)s->pace->policy.rate);
		put_int(o, "dropped_bytes", (int64_t)s->pace->dropped);
	}
	if (relay->sink_error)
		put_text(o, "sink_error", err_strerror(relay->sink_error));
	json_out_close(o, '}');
}

static void put_io(struct json_out *o, const struct io *io)
{
	open_object(o, "io");
	put_bool(o, "terminal", io->terminal);
	for (int i = 0; i < IO_STREAMS; i++)
		put_stream(o, io_names[i], &io->streams[i]);
	put_bool(o, "stdin_kept_open", io->keep_alive >= 0);
	put_timer(o, "open_retry_ms", &io->retry);
	put_timer(o, "drain_left_ms", &io->drain);
	if (io->terminal) {
		put_bool(o, "tty_runs", io->tty.loop);
		put_int(o, "tty_moved_bytes", (int64_t)io->tty.moved);
		put_int(o, "tty_lost_bytes", (int64_t)io->tty.lost);
	}
	if (child_is_watched(&io->logger.child))
		put_int(o, "logger_pid", io->logger.child.pid);
	json_out_close(o, '}');
}

static void put_ops(struct json_out *o, const char *key, struct list *ops)
{
	struct op *op;

	json_out_key(o, key);
	json_out_open(o, '[');
	list_for_each(op, ops, link) {
		json_out_open(o, '{');
		put_text(o, "call", op->call ? op->call->method->name : NULL);
		put_bool(o, "begun", op->begun);
		if (op->begun && command_is_running(&op->command)) {
			put_text(o, "command", op->command.what);
			put_int(o, "pid", op->command.child.pid);
			put_timer(o, "time_left_ms", &op->command.deadline);
			put_bool(o, "timed_out", op->command.timed_out);
		}
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

static void put_exit(struct json_out *o, const struct process *p)
{
	if (p->exited_at.tv_sec == TIME_ZERO)
		return;
	open_object(o, "exit");
	put_int(o, "status", p->exit_status);
	put_int(o, "at", p->exited_at.tv_sec);
	put_int(o, "nanos", p->exited_at.tv_nsec);
	json_out_close(o, '}');
}

static void put_process(struct json_out *o, struct process *p)
{
	json_out_open(o, '{');
	put_text(o, "id", process_is_init(p) ? p->container->id : p->id);
	put_text(o, "state", p->pausing ? "pausing" : state_name(p->state));
	put_int(o, "pid", p->pid);
	put_bool(o, "watched", child_is_watched(&p->child));
	put_exit(o, p);
	if (p->started)
		put_int(o, "running_ms",
			(int64_t)((loop_now() - p->started) / LOOP_MSEC));
	put_bool(o, "in_transition", p->in_transition);
	put_bool(o, "sigkill_asked", p->sigkill_asked);
	put_int(o, "document_bytes", (int64_t)p->document_len);
	put_int(o, "waiters", length(&p->waiters));
	put_ops(o, "ops", &p->ops);
	put_ops(o, "asides", &p->asides);
	put_io(o, &p->io);
	json_out_close(o, '}');
}

/* ----------------------------------------------------------- a container */

static void put_cgroup(struct json_out *o, const struct cgroup *cg)
{
	static const char *const names[N_CGROUP_CONTROLLERS] = {
		[CGROUP_PIDS] = "pids",	      [CGROUP_DEVICES] = "devices",
		[CGROUP_FREEZER] = "freezer", [CGROUP_MEMORY] = "memory",
		[CGROUP_CPU] = "cpu",	      [CGROUP_SYSTEMD] = "systemd",
		[CGROUP_CPUACCT] = "cpuacct", [CGROUP_BLKIO] = "blkio",
		[CGROUP_HUGETLB] = "hugetlb", [CGROUP_RDMA] = "rdma",
	};

	open_object(o, "cgroup");
	put_int(o, "version", cg->unified ? 2 : 1);
	put_bool(o, "known", cgroup_is_known(cg));
	for (int i = 0; i < N_CGROUP_CONTROLLERS; i++) {
		_cleanup_free_ char *path = NULL;

		if (!cgroup_has(cg, i))
			continue;
		path = str_printf("%s%s", cgroup_point(cg, i), cgroup_path(cg, i));
		put_text(o, cg->unified ? "path" : names[i], path);
		if (cg->unified)
			break;
	}
	put_bool(o, "shared_with_us", cg->shared);
	json_out_close(o, '}');
}

static void put_oom(struct json_out *o, const struct oom *oom)
{
	open_object(o, "oom");
	put_bool(o, "watched", oom->watch.loop);
	put_int(o, "kills", (int64_t)oom->kills);
	json_out_close(o, '}');
}

static void put_settings(struct json_out *o, const struct container *c)
{
	put_text(o, "runtime", c->runtime);
	put_text(o, "runtime_root", c->root);
	put_bool(o, "systemd_cgroup", c->systemd_cgroup);
	put_bool(o, "no_pivot_root", c->options.no_pivot_root);
	put_bool(o, "no_new_keyring", c->options.no_new_keyring);
	put_int(o, "io_uid", c->options.io_uid);
	put_int(o, "io_gid", c->options.io_gid);
	put_text(o, "group", c->spec.group);
	put_text(o, "cgroups_path", c->spec.cgroups_path);
	put_bool(o, "private_pid_namespace", c->spec.private_pid_ns);
	put_text(o, "checkpoint", c->checkpoint);
}

/* False: there was no room for all of it. */
static bool put_execs(struct json_out *o, struct container *c)
{
	struct process *p;
	bool all = true;

	json_out_key(o, "execs");
	json_out_open(o, '[');
	list_for_each(p, &c->execs, link) {
		if (o->len > LIMIT_INSPECT)
			all = false;
		else
			put_process(o, p);
	}
	json_out_close(o, ']');
	return all;
}

static bool put_container(struct json_out *o, struct container *c)
{
	bool all;

	json_out_open(o, '{');
	put_text(o, "id", c->id);
	put_text(o, "bundle", c->bundle);
	put_bool(o, "ready", c->ready);
	put_settings(o, c);
	put_bool(o, "rootfs_mounted", c->mounted);
	put_cgroup(o, &c->cgroup);
	put_oom(o, &c->oom);
	put_bool(o, "init_dead", c->init_dead);
	put_bool(o, "killing_remains", c->killing);
	put_timer(o, "exec_drain_left_ms", &c->exec_drain);
	json_out_key(o, "init");
	put_process(o, &c->init);
	put_int(o, "n_execs", c->n_execs);
	put_int(o, "n_live_execs", c->n_live_execs);
	all = put_execs(o, c);
	json_out_close(o, '}');
	return all;
}

static bool put_containers(struct json_out *o, struct shim *s, const char *id)
{
	struct container *c;
	bool all = true;

	json_out_key(o, "containers");
	json_out_open(o, '[');
	list_for_each(c, &s->containers, link) {
		if (*id && strcmp(id, c->id) != 0)
			continue;
		if (o->len > LIMIT_INSPECT)
			all = false;
		else
			all &= put_container(o, c);
	}
	json_out_close(o, ']');
	return all;
}

/* -------------------------------------------------------------- the shim */

static void put_limits(struct json_out *o, const struct limits *l)
{
	open_object(o, "limits");
	put_int(o, "runtime_ms", l->runtime_ms);
	put_int(o, "mount_ms", l->mount_ms);
	put_int(o, "fifo_ms", (int64_t)(l->fifo_ns / LOOP_MSEC));
	put_int(o, "drain_ms", (int64_t)(l->drain_ns / LOOP_MSEC));
	put_int(o, "exec_drain_ms", (int64_t)(l->exec_drain_ns / LOOP_MSEC));
	put_int(o, "unread_ms", (int64_t)(l->unread_ns / LOOP_MSEC));
	put_int(o, "lease_ms", (int64_t)(l->lease_ns / LOOP_MSEC));
	put_int(o, "event_bytes", LIMIT_EVENT_BYTES);
	put_int(o, "containers", LIMIT_CONTAINERS);
	put_int(o, "execs", LIMIT_EXECS);
	json_out_close(o, '}');
}

static void put_events(struct json_out *o, const struct event_queue *q)
{
	open_object(o, "events");
	put_text(o, "address", q->path);
	put_bool(o, "connected", q->client.conn);
	put_bool(o, "under_way", q->request.client);
	put_int(o, "queued", length(&q->events));
	put_int(o, "bytes", (int64_t)q->bytes);
	put_int(o, "dropped", (int64_t)q->dropped);
	put_int(o, "failed_attempts", q->attempts);
	put_bool(o, "waiting_for_socket", q->folder.loop);
	put_timer(o, "retry_ms", &q->retry);
	json_out_close(o, '}');
}

static int64_t ops_of(struct container *c)
{
	int64_t n = length(&c->init.ops) + length(&c->init.asides);
	struct process *p;

	list_for_each(p, &c->execs, link)
		n += length(&p->ops) + length(&p->asides);
	return n;
}

static int64_t count_ops(struct shim *s)
{
	struct container *c;
	int64_t n = 0;

	list_for_each(c, &s->containers, link)
		n += ops_of(c);
	return n;
}

static void put_shim(struct json_out *o, struct shim *s)
{
	put_text(o, "version", BRASS_VERSION);
	put_text(o, "revision", BRASS_REVISION);
	put_text(o, "runtime_type", s->runtime_name);
	put_int(o, "pid", getpid());
	put_text(o, "namespace", s->ns);
	put_text(o, "socket", s->socket.path);
	put_bool(o, "leaving", s->leaving);
	put_bool(o, "going", s->going);
	put_timer(o, "lease_left_ms", &s->lease);
	put_int(o, "connections", s->server.n_conns);
	/* Without the one that asks. */
	put_int(o, "calls", (int64_t)s->server.n_calls - 1);
	put_int(o, "orphaned_calls", length(&s->server.orphans));
	put_int(o, "ops", count_ops(s));
	put_int(o, "n_containers", s->n_containers);
	put_int(o, "watched_children", length(&s->reaper.children));
	put_int(o, "births_under_way", length(&s->reaper.births));
	put_int(o, "armed_timers", length(&s->loop.timers));
}

static void handle(struct ttrpc_call *call, const ProtobufCMessage *request)
{
	const Inspect__StateRequest *q = (const void *)request;
	Inspect__StateResponse m = INSPECT__STATE_RESPONSE__INIT;
	struct shim *s = call->service->data;
	struct json_out o = JSON_OUT_INIT;
	_cleanup_free_ char *json = NULL;
	bool all;

	json_out_open(&o, '{');
	put_shim(&o, s);
	put_limits(&o, &s->limits);
	put_events(&o, &s->events);
	all = put_containers(&o, s, q->id);
	put_bool(&o, "truncated", !all);
	json_out_close(&o, '}');
	json = json_out_take(&o, &m.json.len);
	if (!json) {
		ttrpc_call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	m.json.data = (uint8_t *)json;
	ttrpc_call_reply(call, &m.base);
	/* What this took is given back when the connection closes (serve.c). */
}

void inspect_open(struct shim *s)
{
	s->inspect = (struct ttrpc_service){
		.name = inspect__inspect__descriptor.name,
		.descriptor = &inspect__inspect__descriptor,
		.handle = handle,
		.data = s,
	};
	ttrpc_server_add(&s->server, &s->inspect);
}
