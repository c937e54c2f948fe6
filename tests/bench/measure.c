/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc and the clocks say. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/limits.h"

static double field(const char *all, const char *name)
{
	const char *at = all ? strstr(all, name) : NULL;

	return at ? strtod(at + strlen(name), NULL) : 0;
}

/* Into the one buffer: what measures memory must not use more and more of it. */
static const char *read_proc(const char *path)
{
	static char all[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, all, sizeof(all) - 1);

	if (n <= 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	all[n] = 0;
	close(fd);
	return all;
}

struct memory memory_of(pid_t pid)
{
	char path[64];
	const char *all;
	struct memory m;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	all = read_proc(path);
	m.private_dirty = field(all, "\nPrivate_Dirty:");
	m.pss = field(all, "\nPss:");
	m.rss = field(all, "\nRss:");
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	all = read_proc(path);
	m.page_tables = field(all, "\nVmPTE:");
	m.threads = field(all, "\nThreads:");
	return m;
}

void wait_for_rest(void)
{
	loop_for(LIMIT_REST_MS + 200);
}

double memory_available(void)
{
	double best = 0;

	/* Pages and sockets are given back a little later. */
	for (int i = 0; i < 5; i++) {
		double v = field(read_proc("/proc/meminfo"), "\nMemAvailable:");

		best = v > best ? v : best;
		loop_for(100);
	}
	/* What the harness itself has taken is no shim's. */
	return best + memory_of(getpid()).private_dirty;
}

const char *fake(const char *name)
{
	return text("%.*s/%s", (int)(strrchr(e2e.fake, '/') - e2e.fake), e2e.fake, name);
}

double cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		fail_at(HERE, "no CPU clock of %d", pid);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

void cpu_of_writer(double *cpu)
{
	char *children = read_file(text("/proc/%d/task/%d/children", e2e.server, e2e.server), NULL);

	for (char *at = children; at && *at; at += *at == ' ') {
		pid_t pid = (pid_t)strtol(at, &at, 10);
		char *comm = read_file(text("/proc/%d/comm", pid), NULL);
		struct timespec ts;
		clockid_t clock;

		if (comm && strcmp(comm, "brass-logfile\n") == 0 &&
		    clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0)
			*cpu = (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
	}
}

double now(void)
{
	return (double)loop_now();
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* vfork(2): what we are, and how large, is not to be measured. */
static __attribute__((noinline)) pid_t exec_start(const struct bundle *b, int in, int out)
{
	const char *const argv[] = { e2e.shim,
				     "-namespace",
				     NS,
				     "-address",
				     e2e.address,
				     "-publish-binary",
				     "/usr/bin/containerd",
				     "-id",
				     b->id,
				     "start",
				     NULL };
	pid_t pid = vfork();

	if (pid)
		return pid;
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (chdir(b->dir) == 0)
		execv(e2e.shim, (char *const *)(uintptr_t)argv);
	_exit(126);
}

/* A plain URL, or the JSON of containerd 2. */
static const char *path_in(char *answer)
{
	char *path = strstr(answer, "unix://");

	if (!path)
		return NULL;
	path += strlen("unix://");
	path[strcspn(path, "\"\n")] = 0;
	return path;
}

double start_timed(const struct bundle *b, double *cpu)
{
	char answer[4096];
	size_t len = 0;
	uint8_t *options;
	size_t options_len = pack(&runc_options()->base, &options);
	int in[2], out[2], status;
	struct rusage ru;
	double begin, ns;
	ssize_t n;
	pid_t pid;

	setenv("TTRPC_ADDRESS", e2e.ttrpc_address, 1);
	setenv("GRPC_ADDRESS", e2e.address, 1);
	setenv("NAMESPACE", NS, 1);
	setenv("MAX_SHIM_VERSION", "2", 1);
	setenv("FAKE_RUNC", e2e.scripts, 1);
	if (e2e.cgroup[0])
		setenv("FAKE_CGROUP", e2e.cgroup, 1);
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    write(in[1], options, options_len) != (ssize_t)options_len)
		fail_at(HERE, "pipe: %s", strerror(errno));
	close(in[1]);
	begin = now();
	pid = exec_start(b, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	while ((n = read(out[0], answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)n;
	ns = now() - begin;
	answer[len] = 0;
	close(out[0]);
	if (wait4(pid, &status, 0, &ru) != pid || status || !path_in(answer))
		fail_at(HERE, "start: status %d, \"%s\"", status, answer);
	if (cpu)
		*cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e9 +
		       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e3;
	connect_shim(path_in(answer));
	return ns;
}

/* A stock shim may keep its socket, and may leave before it has answered. */
void end_shim(void)
{
	struct answer *a = ask_shutdown();
	int status;

	await(a);
	ttrpc_client_close(&e2e.client);
	until_within(4 * SOON, waitpid(e2e.server, &status, WNOHANG) != 0);
	unlink(e2e.path);
}

int hold_connection(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail_at(HERE, "connect %s: %s", path, strerror(errno));
	return fd;
}
