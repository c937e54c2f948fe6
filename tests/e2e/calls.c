/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the Task service, as containerd makes them. Requests are packed and
 * replies unpacked by descriptor.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/e2e/internal.h"

static void answered(struct ttrpc_request *r, int code, const char *message,
		     const uint8_t *reply, size_t len)
{
	struct answer *a = container_of(r, struct answer, request);

	a->done = true;
	a->ns = loop_now() - a->sent;
	a->code = code;
	snprintf(a->text, sizeof(a->text), "%s", message);
	if (code == TTRPC_OK)
		a->reply = protobuf_c_message_unpack(a->type, NULL, len, reply);
}

struct answer *ask_on(struct ttrpc_client *c, const char *service, const char *method,
		      const void *request)
{
	const ProtobufCMethodDescriptor *m =
		protobuf_c_service_descriptor_get_method_by_name(&task__task__descriptor,
								 method);
	static const struct ttrpc_metadata ns = { "containerd-namespace-ttrpc", NS };
	struct answer *a = calloc(1, sizeof(*a));
	uint8_t *bytes;
	size_t len;
	int r;

	if (!a || !m)
		abort();
	a->type = m->output;
	list_append(&e2e.answers, &a->link);
	ttrpc_request_init(&a->request, answered);
	len = pack(request, &bytes);
	a->sent = loop_now();
	r = ttrpc_request_send(c, &a->request, service, method, &ns, 1, bytes, len, 0);
	if (r < 0) {
		a->done = true;
		a->code = TTRPC_UNAVAILABLE;
		snprintf(a->text, sizeof(a->text), "%s", strerror(-r));
	}
	return a;
}

struct answer *ask(const char *method, const void *request)
{
	/* The shim of containerd 2 has no other. */
	return ask_on(&e2e.client, getenv("E2E_V3") ? V3 : V2, method, request);
}

struct answer *await_at(struct where w, struct answer *a)
{
	uint64_t due = deadline_in(3 * SOON);

	while (!a->done)
		if (!loop_until(due))
			fail_at(w, LATE "the answer");
	return a;
}

const void *ok_at(struct where w, struct answer *a)
{
	await_at(w, a);
	if (a->code != TTRPC_OK)
		fail_at(w, "%s \"%s\"", ttrpc_code_name(a->code), a->text);
	if (!a->reply)
		fail_at(w, "the reply cannot be decoded");
	return a->reply;
}

void fails_at(struct where w, struct answer *a, int code, const char *expected)
{
	await_at(w, a);
	if (a->code != code || (expected && strcmp(a->text, expected)))
		fail_at(w, "%s \"%s\", expected: %s \"%s\"", ttrpc_code_name(a->code),
			a->text, ttrpc_code_name(code), expected ? expected : "*");
}

void fails_with_at(struct where w, struct answer *a, int code, const char *part)
{
	await_at(w, a);
	if (a->code != code || !strstr(a->text, part))
		fail_at(w, "%s \"%s\", expected: %s with \"%s\" in it",
			ttrpc_code_name(a->code), a->text, ttrpc_code_name(code), part);
}

void answers_free(void)
{
	struct answer *a;

	list_for_each(a, &e2e.answers, link) {
		ttrpc_request_cancel(&a->request);
		list_del(&a->link);
		if (a->reply)
			protobuf_c_message_free_unpacked(a->reply, NULL);
		free(a);
	}
}

/* -------------------------------------------------------------- requests */

#define STR(s) text("%s", (s) ? (s) : "")

struct answer *ask_create(const struct bundle *b, const struct stdio *io)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	Types__Mount m = TYPES__MOUNT__INIT, *mounts[] = { &m };

	if (e2e.rootfs.type) {
		m.type = STR(e2e.rootfs.type);
		m.source = STR(e2e.rootfs.source);
		m.options = (char **)(uintptr_t)e2e.rootfs.options;
		while (e2e.rootfs.options[m.n_options])
			m.n_options++;
		q.rootfs = mounts;
		q.n_rootfs = 1;
	}
	q.id = STR(b->id);
	q.bundle = STR(b->dir);
	if (io) {
		q.stdin = STR(io->in);
		q.stdout = STR(io->out);
		q.stderr = STR(io->err);
		q.terminal = io->terminal;
	}
	q.options = runc_options();
	return ask("Create", &q);
}

