/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known bytes, at full speed and one by one, while their reader stops, goes away
 * and comes back fifty times: every one arrives, once, in order; and a reader
 * that is gone for good holds up nothing but the writer.
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMES 50

/* One output, and what its readers have read so far. */
struct output {
	const char *fifo;
	struct reader *reader; /* NULL: there is none now */
	char *data, *expected;
	size_t len, expected_len;
	uint64_t next;
	unsigned times;
	bool paused, eof, told;
};

static bool containerd_away;
static uint64_t random_state = 88172645463325252ull;

static unsigned pick(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

/* The last tenth of the bytes is for after the interruptions. */
static void output_open(struct output *o, const char *name, size_t len, uint64_t seed)
{
	size_t part = len - len / 10;

	memset(o, 0, sizeof(*o));
	o->fifo = make_fifo(name);
	o->reader = reader_open(o->fifo);
	o->expected = noise(len, seed);
	o->expected_len = len;
	o->data = forget_later(malloc(len + (1 << 20)));
	write_file(in_dir(text("%s.1", name)), o->expected, part);
	write_file(in_dir(text("%s.2", name)), o->expected + part, len - part);
}

/* What writes all of it by the command @copy, given a file. */
static char *writer(const char *name, const char *copy)
{
	return text("%s%s; while [ ! -e %s ]; do sleep 0.01; done; %s%s", copy,
		    in_dir(text("%s.1", name)), in_dir(text("%s.enough", name)), copy,
		    in_dir(text("%s.2", name)));
}

/* What its reader has is kept; a reader that has seen an end is not to be followed by another. */
static void collect(struct output *o)
{
	struct reader *r = o->reader;

	if (!r || !r->len)
		return;
	if (o->len + r->len > o->expected_len + (1 << 20))
		fail_at(HERE, "%s: %zu bytes too many", o->fifo,
			o->len + r->len - o->expected_len);
	memcpy(o->data + o->len, r->data, r->len);
	o->len += r->len;
	r->len = 0;
}

/* The next interruption comes after a fiftieth of the bytes, or some time after them. */
static bool is_due(const struct output *o)
{
	size_t part = o->expected_len - o->expected_len / 10;

	return o->times < TIMES && (o->len >= part / TIMES * o->times) &&
	       loop_now() >= o->next;
}

static void interrupt(struct output *o)
{
	o->times++;
	if (pick(2)) {
		reader_close(o->reader);
		o->reader = NULL;
	} else {
		reader_pause(o->reader, true);
		o->paused = true;
	}
}

static void torment(struct output *o)
{
	collect(o);
	o->eof |= o->reader && o->reader->eof;
	if (o->eof)
		return;
	if (!o->reader && loop_now() >= o->next) {
		o->reader = reader_open(o->fifo);
	} else if (o->paused && loop_now() >= o->next) {
		reader_pause(o->reader, false);
		o->paused = false;
	} else if (o->reader && !o->paused && is_due(o)) {
		interrupt(o);
	} else {
		return;
	}
	o->next = loop_now() + (1 + pick(15)) * LOOP_MSEC;
}

static void check(const struct output *o)
{
	for (size_t i = 0; i < o->len && i < o->expected_len; i++)
		if (o->data[i] != o->expected[i])
			fail_at(HERE, "%s: byte %zu differs", o->fifo, i);
	assert_int_equal(o->len, o->expected_len);
	assert_int_equal(o->times, TIMES);
}

/* Runs @command, the writer of these outputs; each is interrupted, then all must have come. */
static void run(const char *command, bool terminal, struct output *o, size_t n)
{
	struct stdio io = { .out = o[0].fifo,
			    .err = n > 1 ? o[1].fifo : NULL,
			    .terminal = terminal };
	uint64_t due = deadline_in(120000);
	size_t ended = 0;

	create_io(shim_for("c1", command), &io);
	start("c1", NULL);
	for (; ended < n; ended = (size_t)o[0].eof + (n > 1 && o[1].eof)) {
		for (size_t i = 0; i < n; i++) {
			torment(&o[i]);
			if (o[i].times == TIMES && !o[i].told) {
				write_file(text("%s.enough", o[i].fifo), "", 0);
				o[i].told = true;
			}
		}
		if (!loop_until(due))
			fail_at(HERE, "does not end: %zu of %zu bytes, %u times",
				o[0].len, o[0].expected_len, o[0].times);
	}
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	delete_task("c1", NULL);
	if (containerd_away)
		sink_open();
	shutdown_shim();
	for (size_t i = 0; i < n; i++)
		check(&o[i]);
}

static void at_full_speed(void **st)
{
	static struct output o[2];

	(void)st;
	output_open(&o[0], "out", 24u << 20, 5);
	output_open(&o[1], "err", 24u << 20, 6);
	run(text("(%s) & (%s) >&2 & wait", writer("out", "cat "), writer("err", "cat ")),
	    false, o, 2);
}

static void byte_by_byte(void **st)
{
	static struct output o;

	(void)st;
	output_open(&o, "out", 100000, 7);
	run(writer("out", "dd bs=1 status=none if="), false, &o, 1);
}

static void through_a_terminal(void **st)
{
	static struct output o;

	(void)st;
	output_open(&o, "out", 4u << 20, 8);
	run(text("stty raw -echo; %s", writer("out", "cat ")), true, &o, 1);
}

#define LINES 50000

/* Small pieces, one close behind the other: as fast as the machine is, they gather (gather.h). */
static void lines_gather(bool terminal)
{
	struct stdio io = { .out = make_fifo("out"), .terminal = terminal };
	struct reader *r = reader_open(io.out);
	char line[16];

	create_io(shim_for("c1", text("%swhile [ ! -e %s ]; do sleep 0.01; done; i=100000; "
				      "while [ $i -lt %d ]; do echo $i; i=$((i + 1)); done",
				      terminal ? "stty raw -echo; " : "", in_dir("go"),
				      100000 + LINES)),
		  &io);
	start("c1", NULL);
	write_file(in_dir("go"), "", 0);
	until_within(60000, r->eof);
	assert_int_equal(r->len, LINES * 7);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%d\n", 100000 + i);
		assert_memory_equal(r->data + i * 7, line, 7);
	}
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 0);
	delete_task("c1", NULL);
	shutdown_shim();
}

