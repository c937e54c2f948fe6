/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output whose sink does not keep up, fails or is full: by default the container
 * waits for a full FIFO and nothing is lost; under a log policy what does not fit
 * is dropped in whole lines and counted; a failing file costs its own bytes only.
 */
#include "tests/e2e/tool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE 16 /* "line NNNNNNNNNN\n" */

/* A bundle with these annotations, the members of a JSON object. */
static struct bundle *annotated(const char *annotations, const char *command)
{
	struct bundle *b = bundle("c1", command);
	char *json = read_file(b->config, NULL), *at = strstr(json, "\"annotations\":{}");

	*at = 0;
	json = text("%s\"annotations\":{%s}%s", json, annotations,
		    at + strlen("\"annotations\":{}"));
	write_file(b->config, json, strlen(json));
	start_shim(b);
	return b;
}

/* Prints the lines @from to @to - 1, as fast as it can. */
static char *lines(int from, int to)
{
	return text("seq -f 'line %%010.0f' %d %d; ", from, to - 1);
}

static char *log_of(const char *id)
{
	char *path = text("%s/state/" NS "/%s/log", DIR_OF_TEST, id);
	struct reader *r;

	list_for_each(r, &e2e.readers, link)
		if (!strcmp(r->path, path))
			return r->data ? r->data : text("%s", "");
	fail_at(HERE, "no log of %s", id);
}

/* N of a line "N bytes of stdout were WHAT" in the log, or 0. */
static size_t said_in_log(const char *what)
{
	char *at = strstr(log_of("c1"), text(" bytes of stdout were %s", what));

	if (!at)
		return 0;
	while (at[-1] >= '0' && at[-1] <= '9')
		at--;
	return strtoul(at, NULL, 10);
}

/* Every line is whole, none twice, in order; returns how many there are. */
static size_t check_whole_lines(const struct reader *r)
{
	long last = -1, n = 0;

	for (const char *l = r->data; l < r->data + r->len; l += LINE, n++) {
		char *end;
		long at;

		if (strncmp(l, "line ", 5) || l[LINE - 1] != '\n')
			fail_at(HERE, "line %ld is \"%.40s\"", n, l);
		at = strtol(l + 5, &end, 10);
		assert_ptr_equal(end, l + LINE - 1);
		assert_true(at > last);
		last = at;
	}
	return (size_t)n;
}

