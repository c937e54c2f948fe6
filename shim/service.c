/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Task service (contract 3.1, 4), under its two names: one row per method,
 * one short function per row. Looking up what a request names is done once, for
 * all (dispatch()); what takes time is handed on (create.c, launch.c, remove.c).
 * The only file that knows the messages of the service.
 */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "runc_options.pb-c.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/mount.h"
#include "shim/options.h"
#include "shim/shim.h"
#include "shim/stats.h"
#include "shim/util.h"
#include "shim/verdict.h"
#include "task.pb-c.h"

/* A call whose container and process have been found. */
struct request {
	struct shim *shim;
	struct ttrpc_call *call;
	const void *message; /* of method->input */
	struct container *container;
	struct process *process;
};

enum target { NOTHING, CONTAINER, PROCESS };

struct method {
	const char *name;
	void (*handle)(struct request *r);
	size_t id, exec_id; /* where the message names what must exist */
	enum target target; /* what that is */
	enum verb verb;     /* it must be in a state for; N_VERBS: any, or looked at later */
};

/* --------------------------------------------------------------- replies */

void service_reply_empty(struct ttrpc_call *call)
{
	const Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;

	ttrpc_call_reply(call, &m.base);
}

static Google__Protobuf__Timestamp timestamp(struct timespec t)
{
	Google__Protobuf__Timestamp m = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	m.seconds = t.tv_sec;
	m.nanos = (int32_t)t.tv_nsec;
	return m;
}

void service_reply_created(struct ttrpc_call *call, const struct process *init)
{
	Task__CreateTaskResponse m = TASK__CREATE_TASK_RESPONSE__INIT;

	m.pid = (uint32_t)init->pid;
	ttrpc_call_reply(call, &m.base);
}

void service_reply_started(struct ttrpc_call *call, const struct process *p)
{
	Task__StartResponse m = TASK__START_RESPONSE__INIT;

	m.pid = (uint32_t)p->pid;
	ttrpc_call_reply(call, &m.base);
}

void service_reply_deleted(struct ttrpc_call *call, const struct exit_record *x)
{
	Task__DeleteResponse m = TASK__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = timestamp(x->at);

	m.pid = (uint32_t)x->pid;
	m.exit_status = (uint32_t)x->status;
	m.exited_at = &at;
	ttrpc_call_reply(call, &m.base);
}

void service_reply_waited(struct ttrpc_call *call, const struct process *p)
{
	Task__WaitResponse m = TASK__WAIT_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = timestamp(p->exited_at);

	m.exit_status = (uint32_t)p->exit_status;
	m.exited_at = &at;
	ttrpc_call_reply(call, &m.base);
}

/* --------------------------------------------------------------- methods */

static void handle_create(struct request *r)
{
	const Task__CreateTaskRequest *m = r->message;
	const Google__Protobuf__Any *options = m->options;
	struct mount *mounts = ttrpc_call_alloc(r->call, m->n_rootfs * sizeof(*mounts) + 1);
	struct create_request create = {
		.id = m->id,
		.bundle = m->bundle,
		.checkpoint = m->checkpoint,
		.stdio = { m->stdin, m->stdout, m->stderr },
		.terminal = m->terminal,
		.rootfs = mounts,
		.n_rootfs = m->n_rootfs,
	};
	struct err e = ERR_INIT;

	if (!mounts) {
		err_nomem(&e);
		err_reply(r->call, &e);
		return;
	}
	for (size_t i = 0; i < m->n_rootfs; i++)
		mounts[i] = (struct mount){
			.type = m->rootfs[i]->type,
			.source = m->rootfs[i]->source,
			.target = m->rootfs[i]->target,
			.options = m->rootfs[i]->options,
			.n_options = m->rootfs[i]->n_options,
		};
	if (options && options_decode(options->type_url, options->value.data,
				      options->value.len, &create.options, &e) < 0) {
		spec_options_release(&create.options);
		err_reply(r->call, &e);
		return;
	}
	create_begin(r->shim, r->call, &create);
}

static void handle_start(struct request *r)
{
	launch_begin(r->process, r->call);
}

static void handle_delete(struct request *r)
{
	remove_begin(r->process, r->call);
}

