/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conmon, which Podman and CRI-O have where containerd has a shim: what it costs to
 * hold an idle container, and to write a container's lines into a file.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pid_in(const char *path)
{
	char *s;

	until((s = read_file(path, NULL)) && *s);
	return (pid_t)strtol(s, NULL, 10);
}

/* Its pid; the container is created by then, and its pid in *init. */
static pid_t conmon_start(const struct bundle *b, const char *runtime, pid_t *init)
{
	char *pid_file = text("%s/pidfile", b->dir), *own = text("%s/conmon.pid", b->dir);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("FAKE_RUNC", e2e.scripts, 1);
		/* clang-format off */
		execl("/usr/bin/conmon", "conmon", "-c", b->id, "-u", b->id, "-n", b->id,
		      "-r", runtime, "--runtime-arg", text("--root=%s/" NS, e2e.root),
		      "-b", b->dir, "-p", pid_file, "-P", own, "--exit-dir", b->dir,
		      "--socket-dir-path", b->dir, "--full-attach",
		      "-l", text("k8s-file:%s/log.txt", b->dir), (char *)NULL);
		/* clang-format on */
		_exit(126);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fail_at(HERE, "conmon: status 0x%x", status);
	*init = pid_in(pid_file);
	return pid_in(own);
}

static void runtime_do(const char *runtime, const char *verb, const char *id)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("FAKE_RUNC", e2e.scripts, 1);
		execl(runtime, runtime, "--root", text("%s/" NS, e2e.root), verb, id,
		      (char *)NULL);
		_exit(126);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fail_at(HERE, "%s %s: status 0x%x", runtime, verb, status);
}

static void conmon_end(const struct bundle *b, const char *runtime, pid_t pid)
{
	until_within(120000, waitpid(pid, NULL, WNOHANG) == pid || !is_alive(pid));
	runtime_do(runtime, "delete", b->id);
}

void conmon_idle(void)
{
	static const int n = 20;
	const char *runtime = fake("fake-nothing");
	double dirty[20], pss[20], pt[20], threads[20];
	struct bundle *b[20];
	pid_t pids[20], inits[20];

	for (int i = 0; i < n; i++) {
		b[i] = bundle(text("c%d", i), "exec sleep 1000000");
		pids[i] = conmon_start(b[i], runtime, &inits[i]);
	}
	wait_for_rest();
	for (int i = 0; i < n; i++) {
		struct memory m = memory_of(pids[i]);

		dirty[i] = m.private_dirty;
		pss[i] = m.pss;
		pt[i] = m.page_tables;
		threads[i] = m.threads;
	}
	record("kB", median(dirty, 20), "private dirty, %d shims", n);
	record("kB", median(pss, 20), "PSS, %d shims", n);
	record("kB", median(pt, 20), "page tables, %d shims", n);
	record("", median(threads, 20), "threads, %d shims", n);
	for (int i = 0; i < n; i++) {
		kill(inits[i], SIGKILL);
		conmon_end(b[i], runtime, pids[i]);
	}
}

void conmon_lines(long long total, int size)
{
	struct bundle *b =
		bundle("c", text("exec %s write %lld %d", self(), total, size));
	const char *what = "log file, lines of 80 bytes";
	double gib = (double)total / 1073741824.0, begin, cpu, used;
	pid_t init, pid = conmon_start(b, e2e.fake, &init);

	cpu = cpu_of(pid);
	begin = now();
	runtime_do(e2e.fake, "start", b->id);
	/* It is a zombie when it has written all, and says what it used until then. */
	until_within(120000, !is_alive(pid));
	used = cpu_of(pid) - cpu;
	record("GiB/s", gib / ((now() - begin) / 1e9), "%s", what);
	record("s/GiB", used / 1e9 / gib, "%s, CPU of the shim", what);
	conmon_end(b, e2e.fake, pid);
}
