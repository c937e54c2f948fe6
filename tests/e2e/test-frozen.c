/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles on a disk, which stands still: what needs it waits, and nothing else. (On
 * most hosts they are in memory, and then the shim writes to them itself.)
 */
#include "tests/e2e/disk.h"
#include "tests/e2e/harness.h"

#include <sys/stat.h>
#include <unistd.h>

static struct bundle *pod(const char *id, const char *command)
{
	struct bundle like = { .id = id,
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };

	return bundle_like(&like, command);
}

/* c1 and c2 in one shim, whose bundles are on the disk. */
static struct bundle *two(const char *command)
{
	struct bundle *b;

	b = pod("c1", command);
	start_shim(b);
	create(b);
	start("c1", NULL);
	create(pod("c2", "exec sleep 1000"));
	start("c2", NULL);
	return b;
}

static void end(const struct bundle *b)
{
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	delete_task("c2", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	(void)b;
	disk_end();
}

static void an_exit(void **st)
{
	struct bundle *b;
	char *record;

	(void)st;
	disk_make(in_dir("state"));
	b = two("exec sleep 1000");
	record = text("%s/exit", b->dir);
	expect_events("create c1", "start c1", "create c2", "start c2");
	disk_freeze();
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	expect_events("exit c1 c1 137");
	ok(ask_state("c2", NULL));
	ok(ask_pids("c2"));
	disk_thaw();
	/* And it is on record, for a shim that is killed. */
	until(exists(record) && *read_file(record, NULL));
	end(b);
}

/* A call that comes before it is told: there is one record, and one who writes it. */
static void a_call_before_an_exit_is_told(void **st)
{
	struct answer *starting;
	struct bundle *b;

	(void)st;
	disk_make(in_dir("state"));
	b = two("exec sleep 1000");
	script("exec", text("wait_for %s\nerror no init\n", in_dir("go")));
	exec_add("c1", "e1", "true");
	starting = ask_start("c1", "e1");
	until(calls_of("exec") == 1);
	disk_freeze();
	kill_task("c1", NULL, SIGKILL);
	until(await(ask_kill("c1", NULL, 0, false))->code == TTRPC_NOT_FOUND);
	await(ask_pause("c1"));
	ok(ask_connect("c1"));
	write_file(in_dir("go"), "", 0);
	await(starting);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	disk_thaw();
	until(exists(text("%s/exit", b->dir)));
	end(b);
}

/* Told to end, the shim stays until the record is there. */
static void an_exit_and_sigterm(void **st)
{
	struct bundle *b;

	(void)st;
	disk_make(in_dir("state"));
	b = shim_for("c1", "exec sleep 1000");
	create(b);
	start("c1", NULL);
	disk_freeze();
	kill(e2e.server, SIGTERM);
	kill_task("c1", NULL, SIGKILL);
	expect_events("create c1", "start c1", "exit c1 c1 137");
	loop_for(100); /* it would leave at once, if it did */
	assert_true(is_alive(e2e.server));
	disk_thaw();
	assert_int_equal(shim_ended(), 0);
	assert_true(exists(text("%s/exit", b->dir)));
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
	disk_end();
}

/* Neither its pid file nor its console socket is on that disk. */
static void exec_on(struct bundle *b)
{
	struct stdio io = { .out = make_fifo("out"), .terminal = true };
	struct reader *out = reader_open(io.out);
	struct answer *starting;

	ok(ask_exec("c1", "e1", "exit 4", NULL));
	ok(ask_exec("c1", "e2", "echo tty", &io));
	disk_freeze();
	starting = ask_start("c1", "e1");
	ok(ask_start("c1", "e2"));
	ok(starting);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 4);
	until(out->eof);
	assert_string_equal(out->data, "tty\r\n");
	delete_task("c1", "e1");
	delete_task("c1", "e2");
	disk_thaw();
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	end(b);
}

static void an_exec(void **st)
{
	(void)st;
	disk_make(in_dir("state"));
	exec_on(two("exec sleep 1000"));
}

/* The folder of our socket may be on it as well (socket_dir of containerd 2.3). */
static void an_exec_and_sockets(void **st)
{
	char *left;

	(void)st;
	disk_make(in_dir("state"));
	make_folder(in_dir("state/s"));
	mkdir("/run/containerd", 0711);
	rmdir(SHIM_SOCKETS);
	assert_int_equal(symlink(in_dir("state/s"), SHIM_SOCKETS), 0);
	exec_on(two("exec sleep 1000"));
	assert_int_equal(unlink(SHIM_SOCKETS), 0);
	left = other_file_in("/run",
			     (const char *const[]){ "e2e", "containerd", "mount" }, 3);
	if (left)
		fail_at(HERE, "/run/%s is left", left);
}

/* A third container's bundle is written by a process that waits, and is given up. */
static void a_create(void **st)
{
	struct bundle *b, *third;

	(void)st;
	e2e.extra_env[0] = "BRASS_MOUNT_TIMEOUT_MS=300";
	disk_make(in_dir("state"));
	b = two("exec sleep 1000");
	third = pod("c3", "true");
	disk_freeze();
	fails_with(ask_create(third, NULL), TTRPC_UNKNOWN, "write the bundle");
	ok(ask_state("c1", NULL));
	disk_thaw();
	until(await(ask_create(third, NULL))->code == TTRPC_OK);
	start("c3", NULL);
	wait_exit("c3", NULL);
	delete_task("c3", NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	end(b);
}

/* It is in no note of the pod's any more, as soon as that can be done. */
static void a_delete(void **st)
{
	char *note = in_dir("state/" NS "/c1/others/c2");
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_MOUNT_TIMEOUT_MS=300";
	disk_make(in_dir("state"));
	b = two("exec sleep 1000");
	assert_true(exists(note));
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	until(exists(in_dir("state/" NS "/c2/exit")));
	disk_freeze();
	delete_task("c2", NULL);
	ok(ask_state("c1", NULL));
	disk_thaw();
	until(!exists(note));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	(void)b;
	disk_end();
}

E2E_GROUP(E2E(an_exit), E2E(a_call_before_an_exit_is_told), E2E(an_exit_and_sigterm),
	  E2E(an_exec), E2E(an_exec_and_sockets), E2E(a_create), E2E(a_delete))
