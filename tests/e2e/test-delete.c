/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "delete" command, which cleans up after a shim that died, and runs after
 * every normal delete as well (contract 1.13); and rootfs mounts, whose undo is
 * the other half of cleaning up.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Runs it; it must succeed. The answer lives until the end of the test. */
static const Task__DeleteResponse *delete_command(struct where w, const struct bundle *b)
{
	struct run *r = run_delete(b->dir, b->id);
	Task__DeleteResponse *d;

	if (r->status)
		fail_at(w, "delete: status 0x%x, stderr \"%s\"", r->status, r->err);
	if (r->ns > 5 * LOOP_SEC)
		fail_at(w, "delete took %d ms", (int)(r->ns / LOOP_MSEC));
	d = (void *)protobuf_c_message_unpack(&task__delete_response__descriptor, NULL,
					      r->out_len, (uint8_t *)r->out);
	if (!d || !d->exited_at)
		fail_at(w, "delete: stdout is no DeleteResponse with a time");
	/* One block less to care for: copied into the pool of the test. */
	Task__DeleteResponse *copy = forget_later(malloc(sizeof(*copy)));
	Google__Protobuf__Timestamp *at = forget_later(malloc(sizeof(*at)));

	*copy = *d;
	*at = *d->exited_at;
	copy->exited_at = at;
	protobuf_c_message_free_unpacked(&d->base, NULL);
	return copy;
}

static void kill_shim(void)
{
	kill(e2e.server, SIGKILL);
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), SIGKILL);
	/* Its socket is there still; "delete" removes it. */
}

static void after_normal_delete(void **st)
{
	struct bundle *b = shim_for("c1", "exit 7");
	const Task__DeleteResponse *d;

	(void)st;
	create(b);
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	d = delete_command(HERE, b);
	assert_int_equal(d->exit_status, 7);
	delete_command(HERE, b);
	expect_events("create c1", "start c1", "exit c1 c1 7", "delete c1 7");
	expect_no_more_events();
}

/* The shim is killed while the container runs: it is ended, 137. */
static void while_running(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	const Task__DeleteResponse *d;
	uint32_t pid;

	(void)st;
	pid = create(b);
	start("c1", NULL);
	kill_shim();
	assert_true(is_alive((pid_t)pid));
	d = delete_command(HERE, b);
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->exit_status, 137);
	assert_true(llabs(d->exited_at->seconds - time(NULL)) < 10);
	until(!is_alive((pid_t)pid));
	/* Again, and as it would look to a restarted containerd. */
	assert_int_equal(delete_command(HERE, b)->exit_status, 137);
}

/* The container had exited: its true status, from the record in the bundle. */
static void after_exit(void **st)
{
	struct bundle *b = shim_for("c1", "exit 7");
	const Task__DeleteResponse *d;
	const Task__WaitResponse *w;
	uint32_t pid;

	(void)st;
	pid = create(b);
	start("c1", NULL);
	w = wait_exit("c1", NULL);
	kill_shim();
	d = delete_command(HERE, b);
	assert_int_equal(d->pid, pid);
	assert_int_equal(d->exit_status, 7);
	assert_int_equal(d->exited_at->seconds, w->exited_at->seconds);
	assert_int_equal(delete_command(HERE, b)->exit_status, 7);
}

/* How it ended is on record though nobody was told: its output was being read. */
static void before_the_exit_is_told(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *out = reader_open(io.out);
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_UNREAD_TIMEOUT_MS=60000";
	b = shim_for("c1", "echo unread; exit 7");
	reader_pause(out, true);
	create_io(b, &io);
	start("c1", NULL);
	until(exists(text("%s/exit", b->dir)));
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	kill_shim();
	assert_int_equal(delete_command(HERE, b)->exit_status, 7);
}

/* Created and never started. */
static void created_only(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	uint32_t pid = create(b);

	(void)st;
	kill_shim();
	assert_int_equal(delete_command(HERE, b)->exit_status, 137);
	until(!is_alive((pid_t)pid));
}

/* Nothing was created at all, or files are missing or broken. */
static void nothing_there(void **st)
{
	struct bundle *b = bundle("c1", "true");
	const Task__DeleteResponse *d = delete_command(HERE, b);

	(void)st;
	assert_int_equal(d->exit_status, 137);
	write_file(text("%s/init.pid", b->dir), "nonsense", 8);
	assert_int_equal(delete_command(HERE, b)->exit_status, 137);
	write_file(text("%s/runtime", b->dir), "", 0);
	assert_int_equal(delete_command(HERE, b)->exit_status, 137);
	assert_int_equal(sink_count(), 0);
}

