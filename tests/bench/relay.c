/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes: GiB/s and CPU of the shim per GiB, for large writes and for lines. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB 1073741824.0
#define LARGE (1024LL << 20)
#define LINES (64LL << 20)

/* A process that reads a FIFO to its end, as a client does. */
static pid_t read_fifo(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(self(), self(), "read", path, NULL);
		_exit(126);
	}
	return pid;
}

static void reader_ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		fail_at(HERE, "the reader ended with status 0x%x", status);
}

/* @n containers write @total bytes each, @size at a time. */
static void relay(int n, long long total, int size, bool terminal, const char *what)
{
	struct bundle *b[8];
	struct answer *w[8];
	pid_t readers[8];
	double cpu, begin, ns;

	for (int i = 0; i < n; i++) {
		struct bundle like = {
			.id = text("r%d", i),
			.annotation = n > 1 ? "io.kubernetes.cri.sandbox-id" : NULL,
			.group = "pod"
		};
		struct stdio io = { .out = make_fifo(text("out%d", i)),
				    .terminal = terminal };

		/* The stock shim does not start without it. */
		if (!terminal)
			io.err = make_fifo(text("err%d", i));
		b[i] = bundle_like(&like,
				   text("exec %s write %lld %d", self(), total, size));
		readers[i] = read_fifo(io.out);
		if (io.err)
			reader_open(io.err);
		if (i == 0)
			start_timed(b[i], NULL);
		create_io(b[i], &io);
		w[i] = ask_wait(b[i]->id, NULL);
	}
	cpu = cpu_of(e2e.server);
	begin = now();
	for (int i = 0; i < n; i++)
		start(b[i]->id, NULL);
	for (int i = 0; i < n; i++) {
		until_within(120000, w[i]->done);
		ok(w[i]);
	}
	for (int i = 0; i < n; i++) {
		delete_task(b[i]->id, NULL);
		reader_ended(readers[i]);
	}
	ns = now() - begin;
	cpu = cpu_of(e2e.server) - cpu;
	record("GiB/s", (double)total * n / GIB / (ns / 1e9), "%s", what);
	record("s/GiB", cpu / 1e9 / ((double)total * n / GIB), "%s, CPU of the shim",
	       what);
	end_shim();
}

static void run_relay(void)
{
	relay(1, LARGE, 65536, false, "stdout, 64 KiB writes");
}

static void run_lines(void)
{
	relay(1, LINES, 80, false, "stdout, lines of 80 bytes");
}

static void run_tty(void)
{
	relay(1, LINES, 4096, true, "terminal");
}

static void run_many(void)
{
	relay(8, LARGE / 8, 65536, false, "stdout, eight containers at once");
}

const struct group relay_group = { "relay", run_relay, 5 };
const struct group lines_group = { "lines", run_lines, 3 };
const struct group tty_group = { "tty", run_tty, 3 };
const struct group many_group = { "many", run_many, 3 };
