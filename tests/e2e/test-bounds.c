/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds of shim/limits.h that take more than patience to be reached: hours that pass at
 * once (tests/fake/clock.c), and calls that say that they worked, fail as often as they
 * are tried, or hang (tests/fake/faults.c).
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/limits.h"
#include "tests/e2e/faults.h"

#define SECOND 1000

/* ------------------------------------------------------ containerd is away */

/* LIMIT_LEASE_EVENTS_MS */
static void events_that_nobody_takes(void **st)
{
	(void)st;
	clock_open();
	sink_close();
	run_c1("exit 0");
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	ttrpc_client_close(&e2e.client);
	clock_pass(0); /* it has seen that nobody is connected any more */
	clock_pass(LIMIT_LEASE_EVENTS_MS - 2 * SECOND);
	assert_true(is_alive(e2e.server));
	assert_true(exists(e2e.path));
	clock_pass(3 * SECOND);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(e2e.path));
	clock_close();
}

/* Another error than the last has come. */
static void until_refused_again(void)
{
	unsigned n = sink_failed();

	until(sink_failed() > n);
}

/* LIMIT_EVENT_REFUSED_MS: the next one is no worse for it. */
static void event_that_is_refused_for_good(void **st)
{
	(void)st;
	clock_open();
	sink_set(SINK_FAIL);
	create(shim_for("c1", "exec sleep 1000"));
	start("c1", NULL);
	until(sink_failed() > 0);
	clock_pass(LIMIT_EVENT_REFUSED_MS / 2);
	until_refused_again();
	sink_set(SINK_TAKE);
	expect_events("create c1", "start c1");
	sink_set(SINK_FAIL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	until_refused_again();
	clock_pass(LIMIT_EVENT_REFUSED_MS);
	until_refused_again();
	sink_set(SINK_TAKE);
	expect_events("delete c1 137");
	shutdown_shim();
	expect_no_more_events();
	clock_close();
}

/* LIMIT_UNUSED_MS: a containerd that has come back, and knows of no container here. */
static void connected_and_never_used(void **st)
{
	struct ttrpc_client other;

	(void)st;
	clock_open();
	shim_for("c1", "exec sleep 1000");
	clock_pass(LIMIT_UNUSED_MS - 10 * SECOND);
	create(bundle("late", "exec sleep 1000"));
	clock_pass(LIMIT_UNUSED_MS + SECOND);
	start("late", NULL);
	kill_task("late", NULL, SIGKILL);
	wait_exit("late", NULL);
	delete_task("late", NULL);
	expect_events("create late", "start late", "exit late late 137", "delete late 137");
	/* An event comes before the shim has looked at the clock: an answer comes after. */
	ok(ask_connect(""));
	clock_pass(LIMIT_UNUSED_MS - 10 * SECOND);
	/* Who looks in does not put it off. */
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	assert_int_equal(ttrpc_client_connect(&other), 0);
	ok(ask_connect(""));
	ttrpc_client_close(&other);
	clock_pass(0);
	assert_true(is_alive(e2e.server));
	assert_true(exists(e2e.path));
	clock_pass(11 * SECOND);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(e2e.path));
	ttrpc_client_close(&e2e.client);
	clock_close();
}

/* LIMIT_EVENT_PAUSE_MS: its socket was there all the time, so that nothing tells of it. */
static void containerd_that_nobody_announces(void **st)
{
	(void)st;
	clock_open();
	sink_close();
	sink_bind();
	run_c1("exec sleep 1000");
	/* The pauses of the first tries; whatever is due by then is done at once. */
	for (int i = 0; i <= LIMIT_EVENT_TRIES; i++)
		clock_pass(3 * SECOND);
	sink_open();
	clock_pass(LIMIT_EVENT_PAUSE_MS - 10 * SECOND);
	ok(ask_state("c1", NULL));
	assert_int_equal(sink_count(), 0);
	clock_pass(10 * SECOND);
	expect_events("create c1", "start c1");
	end_c1();
	clock_close();
}

/* ------------------------------------------------------ who does not end */

/* LIMIT_DEATH_MS: a Delete of what was never started; it can be tried again. */
static void init_that_does_not_die(void **st)
{
	struct faults *faults = faults_open(FAULT_SERVER);
	struct answer *deleting;
	uint32_t pid;

	(void)st;
	clock_open();
	pid = create(shim_for("c1", "exec sleep 1000"));
	faults->kind = FAULT_SENDSIG;
	faults->nth = 1;
	faults->more = 1000;
	faults->armed = 1;
	deleting = ask_delete("c1", NULL);
	until(faults->seen > 0);
	clock_pass(LIMIT_DEATH_MS - SECOND);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__CREATED);
	assert_false(deleting->done);
	clock_pass(2 * SECOND);
	until(deleting->done);
	fails(deleting, TTRPC_DEADLINE_EXCEEDED,
	      text("failed to delete task: process %u does not die of SIGKILL", pid));
	faults->armed = 0;
	assert_true(is_alive((pid_t)pid));
	assert_int_equal(delete_task("c1", NULL)->exit_status, 137);
	expect_events("create c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	clock_close();
	faults_close(faults);
}

