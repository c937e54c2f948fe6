/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and allocations that fail: a life is lived again and again, and each
 * time the next call of a kind fails (tests/fake/faults.h), until there is none
 * left. Every call is answered, what failed can be tried again, no exit and no other
 * event is lost or doubled, and the server has afterwards what it had before.
 *
 * One server for all lives of a kind, so that what they leave would add up.
 * E2E_FAULTS=all does not skip any call, which takes minutes.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/faults.h"

static const struct {
	const char *name;
	int error;
} kinds[] = {
#define X(kind, error) [FAULT_##kind] = { #kind, error },
	FAULT_KINDS(X)
#undef X
};

/* Lives in which every other call fails; that has no end of its own. */
#define STORMS 10

static struct faults *faults;

/* ------------------------------------------------------------------ faults */

static void prepare(enum fault_role role)
{
	faults = faults_open(role);
	e2e.extra_env[3] = "BRASS_FIFO_TIMEOUT_MS=2000";
	e2e.extra_env[4] = "BRASS_RUNTIME_TIMEOUT_MS=5000";
	e2e.extra_env[5] = "BRASS_DRAIN_TIMEOUT_MS=1000";
}

static void arm(enum fault_kind kind, unsigned n)
{
	faults->kind = kind;
	faults->error = kinds[kind].error;
	faults->nth = n;
	faults->seen = faults->failed = 0;
	faults->armed = 1;
}

/* Whether anything failed since. */
static bool disarm(void)
{
	faults->armed = 0;
	return faults->failed > 0;
}

/* The next call to fail: all of them, or not every one where there are hundreds. */
static unsigned after(unsigned n)
{
	const char *all = getenv("E2E_FAULTS");

	if (e2e.slow > 1 && !all)
		return 2 * n;
	return all || n < 12 ? n + 1 : n + 1 + n / 6;
}

/* -------------------------------------------------------------------- a life */

struct life {
	struct bundle *b;
	struct reader *readers[4];
	struct stdio io, e1, e2;
	const char *what; /* where we are, for a failure */
	int fds;
	size_t events; /* of earlier lives */
	/* Answers that connections took with them in earlier lives; events that came twice. */
	unsigned lost, doubles;
};

static _Noreturn void broken(struct where w, const char *what, const char *why)
{
	fail_at(w, "call %u of %s fails (%u seen): %s: %s", faults->nth,
		kinds[faults->kind].name, faults->seen, what, why);
}

/* Runs the loop until @condition; says which fault it was if it does not come true. */
#define until_true(what, condition)                                \
	do {                                                       \
		uint64_t due_ = deadline_in(SOON);                 \
		while (!(condition))                               \
			if (!loop_until(due_))                     \
				broken(HERE, what, "not in time"); \
	} while (0)

static struct answer *answered(struct where w, const char *what, struct answer *a)
{
	uint64_t due = deadline_in(2 * SOON);

	while (!a->done)
		if (!loop_until(due))
			broken(w, what, "no answer");
	/* The connection is gone: nothing that follows can be told from a dead shim. */
	if (!is_alive(e2e.server))
		broken(w, what, "the shim is dead");
	if (a->code != TTRPC_OK && (!a->text[0] || !faults->failed))
		broken(w, what, text("%d \"%s\"", a->code, a->text));
	return a;
}

/* What was read from a process that came to nothing has ended; the next one has new readers. */
static void listen_again(struct life *l)
{
	const char *paths[] = { l->io.out, l->io.err, l->e1.out, l->e2.out };

	for (size_t i = 0; i < 4; i++) {
		if (l->readers[i] && l->readers[i]->len > 0)
			continue;
		if (l->readers[i])
			reader_close(l->readers[i]);
		l->readers[i] = reader_open(paths[i]);
	}
}

/*
 * The answer was lost with the connection, and the second try is told that this is done:
 * if it were not, something would be missing among what follows.
 */
static bool was_done(const struct answer *first, const struct answer *second)
{
	return first->code == TTRPC_UNAVAILABLE && second->code != TTRPC_UNAVAILABLE;
}

