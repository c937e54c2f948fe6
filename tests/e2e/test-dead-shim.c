/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a shim that was killed, and who cleans it: the containers of
 * its pod, its socket; that a shim which lives is never touched; and Deletes
 * that are repeated.
 */
#include "tests/e2e/disk.h"
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"

#define SANDBOX "io.kubernetes.cri.sandbox-id"

/* Runs "delete" for @b, which must succeed; the exit status that it reports. */
static uint32_t delete_of(struct where w, const struct bundle *b)
{
	struct run *r = run_delete(b->dir, b->id);
	Task__DeleteResponse *d = (void *)protobuf_c_message_unpack(
		&task__delete_response__descriptor, NULL, r->out_len, (uint8_t *)r->out);
	uint32_t status;

	if (r->status || !d)
		fail_at(w, "delete of %s: status 0x%x, stderr \"%s\"", b->id, r->status,
			r->err);
	status = d->exit_status;
	protobuf_c_message_free_unpacked(&d->base, NULL);
	return status;
}

static void kill_shim(void)
{
	kill(e2e.server, SIGKILL);
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), SIGKILL);
}

/* A bundle of the pod @pod; the first one also starts its shim. */
static struct bundle *in_pod(const char *pod, const char *id, const char *command)
{
	struct bundle like = { .id = id, .annotation = SANDBOX, .group = pod };
	struct bundle *b = bundle_like(&like, command);

	if (!strcmp(pod, id))
		start_shim(b);
	return b;
}

static pid_t run_in_pod(const char *pod, const char *id)
{
	struct bundle *b = in_pod(pod, id, "exec sleep 1000");
	pid_t pid = (pid_t)create(b);

	start(id, NULL);
	return pid;
}

static bool mounted(const char *path)
{
	char *all = read_file("/proc/self/mountinfo", NULL);

	return strstr(all, text(" %s ", path)) != NULL;
}

static struct bundle *bundle_of(const char *id)
{
	struct bundle *b = forget_later(calloc(1, sizeof(*b)));

	b->id = id;
	b->dir = text("%s/state/" NS "/%s", DIR_OF_TEST, id);
	return b;
}

/* "delete" of the sandbox alone cleans all of its pod, and nothing of another one. */
static void others_of_the_pod(void **st)
{
	pid_t pod, c1, c2, other;
	char *socket, *rootfs;
	struct bundle *b;

	(void)st;
	pod = run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	mkdir(in_dir("source"), 0755);
	e2e.rootfs.type = "bind";
	e2e.rootfs.source = in_dir("source");
	e2e.rootfs.options[0] = "rbind";
	c2 = run_in_pod("pod", "c2");
	e2e.rootfs.type = NULL;
	b = in_pod("pod", "c3", "exit 5");
	create(b);
	start("c3", NULL);
	wait_exit("c3", NULL);
	rootfs = text("%s/state/" NS "/c2/rootfs", DIR_OF_TEST);
	assert_true(mounted(rootfs));
	socket = text("%s", e2e.path);
	kill_shim();
	other = run_in_pod("other", "other");
	run_in_pod("other", "o1");

	assert_int_equal(delete_of(HERE, bundle_of("pod")), 137);
	until(!is_alive(pod) && !is_alive(c1) && !is_alive(c2));
	assert_false(mounted(rootfs));
	assert_false(exists(socket));
	assert_true(is_alive(other));
	assert_true(exists(text("%s/" NS "/other", e2e.root)));
	assert_false(exists(text("%s/" NS "/c1", e2e.root)));
	/* containerd may ask for the others later: what is known is told. */
	assert_int_equal(delete_of(HERE, bundle_of("c3")), 5);
	assert_int_equal(delete_of(HERE, bundle_of("c1")), 137);

	for (int i = 0; i < 2; i++) {
		const char *id = i ? "other" : "o1";

		kill_task(id, NULL, SIGKILL);
		wait_exit(id, NULL);
		delete_task(id, NULL);
	}
	shutdown_shim();
}

