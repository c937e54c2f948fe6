/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of containers, as a client sees them: what the calls answer at each step,
 * which events come and in which order, how exits arrive.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <time.h>

/* Every step of a life by the book, each answer and each event in full. */
static void life_in_full(void **st)
{
	struct bundle *b = shim_for("c1", "exit 7");
	const Task__DeleteResponse *d;
	const Task__WaitResponse *w;
	struct answer *waiting;
	uint32_t pid;

	(void)st;
	pid = create(b);
	assert_int_not_equal(pid, 0);
	assert_true(is_alive((pid_t)pid));
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__CREATED);
	waiting = ask_wait("c1", NULL);
	assert_int_equal(start("c1", NULL), pid);
	w = ok(waiting);
	assert_int_equal(w->exit_status, 7);
	assert_true(llabs(w->exited_at->seconds - time(NULL)) < 10);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	d = delete_task("c1", NULL);
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->exit_status, 7);
	assert_int_equal(d->exited_at->seconds, w->exited_at->seconds);
	assert_int_equal(d->exited_at->nanos, w->exited_at->nanos);
	expect_events("create c1", "start c1", "exit c1 c1 7", "delete c1 7");
	shutdown_shim();
	expect_no_more_events();
}

static void check_envelope(const struct event *e, const char *topic, const char *type)
{
	assert_string_equal(e->topic, topic);
	assert_string_equal(e->type, type);
	assert_string_equal(e->ns, NS);
	assert_string_equal(e->metadata_ns, NS);
	assert_true(llabs(e->seconds - time(NULL)) < 10);
	assert_non_null(e->message);
}

static void event_fields(void **st)
{
	struct bundle *b = shim_for("c1", "exit 7");
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	const Events__TaskCreate *c;
	const Events__TaskStart *s;
	const Events__TaskExit *x;
	const Events__TaskDelete *d;
	uint32_t pid;

	(void)st;
	reader_open(io.out);
	reader_open(io.err);
	pid = create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);

	check_envelope(event(0), "/tasks/create", "containerd.events.TaskCreate");
	c = (const void *)event(0)->message;
	assert_string_equal(c->container_id, "c1");
	assert_string_equal(c->bundle, b->dir);
	assert_string_equal(c->checkpoint, "");
	assert_int_equal(c->pid, pid);
	assert_non_null(c->io);
	assert_string_equal(c->io->stdin, "");
	assert_string_equal(c->io->stdout, io.out);
	assert_string_equal(c->io->stderr, io.err);
	assert_false(c->io->terminal);
	check_envelope(event(1), "/tasks/start", "containerd.events.TaskStart");
	s = (const void *)event(1)->message;
	assert_int_equal(s->pid, pid);
	check_envelope(event(2), "/tasks/exit", "containerd.events.TaskExit");
	x = (const void *)event(2)->message;
	assert_string_equal(x->container_id, "c1");
	assert_string_equal(x->id, "c1");
	assert_int_equal(x->pid, pid);
	assert_int_equal(x->exit_status, 7);
	check_envelope(event(3), "/tasks/delete", "containerd.events.TaskDelete");
	d = (const void *)event(3)->message;
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->exit_status, 7);
	assert_int_equal(d->exited_at->seconds, x->exited_at->seconds);
	shutdown_shim();
}

