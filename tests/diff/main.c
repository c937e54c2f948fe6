/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs all scenarios on both sides, several at once, then has their transcripts
 * compared. One TAP line per scenario, and one for the list of known differences.
 */
#include "tests/diff/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SCENARIOS 256
/* Processes per side, since most of a scenario's time is waiting. */
#define WORKERS 3

static const struct scenario *const groups[] = {
	life_scenarios,	   states_scenarios, kill_scenarios,	exec_scenarios,
	stdio_scenarios,   tty_scenarios,    failure_scenarios, mount_scenarios,
	control_scenarios, flags_scenarios,  runtime_scenarios, cross_scenarios,
};
static const struct scenario *scenarios[MAX_SCENARIOS];
static size_t n_scenarios;
static char dir[] = "/tmp/brass-diff.XXXXXX", shims[SIDES][4096];
const char *const sides[SIDES] = { "stock", "ours" };

/* ---------------------------------------------------------------- a worker */

/* What a script waits for in vain is the last that it says. */
static void give_up(const char *why)
{
	bool late = !strncmp(why, LATE, strlen(LATE));

	say(late ? HUNG : "failed", "%s", late ? why + strlen(LATE) : why);
}

static void run_scenario(void **state)
{
	const struct scenario *s = *state;
	uint64_t begin = loop_now();

	record_begin(s->name);
	failing = give_up;
	s->run();
	record_end();
	print_message("# %s: %d ms\n", s->name, (int)((loop_now() - begin) / LOOP_MSEC));
}

static int leave_scenario(void **state)
{
	failing = NULL;
	clean_up();
	return e2e_teardown(state);
}

/* Under the name that it is to have, in a folder of its own. */
static void copy_shim(const char *from, const char *folder)
{
	char *to = text("%s/" SHIM_NAME, folder);
	size_t len;
	char *data = read_file(from, &len);

	mkdir(folder, 0755);
	if (!data)
		_exit(99);
	write_file(to, data, len);
	chmod(to, 0755);
}

static size_t first; /* the number of this worker */

static int run_worker(void)
{
	struct CMUnitTest tests[MAX_SCENARIOS];
	size_t n = 0;

	make_rootfs();
	copy_shim(getenv("BRASS_SHIM"), "/run/diff/bin");
	copy_shim(getenv("DIFF_OTHER"), "/run/diff/other");
	mkdir(TMP, 0700);
	setenv("BRASS_SHIM", "/run/diff/bin/" SHIM_NAME, 1);
	setenv("TMPDIR", TMP, 1);
	record_open(getenv("DIFF_TRANSCRIPT"));
	for (size_t i = first; i < n_scenarios; i += WORKERS)
		tests[n++] = (struct CMUnitTest){
			.name = scenarios[i]->name,
			.test_func = run_scenario,
			.setup_func = e2e_setup,
			.teardown_func = leave_scenario,
			.initial_state = (void *)(uintptr_t)scenarios[i],
		};
	return _cmocka_run_group_tests("side", tests, n, NULL, NULL);
}

static char *path_of(int side, size_t worker, const char *suffix)
{
	return text("%s/%s-%zu%s", dir, sides[side], worker, suffix);
}

static pid_t begin_worker(int side, size_t worker)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	fd = open(path_of(side, worker, ".log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	setenv("DIFF_TRANSCRIPT", path_of(side, worker, ""), 1);
	setenv("BRASS_SHIM", shims[side], 1);
	setenv("DIFF_OTHER", shims[1 - side], 1);
	first = worker;
	e2e_main(run_worker);
}

/* -------------------------------------------------------------------- main */

static void choose(void)
{
	const char *only = getenv("DIFF_ONLY");

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct scenario *s = groups[g]; s->name; s++) {
			if (only && fnmatch(only, s->name, 0))
				continue;
			if (n_scenarios == MAX_SCENARIOS)
				abort();
			scenarios[n_scenarios++] = s;
		}
}

static bool find_shims(void)
{
	const char *stock = getenv("DIFF_STOCK"), *ours = getenv("BRASS_SHIM");
	char exe[4000];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = 0;
	for (int up = 0; up < 3; up++)
		*(strrchr(exe, '/') ? strrchr(exe, '/') : exe) = 0;
	snprintf(shims[0], sizeof(shims[0]), "%s",
		 stock ? stock : "/usr/bin/containerd-shim-runc-v2");
	snprintf(shims[1], sizeof(shims[1]), "%s%s", ours ? ours : exe,
		 ours ? "" : "/containerd-shim-brass-v2");
	return access(shims[0], X_OK) == 0 && access("/bin/busybox", X_OK) == 0;
}

/* What all workers of a side have written, one after the other. */
static char *transcript_of(int side)
{
	char *all = text("%s", "");

	for (size_t w = 0; w < WORKERS; w++) {
		char *part = read_file(path_of(side, w, ""), NULL);
		char *log = read_file(path_of(side, w, ".log"), NULL);

		if (log && strstr(log, "FAILED"))
			print_error("--- log of the %s side\n%s---\n", sides[side], log);
		all = text("%s%s", all, part ? part : "");
		if (!getenv("DIFF_KEEP")) {
			unlink(path_of(side, w, ""));
			unlink(path_of(side, w, ".log"));
		}
	}
	return all;
}

static void run_sides(void)
{
	pid_t pids[SIDES][WORKERS];

	for (int side = 0; side < SIDES; side++)
		for (size_t w = 0; w < WORKERS; w++)
			pids[side][w] = begin_worker(side, w);
	for (int side = 0; side < SIDES; side++)
		for (size_t w = 0; w < WORKERS; w++)
			waitpid(pids[side][w], NULL, 0);
}

/* True unless it failed. */
static bool judge(size_t i, const char *const transcripts[SIDES])
{
	const char *name = scenarios[i]->name, *why = "";
	enum verdict v = compare(name, transcripts, &why);

	printf("%sok %zu - %s", v == DIFFERENT ? "not " : "", i + 1, name);
	if (v == STOCK_HUNG)
		printf(" # SKIP the stock shim hung (ours did not), %s", why);
	printf("\n");
	return v != DIFFERENT;
}

static bool judge_known(void)
{
	bool skip = getenv("DIFF_ONLY"), good = skip || all_known_occurred();

	printf("%sok %zu - all known differences occur%s\n", good ? "" : "not ",
	       n_scenarios + 1, skip ? " # SKIP not all scenarios were run" : "");
	return good;
}

int main(void)
{
	const char *transcripts[SIDES];
	bool good = true;

	if (geteuid() != 0 || !find_shims()) {
		printf("1..0 # SKIP needs root, a stock shim and /bin/busybox\n");
		return 0;
	}
	choose();
	if (!mkdtemp(dir))
		return 99;
	printf("1..%zu\n", n_scenarios + 1);
	fflush(stdout);
	run_sides();
	for (int side = 0; side < SIDES; side++)
		transcripts[side] = transcript_of(side);
	if (getenv("DIFF_KEEP"))
		print_error("transcripts: %s\n", dir);
	else
		rmdir(dir);
	for (size_t i = 0; i < n_scenarios; i++)
		good &= judge(i, transcripts);
	good &= judge_known();
	return good ? 0 : 1;
}