/* An exec of a paused container is paused, whatever its own state (contract 4.4). */
static Types__Status public_status(const struct process *p)
{
	const struct process *init = &p->container->init;
	static const Types__Status map[N_PROC_STATES] = {
		[PROC_CREATED] = TYPES__STATUS__CREATED,
		[PROC_CREATED_CHECKPOINT] = TYPES__STATUS__CREATED,
		[PROC_RUNNING] = TYPES__STATUS__RUNNING,
		[PROC_PAUSED] = TYPES__STATUS__PAUSED,
		[PROC_STOPPED] = TYPES__STATUS__STOPPED,
		[PROC_DELETED] = TYPES__STATUS__STOPPED,
	};

	if (init->pausing && p->state != PROC_STOPPED)
		return TYPES__STATUS__PAUSING;
	if (init->state == PROC_PAUSED)
		return TYPES__STATUS__PAUSED;
	return map[p->state];
}

static void handle_state(struct request *r)
{
	const struct process *p = r->process;
	Task__StateResponse m = TASK__STATE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = timestamp(p->exited_at);

	m.id = process_is_init(p) ? r->container->id : p->id;
	m.bundle = r->container->bundle;
	m.pid = (uint32_t)p->pid;
	m.status = public_status(p);
	m.stdin = p->stdin_path;
	m.stdout = p->stdout_path;
	m.stderr = p->stderr_path;
	m.terminal = p->terminal;
	if (p->state == PROC_STOPPED)
		m.exit_status = (uint32_t)p->exit_status;
	else
		at.seconds = TIME_ZERO, at.nanos = 0;
	m.exited_at = &at;
	ttrpc_call_reply(r->call, &m.base);
}

static void on_wait_cancelled(struct ttrpc_call *call, enum ttrpc_code why)
{
	list_del(&call->link);
	ttrpc_call_fail(call, why, "wait: nobody listens any more");
}

/* How many Waits for @p have the connection of @call; *second: the second of them. */
static unsigned count_waits(const struct process *p, const struct ttrpc_call *call,
			    struct ttrpc_call **second)
{
	struct ttrpc_call *wait;
	unsigned n = 0;

	list_for_each(wait, &p->waiters, link)
		if (ttrpc_call_same_conn(wait, call) && ++n == 2)
			*second = wait;
	return n;
}

/* The one to be given up first. */
struct spare {
	struct ttrpc_call *wait; /* NULL: none */
	unsigned n; /* as many its process has of this connection */
};

static void look_for_spare(struct spare *spare, const struct process *p,
			   const struct ttrpc_call *call)
{
	struct ttrpc_call *second = NULL;
	unsigned n = count_waits(p, call, &second);

	if (second && n > spare->n)
		*spare = (struct spare){ second, n };
}

static void look_for_spare_in(struct spare *spare, const struct container *c,
			      const struct ttrpc_call *call)
{
	const struct process *exec;

	look_for_spare(spare, &c->init, call);
	list_for_each(exec, &c->execs, link)
		look_for_spare(spare, exec, call);
}

/*
 * Clients leave their Waits without a word, so which ones nobody listens to is not known.
 * Of the process that has most of them the first is its monitor's, and the last ones may
 * be young: the second goes. Returns whether there was one.
 */
static bool give_up_a_wait(const struct request *r)
{
	struct spare spare = { NULL, 0 };
	const struct container *c;

	list_for_each(c, &r->shim->containers, link)
		look_for_spare_in(&spare, c, r->call);
	if (!spare.wait)
		return false;
	list_del(&spare.wait->link);
	ttrpc_call_fail(spare.wait, TTRPC_RESOURCE_EXHAUSTED,
			"wait: given up for a later one: this connection has %u for the process",
			spare.n);
	return true;
}

static void handle_wait(struct request *r)
{
	if (r->process->state == PROC_STOPPED || r->process->start_failed) {
		service_reply_waited(r->call, r->process);
		return;
	}
	if (!ttrpc_call_may_wait(r->call) && !give_up_a_wait(r)) {
		ttrpc_call_fail(r->call, TTRPC_RESOURCE_EXHAUSTED,
				"wait: as many calls are in flight as may be, and no other Wait of "
				"this connection is one of many for its process");
		return;
	}
	r->call->cancel = on_wait_cancelled;
	list_append(&r->process->waiters, &r->call->link);
}

static void handle_kill(struct request *r)
{
	const Task__KillRequest *m = r->message;
	struct err e = ERR_INIT;

	if (m->signal > INT_MAX) {
		err_set(&e, TTRPC_INVALID_ARGUMENT, "%u is no signal", m->signal);
		err_reply(r->call, &e);
		return;
	}
	kill_begin(r->process, (int)m->signal, m->all, r->call);
}

