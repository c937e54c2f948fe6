/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole lives of one container: created, started, exited, deleted; with and
 * without execs; cut short at each point.
 */
#include "tests/diff/diff.h"

#include <unistd.h>

static void life_by_the_book(void)
{
	struct box b = { .id = "c1", .command = "echo hello; echo oops >&2; exit 7" };

	b.io = io_of("c1");
	boot(&b);
	do_connect("c1");
	do_create(&b);
	do_state("c1", NULL);
	do_connect("c1");
	do_pids("c1");
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	do_wait("c1", NULL);
	say_output(b.io.out, true);
	say_output(b.io.err, true);
	do_connect("c1");
	do_shutdown();
	do_delete("c1", NULL);
	do_connect("c1");
	do_state("c1", NULL);
	finish();
}

static void life_with_waits(void)
{
	struct box b = { .id = "c1", .command = "read x; exit 3" };
	struct answer *w[4];
	int fd;

	b.io = io_with_stdin("c1");
	fd = io_writer(b.io.in);
	boot(&b);
	do_create(&b);
	w[0] = ask_wait("c1", NULL);
	w[1] = ask_wait("c1", NULL);
	do_start("c1", NULL);
	w[2] = ask_wait("c1", NULL);
	do_state("c1", NULL);
	if (write(fd, "x\n", 2) != 2)
		fail_at(HERE, "write");
	for (int i = 0; i < 3; i++)
		told(w[i], "Wait %d of c1", i);
	do_wait("c1", NULL);
	close(fd);
	do_delete("c1", NULL);
	told(ask_wait("c1", NULL), "Wait of c1, deleted");
	finish();
}

static void deleted_before_start(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_delete("c1", NULL);
	do_delete("c1", NULL);
	do_state("c1", NULL);
	do_start("c1", NULL);
	finish();
}

static void killed_before_start(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_kill("c1", NULL, SIGKILL, false);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	do_start("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

/* Its end may be noticed before the runtime's "start" returns. */
static void early_exit(void)
{
	struct box b = { .id = "c1", .args = "[\"/bin/true\"]" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	say_events(3);
	do_pids("c1");
	do_delete("c1", NULL);
	finish();
}

static void no_shim_left_to_ask(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	boot(&b);
	do_connect("");
	do_state("c1", NULL);
	finish();
}

static void never_deleted(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_shutdown();
	do_state("c1", NULL);
	do_end("c1", NULL);
	finish();
}

static void crashed_while_running(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_state("c1", NULL);
	crash();
}

static void crashed_when_created(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	crash();
}

static void crashed_when_stopped(void)
{
	struct box b = { .id = "c1", .command = "exit 9" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	say_events(3);
	crash();
}

static void crashed_before_create(void)
{
	struct box b = { .id = "c1", .command = "exit 9" };

	boot(&b);
	crash();
}

static void same_id_again(void)
{
	struct box b = { .id = "c1", .command = "exit 4" };

	boot(&b);
	for (int i = 0; i < 2; i++) {
		b.io = io_of(text("c%d", i));
		do_create(&b);
		do_start("c1", NULL);
		do_wait("c1", NULL);
		do_delete("c1", NULL);
	}
	finish();
}

const struct scenario life_scenarios[] = {
	{ "life-by-the-book", life_by_the_book },
	{ "life-with-waits", life_with_waits },
	{ "life-deleted-before-start", deleted_before_start },
	{ "life-killed-before-start", killed_before_start },
	{ "life-early-exit", early_exit },
	{ "life-no-container", no_shim_left_to_ask },
	{ "life-shutdown-too-early", never_deleted },
	{ "life-same-id-again", same_id_again },
	{ "crash-running", crashed_while_running },
	{ "crash-created", crashed_when_created },
	{ "crash-stopped", crashed_when_stopped },
	{ "crash-before-create", crashed_before_create },
	{ NULL, NULL },
};
