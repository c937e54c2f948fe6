/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs all scenarios on both sides at once, then compares their transcripts. One
 * TAP line per scenario, and one for the list of known differences.
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
#define SIDES 2

static const struct scenario *const groups[] = {
	life_scenarios,	   states_scenarios, kill_scenarios,	exec_scenarios,
	stdio_scenarios,   tty_scenarios,    failure_scenarios, mount_scenarios,
	control_scenarios, flags_scenarios,  runtime_scenarios, cross_scenarios,
};
static struct CMUnitTest tests[MAX_SCENARIOS + 1];
static size_t n_tests;
static char dir[] = "/tmp/brass-diff.XXXXXX", shims[SIDES][4096];
static const char *const sides[SIDES] = { "stock", "ours" };

/* ------------------------------------------------------------------ a side */

static void run_scenario(void **state)
{
	const struct scenario *s = *state;

	record_begin(s->name);
	s->run();
	record_end();
}

static int leave_scenario(void **state)
{
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

static int run_side(void)
{
	make_rootfs();
	copy_shim(getenv("BRASS_SHIM"), "/run/diff/bin");
	copy_shim(getenv("DIFF_OTHER"), "/run/diff/other");
	mkdir(TMP, 0700);
	setenv("BRASS_SHIM", "/run/diff/bin/" SHIM_NAME, 1);
	setenv("TMPDIR", TMP, 1);
	record_open(getenv("DIFF_TRANSCRIPT"));
	for (size_t i = 0; i < n_tests; i++) {
		tests[i].test_func = run_scenario;
		tests[i].setup_func = e2e_setup;
		tests[i].teardown_func = leave_scenario;
	}
	return _cmocka_run_group_tests("side", tests, n_tests, NULL, NULL);
}

static pid_t begin_side(int side)
{
	char path[256];
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	snprintf(path, sizeof(path), "%s/%s.log", dir, sides[side]);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	snprintf(path, sizeof(path), "%s/%s", dir, sides[side]);
	setenv("DIFF_TRANSCRIPT", path, 1);
	setenv("BRASS_SHIM", shims[side], 1);
	setenv("DIFF_OTHER", shims[1 - side], 1);
	e2e_main(run_side);
}

/* -------------------------------------------------------------- comparison */

struct line {
	char *label, *value;
};

/* One scenario of one side; at the end an empty entry. */
static struct line *lines_of(const char *transcript, const char *name, size_t *n)
{
	static struct line none;
	size_t size = 0;
	struct line *lines = NULL;
	char *copy, *at, *next;

	*n = 0;
	at = transcript ? strstr(transcript, text("== %s\n", name)) : NULL;
	if (!at)
		return &none;
	copy = text("%s", strchr(at, '\n') + 1);
	for (at = copy; *at && strncmp(at, "== ", 3); at = next) {
		next = at + strcspn(at, "\n");
		if (*next)
			*next++ = 0;
		if (*n == size) {
			size = size ? 2 * size : 64;
			lines = realloc(lines, size * sizeof(*lines));
			if (!lines)
				abort();
		}
		lines[*n].label = at;
		at = strstr(at, ": ");
		lines[*n].value = at ? at + 2 : text("?");
		if (at)
			*at = 0;
		(*n)++;
	}
	return lines ? forget_later(lines) : &none;
}

static bool occurs(const char *label, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(lines[i].label, label))
			return true;
	return false;
}

static bool known_used[1024];

static bool is_known(const char *scenario, const char *label, const char *stock,
		     const char *ours)
{
	bool found = false;

	for (size_t i = 0; i < n_known; i++) {
		const struct known *k = &known[i];

		if (fnmatch(k->scenario, scenario, 0) || fnmatch(k->label, label, 0) ||
		    fnmatch(k->stock, stock, 0) || fnmatch(k->ours, ours, 0))
			continue;
		known_used[i] = found = true;
	}
	return found;
}