/* As containerd does it. */
static void remove_bundle(const char *id)
{
	static int n;

	assert_int_equal(rename(text("%s/state/" NS "/%s", DIR_OF_TEST, id),
				text("%s/state/" NS "/.gone%d", DIR_OF_TEST, n++)),
			 0);
}

/*
 * containerd 2.3 takes their bundles away soon after, whatever has become of them: they are
 * known by then, however long the sandbox itself takes.
 */
static void others_without_bundles(void)
{
	pid_t pod, c1, c2, c3, mover;
	char *from[2], *to = text("%s/state/" NS, DIR_OF_TEST);
	int status;

	pod = run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	c2 = run_in_pod("pod", "c2");
	c3 = run_in_pod("pod", "c3");
	kill_shim();
	/* Or even before. */
	remove_bundle("c3");
	script("delete.pod", text("touch %s\nwait_for %s\n", in_dir("at"), in_dir("on")));
	for (int i = 0; i < 2; i++)
		from[i] = text("%s/state/" NS "/c%d", DIR_OF_TEST, i + 1);
	mover = fork();
	if (mover == 0) {
		while (access(in_dir("at"), F_OK) < 0)
			usleep(1000);
		for (int i = 0; i < 2; i++)
			if (rename(from[i], text("%s/.c%d", to, i)) < 0)
				_exit(1);
		_exit(creat(in_dir("on"), 0644) < 0);
	}
	assert_int_equal(delete_of(HERE, bundle_of("pod")), 137);
	assert_int_equal(waitpid(mover, &status, 0), mover);
	assert_int_equal(status, 0);
	until(!is_alive(pod) && !is_alive(c1) && !is_alive(c2) && !is_alive(c3));
	until(!other_processes());
	for (int i = 1; i <= 3; i++)
		assert_false(exists(text("%s/" NS "/c%d", e2e.root, i)));
}

static void bundles_of_the_others_go(void **st)
{
	(void)st;
	others_without_bundles();
}

static void bundles_on_a_disk_go(void **st)
{
	(void)st;
	disk_make(in_dir("state"));
	others_without_bundles();
	disk_end();
}

/* It was still dying when "delete" began. */
static void shim_dies_meanwhile(void **st)
{
	pid_t pod, c1, killer;
	int status;

	(void)st;
	pod = run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	script("delete.pod", text("touch %s\nwait_for %s\n", in_dir("at"), in_dir("on")));
	killer = fork();
	if (killer == 0) {
		while (access(in_dir("at"), F_OK) < 0)
			usleep(1000);
		kill(e2e.server, SIGKILL);
		while (is_alive(e2e.server))
			usleep(1000);
		_exit(creat(in_dir("on"), 0644) < 0);
	}
	assert_int_equal(delete_of(HERE, bundle_of("pod")), 137);
	assert_int_equal(waitpid(killer, &status, 0), killer);
	assert_int_equal(status, 0);
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), SIGKILL);
	until(!is_alive(pod) && !is_alive(c1));
	assert_false(exists(e2e.path));
}