static void lines(void **st)
{
	(void)st;
	lines_gather(false);
}

static void lines_of_a_terminal(void **st)
{
	(void)st;
	lines_gather(true);
}

/* Nobody takes the events meanwhile: bytes do not wait for them. */
static void without_containerd(void **st)
{
	static struct output o;

	(void)st;
	output_open(&o, "out", 4u << 20, 9);
	sink_close();
	containerd_away = true;
	run(writer("out", "cat "), false, &o, 1);
	containerd_away = false;
}

/*
 * The reader is gone for good: the writer waits, as for any full pipe; the shim does
 * not, nor do Kill and Delete.
 */
static void reader_gone_for_good(void **st)
{
	struct stdio io = { .out = make_fifo("out") };
	struct reader *r = reader_open(io.out);
	uint64_t begin;

	(void)st;
	e2e.extra_env[0] = "BRASS_DRAIN_TIMEOUT_MS=500";
	create_io(shim_for("c1", text("exec cat %s", in_dir("out.1"))), &io);
	write_file(in_dir("out.1"), noise(1 << 20, 1), 1 << 20);
	start("c1", NULL);
	until(r->len > 0);
	reader_close(r);
	loop_for(200);
	assert_int_equal(state("c1", NULL)->status, TYPES__STATUS__RUNNING);
	kill_task("c1", NULL, SIGKILL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 137);
	begin = loop_now();
	delete_task("c1", NULL); /* waits for the output, but not for ever */
	assert_true(loop_now() - begin > LOOP_SEC / 2);
	shutdown_shim();
}

E2E_GROUP(E2E(at_full_speed), E2E(byte_by_byte), E2E(through_a_terminal),
	  E2E(lines), E2E(lines_of_a_terminal),
	  E2E(without_containerd), E2E(reader_gone_for_good))
