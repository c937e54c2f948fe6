/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init was killed, and its cgroup, which systemd had made, is gone before its exit is
 * told: that is taken for want of memory (shim/oom.c), unless somebody has asked for it.
 * Of cgroup v1.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY "/sys/fs/cgroup/memory"

static char *group;
static struct answer *execing;

/* As containerd does on a host with systemd. */
static struct answer *ask_create_by_systemd(const struct bundle *b)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__Options o = RUNC__OPTIONS__INIT;

	o.binary_name = in_dir("runtime");
	o.root = e2e.root;
	o.systemd_cgroup = true;
	any.type_url = text("containerd.runc.v1.Options");
	any.value.len = pack(&o.base, &any.value.data);
	q.id = text("c1");
	q.bundle = text("%s", b->dir);
	q.options = &any;
	return ask("Create", &q);
}

/*
 * c1, whose init is in a memory cgroup of its own, and an exec that hangs, so that its
 * exit is not told before end(). A Checkpoint does what there is in the file "dump".
 */
static bool make_c1(void)
{
	struct bundle *b;
	char *sh, *pid;

	if (!e2e.cgroup[0] || !exists(MEMORY "/memory.oom_control"))
		return false;
	group = text(MEMORY "%s", strrchr(e2e.cgroup, '/'));
	assert_int_equal(mkdir(group, 0755), 0);
	sh = text("#!/bin/sh\ncase \"$*\" in\n*' create '*) echo $$ >%s/cgroup.procs ;;\n"
		  "*' checkpoint '*) . %s; exit ;;\nesac\nexec %s \"$@\"\n",
		  group, in_dir("dump"), e2e.fake);
	write_file(in_dir("runtime"), sh, strlen(sh));
	chmod(in_dir("runtime"), 0755);
	b = shim_for("c1", "exec sleep 1000");
	pid = text("%u", as_pid(ok(ask_create_by_systemd(b))));
	write_file(in_dir("pid"), pid, strlen(pid));
	script("exec", text("wait_for %s\nerror no init\n", in_dir("go")));
	exec_add("c1", "e1", "true");
	execing = ask_start("c1", "e1");
	until(calls_of("exec") == 1);
	return true;
}

/* What the kernel tells the shim, it tells us too. */
static int subscribe(void)
{
	int told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int file = open(text("%s/memory.oom_control", group), O_RDONLY | O_CLOEXEC);
	int control = open(text("%s/cgroup.event_control", group), O_WRONLY | O_CLOEXEC);

	assert_true(dprintf(control, "%d %d", told, file) > 0);
	close(control);
	close(file);
	return told;
}

/* As systemd does it, when the last process is dead. */
static void remove_group(void)
{
	struct pollfd p = { .fd = subscribe(), .events = POLLIN };

	until(rmdir(group) == 0);
	until(poll(&p, 1, 0) == 1);
	close(p.fd);
	ok(ask_connect("c1"));
}

static void end(void)
{
	write_file(in_dir("go"), "", 0);
	await(execing);
}

static void killed_by_nobody(void)
{
	kill((pid_t)state("c1", NULL)->pid, SIGKILL);
	until(await(ask_kill("c1", NULL, 0, false))->code == TTRPC_NOT_FOUND);
}

/* A Kill comes too late to have been it. */
static void by_nobody(void **st)
{
	(void)st;
	if (!make_c1())
		skip();
	killed_by_nobody();
	fails(ask_kill("c1", NULL, SIGKILL, false), TTRPC_NOT_FOUND,
	      "process already finished: not found");
	remove_group();
	end();
	expect_events("create c1", "exec-added c1 e1", "oom c1", "exit c1 c1 137");
	delete_task("c1", NULL);
	expect_events("delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

static void by_a_kill(void **st)
{
	(void)st;
	if (!make_c1())
		skip();
	kill_task("c1", NULL, SIGKILL);
	remove_group();
	end();
	expect_events("create c1", "exec-added c1 e1", "exit c1 c1 137");
	delete_task("c1", NULL);
	shutdown_shim();
}

static void by_a_delete(void **st)
{
	struct answer *deleting;

	(void)st;
	if (!make_c1())
		skip();
	deleting = ask_delete("c1", NULL);
	remove_group();
	end();
	ok(deleting);
	expect_events("create c1", "exec-added c1 e1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

static struct answer *ask_checkpoint_and_exit(const char *script)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__CheckpointOptions o = RUNC__CHECKPOINT_OPTIONS__INIT;

	write_file(in_dir("dump"), script, strlen(script));
	o.exit = true;
	any.type_url = text("containerd.runc.v1.CheckpointOptions");
	any.value.len = pack(&o.base, &any.value.data);
	q.id = text("c1");
	q.path = in_dir("images");
	q.options = &any;
	return ask("Checkpoint", &q);
}

static void by_criu(void **st)
{
	(void)st;
	if (!make_c1())
		skip();
	start("c1", NULL);
	ok(ask_checkpoint_and_exit(text("kill -9 $(cat %s)", in_dir("pid"))));
	remove_group();
	end();
	expect_events("create c1", "exec-added c1 e1", "start c1", "exit c1 c1 137");
	delete_task("c1", NULL);
	expect_events("delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* A Checkpoint that has failed has killed nobody. */
static void not_by_criu(void **st)
{
	(void)st;
	if (!make_c1())
		skip();
	start("c1", NULL);
	assert_int_equal(await(ask_checkpoint_and_exit("false"))->code, TTRPC_UNKNOWN);
	killed_by_nobody();
	remove_group();
	end();
	expect_events("create c1", "exec-added c1 e1", "start c1", "oom c1",
		      "exit c1 c1 137");
	delete_task("c1", NULL);
	shutdown_shim();
}

E2E_GROUP(E2E(by_nobody), E2E(by_a_kill), E2E(by_a_delete), E2E(by_criu),
	  E2E(not_by_criu))
