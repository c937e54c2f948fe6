/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is not enough of, or what is not what it seems: no process can be made, the
 * disk is full from the beginning, the time of day jumps. Calls are answered, exits are
 * told, and as soon as there is enough again everything works.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/faults.h"

/* False: there is no such file, or it takes no such thing. */
static bool tell(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool told = fd >= 0 && write(fd, what, strlen(what)) == (ssize_t)strlen(what);

	close(fd);
	return told;
}

/*
 * The shim is in a cgroup of its own with @max processes, itself included: what needs more
 * is refused, be it the shim that fails to make a process or the runtime.
 */
static void processes(const char *group, int max)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");
	struct answer *waiting;

	assert_true(tell(text("%s/cgroup.procs", group), text("%d", e2e.server)));
	assert_true(tell(text("%s/pids.max", group), text("%d", max)));
	assert_int_not_equal(await(ask_create(b, NULL))->code, TTRPC_OK);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, NULL);
	assert_true(tell(text("%s/pids.max", group), "max"));
	create(b);
	assert_true(tell(text("%s/pids.max", group), "1"));
	assert_int_not_equal(await(ask_start("c1", NULL))->code, TTRPC_OK);
	assert_true(tell(text("%s/pids.max", group), "max"));
	start("c1", NULL);
	waiting = ask_wait("c1", NULL);
	assert_true(tell(text("%s/pids.max", group), text("%d", max)));
	exec_add("c1", "e1", "exit 5");
	assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
	ok(ask_pids("c1"));
	assert_true(tell(text("%s/pids.max", group), "max"));
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 5);
	delete_task("c1", "e1");
	assert_true(tell(text("%s/pids.max", group), "1"));
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(as_wait(ok(waiting))->exit_status, 137);
	assert_int_not_equal(await(ask_delete("c1", NULL))->code, TTRPC_OK);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	assert_true(tell(text("%s/pids.max", group), "max"));
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 5", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

static void no_processes(int max)
{
	const char *group = text("%s/shim", e2e.cgroup);

	if (!e2e.cgroup[0])
		skip();
	assert_int_equal(mkdir(group, 0755), 0);
	if (!exists(text("%s/pids.max", group))) {
		rmdir(group);
		skip();
	}
	processes(group, max);
	until(rmdir(group) == 0);
}

static void no_process_at_all(void **st)
{
	(void)st;
	no_processes(1);
}

static void no_process_for_the_runtime(void **st)
{
	(void)st;
	no_processes(2);
}

/* "delete" and "start", too, in a cgroup that is full. */
static void no_process_for_start(void **st)
{
	const char *group = text("%s/full", e2e.cgroup), *path = in_dir("full"), *sh;
	struct bundle *b;
	struct run *r;

	(void)st;
	if (!e2e.cgroup[0])
		skip();
	assert_int_equal(mkdir(group, 0755), 0);
	if (!tell(text("%s/pids.max", group), "1")) {
		rmdir(group);
		skip();
	}
	sh = text("#!/bin/sh\nexport ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\"\n"
		  "echo 0 >%s/cgroup.procs\nexec %s \"$@\"\n",
		  group, e2e.shim);
	write_file(path, sh, strlen(sh));
	chmod(path, 0755);
	b = bundle("c1", "true");
	sh = text("%s", e2e.shim);
	snprintf(e2e.shim, sizeof(e2e.shim), "%s", path);
	r = run_start(b->dir, "c1");
	assert_int_not_equal(r->status, 0);
	assert_non_null(strstr(r->out, "esource temporarily unavailable"));
	assert_int_equal(count_files(SHIM_SOCKETS) > 0
				 ? other_file_in(SHIM_SOCKETS,
						 (const char *const[]){ "lock", ".lock" },
						 2) != NULL
				 : 0,
			 0);
	r = run_delete(b->dir, "c1");
	assert_int_equal(WEXITSTATUS(r->status), 0);
	until(rmdir(group) == 0);
	snprintf(e2e.shim, sizeof(e2e.shim), "%s", sh);
}

/* The bundle's disk is full before there is a container. */
static void disk_is_full_at_create(void **st)
{
	const char *dir = in_dir("state");
	struct bundle *b;
	char page[4096] = "";
	int fd;

	(void)st;
	mkdir(dir, 0711);
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=32k"), 0);
	b = shim_for("c1", "exec sleep 1000");
	fd = open(text("%s/full", dir), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
	fails_with(ask_create(b, NULL), TTRPC_UNKNOWN, "no space left on device");
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, NULL);
	unlink(text("%s/full", dir));
	create(b);
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

/* Deadlines and drains go by another clock, and what was recorded of an exit stays. */
static void time_of_day_jumps(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	int64_t at;
	struct answer *hanging;
	struct reader *r;

	(void)st;
	preload("clock.so");
	e2e.extra_env[2] = "BRASS_DRAIN_TIMEOUT_MS=300";
	e2e.extra_env[3] = "BRASS_RUNTIME_TIMEOUT_MS=500";
	run_c1("exec sleep 1000");
	r = reader_open(io.out);
	ok(ask_exec("c1", "e1", "sleep 1000 & exit 5", &io));
	start("c1", "e1");
	at = wait_exit("c1", "e1")->exited_at->seconds;
	assert_true(llabs(at - time(NULL)) > 86400);
	assert_true(state("c1", "e1")->exited_at->seconds == at);
	/* Its child holds the output: given up after the drain time. */
	assert_true(delete_task("c1", "e1")->exited_at->seconds == at);
	reader_close(r);
	script("exec.e2", "hang\n");
	exec_add("c1", "e2", "true");
	hanging = ask_start("c1", "e2");
	fails_with(hanging, TTRPC_UNKNOWN, "did not end within 0.5 s and was killed");
	assert_true(hanging->ns >= 450 * LOOP_MSEC);
	delete_task("c1", "e2");
	ok(ask_kill("c1", NULL, SIGKILL, true));
	at = wait_exit("c1", NULL)->exited_at->seconds;
	assert_true(delete_task("c1", NULL)->exited_at->seconds == at);
	shutdown_shim();
}

E2E_GROUP(E2E(no_process_at_all), E2E(no_process_for_the_runtime),
	  E2E(no_process_for_start), E2E(disk_is_full_at_create), E2E(time_of_day_jumps))
