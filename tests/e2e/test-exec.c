/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs: their lives, their failures, many at once, and what they have to do
 * with the exit of the init.
 */
#include "tests/e2e/disk.h"
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <time.h>

static void life_of_an_exec(void **st)
{
	struct bundle *b = run_c1("exec sleep 1000");
	const Task__StateResponse *s;
	const Task__DeleteResponse *d;
	struct answer *waiting;
	uint32_t pid;

	(void)st;
	exec_add("c1", "e1",
		 text("while [ ! -e %s ]; do sleep 0.01; done; exit 5", in_dir("go")));
	assert_int_equal(calls_of("exec"), 0);
	s = state("c1", "e1");
	assert_int_equal(s->status, TYPES__STATUS__CREATED);
	assert_int_equal(s->pid, 0);
	waiting = ask_wait("c1", "e1"); /* before Start, as CRI does */
	pid = start("c1", "e1");
	assert_true(is_alive((pid_t)pid));
	s = state("c1", "e1");
	assert_string_equal(s->id, "e1");
	assert_string_equal(s->bundle, b->dir);
	assert_int_equal(s->pid, pid);
	assert_int_equal(s->status, TYPES__STATUS__RUNNING);
	assert_int_equal(s->exited_at->seconds, ZERO_TIME);
	assert_false(waiting->done);
	write_file(in_dir("go"), "", 0);
	assert_int_equal(as_wait(ok(waiting))->exit_status, 5);
	s = state("c1", "e1");
	assert_int_equal(s->status, TYPES__STATUS__STOPPED);
	assert_int_equal(s->exit_status, 5);
	assert_int_equal(s->pid, pid);
	d = delete_task("c1", "e1");
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->exit_status, 5);
	assert_true(llabs(d->exited_at->seconds - time(NULL)) < 10);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 5");
	assert_int_equal(
		((const Events__TaskExecStarted *)(const void *)event(3)->message)->pid,
		pid);
	end_c1();
	expect_events("exit c1 c1 137", "delete c1 137");
	expect_no_more_events();
}

/* It is dead before "runc exec" has ended; its events keep their order. */
static void exit_before_exec_returns(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	script("exec.e1", "init_exits 4\nafter\ndelay_ms 50\n");
	exec_add("c1", "e1", "true");
	assert_int_not_equal(start("c1", "e1"), 0);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 4);
	assert_int_equal(delete_task("c1", "e1")->exit_status, 4);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 4");
	end_c1();
}

/* It fails: created as before, waiters released, later ones too, nothing held, no event. */
static void exec_fails(void **st)
{
	struct answer *waiting;
	const Task__WaitResponse *w;
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	int fds;

	(void)st;
	run_c1("exec sleep 1000");
	reader_open(io.out);
	reader_open(io.err);
	fds = count_fds(e2e.server);
	ok(ask_exec("c1", "e1", "true", &io));
	waiting = ask_wait("c1", "e1");
	script("exec.e1", "error exec: \"nosuch\": executable file not found in $PATH\n");
	fails(ask_start("c1", "e1"), TTRPC_UNKNOWN,
	      "OCI runtime exec failed: "
	      "exec: \"nosuch\": executable file not found in $PATH");
	w = ok(waiting);
	assert_int_equal(w->exit_status, 0);
	assert_int_equal(w->exited_at->seconds, ZERO_TIME);
	w = wait_exit("c1", "e1");
	assert_int_equal(w->exit_status, 0);
	assert_int_equal(w->exited_at->seconds, ZERO_TIME);
	assert_int_equal(state("c1", "e1")->status, TYPES__STATUS__CREATED);
	assert_int_equal(count_fds(e2e.server), fds);
	assert_int_equal(delete_task("c1", "e1")->exit_status, 0);
	expect_events("create c1", "start c1", "exec-added c1 e1");
	end_c1();
	expect_events("exit c1 c1 137", "delete c1 137");
	expect_no_more_events();
}

/* runc looks the program up by itself: its words arrive. */
static void program_not_found(void **st)
{
	Task__ExecProcessRequest q = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	const char *json = "{\"args\":[\"nosuch\"],\"cwd\":\"/\",\"env\":[]}";

	(void)st;
	run_c1("exec sleep 1000");
	q.id = text("c1");
	q.exec_id = text("e1");
	spec.value.data = (uint8_t *)text("%s", json);
	spec.value.len = strlen(json);
	q.spec = &spec;
	ok(ask("Exec", &q));
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN,
		   "exec: \"nosuch\": executable file not found in $PATH");
	delete_task("c1", "e1");
	end_c1();
}