struct answer *ask_exec(const char *id, const char *exec_id, const char *command,
			const struct stdio *io)
{
	Task__ExecProcessRequest q = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;

	q.id = STR(id);
	q.exec_id = STR(exec_id);
	spec.type_url = STR("types.containerd.io/opencontainers/runtime-spec/1/Process");
	spec.value.data = (uint8_t *)process_json(exec_id, command);
	spec.value.len = strlen((char *)spec.value.data);
	q.spec = &spec;
	if (io) {
		q.stdin = STR(io->in);
		q.stdout = STR(io->out);
		q.stderr = STR(io->err);
		q.terminal = io->terminal;
	}
	return ask("Exec", &q);
}

#define ASK_ID_EXEC(fn, Type, INIT, method)                    \
	struct answer *fn(const char *id, const char *exec_id) \
	{                                                      \
		Task__##Type q = INIT;                         \
		q.id = STR(id);                                \
		q.exec_id = STR(exec_id);                      \
		return ask(method, &q);                        \
	}

ASK_ID_EXEC(ask_start, StartRequest, TASK__START_REQUEST__INIT, "Start")
ASK_ID_EXEC(ask_state, StateRequest, TASK__STATE_REQUEST__INIT, "State")
ASK_ID_EXEC(ask_wait, WaitRequest, TASK__WAIT_REQUEST__INIT, "Wait")
ASK_ID_EXEC(ask_delete, DeleteRequest, TASK__DELETE_REQUEST__INIT, "Delete")

struct answer *ask_kill(const char *id, const char *exec_id, int signal, bool all)
{
	Task__KillRequest q = TASK__KILL_REQUEST__INIT;

	q.id = STR(id);
	q.exec_id = STR(exec_id);
	q.signal = (uint32_t)signal;
	q.all = all;
	return ask("Kill", &q);
}

struct answer *ask_close_io(const char *id, const char *exec_id)
{
	Task__CloseIORequest q = TASK__CLOSE_IOREQUEST__INIT;

	q.id = STR(id);
	q.exec_id = STR(exec_id);
	q.stdin = true;
	return ask("CloseIO", &q);
}

struct answer *ask_pids(const char *id)
{
	Task__PidsRequest q = TASK__PIDS_REQUEST__INIT;

	q.id = STR(id);
	return ask("Pids", &q);
}

struct answer *ask_pause(const char *id)
{
	Task__PauseRequest q = TASK__PAUSE_REQUEST__INIT;

	q.id = STR(id);
	return ask("Pause", &q);
}

struct answer *ask_resume(const char *id)
{
	Task__ResumeRequest q = TASK__RESUME_REQUEST__INIT;

	q.id = STR(id);
	return ask("Resume", &q);
}

struct answer *ask_connect(const char *id)
{
	Task__ConnectRequest q = TASK__CONNECT_REQUEST__INIT;

	q.id = STR(id);
	return ask("Connect", &q);
}

struct answer *ask_shutdown(void)
{
	Task__ShutdownRequest q = TASK__SHUTDOWN_REQUEST__INIT;

	return ask("Shutdown", &q);
}

uint32_t start_at(struct where w, const char *id, const char *exec_id)
{
	static const char *const ours[] = { "socket:", "/memfd:", "anon_inode:" };
	uint32_t pid = as_pid(ok_at(w, ask_start(id, exec_id)));

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (count_fds_of((pid_t)pid, ours[i]))
			fail_at(w, "process %u has descriptors of the shim: %s", pid,
				ours[i]);
	return pid;
}

struct bundle *run_c1(const char *command)
{
	struct bundle *b = shim_for("c1", command);

	create(b);
	start("c1", NULL);
	return b;
}

void end_c1(void)
{
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

struct answer *ask_update(const char *id)
{
	static char url[] =
		"types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
	static char json[] = "{\"pids\":{\"limit\":100}}";
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Task__UpdateTaskRequest q = TASK__UPDATE_TASK_REQUEST__INIT;

	any.type_url = url;
	any.value = (ProtobufCBinaryData){ .len = strlen(json), .data = (uint8_t *)json };
	q.id = text("%s", id);
	q.resources = &any;
	return ask("Update", &q);
}
