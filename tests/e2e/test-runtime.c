/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtimes that are missing, fail, die or lie: the error that the client gets
 * names what happened, and nothing is left of the attempt.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fds;

static struct bundle *ready(void)
{
	struct bundle *b = shim_for("c1", "exec sleep 1000");

	fds = count_fds(e2e.server);
	return b;
}

/* Create fails with these words; then nothing is left, and it can be done again. */
static void create_fails(struct where w, const struct bundle *b, const char *part)
{
	struct answer *a = await_at(w, ask_create(b, NULL));

	if (strncmp(a->text, "OCI runtime create failed: ", 27) &&
	    strncmp(a->text, "failed to retrieve OCI runtime container pid: ", 46))
		fail_at(w, "\"%s\"", a->text);
	fails_with_at(w, a, TTRPC_UNKNOWN, part);
	fails_at(w, ask_state("c1", NULL), TTRPC_NOT_FOUND,
		 "container not created: not found");
	if (count_fds(e2e.server) != fds)
		fail_at(w, "descriptors: %d, before: %d", count_fds(e2e.server), fds);
}

/* No event came of a failed Create (containerd's TestRegressionIssue6429). */
static void end_without_event(void)
{
	shutdown_shim();
	assert_int_equal(sink_count(), 0);
}

static void missing(void **st)
{
	struct bundle *b = ready();

	(void)st;
	e2e.binary_name = "no-runc";
	create_fails(HERE, b, "exec: \"no-runc\": executable file not found in $PATH");
	e2e.binary_name = "/nowhere/runc";
	create_fails(HERE, b, "/nowhere/runc");
	create_fails(HERE, b, "no such file or directory");
	end_without_event();
}

static void not_executable(void **st)
{
	struct bundle *b = ready();

	(void)st;
	e2e.binary_name = in_dir("runtime");
	write_file(e2e.binary_name, "no program\n", 11);
	create_fails(HERE, b, "permission denied");
	chmod(e2e.binary_name, 0755);
	create_fails(HERE, b, "exec format error");
	end_without_event();
}

/* It is looked up in PATH, which is that of "start". */
static void found_in_path(void **st)
{
	struct bundle *b;

	(void)st;
	mkdir(in_dir("bin"), 0755);
	assert_int_equal(symlink(e2e.fake, in_dir("bin/my-runtime")), 0);
	e2e.extra_env[0] = text("PATH=%s:/usr/bin:/bin", in_dir("bin"));
	e2e.binary_name = "my-runtime";
	b = shim_for("c1", "exit 3");
	create(b);
	start("c1", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 3);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void fails_with_its_own_words(void **st)
{
	struct bundle *b = ready();

	(void)st;
	script("create", "log_text an earlier one\n"
			 "error container_linux.go:380: \"what\" \\ it was\n");
	fails(ask_create(b, NULL), TTRPC_UNKNOWN,
	      "OCI runtime create failed: container_linux.go:380: \"what\" \\ it was");
	create_fails(HERE, b, "it was");
	end_without_event();
}

/* It logs nothing: its exit status is told, and no old error is blamed. */
static void fails_silently(void **st)
{
	struct bundle *b = ready();

	(void)st;
	script("create", "error the old reason\n");
	create_fails(HERE, b, "the old reason");
	script("create", "exit 3\n");
	create_fails(HERE, b, "exit status 3");
	assert_null(strstr(await(ask_create(b, NULL))->text, "the old reason"));
	end_without_event();
}

static void is_killed(void **st)
{
	struct bundle *b = ready();

	(void)st;
	script("create", "kill_self 9\n");
	create_fails(HERE, b, "illed");
	script("create", "kill_self 15\n");
	create_fails(HERE, b, "erminated");
	script("create", "die_before_pid_file\n");
	create_fails(HERE, b, "illed");
	end_without_event();
}

static void logs_megabytes(void **st)
{
	struct bundle *b = ready();

	(void)st;
	script("create", "log_bytes 5000000\nerror at last\n");
	create_fails(HERE, b, "at last");
	script("create", "log_bytes 5000000\n");
	create(b);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Memory of the shim's files that exist in memory only. */
static off_t in_memory(void)
{
	char *dir = text("/proc/%d/fd", e2e.server), *path, target[64];
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	off_t sum = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target));

		if (n < 7 || memcmp(target, "/memfd:", 7) != 0)
			continue;
		path = text("%s/%s", dir, e->d_name);
		if (stat(path, &st) == 0)
			sum += st.st_blocks * 512;
	}
	closedir(d);
	return sum;
}

