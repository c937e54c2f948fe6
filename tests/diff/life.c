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

const struct scenario life_scenarios[] = {
	{ "life-by-the-book", life_by_the_book },
	{ NULL, NULL },
};
