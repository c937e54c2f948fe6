/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others do to a shim and to what it stands on, behind its back: it is stopped,
 * its disk fills up or becomes read-only, files, folders and programs vanish, it has
 * no descriptors left. Calls are answered, exits are told, and it can be cleaned up.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signal @signo has been taken: the shim is in that state. */
static void signal_shim(int signo, char state)
{
	kill(e2e.server, signo);
	until((proc_status(e2e.server, "State")[0] == 'T') == (state == 'T'));
}

static void exec_runs(const char *id)
{
	exec_add("c1", id, "exit 5");
	start("c1", id);
	assert_int_equal(wait_exit("c1", id)->exit_status, 5);
	delete_task("c1", id);
}

/* Stopped while a start is under way, an exec and then the init end. */
static void stopped(void **st)
{
	struct answer *starting, *waiting, *last;

	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "ends",
		 text("until test -e %s; do sleep 0.01; done; exit 3", in_dir("end")));
	start("c1", "ends");
	waiting = ask_wait("c1", "ends");
	script("exec.starts",
	       text("touch %s\nwait_for %s\n", in_dir("starts"), in_dir("go")));
	exec_add("c1", "starts", "exec sleep 2000");
	starting = ask_start("c1", "starts");
	until(exists(in_dir("starts")));
	signal_shim(SIGSTOP, 'T');
	write_file(in_dir("end"), "", 0);
	write_file(in_dir("go"), "", 0);
	last = ask_state("c1", NULL);
	loop_for(100);
	assert_false(starting->done || waiting->done || last->done);
	signal_shim(SIGCONT, 0);
	ok(last);
	ok(starting);
	assert_int_equal(as_wait(ok(waiting))->exit_status, 3);
	end_c1();
	expect_events("create c1", "start c1", "exec-added c1 ends",
		      "exec-started c1 ends", "exec-added c1 starts");
	/* The start and the other exec's exit are about different execs. */
	until(sink_count() == 10);
}

/* Stopped and continued all the time. */
static void stutters(void **st)
{
	char id[16];

	(void)st;
	run_c1("exec sleep 1000");
	for (int i = 0; i < 20; i++) {
		struct answer *a[3];

		snprintf(id, sizeof(id), "e%d", i);
		a[0] = ask_exec("c1", id, "exit 5", NULL);
		a[1] = ask_start("c1", id);
		a[2] = ask_wait("c1", id);
		while (!a[0]->done || !a[1]->done || !a[2]->done) {
			kill(e2e.server, SIGSTOP);
			kill(e2e.server, SIGCONT);
			loop_for(1);
		}
		ok(a[0]);
		ok(a[1]);
		assert_int_equal(as_wait(ok(a[2]))->exit_status, 5);
		delete_task("c1", id);
	}
	end_c1();
}

/* The bundles lie on a file system of their own, with room for a few files. */
static const char *small_disk(void)
{
	const char *dir = in_dir("state");

	mkdir(dir, 0711);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=128k") < 0)
		fail_at(HERE, "mount: %s", strerror(errno));
	return dir;
}

static void fill(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char page[4096] = "";

	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void no_disk(void)
{
	ttrpc_client_close(&e2e.client);
	/* The log of the shim is still open. */
	assert_int_equal(umount2(in_dir("state"), MNT_DETACH), 0);
}

static void disk_is_full(void **st)
{
	const char *dir = small_disk();

	(void)st;
	run_c1("exec sleep 1000");
	fill(text("%s/full", dir));
	exec_add("c1", "e1", "exit 5");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "OCI runtime exec");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	unlink(text("%s/full", dir));
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 5);
	delete_task("c1", "e1");
	fill(text("%s/full", dir));
	end_c1();
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 5", "exit c1 c1 137", "delete c1 137");
	no_disk();
}

static void disk_is_read_only(void **st)
{
	const char *dir = small_disk();

	(void)st;
	run_c1("exec sleep 1000");
	assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	exec_add("c1", "e1", "exit 5");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "OCI runtime exec");
	delete_task("c1", "e1");
	end_c1();
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137",
		      "delete c1 137");
	no_disk();
}

static void remove_all(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	assert_false(exists(dir));
}

static void bundle_vanishes(void **st)
{
	struct bundle *b;

	(void)st;
	b = run_c1("exec sleep 1000");
	remove_all(b->dir);
	ok(ask_state("c1", NULL));
	ok(ask_pids("c1"));
	exec_add("c1", "e1", "exit 5");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "OCI runtime exec");
	end_c1();
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137",
		      "delete c1 137");
}