/* Packs the ProcessDetails of an exec into the call's memory. */
static bool add_details(struct ttrpc_call *call, Types__ProcessInfo *info, const char *exec_id)
{
	Runc__ProcessDetails d = RUNC__PROCESS_DETAILS__INIT;
	Google__Protobuf__Any *any = ttrpc_call_alloc(call, sizeof(*any));

	d.exec_id = (char *)exec_id;
	if (!any)
		return false;
	*any = (Google__Protobuf__Any)GOOGLE__PROTOBUF__ANY__INIT;
	any->type_url = (char *)d.base.descriptor->name;
	any->value.len = protobuf_c_message_get_packed_size(&d.base);
	any->value.data = ttrpc_call_alloc(call, any->value.len);
	if (!any->value.data)
		return false;
	protobuf_c_message_pack(&d.base, any->value.data);
	info->info = any;
	return true;
}

static bool fill_pids(struct ttrpc_call *call, Task__PidsResponse *m, struct container *c,
		      const pid_t *pids, size_t n)
{
	Types__ProcessInfo *infos = ttrpc_call_alloc(call, n * sizeof(*infos) + 1);
	struct process *exec;

	m->processes = ttrpc_call_alloc(call, n * sizeof(*m->processes) + 1);
	if (!infos || !m->processes)
		return false;
	for (size_t i = 0; i < n; i++) {
		infos[i] = (Types__ProcessInfo)TYPES__PROCESS_INFO__INIT;
		infos[i].pid = (uint32_t)pids[i];
		m->processes[m->n_processes++] = &infos[i];
		list_for_each(exec, &c->execs, link)
			if (exec->pid == pids[i] && !add_details(call, &infos[i], exec->id))
				return false;
	}
	return true;
}

void service_reply_pids(struct ttrpc_call *call, struct container *c, const pid_t *pids,
			size_t n)
{
	Task__PidsResponse m = TASK__PIDS_RESPONSE__INIT;
	struct err e;

	if (fill_pids(call, &m, c, pids, n)) {
		ttrpc_call_reply(call, &m.base);
	} else {
		err_nomem(&e);
		err_reply(call, &e);
	}
}

static void handle_pids(struct request *r)
{
	pids_begin(r->container, r->call);
}

static int check_exec(struct request *r, const Task__ExecProcessRequest *m, struct err *e)
{
	if (!is_identifier(m->exec_id))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "exec id \"%s\" is no identifier",
			       m->exec_id);
	if (container_process(r->container, m->exec_id))
		return err_set(e, TTRPC_ALREADY_EXISTS, "id %s", m->exec_id);
	if (r->container->n_execs >= LIMIT_EXECS)
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED, "container %s has %u execs",
			       r->container->id, r->container->n_execs);
	if (!m->spec)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "exec %s has no process document",
			       m->exec_id);
	if (r->container->document_bytes + m->spec->value.len > LIMIT_DOCUMENTS)
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED, "container %s has %zu bytes of "
			       "execs that have not been started", r->container->id,
			       r->container->document_bytes);
	return 0;
}

static int new_exec(struct request *r, const Task__ExecProcessRequest *m, struct err *e)
{
	struct spec_error se;
	struct process *p = process_new_exec(r->container, m->exec_id);

	if (!p)
		return err_nomem(e);
	if (!str_copy(&p->stdin_path, m->stdin) || !str_copy(&p->stdout_path, m->stdout) ||
	    !str_copy(&p->stderr_path, m->stderr)) {
		err_nomem(e);
	} else if (verdict_process((const char *)m->spec->value.data, m->spec->value.len, e) < 0) {
		err_prefix(e, "exec %s", m->exec_id);
	} else if (spec_process_set_terminal((const char *)m->spec->value.data,
					     m->spec->value.len, m->terminal, &p->document,
					     &p->document_len, &se) < 0) {
		err_set(e, TTRPC_INVALID_ARGUMENT, "exec %s: %s", m->exec_id, se.text);
	} else {
		p->terminal = m->terminal;
		r->container->document_bytes += p->document_len;
		r->process = p;
		return 0;
	}
	process_free_exec(p);
	return -e->code;
}