/* Of all that no more stays in memory than somebody may read, and the last error is told. */
static void prints_and_logs_without_end(void **st)
{
	Task__PauseRequest q = TASK__PAUSE_REQUEST__INIT;
	struct answer *w;

	(void)st;
	create(ready());
	start("c1", NULL);
	script("pause", text("log_bytes 9000000\nprint_bytes 9000000\ntouch %s\nwait_for %s\n"
			      "error at last\n", in_dir("printed"), in_dir("go")));
	q.id = text("c1");
	w = ask("Pause", &q);
	until(access(in_dir("printed"), F_OK) == 0);
	until(in_memory() <= (2 << 20) + 8192);
	assert_in_range(in_memory(), 2 << 20, (2 << 20) + 8192);
	write_file(in_dir("go"), "", 0);
	fails_with(w, TTRPC_UNKNOWN, "at last");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* An error of a megabyte is cut, and the reply still arrives. */
static void says_too_much(void **st)
{
	struct bundle *b = ready();

	(void)st;
	script("create", text("error %06000d\n", 7));
	create_fails(HERE, b, "0000");
	end_without_event();
}

static void lies_about_the_pid(void **st)
{
	static const char *const lies[] = {
		"0",	   "-1",	"1",
		"",	   "abc",	"12x",
		" 12",	   "12\n",	"99999999999999999999",
		"4194303", "2147483648"
	};
	struct bundle *b = ready();

	(void)st;
	script("create", "no_pid_file\n");
	create_fails(HERE, b, "pid");
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		print_message("# \"%s\"\n", lies[i]);
		script("create", text("pid_file_says %s\n", lies[i]));
		create_fails(HERE, b, "pid");
	}
	/* A pid that is there, and is no child of the shim: the shim itself. */
	script("create", text("pid_file_says %d\n", e2e.server));
	create_fails(HERE, b, "pid");
	end_without_event();
}

/* An exec whose pid file names the init: its end would be told twice, or never. */
static void lies_about_whose_pid_it_is(void **st)
{
	struct bundle *b = ready();
	uint32_t pid = create(b);

	(void)st;
	start("c1", NULL);
	script("exec.e1", text("pid_file_says %u\n", pid));
	exec_add("c1", "e1", "exit 3");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN,
		   text("names process %u, which is another one's", pid));
	assert_true(is_alive((pid_t)pid));
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exec-added c1 e1", "exit c1 c1 137",
		      "delete c1 137");
	shutdown_shim();
}

static void start_fails(void **st)
{
	struct bundle *b = ready();

	(void)st;
	create(b);
	script("start", "error cannot start: no luck\n");
	fails(ask_start("c1", NULL), TTRPC_UNKNOWN,
	      "OCI runtime start failed: cannot start: no luck");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__CREATED);
	script("start", "");
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
}

/* A Delete that fails changes nothing and can be done again. */
static void delete_fails(void **st)
{
	struct bundle *b = ready();

	(void)st;
	create(b);
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	script("delete", "error device or resource busy\n");
	fails_with(ask_delete("c1", NULL), TTRPC_UNKNOWN, "failed to delete task: ");
	fails_with(ask_delete("c1", NULL), TTRPC_UNKNOWN, "device or resource busy");
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__STOPPED);
	script("delete", "");
	assert_int_equal(delete_task("c1", NULL)->exit_status, 137);
	expect_events("create c1", "start c1", "exit c1 c1 137", "delete c1 137");
	shutdown_shim();
	expect_no_more_events();
}