/* A bundle that a shim left behind; a file system is mounted on its rootfs. */
static struct bundle *left_behind(const char *id)
{
	struct bundle *b = bundle(id, "true");

	write_file(text("%s/runtime", b->dir), e2e.fake, strlen(e2e.fake));
	assert_int_equal(mount("t", text("%s/rootfs", b->dir), "tmpfs", 0, NULL), 0);
	return b;
}

static bool is_mounted(const struct bundle *b)
{
	return strstr(read_file("/proc/self/mountinfo", NULL),
		      text(" %s/rootfs ", b->dir));
}

static struct run *begin_delete(const struct bundle *b)
{
	return run_begin(b->dir, NULL, 0, false,
			 ARGS(b->id, "-bundle", b->dir, "delete"));
}

/*
 * LIMIT_DELETE_UNMOUNT_MS: a runtime that hangs does not take the time that the unmount
 * needs, and an unmount that hangs does not keep containerd waiting.
 */
static void unmount_after_a_runtime_that_hangs(void **st)
{
	struct bundle *b1 = left_behind("c1"), *b2 = left_behind("c2");
	struct run *plain, *hanging;
	struct faults *faults;

	(void)st;
	script("delete", "ignore_term\nhang\n");
	plain = begin_delete(b1);
	faults = faults_open(FAULT_DELETE);
	faults->kind = FAULT_UMOUNT;
	faults->hang = faults->armed = 1;
	hanging = begin_delete(b2);
	run_end(plain);
	run_end(hanging);
	assert_int_equal(plain->status, 0);
	assert_false(is_mounted(b1));
	assert_null(strstr(plain->err, "unmount"));
	assert_int_equal(hanging->status, 0);
	assert_true(hanging->ns < 5 * LOOP_SEC);
	assert_non_null(strstr(hanging->err, "unmount rootfs: timer expired"));
	assert_true(is_mounted(b2));
	faults->hang = 0;
	script("delete", "");
	run_end(begin_delete(b2));
	assert_false(is_mounted(b2));
	faults_close(faults);
}

/* ------------------------------------------------------ the cgroup of the shim */

/* A mount whose line in mountinfo is longer than LIMIT_LINE; it has to be passed over. */
static char *mount_far_away(void)
{
	char *dir = in_dir("far");

	mkdir(dir, 0755);
	for (int i = 0; i < 12; i++) {
		dir = text("%s/%0200d", dir, i);
		mkdir(dir, 0755);
	}
	assert_int_equal(mount(dir, dir, NULL, MS_BIND, NULL), 0);
	return dir;
}

static struct run *start_in_cgroup(const struct bundle *b)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__Options o = RUNC__OPTIONS__INIT;
	uint8_t *in;
	size_t len;

	o.binary_name = text("%s", e2e.fake);
	o.shim_cgroup = text("/");
	any.type_url = text("containerd.runc.v1.Options");
	any.value.len = pack(&o.base, &any.value.data);
	len = pack(&any.base, &in);
	return run_shim(b->dir, in, len, true, ARGS(b->id, "start"));
}

/* LIMIT_CGROUP_TRIES: the last try counts, and there is none after it. */
static void cgroup_that_is_never_ready(void **st)
{
	struct bundle *b;
	struct faults *faults;
	char *far;
	struct run *r;

	(void)st;
	if (!e2e.cgroup[0]) {
		print_message("no cgroup can be made\n");
		skip();
	}
	far = mount_far_away();
	b = bundle("c1", "true");
	faults = faults_open(FAULT_START);
	faults->kind = FAULT_WRITE;
	faults->error = EINVAL;
	faults->nth = 2; /* the first one is that of the address */
	faults->more = LIMIT_CGROUP_TRIES - 1;
	faults->armed = 1;
	r = start_in_cgroup(b);
	assert_int_not_equal(r->status, 0);
	assert_non_null(strstr(r->out, "shim_cgroup: /sys/fs/cgroup"));
	assert_non_null(strstr(r->out, ": invalid argument"));
	assert_int_equal(faults->seen, 1 + LIMIT_CGROUP_TRIES);
	faults->seen = 0;
	faults->more--;
	r = start_in_cgroup(b);
	assert_int_equal(r->status, 0);
	connect_shim(r->out + 7);
	shutdown_shim();
	faults_close(faults);
	umount2(far, MNT_DETACH);
}

E2E_GROUP(E2E(events_that_nobody_takes), E2E(event_that_is_refused_for_good), E2E(connected_and_never_used), E2E(containerd_that_nobody_announces),
	  E2E(init_that_does_not_die), E2E(unmount_after_a_runtime_that_hangs),
	  E2E(cgroup_that_is_never_ready))