static void twenty_at_once(void **st)
{
	struct answer *starting[20], *waiting[20];

	(void)st;
	run_c1("exec sleep 1000");
	for (size_t i = 0; i < 20; i++) {
		char *id = text("e%zu", i);

		exec_add("c1", id, text("exit %zu", i));
		waiting[i] = ask_wait("c1", id);
	}
	for (size_t i = 0; i < 20; i++)
		starting[i] = ask_start("c1", text("e%zu", i));
	for (size_t i = 0; i < 20; i++) {
		ok(starting[i]);
		assert_int_equal(as_wait(ok(waiting[i]))->exit_status, i);
		assert_int_equal(delete_task("c1", text("e%zu", i))->exit_status, i);
	}
	end_c1();
}

/* They run side by side: none waits for the other's runtime command. */
static void execs_do_not_wait_for_each_other(void **st)
{
	struct answer *slow;

	(void)st;
	run_c1("exec sleep 1000");
	script("exec.slow", text("wait_for %s\n", in_dir("go")));
	exec_add("c1", "slow", "exit 1");
	exec_add("c1", "fast", "exit 2");
	slow = ask_start("c1", "slow");
	until(calls_of("exec") == 1);
	start("c1", "fast");
	assert_int_equal(wait_exit("c1", "fast")->exit_status, 2);
	assert_false(slow->done);
	write_file(in_dir("go"), "", 0);
	ok(slow);
	assert_int_equal(wait_exit("c1", "slow")->exit_status, 1);
	end_c1();
}

/* A hundred one after the other leave no descriptor in the shim. */
static void a_hundred_leave_nothing(void **st)
{
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	int fds = 0;

	(void)st;
	run_c1("exec sleep 1000");
	for (int i = 0; i < 101; i++) {
		char *id = text("e%d", i);
		struct reader *out = reader_open(io.out), *err = reader_open(io.err);

		ok(ask_exec("c1", id, text("echo %d", i), &io));
		start("c1", id);
		wait_exit("c1", id);
		until(out->eof && err->eof);
		delete_task("c1", id);
		assert_string_equal(out->data, text("%d\n", i));
		if (i == 0)
			fds = count_fds(e2e.server);
	}
	assert_int_equal(count_fds(e2e.server), fds);
	end_c1();
}

/* All execs' exits come before the init's, which is the last. */
static void exits_in_order(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	for (int i = 0; i < 5; i++) {
		exec_add("c1", text("e%d", i), "exec sleep 1000");
		start("c1", text("e%d", i));
	}
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(wait_exit("c1", text("e%d", i))->exit_status, 137);
	assert_string_equal(event(17)->line, "exit c1 c1 137");
	for (size_t i = 12; i < 17; i++)
		assert_memory_equal(event(i)->line, "exit c1 e", 9);
	delete_task("c1", NULL);
	assert_string_equal(event(18)->line, "delete c1 137");
	shutdown_shim();
	assert_int_equal(sink_count(), 19);
}

/* An exec that does not die with the init delays the init's exit by its bound only. */
static void exec_outlives_init(void **st)
{
	struct answer *waiting;
	uint32_t init, exec;

	(void)st;
	e2e.extra_env[0] = "BRASS_EXEC_DRAIN_TIMEOUT_MS=300";
	run_c1("exec sleep 1000");
	init = state("c1", NULL)->pid;
	exec_add("c1", "e1", "exec sleep 1000");
	exec = start("c1", "e1");
	waiting = ask_wait("c1", NULL);
	kill((pid_t)init, SIGKILL);
	assert_int_equal(as_wait(ok(waiting))->exit_status, 137);
	assert_true(waiting->ns >= 250 * LOOP_MSEC);
	assert_true(is_alive((pid_t)exec));
	assert_int_equal(state("c1", "e1")->status, TYPES__STATUS__RUNNING);
	kill_task("c1", "e1", SIGKILL);
	wait_exit("c1", "e1");
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	shutdown_shim();
}

/* One that cannot even be killed: when its container is deleted its end is told, too. */
static void exec_outlives_container(void **st)
{
	const Task__WaitResponse *w;
	struct answer *waiting;
	uint32_t exec;
	bool lives;

	(void)st;
	e2e.no_cgroup = true; /* else the runtime refuses */
	e2e.extra_env[0] = "BRASS_EXEC_DRAIN_TIMEOUT_MS=300";
	disk_make(in_dir("disk"));
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", text("echo >%s/file", in_dir("disk")));
	exec_add("c1", "e2", "exec sleep 1000"); /* is never started */
	disk_freeze();
	exec = start("c1", "e1");
	waiting = ask_wait("c1", "e1");
	until(disk_holds((pid_t)exec));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	await(waiting);
	lives = is_alive((pid_t)exec);
	disk_thaw();
	assert_true(lives);
	w = ok(waiting);
	assert_int_equal(w->exit_status, 137);
	assert_true(llabs(w->exited_at->seconds - time(NULL)) < 10);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-added c1 e2",
		      "exec-started c1 e1", "exit c1 c1 137", "exit c1 e1 137",
		      "delete c1 137");
	until(!is_alive((pid_t)exec));
	shutdown_shim();
	expect_no_more_events();
	disk_end();
}

