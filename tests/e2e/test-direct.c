/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct output: the container writes into its client's FIFO itself. The law on
 * bytes holds as with a relay, and no byte passes through the shim.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <unistd.h>

#define MIB (1u << 20)

static struct bundle *direct_for(const char *command)
{
	struct bundle *b = bundle_like(&(struct bundle){ .id = "c1",
							 .annotation = "io.brass.stdio",
							 .group = "direct" },
				       command);

	start_shim(b);
	return b;
}

/* Neither a pipe of the shim's nor a written end: only the two that it holds. */
static void assert_direct(void)
{
	assert_int_equal(count_fds_of(e2e.server, "pipe:"), 0);
	assert_int_equal(count_fds_of(e2e.server, in_dir("out")), 1);
	assert_int_equal(count_fds_of(e2e.server, in_dir("err")), 1);
}

static void end(void)
{
	delete_task("c1", NULL);
	assert_int_equal(count_fds_of(e2e.server, in_dir("out")), 0);
	assert_int_equal(count_fds_of(e2e.server, in_dir("err")), 0);
	shutdown_shim();
}

static void byte_for_byte(void **st)
{
	struct bundle *b = direct_for(two_files_command());

	(void)st;
	two_files_pass(b, assert_direct);
	end();
}

/* The client goes and comes, as with a restart of containerd: no SIGPIPE, no byte lost. */
static void reader_comes_and_goes(void **st)
{
	struct bundle *b =
		direct_for(text("printf 1; while [ ! -e %s ]; do sleep 0.01; done; "
				"printf 2 && printf 3 && touch %s; "
				"while [ ! -e %s ]; do sleep 0.01; done; printf 4",
				in_dir("gone"), in_dir("written"), in_dir("back")));
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);

	(void)st;
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	until(out->len == 1);
	reader_close(out);
	write_file(in_dir("gone"), "", 0);
	until(exists(in_dir("written")));
	out = reader_open(io.out);
	until(out->len == 2);
	write_file(in_dir("back"), "", 0);
	until(out->eof);
	assert_string_equal(out->data, "234");
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	end();
}

/* What a client that comes late has not read waits for it, after the Delete too. */
static void reader_comes_late(void **st)
{
	struct bundle *b = direct_for("printf late");
	struct stdio io = out_and_err();
	struct reader *out;

	(void)st;
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	loop_for(50);
	out = reader_open(io.out);
	until(out->eof);
	assert_string_equal(out->data, "late");
	end();
}

/* A leftover child has it open: a Delete waits for the drain time, and no longer. */
static void leftover_child(void **st)
{
	struct bundle *b;
	struct stdio io;
	struct answer *d;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=300";
	e2e.no_cgroup = true; /* which would find the child */
	b = direct_for(text("sh -c 'while [ ! -e %s ]; do sleep 0.01; done' & exit 0",
			    in_dir("go")));
	io = out_and_err();
	reader_open(io.out);
	reader_open(io.err);
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	d = ask_delete("c1", NULL);
	ok(d);
	assert_true(d->ns >= 250 * LOOP_MSEC);
	write_file(in_dir("go"), "", 0);
	shutdown_shim();
}

/* Nothing wakes the shim, however much is written. */
static void no_wakeups(void **st)
{
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	struct bundle *b;
	long before;

	(void)st;
	e2e.extra_env[0] = "BRASS_REST_MS=30"; /* what it does once when it is quiet is over then */
	b = direct_for(text("while [ ! -e %s ]; do sleep 0.01; done; cat %s; "
			    "touch %s; exec sleep 1000",
			    in_dir("go"), in_dir("a"), in_dir("written")));
	reader_open(io.err);
	write_file(in_dir("a"), noise(MIB, 44), MIB);
	create_io(b, &io);
	start("c1", NULL);
	expect_events("create c1", "start c1");
	loop_for(200);
	before = strtol(proc_status(e2e.server, "voluntary_ctxt_switches"), NULL, 10);
	write_file(in_dir("go"), "", 0);
	until(out->len == MIB);
	until(exists(in_dir("written")));
	assert_int_equal(strtol(proc_status(e2e.server, "voluntary_ctxt_switches"), NULL,
				10),
			 before);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	end();
}

/* A label may not reach the FIFO: then there is a pipe, as without the annotation. */
static void not_with_a_label(void **st)
{
	struct bundle *b = bundle_like(&(struct bundle){ .id = "c1",
							 .annotation = "io.brass.stdio",
							 .group = "direct" },
				       "printf x");
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out);
	char *json = read_file(b->config, NULL), *at = strstr(json, "\"terminal\"");

	(void)st;
	reader_open(io.err);
	assert_non_null(at);
	json = text("%.*s\"selinuxLabel\":\"a:b:c\",%s", (int)(at - json), json, at);
	write_file(b->config, json, strlen(json));
	start_shim(b);
	create_io(b, &io);
	assert_true(count_fds_of(e2e.server, "pipe:") > 0);
	start("c1", NULL);
	until(out->eof);
	assert_string_equal(out->data, "x");
	wait_exit("c1", NULL);
	end();
}

static void unknown_word(void **st)
{
	struct bundle *b = bundle_like(&(struct bundle){ .id = "c1",
							 .annotation = "io.brass.stdio",
							 .group = "quick" },
				       "exit 0");

	(void)st;
	start_shim(b);
	fails_with(ask_create(b, NULL), TTRPC_INVALID_ARGUMENT,
		   "it may be direct or relay");
	shutdown_shim();
}

E2E_GROUP(E2E(byte_for_byte), E2E(reader_comes_and_goes), E2E(reader_comes_late),
	  E2E(leftover_child), E2E(no_wakeups), E2E(not_with_a_label), E2E(unknown_word))
