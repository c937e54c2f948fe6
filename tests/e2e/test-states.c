/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which call is legal in which state, and the words of the refusal (contract
 * 4.2 to 4.4), for the init and for execs. A refused call changes nothing.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <unistd.h>

#include "shim/limits.h"

#define GONE TTRPC_NOT_FOUND, "container not created: not found"

/* A call by name, on c1 or on an exec of it. */
static struct answer *ask_by_name(const char *method, const char *id, const char *exec_id)
{
	static const struct {
		const char *method;
		struct answer *(*ask)(const char *id, const char *exec_id);
	} plain[] = {
		{ "Start", ask_start },	     { "State", ask_state },
		{ "Wait", ask_wait },	     { "Delete", ask_delete },
		{ "CloseIO", ask_close_io },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(plain[i].method, method))
			return plain[i].ask(id, exec_id);
	if (!strcmp(method, "Kill"))
		return ask_kill(id, exec_id, SIGTERM, false);
	if (!strcmp(method, "Exec"))
		return ask_exec(id, "new", "true", NULL);
	if (!strcmp(method, "Pids"))
		return ask_pids(id);
	fail_at(HERE, "no such method: %s", method);
}

struct refusal {
	const char *method;
	int code;
	const char *text;
};

static void refused(const char *id, const char *exec_id, const struct refusal *rows,
		    size_t n)
{
	Types__Status before = state(id, exec_id)->status;

	for (size_t i = 0; i < n; i++) {
		print_message("# %s\n", rows[i].method);
		fails(ask_by_name(rows[i].method, id, exec_id), rows[i].code,
		      rows[i].text);
		assert_int_equal(state(id, exec_id)->status, before);
	}
}

#define REFUSED(id, exec_id, ...)                                              \
	do {                                                                   \
		static const struct refusal rows_[] = { __VA_ARGS__ };         \
		refused(id, exec_id, rows_, sizeof(rows_) / sizeof(rows_[0])); \
	} while (0)

/* Who has ended is not without processes, or containerd 1.7 forgets him. */
static void assert_pid_is_told(void)
{
	const Task__PidsResponse *r = ok(ask_pids("c1"));

	assert_int_equal(r->n_processes, 1);
	assert_int_equal(r->processes[0]->pid, state("c1", NULL)->pid);
}

static void init_states(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create(b);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__CREATED);
	ok(ask_by_name("CloseIO", "c1", NULL));
	ok(ask_by_name("Pids", "c1", NULL));
	start("c1", NULL);
	REFUSED("c1", NULL, { "Start", TTRPC_UNKNOWN, "cannot start a running process" },
		{ "Delete", TTRPC_UNKNOWN, "cannot delete a running process" });
	ok(ask_by_name("CloseIO", "c1", NULL));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	REFUSED("c1", NULL, { "Start", TTRPC_UNKNOWN, "cannot start a stopped process" },
		{ "Exec", TTRPC_UNKNOWN, "cannot exec in a stopped state" },
		{ "Kill", TTRPC_NOT_FOUND, "process already finished: not found" });
	ok(ask_by_name("CloseIO", "c1", NULL));
	assert_pid_is_told();
	delete_task("c1", NULL);
	shutdown_shim();
}