/*
 * The child whose exec failed lets its parent go on before it closes what it had of
 * the FIFOs: then a reader that was opened meanwhile sees that end.
 */
static struct answer *answered_again(struct where w, struct life *l, const char *what,
				     struct answer *a)
{
	uint64_t due = deadline_in(2 * SOON);

	while (!a->done) {
		if (!loop_until(due))
			broken(w, what, "no answer");
		for (size_t i = 0; i < 4; i++)
			if (l->readers[i]->eof && l->readers[i]->len == 0)
				l->readers[i] = reader_open(l->readers[i]->path);
	}
	return answered(w, what, a);
}

/* A call that must succeed, at the second try if need be. */
#define twice(what, expr)                                                     \
	({                                                                    \
		struct answer *a_ = answered(HERE, what, expr), *first_ = a_; \
		if (a_->code != TTRPC_OK) {                                   \
			if (first_->code != TTRPC_UNAVAILABLE)                \
				listen_again(l);                              \
			a_ = answered_again(HERE, l, what, expr);             \
			if (a_->code != TTRPC_OK && !was_done(first_, a_))    \
				broken(HERE, what,                            \
				       text("again: %s; first: %s", a_->text, \
					    first_->text));                   \
		}                                                             \
		a_->reply;                                                    \
	})
/* A call that may fail. */
#define once(what, expr) ((void)answered(HERE, what, expr))

static struct answer *ask_resize(const char *exec_id)
{
	Task__ResizePtyRequest q = TASK__RESIZE_PTY_REQUEST__INIT;

	q.id = text("c1");
	q.exec_id = text("%s", exec_id);
	q.width = 80;
	q.height = 25;
	return ask("ResizePty", &q);
}

static struct answer *ask_stats(void)
{
	Task__StatsRequest q = TASK__STATS_REQUEST__INIT;

	q.id = text("c1");
	return ask("Stats", &q);
}

static void feed(const char *fifo, const char *bytes)
{
	int fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || write(fd, bytes, strlen(bytes)) < 0)
		fail_at(HERE, "%s: %s", fifo, strerror(errno));
	close(fd);
}

static void exec_life(struct life *l, const char *id, const char *command,
		      const struct stdio *io, unsigned status)
{
	char *added = text("exec %s", id), *started = text("start %s", id);
	const Task__WaitResponse *w;

	twice(added, ask_exec("c1", id, command, io));
	twice(started, ask_start("c1", id));
	/* The end of stdin would hang up a terminal. */
	if (io->terminal)
		once("resize", ask_resize(id));
	feed(io->in, "line\n");
	if (!io->terminal)
		twice("close stdin", ask_close_io("c1", id));
	w = (const void *)twice(text("wait %s", id), ask_wait("c1", id));
	if (w->exit_status != status)
		broken(HERE, text("wait %s", id), text("status %u", w->exit_status));
	twice(text("delete %s", id), ask_delete("c1", id));
}

/* A second client, so that a connection is accepted in each life. */
static void visit(void)
{
	Task__ConnectRequest q = TASK__CONNECT_REQUEST__INIT;
	struct ttrpc_client other;

	q.id = text("c1");
	ttrpc_client_init(&other, &e2e.loop, e2e.path);
	once("visit", ask_on(&other, V3, "Connect", &q));
	ttrpc_client_close(&other);
}

/* A relay that got an error has lost bytes, and said so; any other kind costs none. */
static bool costs_output(enum fault_kind kind)
{
	return kind == FAULT_READ || kind == FAULT_WRITE || kind == FAULT_SPLICE;
}

