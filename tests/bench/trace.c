/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures that are the same on a busy machine: system calls, counted with strace(1),
 * and instructions, counted one by one with ptrace(2).
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Until the shim has told its events. */
#define SETTLE 120

/* ---------------------------------------------------------------- strace */

static pid_t tracer;
static bool has_threads;

const char *trace_text(void)
{
	char *all = read_file(in_dir("trace"), NULL);

	return all ? all : "";
}

void trace_begin(void)
{
	/* Of a program with one thread only that one, and not its children. */
	has_threads = strcmp(proc_status(e2e.server, "Threads"), "1") != 0;
	tracer = fork();
	if (tracer == 0) {
		execlp("strace", "strace", has_threads ? "-qqf" : "-qq", "-o",
		       in_dir("trace"), "-p", text("%d", e2e.server), NULL);
		_exit(127);
	}
	/* It shows the call that was interrupted: the shim's epoll_wait(2). */
	until(strcmp(proc_status(e2e.server, "TracerPid"), "0") != 0);
	loop_for(SETTLE);
}

void trace_end(void)
{
	kill(tracer, SIGTERM);
	waitpid(tracer, NULL, 0);
}

/* Behind the pid that stands first with -f; NULL: of a child, or the rest of a call. */
static const char *call_in(const char *line)
{
	if (has_threads) {
		char *end;
		long tid = strtol(line, &end, 10);

		if (!exists(text("/proc/%d/task/%ld", e2e.server, tid)))
			return NULL;
		line = end + strspn(end, " ");
	}
	return *line == '<' || *line == '+' || *line == '-' ? NULL : line;
}

static long count(const char *s, bool forks)
{
	static const char *const words[] = { "vfork(", "fork(", "clone(", "clone3(" };
	long n = 0;

	for (const char *end; (end = strchr(s, '\n')); s = end + 1) {
		const char *call = call_in(s);

		if (call && !forks)
			n++;
		for (size_t i = 0; call && forks && i < 4; i++)
			n += strncmp(call, words[i], strlen(words[i])) == 0 &&
			     !memmem(call, (size_t)(end - call), "CLONE_THREAD", 12);
	}
	return n;
}

/* strace writes behind the shim. */
#define SILENCE 200

size_t trace_settled(void)
{
	size_t len, before;

	do {
		before = strlen(trace_text());
		loop_for(SILENCE);
		len = strlen(trace_text());
	} while (len != before);
	return len;
}

long trace_calls(const char *from)
{
	return count(from, false);
}

long trace_forks(const char *from)
{
	return count(from, true);
}

/* ----------------------------------------------------------------- steps */

static volatile long *steps;
/*
 * Each step is two switches between the processes: they would wait for others each
 * time, and for another CPU to wake up. Best effort; needs root.
 */
static void hurry(pid_t pid, bool on)
{
	const struct sched_param first = { .sched_priority = on };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int i = 0; i < (on ? 1 : CPU_SETSIZE); i++)
		CPU_SET(i, &cpus);
	sched_setaffinity(pid, sizeof(cpus), &cpus);
	sched_setscheduler(pid, on ? SCHED_FIFO | SCHED_RESET_ON_FORK : SCHED_OTHER,
			   &first);
}

static _Noreturn void step(pid_t pid)
{
	int status, signal = 0;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &status, __WALL) != pid)
		_exit(1);
	hurry(pid, true);
	hurry(0, true);
	for (*steps = 0;; ++*steps) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)signal) < 0)
			break;
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			break;
		signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	}
	_exit(0);
}

void steps_begin(void)
{
	if (!steps)
		steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED)
		fail_at(HERE, "mmap: %s", strerror(errno));
	*steps = -1;
	tracer = fork();
	if (tracer == 0)
		step(e2e.server);
	until(*steps >= 0);
}

long steps_count(void)
{
	long last;

	do {
		last = *steps;
		loop_for(SETTLE);
	} while (*steps != last);
	return last;
}

void steps_end(void)
{
	waitpid(tracer, NULL, 0);
}

/* The shim's "start" for @b, stopped at its first instruction. */
static pid_t start_stopped(const struct bundle *b, int out)
{
	const char *const *argv = ARGS(b->id, "start");
	const char *all[16] = { e2e.shim };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid) {
		close(null);
		return pid;
	}
	for (size_t i = 0; i < 14 && argv[i]; i++)
		all[i + 1] = argv[i];
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	setenv("TTRPC_ADDRESS", e2e.ttrpc_address, 1);
	if (chdir(b->dir) == 0 && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
		execv(e2e.shim, (char *const *)(uintptr_t)all);
	_exit(126);
}

long steps_of_start(const struct bundle *b)
{
	char answer[256] = "";
	int out[2], status;
	long n = 0;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		fail_at(HERE, "pipe");
	pid = start_stopped(b, out[1]);
	close(out[1]);
	hurry(pid, true);
	hurry(0, true);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		n++;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			break;
	}
	hurry(0, false);
	if (read(out[0], answer, sizeof(answer) - 1) <= 0 ||
	    strncmp(answer, "unix://", 7))
		fail_at(HERE, "start: status 0x%x, \"%s\"", status, answer);
	close(out[0]);
	connect_shim(answer + 7);
	return n;
}