/* One that only nobody has killed is, and how it ended is told. */
static void exec_outlives_init_until_delete(void **st)
{
	struct answer *waiting;
	uint32_t exec;

	(void)st;
	e2e.no_cgroup = true;
	e2e.extra_env[0] = "BRASS_EXEC_DRAIN_TIMEOUT_MS=300";
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exec sleep 1000");
	exec = start("c1", "e1");
	waiting = ask_wait("c1", "e1");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	assert_true(is_alive((pid_t)exec));
	delete_task("c1", NULL);
	until(!is_alive((pid_t)exec));
	assert_int_equal(as_wait(ok(waiting))->exit_status, 137);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 c1 137", "exit c1 e1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* One that waits for a reader of its output does not start in a container that is told to be dead. */
static void no_start_after_the_end(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct answer *starting;

	(void)st;
	e2e.extra_env[0] = "BRASS_EXEC_DRAIN_TIMEOUT_MS=300";
	run_c1("exec sleep 1000");
	ok(ask_exec("c1", "e1", "exec sleep 1000", &io));
	starting = ask_start("c1", "e1");
	until(state("c1", "e1")->pid != 0);
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	fails_with(starting, TTRPC_UNKNOWN, "killed before it had started");
	reader_close(reader_open(io.out));
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137",
		      "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/*
 * The init dies while "runc exec" hangs (containerd's TestIssue10589): another
 * exec can be added but not started, and when the first has failed the task is
 * stopped at once.
 */
static void init_dies_while_exec_hangs(void **st)
{
	struct answer *hanging;
	uint32_t init;

	(void)st;
	run_c1("exec sleep 1000");
	init = state("c1", NULL)->pid;
	script("exec.e1",
	       text("wait_for %s\nerror exec failed: no init\n", in_dir("go")));
	exec_add("c1", "e1", "true");
	hanging = ask_start("c1", "e1");
	until(calls_of("exec") == 1);
	kill((pid_t)init, SIGKILL);
	until(!is_alive((pid_t)init));
	exec_add("c1", "e2", "true");
	fails(ask_start("c1", "e2"), TTRPC_FAILED_PRECONDITION,
	      "container c1 init process is not running: failed precondition");
	assert_false(hanging->done);
	write_file(in_dir("go"), "", 0);
	fails(hanging, TTRPC_UNKNOWN, "OCI runtime exec failed: exec failed: no init");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	assert_int_equal(state("c1", "e1")->status, TYPES__STATUS__CREATED);
	assert_int_equal(state("c1", "e2")->status, TYPES__STATUS__CREATED);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	delete_task("c1", "e1");
	delete_task("c1", "e2");
	delete_task("c1", NULL);
	shutdown_shim();
}

/* The init of a container without a pid namespace of its own: the rest is killed. */
static void host_pid_namespace(bool no_cgroup)
{
	struct bundle like = { .id = "c1", .host_pid = true };
	struct bundle *b = bundle_like(&like, text("sleep 1000 & echo $! >%s; exit 6",
						   in_dir("child")));
	pid_t child;

	e2e.no_cgroup = no_cgroup;
	start_shim(b);
	create(b);
	start("c1", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 6);
	child = (pid_t)strtol(read_file(in_dir("child"), NULL), NULL, 10);
	until(!is_alive(child));
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 6", "delete c1 6");
	shutdown_shim();
}

static void host_pid_in_own_cgroup(void **st)
{
	(void)st;
	host_pid_namespace(false);
}

/* The shim cannot tell who belongs to it, and asks the runtime. */
static void host_pid_in_shims_cgroup(void **st)
{
	(void)st;
	host_pid_namespace(true);
}

/* 20 kB of argument, and what JSON must escape, arrive as they are. */
static void large_arguments(void **st)
{
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	char *big = text("%20000s", "\\\"\t$'x\xc3\xa9\xf0\x9f\x98\x80"), *command;
	struct reader *out;

	(void)st;
	run_c1("exec sleep 1000");
	out = reader_open(io.out);
	reader_open(io.err);
	command = text("cat <<'END'\n%s\nEND\n", big);
	ok(ask_exec("c1", "e1", command, &io));
	start("c1", "e1");
	wait_exit("c1", "e1");
	until(out->eof);
	assert_string_equal(out->data, text("%s\n", big));
	delete_task("c1", "e1");
	end_c1();
}

E2E_GROUP(E2E(life_of_an_exec), E2E(exit_before_exec_returns), E2E(exec_fails),
	  E2E(program_not_found), E2E(twenty_at_once),
	  E2E(execs_do_not_wait_for_each_other), E2E(a_hundred_leave_nothing),
	  E2E(exits_in_order), E2E(exec_outlives_init),
	  E2E(exec_outlives_container), E2E(exec_outlives_init_until_delete),
	  E2E(no_start_after_the_end),
	  E2E(init_dies_while_exec_hangs), E2E(host_pid_in_own_cgroup),
	  E2E(host_pid_in_shims_cgroup), E2E(large_arguments))