static void live(struct life *l)
{
	const Task__WaitResponse *w;
	struct answer *waiting;

	twice("create", ask_create(l->b, &l->io));
	visit();
	waiting = ask_wait("c1", NULL);
	twice("start", ask_start("c1", NULL));
	exec_life(l, "e1", "cat; exit 3", &l->e1, 3);
	exec_life(l, "e2", "read x; echo $x; exit 4", &l->e2, 4);
	once("stats", ask_stats());
	once("pids", ask_pids("c1"));
	twice("state", ask_state("c1", NULL));
	/* What it has to say, it must have had the time to say. */
	if (!costs_output(faults->kind))
		until_true("its output",
			   l->readers[0]->len > 0 && l->readers[1]->len > 0);
	twice("kill", ask_kill("c1", NULL, SIGKILL, true));
	if (answered(HERE, "wait", waiting)->code != TTRPC_OK)
		w = (const void *)twice("wait", ask_wait("c1", NULL));
	else
		w = (const void *)waiting->reply;
	if (w->exit_status != 137)
		broken(HERE, "wait", text("status %u", w->exit_status));
	twice("delete", ask_delete("c1", NULL));
}

/* --------------------------------------------------------------- afterwards */

/*
 * An event whose acknowledgement was lost with the connection comes again: who breaks
 * the connection may be a containerd that has died before it could keep the event.
 */
static bool is_double(struct life *l, const char *last, const char *line)
{
	bool is = faults->kind == FAULT_RECV && strcmp(line, last) == 0 &&
		  l->doubles < l->lost + faults->failed;

	l->doubles += is;
	return is;
}

static void check_events(struct life *l)
{
	static const char *const lines[] = {
		"create c1",	      "start c1",     "exec-added c1 e1",
		"exec-started c1 e1", "exit c1 e1 3", "exec-added c1 e2",
		"exec-started c1 e2", "exit c1 e2 4", "exit c1 c1 137",
		"delete c1 137",
	};
	size_t n = sizeof(lines) / sizeof(lines[0]);

	for (size_t i = 0; i < n; i++) {
		const char *line;

		do {
			until_true(text("event %s", lines[i]), sink_count() > l->events);
			line = event(l->events++)->line;
		} while (is_double(l, i ? lines[i - 1] : lines[n - 1], line));
		if (strcmp(line, lines[i]))
			broken(HERE, "events",
			       text("\"%s\" instead of \"%s\"", line, lines[i]));
	}
	if (sink_count() > l->events &&
	    !is_double(l, lines[n - 1], event(l->events++)->line))
		broken(HERE, "events", "more than expected");
}

static char *stray_file(const struct life *l)
{
	static const char *const known[] = { "config.json", "rootfs",	    "log",
					     "address",	    "options.json", "runtime",
					     "init.pid",    "exit",	    "shim" };

	return other_file_in(l->b->dir, known, sizeof(known) / sizeof(known[0]));
}

static void check_output(struct life *l, enum fault_kind kind)
{
	static const char *const said[] = { "out\n", "err\n", "line\n", "line\r\n" };

	if (costs_output(kind))
		return;
	for (size_t i = 0; i < 4; i++) {
		const struct reader *r = l->readers[i];

		until_true(text("end of output %zu", i), r->eof);
		if (!r->data || r->len < strlen(said[i]) ||
		    strcmp(r->data + r->len - strlen(said[i]), said[i]))
			broken(HERE, r->path, r->data ? r->data : "");
	}
}

static void check_left(struct life *l)
{
	until_true("processes left", !other_processes());
	if (faults->wrong_closes)
		broken(HERE, "close", "of a descriptor that is not open");
	until_true(text("%d descriptors, and now %d", l->fds, count_fds(e2e.server)),
		   count_fds(e2e.server) == l->fds);
	if (faults->kind != FAULT_UNLINK && stray_file(l))
		broken(HERE, "file", stray_file(l));
	if (own_mounts())
		broken(HERE, "mount", own_mounts());
	if (count_files(text("%s/" NS, e2e.root)))
		broken(HERE, "runtime", "a container is left");
}

/* One life with fault @n (0: none); false: it was not reached. */
static bool life(struct life *l, enum fault_kind kind, unsigned n)
{
	bool reached;

	memset(l->readers, 0, sizeof(l->readers));
	listen_again(l);
	sink_close(); /* so that they have to be kept, and the way back to be found */
	arm(kind, n);
	live(l);
	sink_open();
	check_events(l);
	reached = disarm();
	l->lost += faults->failed;
	check_output(l, kind);
	for (size_t i = 0; i < 4; i++)
		reader_close(l->readers[i]);
	if (!l->fds) {
		/* It listens, knows us and the sink; the second client's connection is gone. */
		until(count_fds_of(e2e.server, "socket:") == 3);
		until(count_fds_of(e2e.server, "anon_inode:inotify") == 0);
		l->fds = count_fds(e2e.server);
	}
	check_left(l);
	return reached;
}