/*
 * A containerd that starts while the shim is stopped takes it for dead: it runs "delete",
 * removes the bundle and knows nothing of it any more.
 */
static struct bundle *forgotten(void)
{
	struct bundle *b = run_c1("exec sleep 1000");
	pid_t server = e2e.server;

	ttrpc_client_close(&e2e.client);
	kill(server, SIGSTOP);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
	remove_all(b->dir);
	kill(server, SIGCONT);
	return b;
}

static void taken_for_dead(void **st)
{
	char *path;

	(void)st;
	e2e.extra_env[0] = "BRASS_LEASE_MS=200";
	forgotten();
	path = text("%s", e2e.path);
	assert_int_equal(shim_ended(), 0);
	assert_false(exists(path));
	expect_events("create c1", "start c1", "exit c1 c1 137");
}

/* Docker's containers are started again by the same id. "start" finds the old shim. */
static void taken_for_dead_and_started_again(void **st)
{
	struct bundle *b;
	char path[108];
	pid_t server;

	(void)st;
	forgotten();
	server = e2e.server;
	memcpy(path, e2e.path, sizeof(path));
	expect_events("create c1", "start c1", "exit c1 c1 137");
	b = run_c1("exit 6");
	assert_string_equal(e2e.path, path);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 6);
	fails_with(ask_create(b, NULL), TTRPC_ALREADY_EXISTS, "container c1");
	assert_true(is_alive(server));
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Who is connected notices nothing, and the next shim makes the folder anew. */
static void sockets_vanish(void **st)
{
	struct bundle *b2;
	char path[108];

	(void)st;
	run_c1("exec sleep 1000");
	remove_all("/run/containerd/s");
	exec_runs("e1");
	memcpy(path, e2e.path, sizeof(path));
	end_c1();
	b2 = bundle("c2", "exit 4");
	start_shim(b2);
	assert_string_not_equal(path, e2e.path);
	create(b2);
	start("c2", NULL);
	assert_int_equal(wait_exit("c2", NULL)->exit_status, 4);
	delete_task("c2", NULL);
	shutdown_shim();
}

static void runtime_vanishes(void **st)
{
	struct bundle *b;

	(void)st;
	e2e.binary_name = in_dir("runtime");
	assert_int_equal(symlink(e2e.fake, e2e.binary_name), 0);
	b = run_c1("exec sleep 1000");
	unlink(e2e.binary_name);
	exec_add("c1", "e1", "exit 5");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN, "no such file or directory");
	ok(ask_pids("c1"));
	ok(ask_kill("c1", NULL, SIGKILL, true));
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	fails_with(ask_delete("c1", NULL), TTRPC_UNKNOWN, "no such file or directory");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	assert_int_equal(symlink(e2e.fake, e2e.binary_name), 0);
	delete_task("c1", NULL);
	create(b); /* as if nothing had been */
	delete_task("c1", NULL);
	shutdown_shim();
}

static void limit(int what, rlim_t n, struct rlimit *old)
{
	struct rlimit r = { n, old->rlim_max };

	assert_int_equal(prlimit(e2e.server, what, NULL, old), 0);
	r.rlim_max = old->rlim_max;
	assert_int_equal(prlimit(e2e.server, what, &r, NULL), 0);
}

/* No descriptor more than it has: what needs one fails, everything else goes on. */
static void no_descriptors(void **st)
{
	struct rlimit old;

	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "ends",
		 text("until test -e %s; do sleep 0.01; done; exit 3", in_dir("end")));
	start("c1", "ends");
	exec_add("c1", "killed", "exec sleep 1000");
	start("c1", "killed");
	limit(RLIMIT_NOFILE, 0, &old);
	exec_add("c1", "e1", "exit 5");
	assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
	fails_with(ask_create(bundle("c2", "exit 0"), NULL), TTRPC_RESOURCE_EXHAUSTED,
		   "config.json");
	ok(ask_state("c1", NULL));
	write_file(in_dir("end"), "", 0);
	assert_int_equal(wait_exit("c1", "ends")->exit_status, 3);
	ok(ask_kill("c1", "killed", SIGKILL, false));
	assert_int_equal(wait_exit("c1", "killed")->exit_status, 137);
	/* Nobody can look who is in the cgroup: the init dies, and this is told. */
	if (*e2e.cgroup)
		fails_with(ask_kill("c1", NULL, SIGKILL, true), TTRPC_UNKNOWN,
			   "too many open files");
	else
		ok(ask_kill("c1", NULL, SIGKILL, false));
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	assert_int_not_equal(await(ask_delete("c1", NULL))->code, TTRPC_OK);
	assert_int_equal(prlimit(e2e.server, RLIMIT_NOFILE, &old, NULL), 0);
	delete_task("c1", "ends");
	delete_task("c1", "killed");
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	shutdown_shim();
}