/* Somebody else has deleted it behind our back. */
static void deleted_by_somebody_else(void **st)
{
	struct bundle *b = ready();

	(void)st;
	create(b);
	start("c1", NULL);
	script("kill", "error container does not exist\n");
	kill((pid_t)state("c1", NULL)->pid, SIGKILL);
	wait_exit("c1", NULL);
	assert_int_equal(await(ask_kill("c1", NULL, SIGKILL, false))->code,
			 TTRPC_NOT_FOUND);
	script("delete", "error container \"c1\" does not exist\n");
	assert_int_equal(delete_task("c1", NULL)->exit_status, 137);
	e2e.keep_runc_state = true;
	shutdown_shim();
}

/* What the runtime says of a kill decides what the client is told (contract 4.9). */
static void kill_is_refused(void **st)
{
	static const struct {
		const char *says, *text;
		int code;
	} rows[] = {
		{ "os: process already finished", "process already finished: not found",
		  TTRPC_NOT_FOUND },
		{ "container not running", "process already finished: not found",
		  TTRPC_NOT_FOUND },
		{ "container `c1` is not running", "process already finished: not found",
		  TTRPC_NOT_FOUND },
		{ "No Such Process", "process already finished: not found",
		  TTRPC_NOT_FOUND },
		{ "container \"c1\" does not exist", "no such container: not found",
		  TTRPC_NOT_FOUND },
	};
	struct bundle *b;

	(void)st;
	e2e.no_cgroup = true; /* so that only the runtime can do it */
	b = ready();
	create(b);
	start("c1", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].says);
		script("kill", text("error %s\n", rows[i].says));
		fails(ask_kill("c1", NULL, SIGUSR1, true), rows[i].code, rows[i].text);
	}
	script("kill", "error cgroup is on fire\n");
	fails_with(ask_kill("c1", NULL, SIGUSR1, true), TTRPC_UNKNOWN,
		   "unknown error after kill: ");
	fails_with(ask_kill("c1", NULL, SIGUSR1, true), TTRPC_UNKNOWN,
		   "cgroup is on fire");
	script("kill", "");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A command that leaves a child with its output open does not hold up the call. */