static void handle_exec(struct request *r)
{
	const Task__ExecProcessRequest *m = r->message;
	struct event *memory = event_reserve(&r->shim->events, m->id, m->exec_id);
	struct err e = ERR_INIT;

	if (!memory)
		err_nomem(&e);
	if (!memory || check_exec(r, m, &e) < 0 || new_exec(r, m, &e) < 0) {
		free(memory);
		err_reply(r->call, &e);
		return;
	}
	event_exec_added(&r->shim->events, r->process, memory);
	service_reply_empty(r->call);
}

static void handle_close_io(struct request *r)
{
	io_close_stdin(&r->process->io);
	service_reply_empty(r->call);
}

static void handle_pause(struct request *r)
{
	control_pause(r->process, r->call);
}

static void handle_resume(struct request *r)
{
	control_resume(r->process, r->call);
}

static void handle_update(struct request *r)
{
	const Task__UpdateTaskRequest *m = r->message;
	struct err e;

	if (m->resources) {
		control_update(r->process, r->call, m->resources->value.data,
			       m->resources->value.len);
		return;
	}
	err_set(&e, TTRPC_INVALID_ARGUMENT, "update without resources");
	err_reply(r->call, &e);
}

/*
 * Two messages with the same numbers up to 7, and 8 and 9 the other way round
 * (contract 7.2): only their type tells them apart.
 */
static int decode_checkpoint(struct ttrpc_call *call, const Google__Protobuf__Any *any,
			     struct checkpoint_request *c, struct err *e)
{
	const ProtobufCMessageDescriptor *d = &runc__checkpoint_options__descriptor;
	const Runc__CheckpointOptions *m;
	ProtobufCMessage *decoded;
	const char *slash;

	c->work_path = c->parent_path = "";
	if (!any || any->value.len == 0)
		return 0;
	slash = strrchr(any->type_url, '/');
	slash = slash ? slash + 1 : any->type_url;
	if (strcmp(slash, d->name) != 0 &&
	    strcmp(slash, "containerd.linux.runc.CheckpointOptions") != 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT,
			       "checkpoint options of the unknown type \"%s\"", any->type_url);
	if (ttrpc_call_unpack(call, d, any->value.data, any->value.len, &decoded) < 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "the options are no valid %s", slash);
	m = (const void *)decoded;
	c->exit = m->exit;
	c->open_tcp = m->open_tcp;
	c->external_unix_sockets = m->external_unix_sockets;
	c->terminal = m->terminal;
	c->file_locks = m->file_locks;
	c->empty_namespaces = m->empty_namespaces;
	c->n_empty_namespaces = m->n_empty_namespaces;
	c->work_path = strcmp(slash, d->name) == 0 ? m->work_path : m->image_path;
	c->parent_path = m->parent_path;
	return 0;
}

static void handle_checkpoint(struct request *r)
{
	const Task__CheckpointTaskRequest *m = r->message;
	struct checkpoint_request c = { .path = m->path };
	struct err e = ERR_INIT;

	if (!checkpoint_supported(&e) || decode_checkpoint(r->call, m->options, &c, &e) < 0)
		err_reply(r->call, &e);
	else
		checkpoint_begin(r->process, r->call, &c);
}

static void handle_resize(struct request *r)
{
	const Task__ResizePtyRequest *m = r->message;
	struct err e = ERR_INIT;

	if (io_resize(&r->process->io, (uint16_t)m->width, (uint16_t)m->height, &e) < 0)
		err_reply(r->call, &e);
	else
		service_reply_empty(r->call);
}

/* Never an error: it is how containerd finds out whether a shim lives (contract 1.15). */
static void handle_connect(struct request *r)
{
	const Task__ConnectRequest *m = r->message;
	const struct container *c = container_find(r->shim, m->id, false);
	Task__ConnectResponse reply = TASK__CONNECT_RESPONSE__INIT;

	reply.shim_pid = (uint32_t)getpid();
	reply.task_pid = c ? (uint32_t)c->init.pid : 0;
	ttrpc_call_reply(r->call, &reply.base);
}

static void handle_shutdown(struct request *r)
{
	/* The socket must be gone when the answer arrives (contract 1.11). */
	serve_shutdown(r->shim);
	service_reply_empty(r->call);
}