static void exec_states(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create(b);
	start("c1", NULL);
	exec_add("c1", "e1", "exec sleep 1000");
	assert_int_equal(state("c1", "e1")->status, TYPES__STATUS__CREATED);
	REFUSED("c1", "e1",
		{ "Kill", TTRPC_FAILED_PRECONDITION,
		  "process not created: failed precondition" });
	fails(ask_exec("c1", "e1", "true", NULL), TTRPC_ALREADY_EXISTS,
	      "id e1: already exists");
	start("c1", "e1");
	REFUSED("c1", "e1", { "Start", TTRPC_UNKNOWN, "cannot start a running process" },
		{ "Delete", TTRPC_UNKNOWN, "cannot delete a running process" });
	fails(ask_exec("c1", "e1", "true", NULL), TTRPC_ALREADY_EXISTS,
	      "id e1: already exists");
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	REFUSED("c1", "e1", { "Start", TTRPC_UNKNOWN, "cannot start a stopped process" },
		{ "Kill", TTRPC_NOT_FOUND, "process already finished: not found" });
	assert_int_equal(delete_task("c1", "e1")->exit_status, 137);
	exec_add("c1", "e1", "true"); /* the id is free again */
	assert_int_equal(delete_task("c1", "e1")->exit_status, 0); /* never started */
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Every method with an id that is not there: before Create, and after Delete. */
static void unknown_container(void **st)
{
	static const char *const methods[] = { "Start",	  "State", "Wait", "Delete",
					       "CloseIO", "Kill",  "Exec", "Pids" };
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	for (int deleted = 0; deleted < 2; deleted++) {
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			fails(ask_by_name(methods[i], "c1", NULL), GONE);
			fails(ask_by_name(methods[i], "c1", "e1"), GONE);
			fails(ask_by_name(methods[i], "../c1", NULL), GONE);
		}
		if (deleted)
			break;
		create(b);
		delete_task("c1", NULL);
	}
	shutdown_shim();
}

