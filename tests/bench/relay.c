/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes: GiB/s and CPU of the shim per GiB, for large writes and for lines, to
 * FIFOs, a terminal and a file, and from stdin; and how late a line comes.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB 1073741824.0
#define LARGE (512LL << 20)
#define LINES (32LL << 20)
#define STAMPS 400

struct job {
	const char *what;
	int n; /* containers, in one shim */
	long long total; /* bytes that each moves */
	int size; /* of a write */
	bool terminal, to_file, direct, from_stdin;
};

/* This program in another role, its stdout at @out (-1: ours). */
static pid_t run_role(const char *const argv[], const char *out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (out) {
		int fd = open(out, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || dup2(fd, 1) < 0)
			_exit(125);
	}
	execv(self(), (char *const *)(uintptr_t)argv);
	_exit(126);
}

#define role(out, ...) run_role((const char *const[]){ self(), __VA_ARGS__, NULL }, out)

static void role_ended(pid_t pid)
{
	int status;

	until_within(120000, waitpid(pid, &status, WNOHANG) == pid);
	if (status)
		fail_at(HERE, "the client ended with status 0x%x", status);
}

static struct bundle *bundle_for(const struct job *j, int i)
{
	struct bundle like = { .id = text("r%d-%d", j->size, i) };
	const char *command =
		j->from_stdin ? text("exec %s drain %lld", self(), j->total)
			      : text("exec %s write %lld %d", self(), j->total, j->size);

	if (j->n > 1) {
		like.annotation = "io.kubernetes.cri.sandbox-id";
		like.group = "pod";
	} else if (j->direct) {
		like.annotation = "io.brass.stdio";
		like.group = "direct";
	}
	return bundle_like(&like, command);
}

/* Creates container @i, and the client that reads or writes; 0: none. */
static pid_t prepare(const struct job *j, int i, struct bundle *b)
{
	struct stdio io = { .terminal = j->terminal };
	pid_t client = 0;

	if (j->to_file) {
		io.out = io.err = text("file://%s", in_dir(text("log%d", i)));
	} else {
		io.out = make_fifo(text("out%d-%d", j->size, i));
		/* The stock shim does not start without it. */
		if (!j->terminal) {
			io.err = make_fifo(text("err%d-%d", j->size, i));
			reader_open(io.err);
		}
	}
	if (j->from_stdin) {
		io.in = make_fifo(text("in%d", i));
		reader_open(io.out);
		client =
			role(io.in, "write", text("%lld", j->total), text("%d", j->size));
	} else if (!j->to_file) {
		client = role(NULL, "read", io.out);
	}
	create_io(b, &io);
	return client;
}

static void record_bytes(const struct job *j, double ns, double cpu)
{
	double gib = (double)j->total * j->n / GIB;

	record("GiB/s", gib / (ns / 1e9), "%s", j->what);
	record("s/GiB", cpu / 1e9 / gib, "%s, CPU of the shim", j->what);
}

/* Meanwhile: whoever writes the log file for the shim is gone when the container is. */
static bool has_ended(const struct job *j, const struct answer *w, double *writer)
{
	if (j->to_file)
		cpu_of_writer(writer);
	return w->done;
}

static void move_bytes(const struct job *j)
{
	struct bundle *b[8];
	struct answer *w[8];
	pid_t clients[8];
	double cpu, begin, writer = 0;

	for (int i = 0; i < j->n; i++) {
		b[i] = bundle_for(j, i);
		if (i == 0)
			start_timed(b[i], NULL);
		clients[i] = prepare(j, i, b[i]);
		w[i] = ask_wait(b[i]->id, NULL);
	}
	cpu = cpu_of(e2e.server);
	begin = now();
	for (int i = 0; i < j->n; i++)
		ok(ask_start(b[i]->id, NULL));
	for (int i = 0; i < j->n; i++) {
		until_within(120000, has_ended(j, w[i], &writer));
		ok(w[i]);
		delete_task(b[i]->id, NULL);
		if (clients[i])
			role_ended(clients[i]);
	}
	record_bytes(j, now() - begin, cpu_of(e2e.server) - cpu + writer);
	end_shim();
}

#define GROUP(id, n_rounds, ...)                           \
	static void run_##id(void)                         \
	{                                                  \
		move_bytes(&(struct job){ __VA_ARGS__ });  \
	}                                                  \
	const struct group id##_group = { .name = #id,     \
					  .run = run_##id, \
					  .rounds = n_rounds }

GROUP(relay, 5, .what = "stdout, 64 KiB writes", .n = 1, .total = LARGE, .size = 65536);
GROUP(lines, 3, .what = "stdout, lines of 80 bytes", .n = 1, .total = LINES, .size = 80);
GROUP(tty, 3, .what = "terminal", .n = 1, .total = LINES, .size = 4096, .terminal = true);
GROUP(stdin, 3, .what = "stdin, 64 KiB writes", .n = 1, .total = LARGE, .size = 65536,
      .from_stdin = true);
GROUP(many, 3, .what = "stdout, eight containers at once", .n = 8, .total = LARGE / 8,
      .size = 65536);

static void run_direct(void)
{
	move_bytes(&(struct job){ .what = "direct output, 64 KiB writes",
				  .n = 1,
				  .total = LARGE,
				  .size = 65536,
				  .direct = true });
	move_bytes(&(struct job){ .what = "direct output, lines of 80 bytes",
				  .n = 1,
				  .total = LINES,
				  .size = 80,
				  .direct = true });
}

/* To a log file: there conmon does the same, and puts the time before each line. */
static void run_file(void)
{
	if (subject_is("conmon"))
		conmon_lines(LINES, 80);
	else
		move_bytes(&(struct job){ .what = "log file, lines of 80 bytes",
					  .n = 1,
					  .total = LINES,
					  .size = 80,
					  .to_file = true });
}

const struct group direct_group = {
	.name = "direct", .run = run_direct, .rounds = 3, .ours_only = true
};
const struct group file_group = {
	.name = "file", .run = run_file, .rounds = 3, .conmon = true
};

/* --------------------------------------------------------------- latency */

static void run_latency(void)
{
	struct bundle *b = bundle("late", text("exec %s stamp %d", self(), STAMPS));
	struct stdio io = { .out = make_fifo("out"), .err = make_fifo("err") };
	char *result = in_dir("latency"), *said;
	struct answer *w;
	pid_t client;

	start_timed(b, NULL);
	reader_open(io.err);
	client = role(NULL, "late", io.out, result);
	create_io(b, &io);
	w = ask_wait(b->id, NULL);
	ok(ask_start(b->id, NULL));
	until_within(120000, w->done);
	delete_task(b->id, NULL);
	role_ended(client);
	said = read_file(result, NULL);
	record("us", strtod(said, &said), "one line of output, until it is read");
	record("us", strtod(said, NULL), "one line of output, 99 of 100 are read within");
	end_shim();
}

const struct group latency_group = { .name = "latency", .run = run_latency, .rounds = 3 };
