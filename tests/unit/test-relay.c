/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds of what moves bytes: others get their turn while a source has more, what the
 * sink does not take is no more than a buffer, and a pipe grows so far and no further. (That
 * all bytes arrive is shown by tests/e2e/test-bytes.c.)
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/limits.h"
#include "shim/relay.h"
#include "shim/tty.h"
#include "shim/util.h"

static struct loop loop;
static struct relay relay;
static struct tty tty;
static struct watch other;
static int src[2], dst[2], turn[2];
static uint64_t moved_at_turn;
static int ended;

static void on_relay_done(struct relay *r, int sink)
{
	(void)r;
	ended++;
	close(sink);
}

static void on_tty_done(struct tty *t, int out)
{
	(void)t;
	ended++;
	close(out);
}

/* Somebody else of the same loop, who was ready at the same time. */
static void on_other(struct watch *w, uint32_t events)
{
	(void)events;
	moved_at_turn = relay.moved + tty.moved;
	watch_set(w, 0);
}

static int setup(void **st)
{
	(void)st;
	relay = (struct relay)RELAY_INIT;
	tty = (struct tty)TTY_INIT;
	other = (struct watch)WATCH_INIT;
	moved_at_turn = ended = 0;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(pipe2(src, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(dst, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(turn, O_CLOEXEC | O_NONBLOCK), 0);
	return 0;
}

static int teardown(void **st)
{
	(void)st;
	relay_stop(&relay);
	tty_stop(&tty);
	watch_del(&other);
	loop_fini(&loop);
	close(src[1]);
	close(dst[0]);
	close(turn[0]);
	close(turn[1]);
	return 0;
}

static void start_relay(void)
{
	assert_int_equal(relay_start(&relay, &loop, src[0], dst[1], true, on_relay_done),
			 0);
}

static void start_tty(void)
{
	assert_int_equal(tty_start(&tty, &loop, src[0], -1, dst[1], on_tty_done), 0);
}

static void add_other(void)
{
	assert_int_equal(watch_add(&loop, &other, turn[0], EPOLLIN, on_other), 0);
	assert_int_equal(write(turn[1], "x", 1), 1);
}

static size_t fill(size_t len)
{
	static char data[65536];
	size_t all = 0;
	ssize_t n = 1;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	for (; all < len && n > 0; all += n > 0 ? (size_t)n : 0)
		n = write(src[1], data,
			  len - all < sizeof(data) ? len - all : sizeof(data));
	return all;
}

static size_t drain(void)
{
	static char data[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(dst[0], data, sizeof(data))) > 0)
		all += (size_t)n;
	return all;
}

/* A source that never ends, and a sink that is never full. */
static void open_endless(void)
{
	close(src[0]);
	close(dst[1]);
	src[0] = open("/dev/random", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	dst[1] = open("/dev/null", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(src[0] >= 0 && dst[1] >= 0);
}

/* LIMIT_RELAY_ROUND */
static void others_get_their_turn(void **st)
{
	(void)st;
	open_endless();
	start_relay();
	add_other();
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(moved_at_turn, LIMIT_RELAY_ROUND);
}

/* LIMIT_TTY_ROUND: to the loop it is a terminal like any other. */
static void others_get_their_turn_from_a_terminal(void **st)
{
	(void)st;
	open_endless();
	start_tty();
	add_other();
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(moved_at_turn, LIMIT_TTY_ROUND);
}

/* LIMIT_RELAY_BUFFER: more than that comes, and the sink takes a page. */
static void keeps_a_buffer(void **st)
{
	(void)st;
	fcntl(src[1], F_SETPIPE_SZ, 4 * LIMIT_RELAY_BUFFER);
	fcntl(dst[1], F_SETPIPE_SZ, 4096);
	assert_int_equal(fill(2 * LIMIT_RELAY_BUFFER), 2 * LIMIT_RELAY_BUFFER);
	start_relay();
	relay.state = RELAY_COPY;
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(relay.rest_len, LIMIT_RELAY_BUFFER - 4096);
	assert_int_equal(relay.moved, 4096);
	for (size_t all = 0; all < 2 * LIMIT_RELAY_BUFFER; all += drain()) {
		assert_int_equal(loop_round(&loop, 1000), 0);
		assert_true(relay.rest_len <= LIMIT_RELAY_BUFFER);
	}
	assert_null(relay.rest);
	assert_int_equal(relay.moved, 2 * LIMIT_RELAY_BUFFER);
}

/* What the sink took is counted, not what it refused, kept or policy dropped. */
static void counts_what_the_sink_took(void **st)
{
	const struct log_policy drop = { .drop = true };
	struct pace pace;

	(void)st;
	assert_int_equal(fill(1000), 1000);
	start_relay();
	pace_init(&pace, &loop, &drop, NULL, NULL);
	pace.dropping = true; /* the line that is cut has its end in there */
	relay_set_pace(&relay, &pace);
	close(dst[0]);
	assert_int_equal(loop_round(&loop, 0), 0);
	dst[0] = -1;
	assert_int_not_equal(relay.lost, 0);
	assert_int_not_equal(pace.dropped, 0);
	assert_int_equal(relay.moved, 0);
	assert_int_equal(relay.lost + pace.dropped, 1000);
}

/* LIMIT_TTY_BUFFER */
static void keeps_a_buffer_of_a_terminal(void **st)
{
	(void)st;
	fcntl(dst[1], F_SETPIPE_SZ, 4096);
	assert_int_equal(fill(3 * LIMIT_TTY_BUFFER), 3 * LIMIT_TTY_BUFFER);
	start_tty();
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(tty.to_out.len, LIMIT_TTY_BUFFER - 4096);
	for (size_t all = 0; all < 3 * LIMIT_TTY_BUFFER; all += drain()) {
		assert_int_equal(loop_round(&loop, 1000), 0);
		assert_true(tty.to_out.len <= LIMIT_TTY_BUFFER);
	}
	assert_null(tty.to_out.data);
}

/* What the sink has not taken when it breaks is lost, and was not moved. */
static void counts_what_a_terminals_sink_took(void **st)
{
	(void)st;
	fcntl(dst[1], F_SETPIPE_SZ, 4096);
	assert_int_equal(fill(LIMIT_TTY_BUFFER), LIMIT_TTY_BUFFER);
	start_tty();
	assert_int_equal(loop_round(&loop, 0), 0);
	close(dst[0]);
	dst[0] = -1;
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(tty.moved, 4096);
	assert_int_equal(tty.lost, LIMIT_TTY_BUFFER - 4096);
}

static int open_ptmx(char name[64])
{
	int ptmx = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	assert_true(ptmx >= 0 && grantpt(ptmx) == 0 && unlockpt(ptmx) == 0);
	assert_int_equal(ptsname_r(ptmx, name, 64), 0);
	return ptmx;
}

/* What the client types is for who opens the terminal next, if nobody has it open. */
static void terminal_is_closed_for_a_while(void **st)
{
	char name[64], line[64] = "";
	int ptmx = open_ptmx(name), slave;

	(void)st;
	close(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	assert_int_equal(tty_start(&tty, &loop, ptmx, src[0], dst[1], on_tty_done), 0);
	assert_int_equal(write(src[1], "typed\n", 6), 6);
	assert_int_equal(loop_round(&loop, 0), 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(read(slave, line, sizeof(line)), 6);
	assert_string_equal(line, "typed\n");
	close(slave);
}

/* A terminal that does not take it for whatever reason: it is kept, and no more is read. */
static void terminal_fails(void **st)
{
	char name[64];
	int ptmx = open_ptmx(name), slave;

	(void)st;
	/* The other side of one that is gone says EIO. */
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	close(ptmx);
	assert_int_equal(write(slave, "x", 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(tty_start(&tty, &loop, slave, src[0], dst[1], on_tty_done), 0);
	assert_int_equal(write(src[1], "typed\n", 6), 6);
	assert_int_equal(loop_round(&loop, 0), 0);
	assert_int_equal(tty.to_ptmx.len, 6);
	assert_memory_equal(tty.to_ptmx.data, "typed\n", 6);
}

/* LIMIT_PIPE: one that is always full grows to that, and then no more. */
static void pipes_grow(void **st)
{
	(void)st;
	start_relay();
	assert_int_equal(fcntl(src[1], F_GETPIPE_SZ), 65536);
	for (int i = 0; i < 64; i++) {
		fill(2 * LIMIT_PIPE);
		assert_int_equal(loop_round(&loop, 0), 0);
		drain();
		assert_true(fcntl(src[1], F_GETPIPE_SZ) <= LIMIT_PIPE);
		assert_true(fcntl(dst[1], F_GETPIPE_SZ) <= LIMIT_PIPE);
	}
	if (fcntl(dst[1], F_SETPIPE_SZ, LIMIT_PIPE) != LIMIT_PIPE)
		skip(); /* this user has no pages left for it */
	assert_int_equal(fcntl(src[1], F_GETPIPE_SZ), LIMIT_PIPE);
	assert_int_equal(relay.lost, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(others_get_their_turn),
		TEST(others_get_their_turn_from_a_terminal),
		TEST(keeps_a_buffer),
		TEST(counts_what_the_sink_took),
		TEST(keeps_a_buffer_of_a_terminal),
		TEST(counts_what_a_terminals_sink_took),
		TEST(terminal_is_closed_for_a_while),
		TEST(terminal_fails),
		TEST(pipes_grow),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