/* As Go's programs do: it takes all it may have, and what it starts has what was given to it. */
static void all_descriptors(void **st)
{
	struct rlimit old, few, now;
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);

	(void)st;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ 100, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	reader_open(io.err);
	create_io(shim_for("c1", "ulimit -Sn; ulimit -Hn; exec sleep 1000"), &io);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	start("c1", NULL);
	assert_int_equal(prlimit(e2e.server, RLIMIT_NOFILE, NULL, &now), 0);
	assert_int_equal(now.rlim_cur, old.rlim_max);
	assert_int_equal(now.rlim_max, old.rlim_max);
	until(out->data && strchr(out->data, '\n') != strrchr(out->data, '\n'));
	assert_string_equal(out->data, text("100\n%lu\n", (unsigned long)old.rlim_max));
	end_c1();
}

/* A file that may not grow is an error, and not the end of the shim. */
static void no_file_may_grow(void **st)
{
	struct rlimit old;

	(void)st;
	run_c1("exec sleep 1000");
	limit(RLIMIT_FSIZE, 0, &old);
	exec_add("c1", "e1", "exit 5");
	assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
	ok(ask_state("c1", NULL));
	assert_int_equal(prlimit(e2e.server, RLIMIT_FSIZE, &old, NULL), 0);
	start("c1", "e1");
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 5);
	end_c1();
}

/* Whoever started containerd ignores the end of children; then nobody could wait for one. */
static void children_ignored(void **st)
{
	char *wrapper = in_dir("ignores"), *script;

	(void)st;
	script = text("#!/bin/bash\ntrap '' CHLD\nexec %s \"$@\"\n", e2e.shim);
	write_file(wrapper, script, strlen(script));
	chmod(wrapper, 0755);
	snprintf(e2e.shim, sizeof(e2e.shim), "%s", wrapper);
	run_c1("exec sleep 1000");
	exec_runs("e1");
	end_c1();
}

/* What the shim has used of a CPU, in ns. */
static uint64_t cpu_time(void)
{
	return strtoull(read_file(text("/proc/%d/schedstat", e2e.server), NULL), NULL,
			10);
}

/* A debugger keeps a dead init for itself: the shim waits, without turning round and round. */
static void traced(void **st)
{
	pid_t init;
	uint64_t before;

	(void)st;
	run_c1("exec sleep 1000");
	init = (pid_t)state("c1", NULL)->pid;
	assert_int_equal(ptrace(PTRACE_SEIZE, init, NULL, NULL), 0);
	kill_task("c1", NULL, SIGKILL);
	until(!is_alive(init));
	before = cpu_time();
	loop_for(500);
	assert_true(cpu_time() - before < 100 * LOOP_MSEC);
	assert_int_equal(waitpid(init, NULL, __WALL), init);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* It ends before it has said that it is ready, and leaves a child with the pipe for that. */
static struct stdio short_logger(const char *scheme)
{
	static const char logger[] = "#!/bin/sh\nsleep 3000 & echo $! >$1\nexit 1\n";
	struct stdio io = { 0 };

	write_file(in_dir("logger"), logger, strlen(logger));
	chmod(in_dir("logger"), 0755);
	io.out = text("%s://%s?%s", scheme, in_dir("logger"), in_dir("child"));
	io.err = io.out;
	return io;
}

static void end_child_of_logger(void)
{
	kill((pid_t)strtol(read_file(in_dir("child"), NULL), NULL, 10), SIGKILL);
	unlink(in_dir("child"));
}

static void logger_leaves_a_child(void **st)
{
	struct stdio io = short_logger("binary");
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	create_io(b, &io);
	start("c1", NULL);
	end_c1();
	end_child_of_logger();
}

/* Its end is noticed, and ends a Create of which nothing is to be undone. */
static void logger_ends_a_create(void **st)
{
	struct stdio io = short_logger("binary-v2");
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	(void)st;
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN, "logging binary did not call ready");
	end_child_of_logger();
	/* The same, for which it was ready enough. */
	e2e.binary_name = in_dir("absent");
	io = short_logger("binary");
	fails_with(ask_create(b, &io), TTRPC_UNKNOWN, "no such file or directory");
	end_child_of_logger();
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	shutdown_shim();
}