static void unknown_exec(void **st)
{
	static const char *const methods[] = { "Start", "State", "Wait", "Delete",
					       "Kill" };
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *a;

	(void)st;
	create(b);
	start("c1", NULL);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		fails(ask_by_name(methods[i], "c1", "nobody"), TTRPC_NOT_FOUND,
		      "process does not exist nobody: not found");
	/* The stock shim says Unknown here; the words are the same. */
	a = await(ask_close_io("c1", "nobody"));
	assert_true(a->code == TTRPC_NOT_FOUND || a->code == TTRPC_UNKNOWN);
	assert_string_equal(a->text, "process does not exist nobody: not found");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void create_twice(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	uint32_t pid = create(b);

	(void)st;
	assert_int_equal(await(ask_create(b, NULL))->code, TTRPC_ALREADY_EXISTS);
	assert_int_equal(calls_of("create"), 1);
	assert_int_equal(start("c1", NULL), pid);
	assert_int_equal(await(ask_create(b, NULL))->code, TTRPC_ALREADY_EXISTS);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	assert_int_equal(await(ask_create(b, NULL))->code, TTRPC_ALREADY_EXISTS);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* Two Creates of one id, the second while the first is under way. */
static void create_twice_at_once(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	struct answer *first;

	(void)st;
	script("create", text("wait_for %s\n", in_dir("go")));
	first = ask_create(b, NULL);
	until(calls_of("create") == 1);
	assert_int_equal(await(ask_create(b, NULL))->code, TTRPC_ALREADY_EXISTS);
	fails(ask_state("c1", NULL), GONE);
	write_file(in_dir("go"), "", 0);
	ok(first);
	assert_int_equal(calls_of("create"), 1);
	delete_task("c1", NULL);
	shutdown_shim();
}

static const char *const bad_ids[] = {
	"",
	"-a",
	"a-",
	".",
	"..",
	"../a",
	"a/b",
	"/etc",
	"a b",
	"a--b",
	"a\nb",
	"\xc3\xa9",
	"a..b",
	/* 77 bytes */
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

static void bad_container_ids(void **st)
{
	struct bundle *b = shim_for("c1", "true"), bad = *b;

	(void)st;
	for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++) {
		bad.id = bad_ids[i];
		print_message("# \"%s\"\n", bad.id);
		assert_int_equal(await(ask_create(&bad, NULL))->code,
				 TTRPC_INVALID_ARGUMENT);
	}
	assert_int_equal(calls_of("create"), 0);
	/* The longest that is allowed. */
	bad.id = text("%.76s",
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	create(&bad);
	delete_task(bad.id, NULL);
	shutdown_shim();
}

static void bad_exec_ids(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create(b);
	start("c1", NULL);
	for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++) {
		print_message("# \"%s\"\n", bad_ids[i]);
		assert_int_equal(await(ask_exec("c1", bad_ids[i], "true", NULL))->code,
				 TTRPC_INVALID_ARGUMENT);
	}
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* A process document that is none: refused, and no exec is added. */
static void bad_process_documents(void **st)
{
	static const char *const documents[] = {
		"", "{", "[]", "null", "{\"args\":[\"a\"]} x", "\x01\x02"
	};
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create(b);
	start("c1", NULL);
	for (size_t i = 0; i <= sizeof(documents) / sizeof(documents[0]); i++) {
		Task__ExecProcessRequest q = TASK__EXEC_PROCESS_REQUEST__INIT;
		Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;

		q.id = text("c1");
		q.exec_id = text("e1");
		if (i < sizeof(documents) / sizeof(documents[0])) {
			spec.value.data = (uint8_t *)text("%s", documents[i]);
			spec.value.len = strlen(documents[i]);
			q.spec = &spec; /* and once there is none at all */
		}
		print_message("# %zu\n", i);
		assert_int_not_equal(await(ask("Exec", &q))->code, TTRPC_OK);
		fails(ask_state("c1", "e1"), TTRPC_NOT_FOUND,
		      "process does not exist e1: not found");
	}
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* More namespaces than there are kinds of them: refused before anybody is asked. */
static void checkpoint_of_many_namespaces(void **st)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__CheckpointOptions o = RUNC__CHECKPOINT_OPTIONS__INIT;
	char *kinds[LIMIT_EMPTY_NAMESPACES + 1];

	(void)st;
	for (size_t i = 0; i <= LIMIT_EMPTY_NAMESPACES; i++)
		kinds[i] = text("network");
	create(shim_for("c1", "exec sleep 1000"));
	start("c1", NULL);
	o.empty_namespaces = kinds;
	q.id = text("c1");
	q.path = in_dir("images");
	q.options = &any;
	any.type_url = text("containerd.runc.v1.CheckpointOptions");
	for (size_t n = LIMIT_EMPTY_NAMESPACES; n <= LIMIT_EMPTY_NAMESPACES + 1; n++) {
		struct answer *a;

		o.n_empty_namespaces = n;
		any.value.len = pack(&o.base, &any.value.data);
		a = await(ask("Checkpoint", &q));
		assert_int_not_equal(a->code, TTRPC_OK); /* of which the fake knows nothing */
		assert_int_equal(strstr(a->text, "17 empty namespaces") != NULL,
				 n > LIMIT_EMPTY_NAMESPACES);
		assert_int_equal(calls_of("checkpoint"), 1);
	}
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* CRIU's log is kept, unless it is larger than all that could be of use. */
static void log_of_a_checkpoint(void **st)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__CheckpointOptions o = RUNC__CHECKPOINT_OPTIONS__INIT;
	struct bundle *b = run_c1("exec sleep 1000");
	char *log = in_dir("work/dump.log"), *kept = text("%s/criu-dump.log", b->dir);

	(void)st;
	make_folder(in_dir("work"));
	write_file(log, "", 0);
	o.work_path = in_dir("work");
	any.type_url = text("containerd.runc.v1.CheckpointOptions");
	any.value.len = pack(&o.base, &any.value.data);
	q.id = text("c1");
	q.path = in_dir("images");
	q.options = &any;
	for (int more = 0; more < 2; more++) {
		struct answer *a;

		assert_int_equal(truncate(log, LIMIT_CRIU_LOG + more), 0);
		a = await(ask("Checkpoint", &q));
		assert_int_equal(a->code, TTRPC_UNKNOWN);
		/* It is named if it is there. */
		assert_int_equal(strstr(a->text, text("path= %s", kept)) != NULL, !more);
		assert_int_equal(exists(kept), !more);
		unlink(kept);
	}
	end_c1();
}

E2E_GROUP(E2E(init_states), E2E(exec_states), E2E(unknown_container), E2E(unknown_exec),
	  E2E(create_twice), E2E(create_twice_at_once), E2E(bad_container_ids),
	  E2E(bad_exec_ids), E2E(bad_process_documents),
	  E2E(checkpoint_of_many_namespaces), E2E(log_of_a_checkpoint))
