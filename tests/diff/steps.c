/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of scenarios: a call, and a line of what it answered. Judges nothing.
 */
#include "tests/diff/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The containers of this scenario, in the order of their start. */
static const char *ids[16];
static size_t n_ids, events_said, n_oom;

static const char *who(const char *id, const char *exec)
{
	return exec ? text("%s/%s", id, exec) : id;
}

void told(struct answer *a, const char *format, ...)
{
	char *label = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&label, format, ap) < 0)
		abort();
	va_end(ap);
	forget_later(label);
	uint64_t due = deadline_in(HANGS);

	while (!a->done)
		if (!loop_until(due))
			fail_at(HERE, LATE "the answer to %s", label);
	if (a->code != TTRPC_OK)
		say(label, "%s: %s", ttrpc_code_name(a->code), a->text);
	else if (!a->reply)
		say(label, "the reply cannot be decoded");
	else
		say(label, "OK %s", rendered(a->reply));
}

/* --------------------------------------------------------------- the binary */

static void prepare(void)
{
	if (!e2e.binary_name)
		e2e.binary_name = "runc";
}

static void started(const struct box *b, const struct run *r)
{
	if (r->status || strncmp(r->out, "unix://", 7))
		say(text("start %s", b->id), "status 0x%x, %s", r->status, r->out);
	else
		say(text("start %s", b->id), "%s", r->out);
	ids[n_ids++] = b->id;
}

void boot(const struct box *b)
{
	struct run *r;

	prepare();
	n_ids = events_said = n_oom = 0;
	box_make(b);
	r = run_start(in_bundle(b->id, ""), b->id);
	started(b, r);
	if (!r->status && !strncmp(r->out, "unix://", 7))
		connect_shim(r->out + 7);
	else
		fail_at(HERE, "start: %s", r->out);
}

void join(const struct box *b)
{
	box_make(b);
	started(b, run_start(in_bundle(b->id, ""), b->id));
}