/* False: there is no such file, or it takes no such thing. */
static bool tell(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool told = fd >= 0 && write(fd, what, strlen(what)) == (ssize_t)strlen(what);

	close(fd);
	return told;
}

#define FREEZER "/sys/fs/cgroup/freezer"

/* The cgroup of c1 that can be frozen: of a v1 hierarchy, which its runtime joins, or its own. */
static char *make_freezer(void)
{
	char *dir = text(FREEZER "%s", strrchr(e2e.cgroup, '/')), *sh;

	if (!exists(FREEZER))
		return text("%s/c1", e2e.cgroup);
	assert_int_equal(mkdir(dir, 0755), 0);
	sh = text("#!/bin/sh\ncase \"$*\" in *' create '*) echo $$ >%s/cgroup.procs ;; esac\n"
		  "exec %s \"$@\"\n", dir, e2e.fake);
	write_file(in_dir("runtime"), sh, strlen(sh));
	chmod(in_dir("runtime"), 0755);
	e2e.binary_name = in_dir("runtime");
	return dir;
}

static void freeze(const char *dir)
{
	if (tell(text("%s/freezer.state", dir), "FROZEN")) {
		until(!strcmp(read_file(text("%s/freezer.state", dir), NULL), "FROZEN\n"));
		return;
	}
	assert_true(tell(text("%s/cgroup.freeze", dir), "1"));
	until(strstr(read_file(text("%s/cgroup.events", dir), NULL), "frozen 1"));
}

/* Somebody has frozen what was never started: only SIGKILL and a thaw end it. */
static void frozen_before_start(void **st)
{
	char *dir;

	(void)st;
	if (!e2e.cgroup[0])
		skip();
	dir = make_freezer();
	create(shim_for("c1", "exec sleep 1000"));
	freeze(dir);
	assert_int_equal(delete_task("c1", NULL)->exit_status, 137);
	expect_events("create c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	until(rmdir(dir) == 0 || errno == ENOENT);
}

/* Nothing is in /proc any more: the runtime cannot work, and all that needs none does. */
static void proc_vanishes(void **st)
{
	struct answer *waiting;

	(void)st;
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exit 5");
	waiting = ask_wait("c1", NULL);
	assert_int_equal(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	assert_int_not_equal(await(ask_start("c1", "e1"))->code, TTRPC_OK);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	ok(ask_pids("c1"));
	ok(ask_delete("c1", "e1"));
	ok(ask_kill("c1", NULL, SIGKILL, false));
	assert_int_equal(as_wait(ok(waiting))->exit_status, 137);
	assert_int_equal(umount("/proc"), 0);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* It is told to leave while a Create is under way: not before that container has ended. */
static void told_to_leave_in_create(void **st)
{
	struct bundle *b = shim_for("c1", "exit 3");
	struct answer *creating;

	(void)st;
	script("create", text("touch %s\nwait_for %s\n", in_dir("creates"), in_dir("go")));
	creating = ask_create(b, NULL);
	until(exists(in_dir("creates")));
	kill(e2e.server, SIGTERM);
	ok(ask_connect(""));
	write_file(in_dir("go"), "", 0);
	ok(creating);
	start("c1", NULL);
	assert_int_equal(shim_ended(), 0);
	expect_events("create c1", "start c1", "exit c1 c1 3");
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

E2E_GROUP(E2E(traced), E2E(logger_leaves_a_child), E2E(logger_ends_a_create),
	  E2E(stopped), E2E(stutters), E2E(disk_is_full), E2E(disk_is_read_only), E2E(bundle_vanishes),
	  E2E(taken_for_dead), E2E(taken_for_dead_and_started_again),
	  E2E(sockets_vanish), E2E(runtime_vanishes), E2E(no_descriptors), E2E(all_descriptors),
	  E2E(no_file_may_grow), E2E(children_ignored),
	  E2E(frozen_before_start), E2E(proc_vanishes), E2E(told_to_leave_in_create))