static void state_fields(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	const Task__StateResponse *s;
	uint32_t pid;

	(void)st;
	reader_open(io.out);
	reader_open(io.err);
	pid = create_io(b, &io);
	start("c1", NULL);
	s = state("c1", NULL);
	assert_string_equal(s->id, "c1");
	assert_string_equal(s->bundle, b->dir);
	assert_int_equal(s->pid, pid);
	assert_int_equal(s->status, TYPES__STATUS__RUNNING);
	assert_string_equal(s->stdin, "");
	assert_string_equal(s->stdout, io.out);
	assert_string_equal(s->stderr, io.err);
	assert_int_equal(s->exit_status, 0);
	assert_non_null(s->exited_at);
	assert_int_equal(s->exited_at->seconds, ZERO_TIME);
	assert_int_equal(s->exited_at->nanos, 0);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	s = state("c1", NULL);
	assert_int_equal(s->status, TYPES__STATUS__STOPPED);
	assert_int_equal(s->pid, pid);
	assert_int_equal(s->exit_status, 137);
	assert_true(llabs(s->exited_at->seconds - time(NULL)) < 10);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Both names of the service are served, on one connection. */
static void both_services(void **st)
{
	struct bundle *b = shim_for("c1", "exit 0");
	Task__StateRequest q = TASK__STATE_REQUEST__INIT;

	(void)st;
	create(b);
	q.id = text("c1");
	ok(ask_on(&e2e.client, V2, "State", &q));
	ok(ask_on(&e2e.client, V3, "State", &q));
	fails(ask_on(&e2e.client, "containerd.task.v4.Task", "State", &q),
	      TTRPC_UNIMPLEMENTED, "service containerd.task.v4.Task");
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void exit_statuses(void **st)
{
	static const struct {
		const char *command;
		unsigned status;
	} rows[] = {
		{ "exit 0", 0 },	  { "exit 7", 7 },
		{ "exit 255", 255 },	  { "kill -KILL $$", 137 },
		{ "kill -TERM $$", 143 }, { "ulimit -c 0; kill -SEGV $$", 139 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *id = text("c%zu", i);
		struct bundle *b = shim_for(id, rows[i].command);

		create(b);
		start(id, NULL);
		assert_int_equal(wait_exit(id, NULL)->exit_status, rows[i].status);
		assert_int_equal(state(id, NULL)->exit_status, rows[i].status);
		assert_int_equal(delete_task(id, NULL)->exit_status, rows[i].status);
		expect_events(text("create %s", id), text("start %s", id),
			      text("exit %s %s %u", id, id, rows[i].status),
			      text("delete %s %u", id, rows[i].status));
		shutdown_shim();
	}
}

/* The init is dead before "runc create" has ended (contract 4.14). */
static void exit_before_create_returns(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	uint32_t pid;

	(void)st;
	script("create", "init_exits 9\nafter\ndelay_ms 50\n");
	pid = create(b);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 9);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	assert_int_equal(state("c1", NULL)->pid, pid);
	fails(ask_start("c1", NULL), TTRPC_UNKNOWN, "cannot start a stopped process");
	assert_int_equal(delete_task("c1", NULL)->exit_status, 9);
	expect_events("create c1", "exit c1 c1 9", "delete c1 9");
	shutdown_shim();
	expect_no_more_events();
}

/* The init is dead before "runc start" has ended: TaskStart still comes first. */
static void exit_before_start_returns(void **st)
{
	struct bundle *b = shim_for("c1", text("touch %s; exit 5", in_dir("ran")));
	uint32_t pid = create(b);

	(void)st;
	script("start", text("after\nwait_for %s\ndelay_ms 100\n", in_dir("ran")));
	assert_int_equal(start("c1", NULL), pid);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 5);
	assert_int_equal(delete_task("c1", NULL)->exit_status, 5);
	expect_events("create c1", "start c1", "exit c1 c1 5", "delete c1 5");
	shutdown_shim();
	expect_no_more_events();
}

/* Killed between create and start (containerd's TestIssue9103). */
static void killed_between_create_and_start(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	uint32_t pid = create(b);

	(void)st;
	kill((pid_t)pid, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	fails(ask_start("c1", NULL), TTRPC_UNKNOWN, "cannot start a stopped process");
	delete_task("c1", NULL);
	expect_events("create c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* A container that never ran can be deleted, and whoever waits for it is released. */
static void delete_created(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	uint32_t pid = create(b);
	struct answer *waiting = ask_wait("c1", NULL);

	(void)st;
	assert_int_equal(delete_task("c1", NULL)->pid, pid);
	until(!is_alive((pid_t)pid));
	await(waiting);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	fails(ask_delete("c1", NULL), TTRPC_NOT_FOUND,
	      "container not created: not found");
	shutdown_shim();
}

static void many_waiters(void **st)
{
	struct bundle *b =
		shim_for("c1", text("while [ ! -e %s ]; do sleep 0.01; done; exit 3",
				    in_dir("go")));
	struct answer *waiting[50];

	(void)st;
	create(b);
	for (size_t i = 0; i < 25; i++)
		waiting[i] = ask_wait("c1", NULL);
	start("c1", NULL);
	for (size_t i = 25; i < 50; i++)
		waiting[i] = ask_wait("c1", NULL);
	ok(ask_state("c1", NULL)); /* all of them have arrived */
	for (size_t i = 0; i < 50; i++)
		assert_false(waiting[i]->done);
	write_file(in_dir("go"), "", 0);
	for (size_t i = 0; i < 50; i++) {
		const Task__WaitResponse *w = ok(waiting[i]);

		assert_int_equal(w->exit_status, 3);
	}
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 3); /* again, afterwards */
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A Wait whose client has hung up is forgotten; others are not concerned. */
static void wait_and_hang_up(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct ttrpc_client other;
	struct answer *waiting, *lost[20];
	Task__WaitRequest q = TASK__WAIT_REQUEST__INIT;
	int fds;

	(void)st;
	create(b);
	start("c1", NULL);
	waiting = ask_wait("c1", NULL);
	ok(ask_state("c1", NULL));
	fds = count_fds(e2e.server);
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	q.id = text("c1");
	for (size_t i = 0; i < 20; i++)
		lost[i] = ask_on(&other, V2, "Wait", &q);
	until(count_fds(e2e.server) == fds + 1);
	ttrpc_client_close(&other);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(await(lost[i])->code, TTRPC_CANCELLED);
	until(count_fds(e2e.server) == fds);
	assert_false(waiting->done);
	kill_task("c1", NULL, SIGKILL);
	ok(waiting);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void connect_never_fails(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	const Task__ConnectResponse *c = ok(ask_connect("no-such-container"));
	uint32_t pid;

	(void)st;
	assert_int_equal(c->shim_pid, e2e.server);
	assert_int_equal(c->task_pid, 0);
	pid = create(b);
	c = ok(ask_connect("c1"));
	assert_int_equal(c->shim_pid, e2e.server);
	assert_int_equal(c->task_pid, pid);
	c = ok(ask_connect(""));
	assert_int_equal(c->task_pid, 0);
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static bool has_pid(const Task__PidsResponse *r, uint32_t pid)
{
	for (size_t i = 0; i < r->n_processes; i++)
		if (r->processes[i]->pid == pid)
			return true;
	return false;
}

static void pids_of_container(bool no_cgroup)
{
	struct bundle *b =
		bundle("c1", text("sleep 1000 & echo $! >%s; wait", in_dir("child")));
	const Task__PidsResponse *r;
	uint32_t init, child, exec;

	e2e.no_cgroup = no_cgroup;
	start_shim(b);
	init = create(b);
	start("c1", NULL);
	/* Written by the shell itself: no third process, not even for a moment. */
	until(exists(in_dir("child")) && strchr(read_file(in_dir("child"), NULL), '\n'));
	child = (uint32_t)strtoul(read_file(in_dir("child"), NULL), NULL, 10);
	exec_add("c1", "e1", "exec sleep 1000");
	exec = start("c1", "e1");
	r = ok(ask_pids("c1"));
	assert_int_equal(r->n_processes, 3);
	assert_true(has_pid(r, init));
	assert_true(has_pid(r, child));
	assert_true(has_pid(r, exec));
	for (size_t i = 0; i < r->n_processes; i++) {
		const Google__Protobuf__Any *info = r->processes[i]->info;
		Runc__ProcessDetails *p;

		if (r->processes[i]->pid != exec) {
			assert_null(info);
			continue;
		}
		assert_non_null(info);
		assert_non_null(
			strstr(info->type_url, "containerd.runc.v1.ProcessDetails"));
		p = (void *)protobuf_c_message_unpack(&runc__process_details__descriptor,
						      NULL, info->value.len,
						      info->value.data);
		assert_non_null(p);
		assert_string_equal(p->exec_id, "e1");
		protobuf_c_message_free_unpacked(&p->base, NULL);
	}
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	shutdown_shim();
}

static void pids_from_cgroup(void **st)
{
	(void)st;
	pids_of_container(false);
}

static void pids_from_runtime(void **st)
{
	(void)st;
	pids_of_container(true);
}

/* What a process gets from the shim: three descriptors, no blocked signal. */
static void container_inherits_nothing(void **st)
{
	struct bundle *b = shim_for("c1", "ls /proc/self/fd | wc -l; "
					  "grep -E '^Sig(Blk|Ign)' /proc/self/status; "
					  "tr '\\0' '\\n' </proc/$$/environ | wc -l");
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	struct reader *r = reader_open(io.out);
	unsigned long long blocked, ignored;
	int files, variables;

	(void)st;
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	until(r->eof);
	assert_int_equal(sscanf(r->data, "%d\nSigBlk: %llx\nSigIgn: %llx\n%d", &files,
				&blocked, &ignored, &variables),
			 4);
	assert_int_equal(files, 4); /* 0, 1, 2 and the directory itself */
	assert_int_equal(blocked, 0);
	/* 32 and 33 are libc's own: whoever ignores them, nobody can change it. */
	assert_int_equal(ignored & ~0x180000000ull, 0);
	assert_int_equal(variables, 2); /* PATH and FAKE_NAME */
	delete_task("c1", NULL);
	shutdown_shim();
}

E2E_GROUP(E2E(life_in_full), E2E(event_fields), E2E(state_fields), E2E(both_services),
	  E2E(exit_statuses), E2E(exit_before_create_returns),
	  E2E(exit_before_start_returns), E2E(killed_between_create_and_start),
	  E2E(delete_created), E2E(many_waiters), E2E(wait_and_hang_up),
	  E2E(connect_never_fails), E2E(pids_from_cgroup), E2E(pids_from_runtime),
	  E2E(container_inherits_nothing))