int runc(const char *arg, ...)
{
	const char *argv[16] = { "runc", "--root", text("%s/" NS, e2e.root), arg };
	uint64_t due = deadline_in(HANGS);
	int n = 4, status = 0;
	va_list ap;
	pid_t pid;

	va_start(ap, arg);
	while (n < 15 && (argv[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	pid = fork();
	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);

		for (int i = 0; i < 3; i++)
			dup2(fd, i);
		execvp("runc", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (!loop_until(due))
			fail_at(HERE, LATE "the end of runc %s", arg);
	return WEXITSTATUS(status);
}

/* ------------------------------------------------------------------- calls */

#define STR(s) text("%s", (s) ? (s) : "")

static Google__Protobuf__Any *options_of(const struct box *b)
{
	Google__Protobuf__Any *any = runc_options();
	Runc__Options o = RUNC__OPTIONS__INIT;

	if (b->options_url)
		any->type_url = STR(b->options_url);
	if (b->empty_options)
		any->value.len = 0;
	if (b->binary_name) {
		o.binary_name = STR(b->binary_name);
		o.root = e2e.root;
		any->value.len = pack(&o.base, &any->value.data);
	}
	return any;
}

struct answer *ask_create_box(const struct box *b)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	Types__Mount m[4], *mounts[4];

	for (size_t i = 0; i < b->n_rootfs; i++) {
		m[i] = (Types__Mount)TYPES__MOUNT__INIT;
		m[i].type = STR(b->rootfs[i].type);
		m[i].source = STR(b->rootfs[i].source);
		m[i].options = (char **)(uintptr_t)b->rootfs[i].options;
		while (b->rootfs[i].options[m[i].n_options])
			m[i].n_options++;
		mounts[i] = &m[i];
	}
	q.rootfs = mounts;
	q.n_rootfs = b->n_rootfs;
	q.id = STR(b->id);
	q.bundle = in_bundle(b->id, "");
	q.bundle[strlen(q.bundle) - 1] = 0;
	q.stdin = STR(b->io.in);
	q.stdout = STR(b->io.out);
	q.stderr = STR(b->io.err);
	q.terminal = b->terminal;
	q.checkpoint = STR(b->checkpoint);
	q.options = options_of(b);
	return ask("Create", &q);
}

struct answer *ask_exec_json(const char *id, const char *exec, const char *process,
			     const struct stdio *io)
{
	Task__ExecProcessRequest q = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;

	q.id = STR(id);
	q.exec_id = STR(exec);
	spec.type_url = STR("types.containerd.io/opencontainers/runtime-spec/1/Process");
	spec.value.data = (uint8_t *)STR(process);
	spec.value.len = strlen(process);
	q.spec = &spec;
	if (io) {
		q.stdin = STR(io->in);
		q.stdout = STR(io->out);
		q.stderr = STR(io->err);
		q.terminal = io->terminal;
	}
	return ask("Exec", &q);
}

bool do_create(const struct box *b)
{
	struct answer *a = ask_create_box(b);

	told(a, "Create %s", b->id);
	return a->done && a->code == TTRPC_OK;
}

void do_start(const char *id, const char *exec)
{
	told(ask_start(id, exec), "Start %s", who(id, exec));
}

void do_exec(const char *id, const char *exec, const char *command,
	     const struct stdio *io)
{
	const char *json = text("{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
				"\"env\":[\"PATH=/bin\"],\"args\":[\"/bin/sh\",\"-c\","
				"\"%s\"]}",
				command);

	told(ask_exec_json(id, exec, json, io), "Exec %s", who(id, exec));
}

void do_state(const char *id, const char *exec)
{
	told(ask_state(id, exec), "State %s", who(id, exec));
}

void do_wait(const char *id, const char *exec)
{
	told(ask_wait(id, exec), "Wait %s", who(id, exec));
}

void do_delete(const char *id, const char *exec)
{
	told(ask_delete(id, exec), "Delete %s", who(id, exec));
}

void do_kill(const char *id, const char *exec, int signal, bool all)
{
	told(ask_kill(id, exec, signal, all), "Kill %s %d%s", who(id, exec), signal,
	     all ? " all" : "");
}

void do_close_io(const char *id, const char *exec)
{
	told(ask_close_io(id, exec), "CloseIO %s", who(id, exec));
}

static int by_pid(const void *a, const void *b)
{
	const Types__ProcessInfo *const *x = a, *const *y = b;

	return (*x)->pid < (*y)->pid ? -1 : (*x)->pid > (*y)->pid;
}

void do_pids(const char *id)
{
	struct answer *a = await(ask_pids(id));
	Task__PidsResponse *p = (void *)a->reply;

	if (p)
		qsort(p->processes, p->n_processes, sizeof(void *), by_pid);
	told(a, "Pids %s", id);
}

void do_pause(const char *id)
{
	Task__PauseRequest q = TASK__PAUSE_REQUEST__INIT;

	q.id = STR(id);
	told(ask("Pause", &q), "Pause %s", id);
}

void do_resume(const char *id)
{
	Task__ResumeRequest q = TASK__RESUME_REQUEST__INIT;

	q.id = STR(id);
	told(ask("Resume", &q), "Resume %s", id);
}

void do_update(const char *id, const char *json)
{
	Task__UpdateTaskRequest q = TASK__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any r = GOOGLE__PROTOBUF__ANY__INIT;

	q.id = STR(id);
	r.type_url =
		STR("types.containerd.io/opencontainers/runtime-spec/1/LinuxResources");
	r.value.data = (uint8_t *)STR(json);
	r.value.len = strlen(json);
	q.resources = &r;
	told(ask("Update", &q), "Update %s %.40s", id, json);
}

void do_resize(const char *id, const char *exec, unsigned width, unsigned height)
{
	Task__ResizePtyRequest q = TASK__RESIZE_PTY_REQUEST__INIT;

	q.id = STR(id);
	q.exec_id = STR(exec);
	q.width = width;
	q.height = height;
	told(ask("ResizePty", &q), "ResizePty %s", who(id, exec));
}

void do_checkpoint(const char *id)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;

	q.id = STR(id);
	q.path = in_dir("checkpoint");
	told(ask("Checkpoint", &q), "Checkpoint %s", id);
}

void do_connect(const char *id)
{
	const Task__ConnectResponse *c = ok(ask_connect(id));

	say(text("Connect %s", id), "shim %s, task %s, version \"%s\"",
	    (pid_t)c->shim_pid == e2e.server ? "same" : "another", pid_name(c->task_pid),
	    c->version);
}

void do_shutdown(void)
{
	told(ask_shutdown(), "Shutdown");
}

void do_end(const char *id, const char *exec)
{
	do_kill(id, exec, SIGKILL, false);
	do_wait(id, exec);
	do_state(id, exec);
	do_delete(id, exec);
	do_state(id, exec);
}

/* ------------------------------------------------------------------ the end */

static void say_event(size_t i)
{
	const struct event *e = event(i);
	bool oom = !strcmp(e->topic, "/tasks/oom");

	/* That one goes around the queue of the others: it has no number. */
	n_oom += oom;
	say(oom ? text("event oom") : text("event %zu", i - n_oom), "%s %s %s", e->ns,
	    e->topic, e->message ? rendered(e->message) : e->type);
}

void say_events(size_t n)
{
	uint64_t due = deadline_in(HANGS);

	while (sink_count() < events_said + n)
		if (!loop_until(due))
			fail_at(HERE, LATE "%zu events", events_said + n);
	while (n-- && events_said < sink_count())
		say_event(events_said++);
}

/* Waits until nothing came for a while: nobody knows how many there will be. */
static void say_last_events(void)
{
	size_t before;

	do {
		before = sink_count();
		loop_for(50);
	} while (sink_count() != before);
	while (events_said < sink_count())
		say_event(events_said++);
}

static void say_delete(const char *id)
{
	struct run *r = run_delete(in_bundle(id, ""), id);
	ProtobufCMessage *m = protobuf_c_message_unpack(
		&task__delete_response__descriptor, NULL, r->out_len, (uint8_t *)r->out);

	say(text("delete %s", id), "status 0x%x %s", r->status,
	    m && r->out_len ? rendered(m) : "no reply");
	say(text("stderr of delete %s", id), "%s", r->err_len ? "some" : "none");
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

void wait_server(void)
{
	uint64_t due = deadline_in(HANGS);

	/* We are its parent by now. A zombie may have threads that hold the socket. */
	while (waitpid(e2e.server, NULL, WNOHANG) == 0)
		if (!loop_until(due))
			fail_at(HERE, LATE "the end of the server");
}

static void after_the_end(void)
{
	ttrpc_client_close(&e2e.client);
	for (size_t i = 0; i < n_ids; i++)
		say_files(ids[i]);
	say_left("before delete");
	for (size_t i = 0; i < n_ids; i++)
		say_delete(ids[i]);
	for (size_t i = 0; i < n_ids; i++)
		say_files(ids[i]);
	say_left("after delete");
}

void finish(void)
{
	say_last_events();
	do_shutdown();
	say("socket after Shutdown", "%s", exists(e2e.path) ? "there" : "gone");
	wait_server();
	say_last_events();
	after_the_end();
}

void crash(void)
{
	say_last_events();
	kill(e2e.server, SIGKILL);
	wait_server();
	after_the_end();
}