static void lives(void **state)
{
	enum fault_kind kind = (enum fault_kind)(uintptr_t)*state;
	static const char *const options[] = { "rbind", "rw", NULL };
	struct life l = { 0 };
	unsigned n = 1, runs = 0;

	prepare(FAULT_SERVER);
	e2e.rootfs.type = "bind";
	e2e.rootfs.source = in_dir("image");
	memcpy(e2e.rootfs.options, options, sizeof(options));
	make_folder(e2e.rootfs.source);
	l.b = shim_for("c1", "echo out; echo err >&2; exec sleep 1000");
	assert_int_equal(faults->active, 1);
	l.io = (struct stdio){ make_fifo("in"), make_fifo("out"), make_fifo("err"),
			       false };
	l.e1 = (struct stdio){ make_fifo("in1"), make_fifo("out1"), NULL, false };
	l.e2 = (struct stdio){ make_fifo("in2"), make_fifo("out2"), NULL, true };
	life(&l, kind, UINT32_MAX);
	while (life(&l, kind, n) && (kind < FAULT_STORMS || runs < STORMS)) {
		n = after(n);
		runs++;
	}
	print_message("# %s: %u calls of a life, %u lives\n", kinds[kind].name, n - 1,
		      runs);
	assert_true(runs > 0);
	shutdown_shim();
	faults_close(faults);
}

/* ------------------------------------------------------- start and delete */

static bool nothing_left(void)
{
	return !other_processes() && count_files(SHIM_SOCKETS) <= 0;
}

/* Whatever "start" says: either there is a shim, or there is nothing and it says why. */
static void check_start(const struct bundle *b, struct run *r)
{
	struct answer *a;

	if (r->status) {
		if (!r->out_len && !r->err_len)
			broken(HERE, "start", "no word about the failure");
		until_true("after a failed start", nothing_left());
		return;
	}
	ttrpc_client_close(&e2e.client);
	snprintf(e2e.path, sizeof(e2e.path), "%s", r->out + 7);
	ttrpc_client_init(&e2e.client, &e2e.loop, e2e.path);
	a = await(ask_connect(b->id));
	if (a->code !=
	    TTRPC_OK) /* it was the connection that failed, or there is nobody */
		a = await(ask_connect(b->id));
	if (a->code == TTRPC_OK && await(ask_shutdown())->code != TTRPC_OK)
		await(ask_shutdown());
	ttrpc_client_close(&e2e.client);
	until_true("after a server's end", nothing_left());
}

static bool boot(const struct bundle *b, enum fault_kind kind, unsigned n)
{
	struct run *r;

	arm(kind, n);
	r = run_start(b->dir, b->id);
	check_start(b, r);
	return disarm();
}

/* Every fault of every kind in "start" (or in the server that it starts) until it ends. */
static void boots(void **state)
{
	struct bundle *b = bundle("c1", "exec sleep 1000");
	unsigned runs = 0;

	prepare((enum fault_role)(uintptr_t)*state);
	for (enum fault_kind kind = 0; kind < FAULT_STORMS; kind++)
		/* A socket that cannot be looked at, or not be unlinked, stays. */
		for (unsigned n = 1;
		     kind != FAULT_STAT && kind != FAULT_UNLINK && boot(b, kind, n);
		     n = after(n))
			runs++;
	print_message("# %u boots\n", runs);
	assert_true(runs > 10);
	faults_close(faults);
}

