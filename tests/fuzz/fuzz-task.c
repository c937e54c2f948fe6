/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Task service as it is: requests of any bytes go through a socket, are decoded,
 * dispatched and judged by service.c, and become containers, execs, ops and events.
 * Only what runs a runtime is a stub (the second part of this file): it goes from
 * state to state by itself. All replies are frames that decode as what their method
 * returns, and at the end nothing is owed or held.
 *
 * The input is one byte of options, then records: a method (or something else that
 * happens), the length of the request in two bytes, the request.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.pb-c.h"
#include "shim/log.h"
#include "shim/mount.h"
#include "shim/op.h"
#include "shim/shim.h"
#include "shim/util.h"
#include "spec/json.h"
#include "task.pb-c.h"
#include "tests/fuzz/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	AT_ONCE = 1, /* ops end as soon as they begin, else when a record says so */
	V2 = 2, /* the older name of the service */
};
/* What a record may be beside a method. */
enum { INSPECT = 17, END_OPS, END_PROCESS, N_RECORDS };
#define MAX_CALLS 512

static struct fuzz {
	struct shim shim;
	unsigned how;
	int peer;
	struct frame_reader reader;
	unsigned n_calls, n_replies;
	const ProtobufCMessageDescriptor *outputs[MAX_CALLS];
} fuzz;

/* ---------------------------------------------------------------- replies */

static void check_json(const ProtobufCMessage *m)
{
	const Inspect__StateResponse *r = (const void *)m;
	struct spec_error se = { .text = "" };
	struct json_doc doc = { .name = "inspect", .error = &se };

	if (json_parse(&doc, (const char *)r->json.data, r->json.len) < 0) {
		fprintf(stderr, "%s\n", se.text);
		abort();
	}
}

static void check_reply(const struct frame *f)
{
	ProtobufCMessage *m, *inner;
	TtrpcPb__Response *r;

	assert(f->type == FRAME_RESPONSE && f->flags == 0 && !f->error);
	assert(f->stream % 2 == 1 && f->stream / 2 < fuzz.n_calls);
	fuzz.n_replies++;
	m = protobuf_c_message_unpack(&ttrpc_pb__response__descriptor, NULL, f->length,
				      f->payload);
	assert(m);
	r = (TtrpcPb__Response *)(void *)m;
	if (r->status) {
		assert(r->status->code > 0 && *r->status->message);
	} else {
		inner = protobuf_c_message_unpack(fuzz.outputs[f->stream / 2], NULL,
						  r->payload.len, r->payload.data);
		assert(inner);
		if (inner->descriptor == &inspect__state_response__descriptor)
			check_json(inner);
		protobuf_c_message_free_unpacked(inner, NULL);
	}
	protobuf_c_message_free_unpacked(m, NULL);
}

