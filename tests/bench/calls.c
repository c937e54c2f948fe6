/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: `start`, each call, and a whole life, over a runtime that does nothing;
 * and the same over runc and crun.
 */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVES 12

enum {
	START,
	CREATE,
	RUN,
	EXEC,
	EXEC_START,
	EXEC_DELETE,
	STATE,
	PIDS,
	KILL,
	DELETE,
	LIFE,
	N
};

static const char *const names[N] = {
	[START] = "start, until the address is printed",
	[CREATE] = "Create",
	[RUN] = "Start",
	[EXEC] = "Exec",
	[EXEC_START] = "Start of an exec",
	[EXEC_DELETE] = "Delete of an exec",
	[STATE] = "State",
	[PIDS] = "Pids",
	[KILL] = "Kill",
	[DELETE] = "Delete",
	[LIFE] = "a whole life",
};

struct cost {
	double ns, cpu;
};

double took(struct answer *a)
{
	ok(a);
	return (double)a->ns;
}

static struct cost cost(struct answer *a, double cpu_before)
{
	struct cost c = { .ns = took(a) };

	c.cpu = cpu_of(e2e.server) - cpu_before;
	return c;
}

#define cost_of(what) cost(what, cpu_of(e2e.server))

/* As `ctr run`, `ctr exec`, `ctr kill`, `ctr delete` make one. */
static void live(struct bundle *b, struct cost v[N])
{
	struct answer *w;
	double begin = now();

	v[START].ns = start_timed(b, &v[START].cpu);
	v[CREATE] = cost_of(ask_create(b, NULL));
	w = ask_wait(b->id, NULL);
	v[RUN] = cost_of(ask_start(b->id, NULL));
	v[STATE] = cost_of(ask_state(b->id, NULL));
	v[EXEC] = cost_of(ask_exec(b->id, "e", "exit 0", NULL));
	v[EXEC_START] = cost_of(ask_start(b->id, "e"));
	wait_exit(b->id, "e");
	v[EXEC_DELETE] = cost_of(ask_delete(b->id, "e"));
	v[PIDS] = cost_of(ask_pids(b->id));
	v[KILL] = cost_of(ask_kill(b->id, NULL, SIGKILL, false));
	ok(w);
	v[DELETE] = cost_of(ask_delete(b->id, NULL));
	/* Few ask for Pids; ours waits on purpose if it comes just after Start (LIMIT_PIDS_SETTLE_MS). */
	v[LIFE].ns = now() - begin - v[PIDS].ns;
	v[LIFE].cpu = v[START].cpu + cpu_of(e2e.server);
	end_shim();
}

static double medians[N]; /* of the last lives, in ms */

static void run_lives(int lives, struct bundle *(*make)(const char *id), const char *over)
{
	double ns[N][LIVES], cpu[N][LIVES];

	for (int i = -1; i < lives; i++) {
		struct cost one[N];

		live(make(text("brass-bench-%d-%d", bench_number(), i + 1)), one);
		/* The first one finds nothing in the page cache. */
		for (int k = 0; i >= 0 && k < N; k++) {
			ns[k][i] = one[k].ns;
			cpu[k][i] = one[k].cpu;
		}
	}
	for (int k = 0; k < N; k++) {
		/* Without isolation there is no cgroup that has the container's alone. */
		if (k == PIDS && !*over)
			continue;
		medians[k] = median(ns[k], (size_t)lives) / 1e6;
		record("ms", medians[k], "%s%s", names[k], over);
		record("ms", median(cpu[k], (size_t)lives) / 1e6, "%s%s, CPU of the shim",
		       names[k], over);
	}
}

/* --------------------------------------------------- a runtime of no cost */

static struct bundle *bundle_of_none(const char *id)
{
	return bundle(id, "exec sleep 1000000");
}

/* What a call of the runtime costs without any shim: the floor. */
static double runtime_alone(const char *const argv[])
{
	double ns[LIVES];

	for (int i = 0; i < LIVES; i++) {
		double begin = now();
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			execv(argv[0], (char *const *)(uintptr_t)argv);
			_exit(126);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			fail_at(HERE, "%s: status 0x%x", argv[0], status);
		ns[i] = now() - begin;
	}
	return median(ns, LIVES) / 1e6;
}

/* The shim's own share of a call is what comes on top of that. */
static void run_calls(void)
{
	const char *none = fake("fake-nothing"), *root = in_dir("alone");
	const char *const exec[] = { none, "--root",	 root,		"exec",
				     "a",  "--pid-file", in_dir("pid"), NULL };
	const char *const start[] = { none, "--root", root, "start", "a", NULL };
	double forks, does_not;

	e2e.binary_name = none;
	run_lives(LIVES, bundle_of_none, "");
	forks = runtime_alone(exec);
	does_not = runtime_alone(start);
	record("ms", forks, "the runtime alone, for a Create");
	record("ms", does_not, "the runtime alone, for a Start");
	record("ms", medians[CREATE] - forks, "Create, without the runtime");
	record("ms", medians[RUN] - does_not, "Start, without the runtime");
	record("ms", medians[EXEC_START] - forks,
	       "Start of an exec, without the runtime");
	record("ms", medians[DELETE] - does_not, "Delete, without the runtime");
}

/* ---------------------------------------------------------- runc and crun */

#define REAL_LIVES 5

static void make_root(void)
{
	const char *busybox = read_file("/bin/busybox", NULL) ? "/bin/busybox" : NULL;
	size_t len;
	char *data;

	if (!busybox || exists(in_dir("root")))
		return;
	data = read_file(busybox, &len);
	make_folder(in_dir("root"));
	make_folder(in_dir("root/bin"));
	make_folder(in_dir("root/proc"));
	make_folder(in_dir("root/dev"));
	write_file(in_dir("root/bin/sh"), data, len);
	chmod(in_dir("root/bin/sh"), 0755);
}

/* As containerd's default one, as far as it costs time. */
static struct bundle *real_bundle(const char *id)
{
	struct bundle *b = bundle_of_none(id);
	char *json = text(
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,"
		"\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/sh\",\"-c\","
		"\"while :; do sleep 1000; done\"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"},"
		"\"root\":{\"path\":\"%s\"},\"mounts\":[{\"destination\":\"/proc\","
		"\"type\":\"proc\",\"source\":\"proc\"}],\"linux\":{\"cgroupsPath\":"
		"\"/brass-bench/%s\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
		"\"ipc\"},{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"mount\"}]}}",
		in_dir("root"), id);

	make_root();
	write_file(b->config, json, strlen(json));
	return b;
}

static void run_runc(void)
{
	e2e.binary_name = "runc";
	run_lives(REAL_LIVES, real_bundle, ", runc");
}

static void run_crun(void)
{
	/* It refuses a cgroup v2 hierarchy that stands beside those of v1. */
	umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	e2e.binary_name = "crun";
	run_lives(REAL_LIVES, real_bundle, ", crun");
}

const struct group calls_group = { .name = "calls", .run = run_calls, .rounds = 5 };
const struct group runc_group = { .name = "runc", .run = run_runc, .rounds = 3 };
const struct group crun_group = { .name = "crun", .run = run_crun, .rounds = 3 };