static void leaves_a_child_behind(void **st)
{
	struct bundle *b = ready();
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	struct answer *a;

	(void)st;
	reader_open(io.out);
	reader_open(io.err);
	script("create", "leave_child_holding_stdout\n");
	a = ask_create(b, &io);
	ok(a);
	assert_true(a->ns < 1000 * LOOP_MSEC * (uint64_t)e2e.slow);
	start("c1", NULL);
	ok(ask_kill("c1", NULL, SIGKILL, true)); /* reaches that child as well */
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A command that takes too long is killed, and the call fails. */
static void takes_too_long(void **st)
{
	struct bundle *b;
	struct answer *a;

	(void)st;
	e2e.extra_env[0] = "BRASS_RUNTIME_TIMEOUT_MS=1000";
	b = ready();
	script("create", "ignore_term\nhang\n");
	a = ask_create(b, NULL);
	ok(ask_connect("c1"));
	assert_int_not_equal(await(a)->code, TTRPC_OK);
	assert_non_null(strstr(a->text, "OCI runtime create failed: "));
	assert_true(a->ns > 900 * LOOP_MSEC);
	until(count_fds(e2e.server) == fds);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	script("create", "");
	create(b);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* A list of pids that is longer than any is cut, and then it is none. */
static void lists_too_many(void **st)
{
	char *wrapper = in_dir("wrapper"), *sh;

	(void)st;
	sh = text("#!/bin/sh\ncase \"$*\" in *' ps '*) printf '[1'; "
		  "seq -f ,%%.0f 1 300000; echo ']'; exit ;; esac\nexec %s \"$@\"\n",
		  e2e.fake);
	write_file(wrapper, sh, strlen(sh));
	chmod(wrapper, 0755);
	e2e.no_cgroup = true; /* or else nobody asks the runtime */
	e2e.binary_name = wrapper;
	create(ready());
	start("c1", NULL);
	fails_with(ask_pids("c1"), TTRPC_UNKNOWN, " ps: ps:");
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* It has put a process into the container when its time is up: that one goes as well. */
static void takes_too_long_afterwards(void **st)
{
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_RUNTIME_TIMEOUT_MS=1000";
	b = ready();
	script("create", "ignore_term\nafter\nhang\n");
	create_fails(HERE, b, "did not end within 1 s and was killed");
	until(!other_processes());
	script("create", "");
	script("exec", "ignore_term\nafter\nhang\n");
	create(b);
	start("c1", NULL);
	exec_add("c1", "e1", "exec sleep 2000");
	fails_with(ask_start("c1", "e1"), TTRPC_UNKNOWN,
		   "did not end within 1 s and was killed");
	until(!strstr(other_processes(), "sleep 2000"));
	assert_int_equal(state("c1", "e1")->status, TYPES__STATUS__CREATED);
	script("exec", "");
	start("c1", "e1");
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", "e1");
	wait_exit("c1", NULL);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	shutdown_shim();
	expect_events("create c1", "start c1", "exec-added c1 e1", "exec-started c1 e1",
		      "exit c1 e1 137", "exit c1 c1 137", "delete c1 137");
}

/* The command line is runc's, word by word (contract 4.1). */
static void command_lines(void **st)
{
	struct bundle *b;
	char *calls, *line;

	(void)st;
	e2e.no_cgroup = true; /* or else it need not ask for the kill */
	b = ready();
	create(b);
	start("c1", NULL);
	exec_add("c1", "e1", "exit 0");
	start("c1", "e1");
	wait_exit("c1", "e1");
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	shutdown_shim();
	calls = read_file(text("%s/calls", e2e.scripts), NULL);
	line = strsep(&calls, "\n");
	assert_non_null(strstr(line, text("[\"%s\",\"--root\",\"%s/" NS "\",\"--log\",",
					  e2e.fake, e2e.root)));
	assert_non_null(
		strstr(line, "\"--log-format\",\"json\",\"create\",\"--bundle\","));
	assert_non_null(
		strstr(line, text("\"--bundle\",\"%s\",\"--pid-file\",\"%s/init.pid\","
				  "\"c1\"]",
				  b->dir, b->dir)));
	assert_non_null(strstr(strsep(&calls, "\n"), "\"json\",\"start\",\"c1\"]"));
	line = strsep(&calls, "\n");
	assert_non_null(strstr(line, "\"json\",\"exec\",\"--process\",\"/"));
	assert_non_null(strstr(line, "\"--detach\",\"--pid-file\",\""));
	assert_non_null(strstr(line, ".pid\",\"c1\"]"));
	assert_non_null(strstr(strsep(&calls, "\n"),
			       "\"json\",\"kill\",\"--all\",\"c1\",\"9\"]"));
	assert_non_null(strstr(strsep(&calls, "\n"), "\"json\",\"delete\",\"c1\"]"));
	assert_string_equal(calls, "");
}

E2E_GROUP(E2E(missing), E2E(not_executable), E2E(found_in_path),
	  E2E(fails_with_its_own_words), E2E(fails_silently), E2E(is_killed),
	  E2E(logs_megabytes), E2E(prints_and_logs_without_end), E2E(says_too_much),
	  E2E(lies_about_the_pid), E2E(lies_about_whose_pid_it_is),
	  E2E(start_fails), E2E(delete_fails), E2E(deleted_by_somebody_else),
	  E2E(kill_is_refused), E2E(leaves_a_child_behind), E2E(takes_too_long),
	  E2E(takes_too_long_afterwards), E2E(lists_too_many),
	  E2E(command_lines))
