/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orphans of containers: reaped at any time, also while commands are under way
 * that may leave the shim a process; but never that process, whose status would
 * be lost.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A command that leaves an orphan, which ends when @go is there; its pid is in @pid_file. */
static char *leave_orphan(const char *pid_file, const char *go)
{
	return text("sh -c '(while [ ! -e %s ]; do sleep 0.01; done) & echo $! >%s.tmp; "
		    "mv %s.tmp %s'; ",
		    go, pid_file, pid_file, pid_file);
}

static pid_t pid_in(const char *file)
{
	until(exists(file));
	return (pid_t)strtol(read_file(file, NULL), NULL, 10);
}

/* One that is older than a hanging exec does not wait for it. */
static void while_an_exec_hangs(void **st)
{
	struct answer *starting;
	pid_t orphan;

	(void)st;
	run_c1(text("%sexec sleep 1000", leave_orphan(in_dir("pid"), in_dir("go"))));
	orphan = pid_in(in_dir("pid"));
	loop_for(30); /* the kernel tells times apart from 10 ms on */
	script("exec.e1", text("touch %s\nwait_for %s\n", in_dir("hangs"), in_dir("on")));
	exec_add("c1", "e1", "exit 3");
	starting = ask_start("c1", "e1");
	until(exists(in_dir("hangs")));
	write_file(in_dir("go"), "", 0);
	until(!exists(text("/proc/%d", orphan)));
	assert_false(starting->done);
	write_file(in_dir("on"), "", 0);
	ok(starting);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 3);
	delete_task("c1", "e1");
	end_c1();
}

/* Nor do those that are born after it, of the init or of another exec that lives. */
static void born_while_an_exec_hangs(void **st)
{
	struct answer *starting;
	char *born = in_dir("born");
	pid_t orphan;

	(void)st;
	run_c1(text("while [ ! -e %s ]; do sleep 0.01; done; %sexec sleep 1000", born,
		    leave_orphan(in_dir("pid"), in_dir("go"))));
	script("exec.e1", text("touch %s\nwait_for %s\n", in_dir("hangs"), in_dir("on")));
	exec_add("c1", "e1", "exit 3");
	starting = ask_start("c1", "e1");
	until(exists(in_dir("hangs")));
	loop_for(30); /* the kernel tells times apart from 10 ms on */
	write_file(born, "", 0);
	orphan = pid_in(in_dir("pid"));
	write_file(in_dir("go"), "", 0);
	until(!exists(text("/proc/%d", orphan)));
	exec_add("c1", "e2",
		 text("%swhile [ ! -e %s ]; do sleep 0.01; done; exit 5",
		      leave_orphan(in_dir("pid2"), in_dir("go2")), in_dir("end")));
	start("c1", "e2");
	orphan = pid_in(in_dir("pid2"));
	write_file(in_dir("go2"), "", 0);
	until(!exists(text("/proc/%d", orphan)));
	write_file(in_dir("end"), "", 0);
	assert_int_equal(wait_exit("c1", "e2")->exit_status, 5);
	delete_task("c1", "e2");
	assert_false(starting->done);
	write_file(in_dir("on"), "", 0);
	ok(starting);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 3);
	delete_task("c1", "e1");
	end_c1();
}

static int zombies_of(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		char *ppid = pid > 0 ? proc_status(pid, "PPid") : NULL;

		if (ppid && strtol(ppid, NULL, 10) == parent && !is_alive(pid))
			n++;
	}
	closedir(d);
	return n;
}

/* Execs that overlap, each leaving an orphan that dies at once: zombies do not pile up. */
static void without_a_pause(void **st)
{
	struct answer *last = NULL;
	int most = 0, n;

	(void)st;
	run_c1("exec sleep 1000");
	script("exec", "delay_ms 60\n");
	for (int i = 0; i < 60; i++) {
		char *id = text("e%d", i);
		struct answer *a;

		exec_add("c1", id, "sh -c 'sleep 0.01 & sleep 0.01 &'; exit 0");
		a = ask_start("c1", id);
		loop_for(30);
		if (last)
			ok(last);
		last = a;
		n = zombies_of(e2e.server);
		most = n > most ? n : most;
	}
	ok(last);
	/* More than a hundred died; those of the last look may be there. */
	assert_in_range(most, 0, 20);
	until(zombies_of(e2e.server) == 0);
	end_c1();
}

/* The runtime is a shell script, whose exec waits for @on after its work. */
static void use_wrapper(const char *exec)
{
	char *wrapper = in_dir("wrapper"), *sh;

	sh = text(
		"#!/bin/sh\ncase \"$*\" in *exec*) %s\ntouch %s\n"
		"while [ ! -e %s ]; do sleep 0.01; done; exit 0;; esac\nexec %s \"$@\"\n",
		exec, in_dir("done"), in_dir("on"), e2e.fake);
	write_file(wrapper, sh, strlen(sh));
	chmod(wrapper, 0755);
	e2e.binary_name = wrapper;
}

/*
 * The exec is a zombie of ours while the command is under way. Another orphan's
 * death makes the shim look at it, and it must leave it alone.
 */
static void newborn_is_spared(void)
{
	struct answer *starting;
	pid_t orphan;

	run_c1(text("%sexec sleep 1000", leave_orphan(in_dir("pid"), in_dir("go"))));
	orphan = pid_in(in_dir("pid"));
	loop_for(30);
	exec_add("c1", "e1", "exit 7");
	starting = ask_start("c1", "e1");
	until(exists(in_dir("done")) && zombies_of(e2e.server) == 1);
	write_file(in_dir("go"), "", 0);
	until(!exists(text("/proc/%d", orphan)));
	assert_int_equal(zombies_of(e2e.server), 1);
	write_file(in_dir("on"), "", 0);
	ok(starting);
	assert_int_equal(wait_exit("c1", "e1")->exit_status, 7);
	delete_task("c1", "e1");
	end_c1();
}

/* A wrapper that outlives the runtime. */
static void the_newborn_is_spared(void **st)
{
	(void)st;
	use_wrapper(text("%s \"$@\"", e2e.fake));
	newborn_is_spared();
}

/* crun's execs are in the session of a process that stood between, and is gone. */
static void the_newborn_of_a_lost_session_is_spared(void **st)
{
	(void)st;
	use_wrapper(
		text("while [ \"$1\" != --pid-file ]; do shift; done\n"
		     "setsid sh -c '(while [ ! -e %s ]; do sleep 0.01; done; exit 7) & "
		     "printf $! >$1' sh \"$2\"",
		     in_dir("done")));
	newborn_is_spared();
}

E2E_GROUP(E2E(while_an_exec_hangs), E2E(born_while_an_exec_hangs), E2E(without_a_pause),
	  E2E(the_newborn_is_spared), E2E(the_newborn_of_a_lost_session_is_spared))