static void run_loop(void)
{
	static uint8_t scratch[65536];
	ssize_t n;

	assert(loop_round(&fuzz.shim.loop, 0) == 0);
	while ((n = recv(fuzz.peer, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0) {
		const uint8_t *in = scratch;
		size_t len = (size_t)n;
		struct frame f;

		while (frame_reader_next(&fuzz.reader, &in, &len, &f)) {
			check_reply(&f);
			frame_reader_release(&fuzz.reader);
		}
	}
}

/* ------------------------------------------------------------------ stubs */

struct stub {
	struct op op;
	enum verb verb;
	int signo;
};

static void end_process(struct process *p)
{
	if (p->state == PROC_STOPPED || !p->exit_event)
		return;
	p->state = PROC_STOPPED;
	p->exit_status = 128 + SIGKILL;
	p->exited_at = (struct timespec){ .tv_sec = 1, .tv_nsec = 999999999 };
	io_process_ended(&p->io);
	process_release_waiters(p);
	event_exit(&fuzz.shim.events, p, TAKE(p->exit_event));
}

static void end_start(struct op *op)
{
	struct process *p = op->process;

	p->state = PROC_RUNNING;
	p->pid = process_is_init(p) ? 1000 : 1001;
	if (process_is_init(p))
		event_start(&fuzz.shim.events, p, TAKE(op->event));
	else
		event_exec_started(&fuzz.shim.events, p, TAKE(op->event));
	service_reply_started(op_end(op), p);
}

static void end_delete(struct op *op)
{
	struct process *p = op->process;
	const struct exit_record x = process_exit(p);
	struct ttrpc_call *call;

	if (process_is_init(p))
		event_delete(&fuzz.shim.events, p, TAKE(op->event));
	call = op_end(op);
	if (process_is_init(p))
		container_free(p->container);
	else
		process_free_exec(p);
	service_reply_deleted(call, &x);
}

static void end_create(struct op *op)
{
	struct container *c = op->process->container;

	c->ready = true;
	c->init.pid = 1000;
	event_create(&fuzz.shim.events, c, TAKE(op->event));
	service_reply_created(op_end(op), &c->init);
}

static void end_other(struct op *op, enum verb verb)
{
	struct process *p = op->process;
	const pid_t pids[] = { p->pid, 1000, 1001 };

	if (verb == VERB_PAUSE) {
		p->state = PROC_PAUSED;
		event_paused(&fuzz.shim.events, p->container, TAKE(op->event));
	} else if (verb == VERB_RESUME) {
		p->state = PROC_RUNNING;
		event_resumed(&fuzz.shim.events, p->container, TAKE(op->event));
	}
	if (verb == N_VERBS)
		service_reply_pids(op_end(op), p->container, pids, 3);
	else
		service_reply_empty(op_end(op));
}

static void end_op(struct op *op)
{
	enum verb verb = container_of(op, struct stub, op)->verb;
	struct process *p = op->process;

	if (verb == VERB_RESIZE)
		end_create(op);
	else if (verb < N_VERBS &&
		 state_check(verb, !process_is_init(p), p->state, &op->err) < 0)
		op_fail(op);
	else if (verb == VERB_START)
		end_start(op);
	else if (verb == VERB_DELETE)
		end_delete(op);
	else
		end_other(op, verb);
}

static void begin(struct op *op)
{
	if (fuzz.how & AT_ONCE)
		end_op(op);
}

static void submit(enum verb verb, struct process *p, struct ttrpc_call *call, bool aside)
{
	struct op *op = op_new(sizeof(struct stub), p, call, begin);

	assert(op);
	container_of(op, struct stub, op)->verb = verb;
	if (aside)
		op_submit_aside(op);
	else
		op_submit(op);
}

/* Whose verb is VERB_RESIZE, which has no op. */
void create_begin(struct shim *s, struct ttrpc_call *call, struct create_request *r)
{
	struct container *c;
	struct op *op;

	if (!is_identifier(r->id) || container_find(s, r->id, true)) {
		spec_options_release(&r->options);
		ttrpc_call_fail(call, TTRPC_ALREADY_EXISTS, "container %s", r->id);
		return;
	}
	c = container_new(s, r->id, r->bundle);
	assert(c);
	c->options = r->options;
	assert(str_copy(&c->init.stdin_path, r->stdio[IO_STDIN]) &&
	       str_copy(&c->init.stdout_path, r->stdio[IO_STDOUT]) &&
	       str_copy(&c->init.stderr_path, r->stdio[IO_STDERR]));
	c->init.terminal = r->terminal;
	op = op_new(sizeof(struct stub), &c->init, call, begin);
	assert(op);
	container_of(op, struct stub, op)->verb = VERB_RESIZE;
	free(op->event);
	op->event = event_reserve_create(&s->events, c, r->rootfs, r->n_rootfs,
					 r->checkpoint);
	assert(op->event);
	op_submit(op);
}

void launch_begin(struct process *p, struct ttrpc_call *call)
{
	submit(VERB_START, p, call, false);
}

void launch_give_up(struct process *p)
{
	(void)p;
}

void remove_begin(struct process *p, struct ttrpc_call *call)
{
	submit(VERB_DELETE, p, call, false);
}

void control_pause(struct process *init, struct ttrpc_call *call)
{
	submit(VERB_PAUSE, init, call, false);
}

void control_resume(struct process *init, struct ttrpc_call *call)
{
	submit(VERB_RESUME, init, call, false);
}

void control_update(struct process *init, struct ttrpc_call *call, const void *json,
		    size_t len)
{
	assert(json || len == 0);
	submit(VERB_UPDATE, init, call, false);
}

bool checkpoint_supported(struct err *e)
{
	(void)e;
	return true;
}

void checkpoint_begin(struct process *init, struct ttrpc_call *call,
		      const struct checkpoint_request *r)
{
	size_t n = strlen(r->path) + strlen(r->work_path) + strlen(r->parent_path);

	for (size_t i = 0; i < r->n_empty_namespaces; i++)
		n += strlen(r->empty_namespaces[i]);
	assert(n <= TTRPC_MAX_PAYLOAD);
	submit(VERB_CHECKPOINT, init, call, false);
}

void kill_begin(struct process *p, int signo, bool all, struct ttrpc_call *call)
{
	struct err e = ERR_INIT;

	assert(signo >= 0);
	if (!all && state_check(VERB_KILL, !process_is_init(p), p->state, &e) < 0) {
		err_reply(call, &e);
		return;
	}
	if (signo == SIGKILL)
		end_process(p);
	service_reply_empty(call);
}

void pids_begin(struct container *c, struct ttrpc_call *call)
{
	submit(N_VERBS, &c->init, call, true);
}

void control_thaw_dead(struct container *c)
{
	(void)c;
}

bool kill_remains(struct container *c)
{
	(void)c;
	return true;
}

void serve_reconsider(struct shim *s)
{
	(void)s;
}

void serve_shutdown(struct shim *s)
{
	(void)s;
}

/* ----------------------------------------------------------------- driving */

static void end_ops_of(struct process *p)
{
	struct op *op = list_first(&p->asides, struct op, link);

	if (!op)
		op = list_first(&p->ops, struct op, link);
	if (op && op->begun)
		end_op(op);
}

static void happens_to(struct process *p, unsigned what)
{
	if (what == END_OPS)
		end_ops_of(p);
	else
		end_process(p);
}

static void happens_to_all(struct container *c, unsigned what)
{
	struct process *p;

	list_for_each(p, &c->execs, link)
		happens_to(p, what);
	happens_to(&c->init, what);
}

static void send_call(unsigned method, const uint8_t *data, size_t len)
{
	const char *service = method == INSPECT ? inspect__inspect__descriptor.name
			      : fuzz.how & V2	? "containerd.task.v2.Task"
						: "containerd.task.v3.Task";
	const ProtobufCMethodDescriptor *m =
		method == INSPECT ? &inspect__inspect__descriptor.methods[0]
				  : &task__task__descriptor.methods[method];
	struct bytes request = { 0 }, frame = { 0 };
	size_t sent = 0;
	ssize_t n;

	put_text(&request, 1, service);
	put_text(&request, 2, m->name);
	put_field(&request, 3, data, len);
	put_frame(&frame, fuzz.n_calls * 2 + 1, FRAME_REQUEST, 0, request.data,
		  request.len);
	fuzz.outputs[fuzz.n_calls++] = m->output;
	while (sent < frame.len) {
		n = send(fuzz.peer, frame.data + sent, frame.len - sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		assert(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		run_loop();
	}
	drop(&request);
	drop(&frame);
}

static void drive(const uint8_t *data, size_t size)
{
	struct container *c;

	while (size >= 3 && fuzz.n_calls < MAX_CALLS) {
		unsigned what = data[0] % N_RECORDS;
		size_t len = data[1] | (size_t)data[2] << 8;

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		if (what <= INSPECT)
			send_call(what, data, len);
		else
			list_for_each(c, &fuzz.shim.containers, link)
				happens_to_all(c, what);
		data += len;
		size -= len;
	}
	run_loop();
	run_loop();
}

static void open_all(void)
{
	static const struct ttrpc_limits limits = {
		.conns = 1,
		.calls = MAX_CALLS,
		.all_calls = MAX_CALLS,
		.output = 2 * TTRPC_MAX_PAYLOAD,
	};
	struct shim *s = &fuzz.shim;
	int sv[2];

	fuzz = (struct fuzz){ .peer = -1 };
	s->ns = "ns";
	s->runtime_name = "io.containerd.brass.v2";
	s->socket = (struct socket)SOCKET_INIT;
	list_init(&s->containers);
	limits_load(&s->limits);
	assert(loop_init(&s->loop) == 0);
	reaper_init(&s->reaper, &s->loop);
	assert(event_queue_init(&s->events, &s->loop, s->ns, NULL) == 0);
	assert(ttrpc_server_open(&s->server, &s->loop,
				 socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
				 &limits) == 0);
	ttrpc_server_stop_listening(&s->server);
	service_open(s);
	inspect_open(s);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	assert(ttrpc_server_adopt(&s->server, sv[0]) == 0);
	fuzz.peer = sv[1];
}

static void close_all(void)
{
	struct shim *s = &fuzz.shim;
	struct container *c;

	list_for_each(c, &s->containers, link)
		container_free(c);
	assert(s->n_containers == 0 && s->server.n_calls == 0);
	run_loop();
	assert(fuzz.n_replies == fuzz.n_calls);
	ttrpc_server_close(&s->server);
	event_queue_fini(&s->events);
	reaper_fini(&s->reaper);
	loop_fini(&s->loop);
	close(fuzz.peer);
	frame_reader_release(&fuzz.reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool logs;
	int fds;

	if (size < 1)
		return 0;
	/* Lines are made as well, though nobody reads them. */
	if (!logs)
		log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "fuzz", "ns", true);
	logs = true;
	fds = rig_count_fds(); /* libFuzzer opens some itself, now and then */
	open_all();
	fuzz.how = data[0];
	drive(data + 1, size - 1);
	close_all();
	assert(rig_count_fds() == fds);
	return 0;
}