/* What the first container's bundle knows of the others goes with them. */
static void notes(void)
{
	char *note = text("%s/state/" NS "/pod/others/c1", DIR_OF_TEST);
	pid_t c1, other;

	run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	assert_true(exists(note));
	assert_false(exists(text("%s/state/" NS "/pod/others/pod", DIR_OF_TEST)));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	until(!exists(note));
	remove_bundle("c1");
	/* A Create that fails. */
	script("create.c1", "error no\n");
	fails_with(ask_create(in_pod("pod", "c1", "exec sleep 1000"), NULL), TTRPC_UNKNOWN,
		   "no");
	until(!exists(note));
	remove_bundle("c1");
	script("create.c1", "");
	c1 = run_in_pod("pod", "c1");
	assert_true(exists(note));
	kill_shim();
	/* The id has been given to another shim's container meanwhile. */
	delete_of(HERE, bundle_of("c1"));
	assert_false(is_alive(c1));
	remove_bundle("c1");
	other = run_in_pod("c1", "c1");
	assert_true(exists(note));
	delete_of(HERE, bundle_of("pod"));
	assert_true(is_alive(other));
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void notes_of_the_others(void **st)
{
	(void)st;
	notes();
}

static void notes_on_a_disk(void **st)
{
	(void)st;
	disk_make(in_dir("state"));
	notes();
	disk_end();
}

/* Of a pod each is asked for by containerd 1.6: they do not all clean them all. */
static void others_are_left_to_the_sandbox(void **st)
{
	pid_t pod, c1, c2;

	(void)st;
	pod = run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	c2 = run_in_pod("pod", "c2");
	kill_shim();
	delete_of(HERE, bundle_of("c1"));
	assert_false(is_alive(c1));
	assert_int_equal(calls_of("delete"), 1);
	assert_true(is_alive(pod) && is_alive(c2));
	/* It is gone: somebody else does it. */
	assert_int_equal(unlink(text("%s/state/" NS "/pod/shim", DIR_OF_TEST)), 0);
	delete_of(HERE, bundle_of("c1"));
	until(!is_alive(c2));
	delete_of(HERE, bundle_of("pod"));
	until(!is_alive(pod));
}

/* There are more of them than runtimes can delete while containerd waits. */
static void many_others_of_the_pod(void **st)
{
	enum { N = 20 };
	uint64_t begin;
	pid_t pids[N];

	(void)st;
	run_in_pod("pod", "pod");
	for (int i = 0; i < N; i++)
		pids[i] = run_in_pod("pod", text("c%d", i));
	kill_shim();
	for (int i = 0; i < N; i++)
		script(text("delete.c%d", i), i == 0 ? "ignore_term\nhang\n" : "delay_ms 3000\n");
	begin = loop_now();
	assert_int_equal(delete_of(HERE, bundle_of("pod")), 137);
	begin = loop_now() - begin;
	assert_true(begin >= LIMIT_DELETE_MS * LOOP_MSEC);
	assert_true(begin < 5 * LOOP_SEC * (uint64_t)e2e.slow);
	for (int i = 1; i < N; i++)
		until_within(4 * SOON, !is_alive(pids[i]) &&
				       !exists(text("%s/" NS "/c%d", e2e.root, i)));
	/* Who hangs is given up, and can be tried again. */
	until_within(4 * SOON, !strstr(other_processes(), "fake-runc"));
	script("delete.c0", "");
	delete_of(HERE, bundle_of("c0"));
	until(!is_alive(pids[0]) && !other_processes());
}

/* The shim lives: "delete" after a normal Delete, and whoever runs it by mistake. */
static void a_living_shim_is_spared(void **st)
{
	pid_t c1, c2;

	(void)st;
	run_in_pod("pod", "pod");
	c1 = run_in_pod("pod", "c1");
	c2 = run_in_pod("pod", "c2");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	assert_int_equal(delete_of(HERE, bundle_of("c1")), 137);
	assert_true(!is_alive(c1) && is_alive(c2));
	assert_true(exists(e2e.path));
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	kill_task("pod", NULL, SIGKILL);
	wait_exit("pod", NULL);
	delete_task("c2", NULL);
	delete_task("pod", NULL);
	shutdown_shim();
}

/* The record names no process that is seen from here, but somebody serves on the socket. */
static void a_shim_that_is_not_seen(void **st)
{
	pid_t c1, c2;
	char *record;

	(void)st;
	c1 = run_in_pod("c1", "c1");
	c2 = run_in_pod("c1", "c2");
	record = text("999999 1 %s\n", e2e.path);
	for (int i = 1; i <= 2; i++)
		write_file(text("%s/state/" NS "/c%d/shim", DIR_OF_TEST, i), record,
			   strlen(record));
	delete_of(HERE, bundle_of("c1"));
	until(!is_alive(c1));
	assert_true(is_alive(c2));
	assert_true(exists(e2e.path));
	wait_exit("c1", NULL);
	kill_task("c2", NULL, SIGKILL);
	wait_exit("c2", NULL);
	delete_task("c2", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Records that are broken, of nobody, or of another time are nobody's. */
static void broken_records(void **st)
{
	static const char *const records[] = { "",	     "1",  "x y z",
					       "4194304 17", "\n", "1 1 /nowhere" };
	pid_t c2;

	(void)st;
	run_in_pod("c1", "c1");
	c2 = run_in_pod("c1", "c2");
	kill_shim();
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		write_file(text("%s/state/" NS "/c1/shim", DIR_OF_TEST), records[i],
			   strlen(records[i]));
		delete_of(HERE, bundle_of("c1"));
		assert_true(is_alive(c2));
	}
	delete_of(HERE, bundle_of("c2"));
	until(!is_alive(c2));
	assert_false(exists(e2e.path));
}

/* Of half a record of an exit nothing is believed: nobody knows how that one ended. */
static void broken_exits(void **st)
{
	static const char *const records[] = { "", "1", "77 0", "77 0 1 x\n" };
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create(b);
	start("c1", NULL);
	kill_shim();
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		write_file(text("%s/exit", b->dir), records[i], strlen(records[i]));
		assert_int_equal(delete_of(HERE, b), 137);
	}
}

/* A shim that dies before there is any container leaves a socket: "delete" finds it. */
static void socket_of_a_shim_without_container(void **st)
{
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	delete_of(HERE, b);
	assert_true(exists(e2e.path));
	kill_shim();
	assert_true(exists(e2e.path));
	delete_of(HERE, b);
	assert_false(exists(e2e.path));
}

/* The stock shim of containerd 2 writes no "address": the name follows from the arguments. */
static void socket_that_no_file_names(void **st)
{
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	assert_int_equal(unlink(text("%s/address", b->dir)), 0);
	delete_of(HERE, b);
	assert_true(exists(e2e.path));
	kill_shim();
	delete_of(HERE, b);
	assert_false(exists(e2e.path));
}

/* That of containerd 2.3 may serve elsewhere: it leaves a link to the folder. */
static void socket_in_another_folder(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *there = text("%s%s", in_dir("s"), strrchr(e2e.path, '/'));

	(void)st;
	assert_int_equal(unlink(text("%s/address", b->dir)), 0);
	kill_shim();
	make_folder(in_dir("s"));
	assert_int_equal(rename(e2e.path, there), 0);
	assert_int_equal(symlink("elsewhere", text("%s/s", b->dir)), 0);
	delete_of(HERE, b);
	assert_true(exists(there));
	assert_int_equal(unlink(text("%s/s", b->dir)), 0);
	assert_int_equal(symlink(in_dir("s"), text("%s/s", b->dir)), 0);
	delete_of(HERE, b);
	assert_false(exists(there));
}

/*
 * The server cannot start, for want of descriptors: its socket goes with it. (A
 * leak checker would want descriptors of its own, and hangs.)
 */
static void server_that_cannot_start(void **st)
{
	char *sh =
		text("#!/bin/sh\nexport ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\"\n"
		     "ulimit -n 5\nexec %s \"$@\"\n",
		     e2e.shim);
	struct run *r;

	(void)st;
	write_file(in_dir("few"), sh, strlen(sh));
	chmod(in_dir("few"), 0755);
	snprintf(e2e.shim, sizeof(e2e.shim), "%s", in_dir("few"));
	r = run_shim("/", NULL, 0, false, ARGS("c1", "-socket", in_dir("s")));
	assert_int_not_equal(r->status, 0);
	assert_non_null(strstr(r->err, "cannot start"));
	assert_false(exists(in_dir("s")));
}

/* ------------------------------------------------------- repeated Deletes */

static struct bundle *stopped(int status)
{
	struct bundle *b = shim_for("c1", text("exit %d", status));

	create(b);
	start("c1", NULL);
	wait_exit("c1", NULL);
	return b;
}

/* Ten at once: one runtime command, one event, and the same answer to all. */
static void deletes_at_once(void **st)
{
	struct answer *a[10];

	(void)st;
	stopped(7);
	script("delete", "delay_ms 100\n");
	for (int i = 0; i < 10; i++)
		a[i] = ask_delete("c1", NULL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(as_delete(ok(a[i]))->exit_status, 7);
	assert_int_equal(calls_of("delete"), 1);
	fails(ask_delete("c1", NULL), TTRPC_NOT_FOUND, NULL);
	expect_events("create c1", "start c1", "exit c1 c1 7", "delete c1 7");
	shutdown_shim();
	expect_no_more_events();
}

/* The same for an exec. */
static void exec_deletes_at_once(void **st)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct stdio io = { .out = make_fifo("out") };
	struct answer *a[5];
	struct reader *r;

	(void)st;
	create(b);
	start("c1", NULL);
	r = reader_open(io.out);
	/* A child holds its output for a while: Delete takes that long. */
	ok(ask_exec("c1", "e1", "sleep 0.3 & exit 4", &io));
	start("c1", "e1");
	wait_exit("c1", "e1");
	for (int i = 0; i < 5; i++)
		a[i] = ask_delete("c1", "e1");
	for (int i = 0; i < 5; i++)
		assert_int_equal(as_delete(ok(a[i]))->exit_status, 4);
	until(r->eof);
	fails(ask_delete("c1", "e1"), TTRPC_NOT_FOUND, NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/*
 * The client gives up while the runtime is at work, and comes again: before the
 * end it waits for it; after it there is nothing left, the command knows the status.
 */
static void client_gave_up(void **st)
{
	struct bundle *b = stopped(9);
	struct answer *again;

	(void)st;
	script("delete", text("touch %s\nwait_for %s\n", in_dir("at"), in_dir("on")));
	ask_delete("c1", NULL);
	until(exists(in_dir("at")));
	ttrpc_client_close(&e2e.client);
	connect_shim(text("%s", e2e.path));
	again = ask_delete("c1", NULL);
	loop_for(50);
	assert_false(again->done);
	write_file(in_dir("on"), "", 0);
	assert_int_equal(as_delete(ok(again))->exit_status, 9);
	fails(ask_delete("c1", NULL), TTRPC_NOT_FOUND, NULL);
	assert_int_equal(delete_of(HERE, b), 9);
	expect_events("create c1", "start c1", "exit c1 c1 9", "delete c1 9");
	for (int i = 0; i < 3; i++) {
		struct answer *s = ask_shutdown();

		await(s);
	}
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), 0);
	expect_no_more_events();
}

/* It fails once; a repetition that waited tries for itself. */
static void delete_fails_once(void **st)
{
	struct answer *a, *again;

	(void)st;
	stopped(3);
	script("delete",
	       text("touch %s\nwait_for %s\nerror busy\n", in_dir("at"), in_dir("on")));
	a = ask_delete("c1", NULL);
	until(exists(in_dir("at")));
	again = ask_delete("c1", NULL);
	script("delete", "");
	write_file(in_dir("on"), "", 0);
	fails_with(a, TTRPC_UNKNOWN, "busy");
	assert_int_equal(as_delete(ok(again))->exit_status, 3);
	shutdown_shim();
}

E2E_GROUP(E2E(others_of_the_pod), E2E(bundles_of_the_others_go), E2E(bundles_on_a_disk_go),
	  E2E(shim_dies_meanwhile), E2E(notes_on_a_disk),
	  E2E(notes_of_the_others), E2E(others_are_left_to_the_sandbox), E2E(many_others_of_the_pod), E2E(a_living_shim_is_spared),
	  E2E(a_shim_that_is_not_seen), E2E(broken_records), E2E(broken_exits),
	  E2E(socket_of_a_shim_without_container), E2E(socket_that_no_file_names),
	  E2E(socket_in_another_folder),
	  E2E(server_that_cannot_start), E2E(deletes_at_once),
	  E2E(exec_deletes_at_once), E2E(client_gave_up),
	  E2E(delete_fails_once))