static size_t differs(const char *scenario, const char *label, const char *stock,
		      const char *ours)
{
	if (!strcmp(stock, ours) || is_known(scenario, label, stock, ours))
		return 0;
	print_error("%s: %s\n  stock: %s\n  ours:  %s\n", scenario, label, stock, ours);
	return 1;
}

static char *transcripts[SIDES];

static void compare(void **state)
{
	const struct scenario *s = *state;
	size_t n[SIDES], i = 0, j = 0, bad = 0;
	struct line *a = lines_of(transcripts[0], s->name, &n[0]);
	struct line *b = lines_of(transcripts[1], s->name, &n[1]);

	for (int side = 0; side < SIDES; side++) {
		const struct line *l = side ? b : a;

		if (!n[side] || strcmp(l[n[side] - 1].label, "end")) {
			print_error("%s: the script of the %s side did not end\n",
				    s->name, sides[side]);
			bad++;
		}
	}
	while (i < n[0] || j < n[1]) {
		if (i < n[0] && j < n[1] && !strcmp(a[i].label, b[j].label)) {
			bad += differs(s->name, a[i].label, a[i].value, b[j].value);
			i++, j++;
		} else if (j < n[1] &&
			   (i == n[0] || !occurs(b[j].label, a + i, n[0] - i))) {
			bad += differs(s->name, b[j].label, "(none)", b[j].value);
			j++;
		} else {
			bad += differs(s->name, a[i].label, a[i].value, "(none)");
			i++;
		}
	}
	assert_int_equal(bad, 0);
}

/* A difference that is no longer there must not stay in the list. */
static void all_known_occur(void **state)
{
	size_t bad = 0;

	(void)state;
	if (getenv("DIFF_ONLY"))
		skip();
	for (size_t i = 0; i < n_known; i++) {
		if (known_used[i] || known[i].races)
			continue;
		print_error(
			"no such difference any more: %s: %s\n  stock: %s\n  ours:  %s\n",
			known[i].scenario, known[i].label, known[i].stock, known[i].ours);
		bad++;
	}
	assert_int_equal(bad, 0);
}

/* -------------------------------------------------------------------- main */

static void choose(void)
{
	const char *only = getenv("DIFF_ONLY");

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct scenario *s = groups[g]; s->name; s++) {
			if (only && fnmatch(only, s->name, 0))
				continue;
			if (n_tests == MAX_SCENARIOS)
				abort();
			tests[n_tests++] = (struct CMUnitTest){
				.name = s->name,
				.initial_state = (void *)(uintptr_t)s,
			};
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

static void read_transcripts(void)
{
	for (int i = 0; i < SIDES; i++) {
		char path[256], *log;

		snprintf(path, sizeof(path), "%s/%s", dir, sides[i]);
		transcripts[i] = read_file(path, NULL);
		log = read_file(text("%s.log", path), NULL);
		if (log && strstr(log, "FAILED"))
			print_error("--- log of the %s side\n%s---\n", sides[i], log);
		if (!getenv("DIFF_KEEP"))
			unlink(path), unlink(text("%s.log", path));
	}
	if (getenv("DIFF_KEEP"))
		print_error("transcripts: %s\n", dir);
	else
		rmdir(dir);
}

int main(void)
{
	pid_t pids[SIDES];
	int status;

	if (geteuid() != 0 || !find_shims()) {
		printf("1..0 # SKIP needs root, a stock shim and /bin/busybox\n");
		return 0;
	}
	choose();
	if (!mkdtemp(dir))
		return 99;
	for (int i = 0; i < SIDES; i++)
		pids[i] = begin_side(i);
	for (int i = 0; i < SIDES; i++)
		waitpid(pids[i], &status, 0);
	read_transcripts();
	for (size_t i = 0; i < n_tests; i++)
		tests[i].test_func = compare;
	tests[n_tests++] = (struct CMUnitTest){ .name = "all known differences occur",
						.test_func = all_known_occur };
	return _cmocka_run_group_tests("diff", tests, n_tests, NULL, NULL);
}
