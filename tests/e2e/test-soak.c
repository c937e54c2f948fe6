/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many execs leave in the shim, which is nothing: memory and descriptors
 * stay where they were; and that it does nothing at all while nothing happens.
 *
 * Environment, for "make soak": SOAK_EXECS (2000; 400 sanitized), SOAK_IDLE (seconds: 2).
 */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define AT_ONCE 8

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);

	return s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

/* kB of memory that the shim shares with nobody. */
static long private_kb(void)
{
	char *all = read_file(text("/proc/%d/smaps_rollup", e2e.server), NULL), *at;
	long kb = 0;

	for (at = all; at && (at = strstr(at, "Private_Dirty:")); at++)
		kb += strtol(at + strlen("Private_Dirty:"), NULL, 10);
	return kb;
}

/* A sanitizer keeps what was freed, and is slow. */
static bool is_sanitized(void)
{
	return strstr(e2e.shim, "/san-") != NULL;
}

static void some_execs(unsigned first)
{
	struct answer *a[AT_ONCE];
	size_t mark = e2e_mark();

	for (unsigned i = 0; i < AT_ONCE; i++)
		a[i] = ask_exec("c1", text("e%u", first + i), "exit 3", NULL);
	for (unsigned i = 0; i < AT_ONCE; i++)
		ok(a[i]);
	for (unsigned i = 0; i < AT_ONCE; i++)
		a[i] = ask_start("c1", text("e%u", first + i));
	for (unsigned i = 0; i < AT_ONCE; i++)
		ok(a[i]);
	for (unsigned i = 0; i < AT_ONCE; i++)
		a[i] = ask_wait("c1", text("e%u", first + i));
	for (unsigned i = 0; i < AT_ONCE; i++)
		assert_int_equal(as_wait(ok(a[i]))->exit_status, 3);
	for (unsigned i = 0; i < AT_ONCE; i++)
		a[i] = ask_delete("c1", text("e%u", first + i));
	for (unsigned i = 0; i < AT_ONCE; i++)
		ok(a[i]);
	e2e_forget(mark);
}

static void execs_leave_nothing(void **st)
{
	unsigned execs = setting("SOAK_EXECS", is_sanitized() ? 400 : 2000),
		 step = execs / 10, done = 0;
	long first = 0, kb = 0, most = 0;
	int fds = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)st;
	e2e.no_cgroup = true; /* to join one is what takes longest */
	e2e.extra_env[0] = "BRASS_REST_MS=30";
	create(shim_for("c1", "exec sleep 100000"));
	start("c1", NULL);
	sink_record(null);
	print_message("#    execs  private kB  descriptors\n");
	for (unsigned next = step; done < execs; done += AT_ONCE) {
		size_t mark = e2e_mark();

		some_execs(done);
		if (done + AT_ONCE < next)
			continue;
		next += step;
		loop_for(300); /* the last event's acknowledgement, and what follows it */
		/* On a busy machine the shim comes to rest later. */
		if (first && !is_sanitized())
			until(private_kb() <= first + 24);
		kb = private_kb();
		most = kb > most ? kb : most;
		print_message("# %8u  %10ld  %11d\n", done + AT_ONCE, kb,
			      count_fds(e2e.server));
		if (!first) {
			first = kb;
			fds = count_fds(e2e.server);
		}
		assert_int_equal(count_fds(e2e.server), fds);
		e2e_forget(mark);
	}
	/* Free memory is given back now and then: some pages come and go. */
	if (!is_sanitized())
		assert_in_range(first, 1, 400);
	if (!is_sanitized())
		assert_in_range(most - first + 64, 0, 64 + 24);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	close(null);
}

/* So many containers in one shim, again and again: the last one finds it as the first did. */
static void containers_leave_nothing(void **st)
{
	enum { ROUNDS = 3, CONTAINERS = 40 };
	long first;

	(void)st;
	e2e.extra_env[0] = "BRASS_REST_MS=30";
	e2e.no_cgroup = true;
	create(shim_for("c1", "exec sleep 100000"));
	start("c1", NULL);
	loop_for(300);
	first = private_kb();
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CONTAINERS; i++) {
			const char *id = text("r%d-%d", round, i);

			create(bundle(id, "exec sleep 100000"));
			start(id, NULL);
		}
		for (int i = 0; i < CONTAINERS; i++) {
			const char *id = text("r%d-%d", round, i);

			kill_task(id, NULL, SIGKILL);
			wait_exit(id, NULL);
			delete_task(id, NULL);
		}
	}
	/* A sanitizer has another heap, and keeps what was freed. */
	if (!is_sanitized())
		until(private_kb() <= first + 24);
	end_c1();
}

/* --------------------------------------------------------------- idleness */

static long switches(void)
{
	return strtol(proc_status(e2e.server, "voluntary_ctxt_switches"), NULL, 10) +
	       strtol(proc_status(e2e.server, "nonvoluntary_ctxt_switches"), NULL, 10);
}

static void expect_idle(const char *what)
{
	long before = switches(), n;

	loop_for(setting("SOAK_IDLE", 2) * 1000ull);
	n = switches() - before;
	print_message("# %ld context switches in %u s: %s\n", n, setting("SOAK_IDLE", 2),
		      what);
	/* A look for containerd once a minute, in case that nothing tells of its return. */
	assert_in_range(n, 0,
			e2e.server && strstr(what, "away") ? setting("SOAK_IDLE", 2) / 30
							   : 0);
}

/* A container of each kind, with whatever may be pending, in one shim. */
static void nothing_happens(void **st)
{
	struct stdio full = { .out = make_fifo("full") };
	struct stdio tty = { .in = make_fifo("ttyin"),
			     .out = make_fifo("ttyout"),
			     .terminal = true };
	struct reader *r = reader_open(full.out);
	struct bundle *b;

	(void)st;
	e2e.extra_env[0] = "BRASS_REST_MS=30";
	reader_pause(r, true);
	reader_open(tty.out);
	create_io(shim_for("c1", "exec cat /dev/zero"), &full);
	start("c1", NULL);
	b = bundle("c2", "exec sleep 1000");
	create_io(b, &tty);
	start("c2", NULL);
	create(bundle("c3", "exit 1"));
	start("c3", NULL);
	wait_exit("c3", NULL);
	ask_wait("c1", NULL);
	exec_add("c2", "e1", "exit 1");
	loop_for(300);
	expect_idle(
		"a full FIFO, a terminal, a Wait, a stopped container, an exec added");
	ttrpc_client_close(&e2e.client);
	loop_for(300);
	expect_idle("nobody is connected");
	connect_shim(text("%s", e2e.path));
	sink_close();
	ok(ask_kill("c2", NULL, SIGKILL, false));
	wait_exit("c2", NULL);
	loop_for(4000); /* it looks for a few seconds, then it is told of its return */
	expect_idle("containerd is away, with events pending");
	sink_open();
	reader_close(r);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	for (int i = 1; i <= 3; i++)
		ok(ask_delete(text("c%d", i), NULL));
	shutdown_shim();
}

E2E_GROUP(E2E(execs_leave_nothing), E2E(containers_leave_nothing), E2E(nothing_happens))