/* A shim that was killed, whose container "delete" has to end. */
static bool cleanup(const struct bundle *b, enum fault_kind kind, unsigned n)
{
	struct run *r;
	bool reached;

	faults->armed = 0;
	start_shim(b);
	ok(ask_create(b, NULL));
	ok(ask_start("c1", NULL));
	ttrpc_client_close(&e2e.client);
	kill(e2e.server, SIGKILL);
	shim_ended();
	arm(kind, n);
	r = run_delete(b->dir, b->id);
	reached = disarm();
	if (r->status ? !r->err_len : !r->out_len)
		broken(HERE, "delete", "neither an answer nor a reason");
	if (reached)
		run_delete(b->dir, b->id);
	e2e.server = 0;
	until_true("after delete", !other_processes());
	if (own_mounts() || count_files(text("%s/" NS, e2e.root)))
		broken(HERE, "delete", "a mount or a container is left");
	unlink(e2e.path); /* the killed one's */
	return reached;
}

static void cleanups(void **state)
{
	static const enum fault_kind meant[] = { FAULT_MALLOC, FAULT_OPEN, FAULT_MEMFD,
						 FAULT_PIDFD,  FAULT_FORK, FAULT_VFORK,
						 FAULT_EXECVE, FAULT_READ, FAULT_STAT };
	struct bundle *b = bundle("c1", "exec sleep 1000");

	(void)state;
	prepare(FAULT_DELETE);
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		for (unsigned n = 1; cleanup(b, meant[i], n);)
			n = after(n);
	faults_close(faults);
}

/* Neither a runtime nor what it makes needs a pidfd: SIGCHLD tells of its end as well. */
static void without_pidfd(void **state)
{
	struct bundle *b;

	(void)state;
	prepare(FAULT_SERVER);
	b = shim_for("c1", "exec sleep 1000");
	for (unsigned n = 1; n <= 2; n++) {
		arm(FAULT_PIDFD, n); /* that of the runtime, that of the process */
		create(b);
		assert_true(disarm());
		start("c1", NULL);
		exec_add("c1", "ends", "exit 7");
		arm(FAULT_PIDFD, n);
		start("c1", "ends");
		assert_int_equal(wait_exit("c1", "ends")->exit_status, 7);
		assert_true(disarm());
		exec_add("c1", "killed", "exec sleep 2000");
		arm(FAULT_PIDFD, n);
		start("c1", "killed");
		assert_true(disarm());
		kill_task("c1", "killed", SIGTERM);
		assert_int_equal(wait_exit("c1", "killed")->exit_status, 128 + SIGTERM);
		delete_task("c1", "ends");
		delete_task("c1", "killed");
		kill_task("c1", NULL, SIGKILL);
		assert_int_equal(wait_exit("c1", NULL)->exit_status, 128 + SIGKILL);
		delete_task("c1", NULL);
	}
	shutdown_shim();
	faults_close(faults);
}

#define LIFE(kind)                                                                   \
	{                                                                            \
		"lives " #kind, lives, e2e_setup, e2e_teardown, (void *)FAULT_##kind \
	}
E2E_GROUP(LIFE(MALLOC), LIFE(OPEN), LIFE(PIPE), LIFE(MEMFD), LIFE(SOCKET), LIFE(ACCEPT),
	  LIFE(PIDFD), LIFE(FORK), LIFE(VFORK), LIFE(EXECVE), LIFE(EPOLL_ADD),
	  LIFE(INOTIFY_INIT), LIFE(INOTIFY_ADD), LIFE(MOUNT), LIFE(UMOUNT), LIFE(READ),
	  LIFE(WRITE), LIFE(SPLICE), LIFE(RENAME), LIFE(UNLINK), LIFE(CHOWN), LIFE(STAT),
	  LIFE(BIND), LIFE(LISTEN), LIFE(CONNECT), LIFE(SENDSIG), LIFE(IOCTL), LIFE(SEND),
	  LIFE(RECV), LIFE(CLOSE_RANGE), LIFE(EINTR), LIFE(AGAIN), LIFE(SHORT),
	  { "start", boots, e2e_setup, e2e_teardown, (void *)FAULT_START },
	  { "the server's start", boots, e2e_setup, e2e_teardown, (void *)FAULT_SERVER },
	  E2E(cleanups), E2E(without_pidfd))
