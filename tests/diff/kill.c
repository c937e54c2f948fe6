/* SPDX-License-Identifier: Apache-2.0 */
/* Kill, in all its forms. */
#include "tests/diff/diff.h"

static const char trap[] = "trap 'exit 3' TERM; trap 'echo usr' USR1; echo ready; "
			   "while :; do usleep 20000; done";

static void running(struct box *b)
{
	b->io = io_of(b->id);
	boot(b);
	do_create(b);
	do_start(b->id, NULL);
}

static void signals(void)
{
	struct box b = { .id = "c1", .command = trap };

	running(&b);
	wait_output(b.io.out, "ready");
	do_kill("c1", NULL, 0, false);
	do_kill("c1", NULL, SIGUSR1, false);
	wait_output(b.io.out, "usr");
	do_kill("c1", NULL, 64, false);
	do_kill("c1", NULL, 65, false);
	do_kill("c1", NULL, 1000, false);
	do_kill("c1", NULL, -1, false);
	do_state("c1", NULL);
	do_kill("c1", NULL, SIGTERM, false);
	do_wait("c1", NULL);
	do_kill("c1", NULL, SIGTERM, false);
	do_kill("c1", NULL, SIGKILL, true);
	do_delete("c1", NULL);
	do_kill("c1", NULL, SIGKILL, false);
	finish();
}

static void all_processes(void)
{
	struct box b = { .id = "c1",
			 .command = "sleep 1000 & sleep 1000 & echo ready; wait" };

	running(&b);
	wait_output(b.io.out, "ready");
	do_pids("c1");
	do_kill("c1", NULL, SIGKILL, true);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void all_with_term(void)
{
	struct box b = { .id = "c1",
			 .command = "sleep 1000 & echo ready; wait $!; exit $?" };

	running(&b);
	wait_output(b.io.out, "ready");
	do_kill("c1", NULL, SIGTERM, true);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void behind_our_back(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	running(&b);
	runc("delete", "-f", "c1", NULL);
	do_wait("c1", NULL);
	do_kill("c1", NULL, SIGKILL, false);
	do_kill("c1", NULL, SIGTERM, true);
	do_state("c1", NULL);
	do_pids("c1");
	do_delete("c1", NULL);
	finish();
}

static void killed_by_runc(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	running(&b);
	runc("kill", "c1", "KILL", NULL);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void while_paused(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	running(&b);
	do_pause("c1");
	do_kill("c1", NULL, SIGKILL, false);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void term_while_paused(void)
{
	struct box b = { .id = "c1", .command = trap };

	running(&b);
	wait_output(b.io.out, "ready");
	do_pause("c1");
	do_kill("c1", NULL, SIGTERM, false);
	do_state("c1", NULL);
	do_resume("c1");
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void execs(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = io_of("e1");

	running(&b);
	do_exec("c1", "e1", trap, &io);
	do_start("c1", "e1");
	wait_output(io.out, "ready");
	do_kill("c1", "e1", 0, false);
	do_kill("c1", "e1", SIGUSR1, true);
	wait_output(io.out, "usr");
	do_kill("c1", "e1", 65, false);
	do_kill("c1", "e1", -1, false);
	do_kill("c1", "e1", SIGTERM, false);
	do_wait("c1", "e1");
	do_kill("c1", "e1", 0, false);
	do_kill("c1", "e1", SIGTERM, false);
	do_delete("c1", "e1");
	do_kill("c1", "e1", SIGTERM, false);
	do_end("c1", NULL);
	finish();
}

/* Without a pid namespace of its own, its children do not die by themselves. */
static void host_pid(void)
{
	struct box b = { .id = "c1",
			 .command = "setsid sleep 1000 & echo ready; read x; exit 6",
			 .host_pid = true };

	running(&b);
	wait_output(b.io.out, "ready");
	do_wait("c1", NULL);
	do_state("c1", NULL);
	say_events(3);
	say_left("after the exit");
	do_delete("c1", NULL);
	finish();
}

static void host_pid_killed(void)
{
	struct box b = { .id = "c1",
			 .command = "sleep 1000 & echo ready; wait",
			 .host_pid = true };

	running(&b);
	wait_output(b.io.out, "ready");
	do_kill("c1", NULL, SIGKILL, false);
	do_wait("c1", NULL);
	say_events(3);
	say_left("after the exit");
	do_delete("c1", NULL);
	finish();
}

/* Its init stays, what it has started goes. */
static void host_pid_term_all(void)
{
	struct box b = { .id = "c1",
			 .command = "trap : TERM; (echo ready; exec sleep 1000) & "
				    "wait; wait; exit 8",
			 .host_pid = true };

	running(&b);
	wait_output(b.io.out, "ready");
	do_kill("c1", NULL, SIGTERM, true);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

const struct scenario kill_scenarios[] = {
	{ "kill-signals", signals },
	{ "kill-all", all_processes },
	{ "kill-all-term", all_with_term },
	{ "kill-behind-our-back", behind_our_back },
	{ "kill-by-runc", killed_by_runc },
	{ "kill-paused", while_paused },
	{ "kill-paused-term", term_while_paused },
	{ "kill-exec", execs },
	{ "kill-host-pid-exit", host_pid },
	{ "kill-host-pid-killed", host_pid_killed },
	{ "kill-host-pid-term-all", host_pid_term_all },
	{ NULL, NULL },
};