/* init.pid names somebody else's process: it is not touched. */
static void strangers_pid(void **st)
{
	struct bundle *b = bundle("c1", "true");
	pid_t stranger = fork();
	char *pid;

	(void)st;
	if (stranger == 0) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	pid = text("%d", stranger);
	write_file(text("%s/init.pid", b->dir), pid, strlen(pid));
	write_file(text("%s/runtime", b->dir), e2e.fake, strlen(e2e.fake));
	delete_command(HERE, b);
	assert_true(is_alive(stranger));
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

/* A runtime that hangs: containerd kills "delete" after 5 s, so it must be quicker. */
static void runtime_hangs(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	uint32_t pid = create(b);

	(void)st;
	start("c1", NULL);
	script("delete", "ignore_term\nhang\n");
	kill_shim();
	assert_int_equal(delete_command(HERE, b)->exit_status, 137);
	script("delete", "");
	delete_command(HERE, b);
	until(!is_alive((pid_t)pid));
}

/* ---------------------------------------------------------------- mounts */

static bool mounted(const char *path)
{
	return strstr(read_file("/proc/self/mountinfo", NULL), text(" %s ", path)) !=
	       NULL;
}

static void bind_rootfs(void)
{
	mkdir(in_dir("source"), 0755);
	write_file(in_dir("source/file"), "x", 1);
	e2e.rootfs.type = "bind";
	e2e.rootfs.source = in_dir("source");
	e2e.rootfs.options[0] = "rbind";
	e2e.rootfs.options[1] = "ro";
}

static void rootfs_bind(void **st)
{
	struct bundle *b = shim_for("c1", text("test -e %s/state/" NS "/c1/rootfs/file",
					       DIR_OF_TEST));
	char *rootfs = text("%s/rootfs", b->dir);

	(void)st;
	bind_rootfs();
	create(b);
	assert_true(mounted(rootfs));
	assert_int_not_equal(access(text("%s/file", rootfs), W_OK), 0);
	start("c1", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	assert_true(mounted(rootfs));
	delete_task("c1", NULL);
	assert_false(mounted(rootfs));
	shutdown_shim();
	assert_true(exists(in_dir("source/file")));
}

static void rootfs_overlay(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *rootfs = text("%s/rootfs", b->dir);

	(void)st;
	mkdir(in_dir("lower"), 0755);
	mkdir(in_dir("upper"), 0755);
	mkdir(in_dir("work"), 0755);
	write_file(in_dir("lower/file"), "x", 1);
	e2e.rootfs.type = e2e.rootfs.source = "overlay";
	e2e.rootfs.options[0] = text("lowerdir=%s", in_dir("lower"));
	e2e.rootfs.options[1] = text("upperdir=%s", in_dir("upper"));
	e2e.rootfs.options[2] = text("workdir=%s", in_dir("work"));
	create(b);
	assert_true(mounted(rootfs));
	assert_true(exists(text("%s/file", rootfs)));
	delete_task("c1", NULL);
	assert_false(mounted(rootfs));
	shutdown_shim();
}

/* Every way in which Create can fail after the mount undoes it. */
static void failed_create_unmounts(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *rootfs = text("%s/rootfs", b->dir);
	struct stdio io = { .out = in_dir("absent"), .err = in_dir("absent") };

	(void)st;
	bind_rootfs();
	script("create", "error no luck\n");
	fails(ask_create(b, NULL), TTRPC_UNKNOWN, "OCI runtime create failed: no luck");
	assert_false(mounted(rootfs));
	script("create", "");
	assert_int_not_equal(await(ask_create(b, &io))->code, TTRPC_OK);
	assert_false(mounted(rootfs));
	e2e.rootfs.source = in_dir("nosuch");
	fails_with(ask_create(b, NULL), TTRPC_UNKNOWN,
		   "failed to mount rootfs component");
	assert_false(mounted(rootfs));
	e2e.rootfs.type = "nosuchfs";
	fails_with(ask_create(b, NULL), TTRPC_UNKNOWN,
		   "failed to mount rootfs component");
	shutdown_shim();
	expect_no_more_events();
}

/* Mounts of a shim that was killed are undone by "delete". */
static void delete_unmounts(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	char *rootfs = text("%s/rootfs", b->dir);

	(void)st;
	bind_rootfs();
	create(b);
	start("c1", NULL);
	kill_shim();
	assert_true(mounted(rootfs));
	delete_command(HERE, b);
	assert_false(mounted(rootfs));
	assert_true(exists(in_dir("source/file")));
}

E2E_GROUP(E2E(after_normal_delete), E2E(while_running), E2E(after_exit),
	  E2E(before_the_exit_is_told),
	  E2E(created_only), E2E(nothing_there), E2E(strangers_pid), E2E(runtime_hangs),
	  E2E(rootfs_bind), E2E(rootfs_overlay), E2E(failed_create_unmounts),
	  E2E(delete_unmounts))