static void end(void)
{
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* Nobody reads: the container ends all the same, and what was dropped is counted. */
static void drop_while_nobody_reads(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	struct bundle *b;
	struct run *inspected;
	size_t n, dropped;

	(void)st;
	reader_pause(r, true);
	b = annotated("\"io.brass.log.policy\":\"drop\"", lines(0, 100000));
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	inspected = TOOL("inspect", "c1", "--compact");
	reader_pause(r, false);
	end();
	until(r->eof);
	n = check_whole_lines(r);
	dropped = said_in_log("dropped");
	assert_in_range(n, 1000, 99999);
	assert_int_equal(n * LINE + dropped, 100000 * LINE);
	assert_non_null(strstr(log_of("c1"), "too fast for its log policy"));
	has(inspected, 0, "\"log_policy\":\"drop\"", text("\"dropped_bytes\":%zu", dropped));
}

/* It reads, then not, then again: the line that was cut is ended, then whole ones come. */
/* Nothing waits in its FIFO. */
static bool is_empty(const struct reader *r)
{
	int n;

	return ioctl(r->watch.fd, FIONREAD, &n) == 0 && n == 0;
}

static void drop_and_go_on(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	struct bundle *b;
	char *last;

	(void)st;
	b = annotated("\"io.brass.log.policy\":\"drop\"",
		      text("%swhile [ ! -e %s ]; do sleep 0.01; done; %stouch %s; "
			   "while [ ! -e %s ]; do sleep 0.01; done; echo; echo the end",
			   "seq 1 1000; ", in_dir("1"), "seq 1 1000000; ", in_dir("2"),
			   in_dir("3")));
	create_io(b, &io);
	start("c1", NULL);
	until(r->len > 0 && strstr(r->data, "\n1000\n"));
	reader_pause(r, true);
	write_file(in_dir("1"), "", 0);
	until_within(4 * SOON, exists(in_dir("2")));
	reader_pause(r, false);
	/* Or the last lines may be dropped as well, where we are slow. */
	until(is_empty(r));
	write_file(in_dir("3"), "", 0);
	end();
	until(r->eof);
	last = strstr(r->data, "\nthe end\n");
	assert_non_null(last);
	assert_true(said_in_log("dropped") > 1000000);
}

/* Without line ends nothing could begin anew; then it goes on anywhere. */
static void drop_without_lines(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	struct bundle *b;

	(void)st;
	reader_pause(r, true);
	b = annotated("\"io.brass.log.policy\":\"drop\"",
		      text("printf %%01000000d 0; touch %s; "
			   "while [ ! -e %s ]; do sleep 0.01; done; "
			   "for i in 1 2 3 4 5 6 7 8; do printf y%%08000d 0; sleep 0.01; done",
			   in_dir("1"), in_dir("2")));
	create_io(b, &io);
	start("c1", NULL);
	until_within(4 * SOON, exists(in_dir("1")));
	reader_pause(r, false);
	until(r->len > 0);
	loop_for(50);
	assert_null(strchr(r->data, 'y'));
	write_file(in_dir("2"), "", 0);
	wait_exit("c1", NULL);
	end();
	until(r->eof);
	assert_non_null(strchr(r->data, 'y'));
	assert_true(said_in_log("dropped") > 100000);
}

/* Without a policy it waits, and every byte arrives. */
static void block_is_the_default(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	struct bundle *b;

	(void)st;
	reader_pause(r, true);
	b = annotated("\"io.brass.log.policy\":\"block\"", lines(0, 50000));
	create_io(b, &io);
	start("c1", NULL);
	loop_for(300);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	reader_pause(r, false);
	until(r->eof || r->len == (size_t)50000 * LINE);
	end();
	assert_int_equal(check_whole_lines(r), 50000);
	assert_int_equal(said_in_log("dropped"), 0);
}

/* 200 KiB may pass at once, then as much a second: 500 KiB take more than one. */
static void rate_makes_it_wait(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	uint64_t begin, took;
	struct bundle *b;

	(void)st;
	b = annotated("\"io.brass.log.rate\":\"200KiB/s\"", lines(0, 32000));
	create_io(b, &io);
	begin = loop_now();
	start("c1", NULL);
	wait_exit("c1", NULL);
	took = loop_now() - begin;
	assert_true(took > LOOP_SEC);
	end();
	until(r->eof);
	assert_int_equal(check_whole_lines(r), 32000);
}

/* With both it never waits, and no more than the rate passes. */
static void rate_and_drop(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	uint64_t begin = loop_now(), seconds;
	struct bundle *b;
	size_t n;

	(void)st;
	b = annotated(
		"\"io.brass.log.policy\":\"drop\",\"io.brass.log.rate\":\"100KiB/s\"",
		lines(0, 200000));
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	seconds = (loop_now() - begin) / LOOP_SEC + 1;
	end();
	until(r->eof);
	n = check_whole_lines(r);
	/* And what was in the pipe when the process ended. */
	assert_in_range(n * LINE, 100 << 10, (seconds + 1) * (100 << 10) + (128 << 10));
	assert_int_equal(n * LINE + said_in_log("dropped"), 200000 * LINE);
}

static void terminal_with_policy(const char *annotations)
{
	struct stdio io = { .out = make_fifo("out"), .terminal = true };
	struct reader *r = reader_open(io.out);
	struct bundle *b;

	reader_pause(r, true);
	b = annotated(annotations, text("stty -opost; %sstty -opost; echo; echo the end",
					lines(0, 30000)));
	create_io(b, &io);
	start("c1", NULL);
	wait_exit("c1", NULL);
	reader_pause(r, false);
	end();
	until(r->eof);
	assert_true(r->len > 1000 && r->len < 30000 * LINE);
	assert_true(said_in_log("dropped") + r->len >= 30000 * LINE);
}

static void drop_of_a_terminal(void **st)
{
	(void)st;
	terminal_with_policy("\"io.brass.log.policy\":\"drop\"");
}

/* An exec's output is an answer to somebody: the policy is not for it. */
static void execs_are_not_logs(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	struct bundle *b;

	(void)st;
	b = annotated("\"io.brass.log.policy\":\"drop\",\"io.brass.log.rate\":\"1KiB/s\"",
		      text("while [ ! -e %s ]; do sleep 0.01; done", in_dir("go")));
	create(b);
	start("c1", NULL);
	ok(ask_exec("c1", "e1", lines(0, 50000), &io));
	start("c1", "e1");
	wait_exit("c1", "e1");
	delete_task("c1", "e1");
	until(r->eof);
	assert_int_equal(check_whole_lines(r), 50000);
	write_file(in_dir("go"), "", 0);
	end();
}

static void bad_annotations(void **st)
{
	static const struct {
		const char *annotations, *text;
	} bad[] = {
		{ "\"io.brass.log.policy\":\"dorp\"",
		  "annotation io.brass.log.policy is \"dorp\": it may be block or drop" },
		{ "\"io.brass.log.rate\":\"fast\"",
		  "annotation io.brass.log.rate is \"fast\": it should be bytes a second" },
		{ "\"io.brass.log.rate\":\"0\"", "io.brass.log.rate is \"0\"" },
		{ "\"io.brass.log.rate\":\"1TiB/s\"", "io.brass.log.rate is \"1TiB/s\"" },
		{ "\"io.brass.log.rate\":\"99999999999999999999\"", "io.brass.log.rate" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bundle *b = annotated(bad[i].annotations, "true");

		fails_with(ask_create(b, NULL), TTRPC_INVALID_ARGUMENT, bad[i].text);
		shutdown_shim();
		if (rename(b->dir, in_dir(text("gone%zu", i))) < 0)
			fail();
	}
}

/*
 * The disk fills up: the container goes on, what does not fit is lost and counted;
 * when there is room again, what is written then arrives.
 */
static void disk_is_full_for_a_while(void **st)
{
	char *disk = in_dir("disk"), *file = text("%s/log", disk), *all;
	struct stdio io = { .out = text("file://%s", file) };
	struct bundle *b;
	size_t len;

	(void)st;
	mkdir(disk, 0755);
	if (mount("tmpfs", disk, "tmpfs", 0, "size=256k") < 0)
		fail();
	write_file(text("%s/hog", disk), noise(65536, 1), 65536);
	b = annotated("", text("%s touch %s; while [ ! -e %s ]; do sleep 0.01; done; "
			       "echo; echo the end",
			       lines(0, 40000), in_dir("full"), in_dir("go")));
	create_io(b, &io);
	start("c1", NULL);
	until(exists(in_dir("full")));
	until(strstr(log_of("c1"), "does not take stdout"));
	unlink(text("%s/hog", disk));
	write_file(in_dir("go"), "", 0);
	end();
	all = read_file(file, &len);
	assert_true(all && len >= 9);
	assert_string_equal(all + len - 9, "\nthe end\n");
	assert_int_equal(len + said_in_log("lost"), 40000 * LINE + 9);
	umount2(disk, MNT_DETACH);
}

E2E_GROUP(E2E(drop_while_nobody_reads), E2E(drop_and_go_on), E2E(drop_without_lines), E2E(block_is_the_default),
	  E2E(rate_makes_it_wait), E2E(rate_and_drop), E2E(drop_of_a_terminal),
	  E2E(execs_are_not_logs), E2E(bad_annotations), E2E(disk_is_full_for_a_while))