static void handle_stats(struct request *r)
{
	const struct cgroup *cg = &r->container->cgroup;
	Task__StatsResponse m = TASK__STATS_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	_cleanup_(pack_release) struct pack metrics = PACK_INIT;
	struct err e = ERR_INIT;

	container_look_again(r->container);
	if (stats_pack(cg, "", &metrics, &e) < 0) {
		err_reply(r->call, &e);
		return;
	}
	any.type_url = (char *)stats_type(cg);
	any.value = (ProtobufCBinaryData){ .len = metrics.len, .data = metrics.data };
	m.stats = &any;
	ttrpc_call_reply(r->call, &m.base);
}

/* -------------------------------------------------------------- dispatch */

#define IN_CONTAINER(type) .target = CONTAINER, .id = offsetof(type, id)
#define IN_PROCESS(type)                                                    \
	.target = PROCESS, .id = offsetof(type, id), .exec_id = offsetof(type, exec_id)

static const struct method methods[] = {
	{ "Create", handle_create, .verb = N_VERBS },
	{ "Connect", handle_connect, .verb = N_VERBS },
	{ "Shutdown", handle_shutdown, .verb = N_VERBS },
	{ "Pids", handle_pids, IN_CONTAINER(Task__PidsRequest), .verb = N_VERBS },
	{ "Stats", handle_stats, IN_CONTAINER(Task__StatsRequest), .verb = N_VERBS },
	{ "Exec", handle_exec, IN_CONTAINER(Task__ExecProcessRequest), .verb = VERB_EXEC },
	{ "Start", handle_start, IN_PROCESS(Task__StartRequest), .verb = N_VERBS },
	{ "Delete", handle_delete, IN_PROCESS(Task__DeleteRequest), .verb = N_VERBS },
	{ "State", handle_state, IN_PROCESS(Task__StateRequest), .verb = N_VERBS },
	{ "Wait", handle_wait, IN_PROCESS(Task__WaitRequest), .verb = N_VERBS },
	{ "Kill", handle_kill, IN_PROCESS(Task__KillRequest), .verb = N_VERBS },
	{ "Pause", handle_pause, IN_CONTAINER(Task__PauseRequest), .verb = N_VERBS },
	{ "Resume", handle_resume, IN_CONTAINER(Task__ResumeRequest), .verb = N_VERBS },
	{ "Update", handle_update, IN_CONTAINER(Task__UpdateTaskRequest), .verb = N_VERBS },
	{ "Checkpoint", handle_checkpoint, IN_CONTAINER(Task__CheckpointTaskRequest),
	  .verb = N_VERBS },
	{ "ResizePty", handle_resize, IN_PROCESS(Task__ResizePtyRequest), .verb = VERB_RESIZE },
	{ "CloseIO", handle_close_io, IN_PROCESS(Task__CloseIORequest), .verb = N_VERBS },
};

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static const char *text_at(const void *message, size_t offset)
{
	return *(char *const *)((const void *)((const char *)message + offset));
}

static int find_target(const struct method *m, struct request *r, struct err *e)
{
	const char *exec_id;

	if (m->target == NOTHING)
		return 0;
	r->container = container_find(r->shim, text_at(r->message, m->id), false);
	if (!r->container)
		return err_set(e, TTRPC_NOT_FOUND, "container not created");
	exec_id = m->target == PROCESS ? text_at(r->message, m->exec_id) : "";
	r->process = container_process(r->container, exec_id);
	if (!r->process)
		return err_set(e, TTRPC_NOT_FOUND, "process does not exist %s", exec_id);
	if (m->verb == N_VERBS)
		return 0;
	return state_check(m->verb, *exec_id != 0, r->process->state, e);
}

static void dispatch(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	const struct method *m = find_method(call->method->name);
	struct request r = { .shim = call->service->data, .call = call, .message = message };
	struct err e = ERR_INIT;

	assert(m); /* the descriptor has no method that the table has not */
	if (find_target(m, &r, &e) < 0)
		err_reply(call, &e);
	else
		m->handle(&r);
}

void service_open(struct shim *s)
{
	s->task_v3 = (struct ttrpc_service){
		.name = "containerd.task.v3.Task",
		.descriptor = &task__task__descriptor,
		.handle = dispatch,
		.data = s,
	};
	/* Each method has a row: the library knows no others, so dispatch() need not ask. */
	for (unsigned i = 0; i < task__task__descriptor.n_methods; i++)
		assert(find_method(task__task__descriptor.methods[i].name));
	s->task_v2 = s->task_v3;
	s->task_v2.name = "containerd.task.v2.Task";
	ttrpc_server_add(&s->server, &s->task_v2);
	ttrpc_server_add(&s->server, &s->task_v3);
}
