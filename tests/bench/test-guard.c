/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what a shim costs in figures that are the same on any machine (system
 * calls, forks, instructions, dirty pages, descriptors, wake-ups), against
 * tests/bench/baseline: "NAME VALUE" lines. More than that, and a little, fails.
 * GUARD_RENEW=FILE writes what was measured there (make bench-baseline).
 */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <unistd.h>

#define LIVES 3
/* Until the shim has told its events and has gone to rest. */
#define SETTLE 400
#define REST_SOON "BRASS_REST_MS=30"

struct figure {
	const char *name;
	long value,
		most; /* of all lives: the least, which is compared; for a new baseline */
};

static struct figure figures[64];
static size_t n_figures;
static char baseline[4096];

/* The least: what comes on top is the machine's doing. */
static void note(const char *name, long value)
{
	for (size_t i = 0; i < n_figures; i++)
		if (strcmp(figures[i].name, name) == 0) {
			if (value < figures[i].value)
				figures[i].value = value;
			if (value > figures[i].most)
				figures[i].most = value;
			return;
		}
	figures[n_figures].name = strdup(name);
	figures[n_figures].most = value;
	figures[n_figures++].value = value;
}

/* ------------------------------------------------------------------ calls */

/* What the shim did since @from for the call @name, its events included. */
static void note_calls(const char *name, size_t from)
{
	const char *all;

	trace_settled();
	all = trace_text() + from;
	note(text("syscalls.%s", name), trace_calls(all));
	note(text("forks.%s", name), trace_forks(all));
}

#define measured(name, what)                  \
	do {                                  \
		size_t at_ = trace_settled(); \
		what;                         \
		note_calls(name, at_);        \
	} while (0)

static long smaps(const char *field)
{
	char *all = read_file(text("/proc/%d/smaps_rollup", e2e.server), NULL);
	char *at = all ? strstr(all, text("\n%s:", field)) : NULL;

	return at ? strtol(strchr(at, ':') + 1, NULL, 10) : -1;
}

static long switches(void)
{
	return strtol(proc_status(e2e.server, "voluntary_ctxt_switches"), NULL, 10);
}

/* ------------------------------------------------------------------ lives */

static void live_traced(const char *id)
{
	struct bundle *b;
	struct answer *w;

	e2e.extra_env[0] = NO_REST; /* it depends on what else the machine does */
	b = shim_for(id, "exec sleep 1000000");
	trace_begin();
	measured("create", create(b));
	w = ask_wait(id, NULL);
	measured("start", start(id, NULL));
	measured("state", state(id, NULL));
	measured("exec", exec_add(id, "e", "exit 0"));
	measured("exec-start", (start(id, "e"), wait_exit(id, "e")));
	measured("exec-delete", delete_task(id, "e"));
	measured("kill", (kill_task(id, NULL, SIGKILL), ok(w)));
	measured("delete", delete_task(id, NULL));
	trace_end();
	shutdown_shim();
}

static void live_untraced(const char *id)
{
	struct bundle *b;
	struct answer *w;
	long before;

	e2e.extra_env[0] = REST_SOON;
	b = shim_for(id, "exec sleep 1000000");
	note("descriptors.empty", count_fds(e2e.server));
	create(b);
	start(id, NULL);
	exec_add(id, "e", "exit 0");
	start(id, "e");
	wait_exit(id, "e");
	delete_task(id, "e");
	w = ask_wait(id, NULL);
	loop_for(SETTLE);
	note("descriptors.idle", count_fds(e2e.server));
	note("dirty-kb.idle", smaps("Private_Dirty"));
	before = switches();
	loop_for(3000);
	note("wakeups.idle", switches() - before);
	kill_task(id, NULL, SIGKILL);
	ok(w);
	delete_task(id, NULL);
	shutdown_shim();
}

/* ----------------------------------------------------------- instructions */

/* In user space, one by one. */
static void count_instructions(const char *id)
{
	struct bundle *b;
	struct answer *w;
	long at;

	e2e.extra_env[0] = NO_REST;
	e2e.slow *= 8; /* each instruction is two switches between processes */
	note("instructions.start", steps_of_start(bundle(text("%s-s", id), "exit 0")));
	shutdown_shim();
	b = shim_for(id, "exec sleep 1000000");
	steps_begin();
	at = steps_count();
#define stepped(name, what)                                     \
	do {                                                    \
		what;                                           \
		note("instructions." name, steps_count() - at); \
		at = steps_count();                             \
	} while (0)
	stepped("create", create(b));
	w = ask_wait(id, NULL);
	stepped("run", ok(ask_start(id, NULL)));
	stepped("state", state(id, NULL));
	stepped("exec", exec_add(id, "e", "exit 0"));
	stepped("exec-start", (ok(ask_start(id, "e")), wait_exit(id, "e")));
	stepped("exec-delete", delete_task(id, "e"));
	stepped("kill", (kill_task(id, NULL, SIGKILL), ok(w)));
	stepped("delete", delete_task(id, NULL));
#undef stepped
	shutdown_shim();
	steps_end();
}

static bool in_path(const char *program)
{
	char *dirs = text("%s", getenv("PATH")), *save = NULL;

	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save))
		if (access(text("%s/%s", d, program), X_OK) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------ tests */

/* How much more than the baseline is no regression. */
static long allowance(const char *name, long base)
{
	if (strncmp(name, "forks.", 6) == 0 || strncmp(name, "descriptors.", 12) == 0 ||
	    strncmp(name, "wakeups.", 8) == 0)
		return 0;
	if (strncmp(name, "dirty-kb.", 9) == 0)
		return 8;
	if (strncmp(name, "instructions.", 13) == 0)
		return base / 16;
	/* The least of some lives, against the most of those of the baseline. */
	return base / 20;
}

static long base_of(const char *all, const char *name)
{
	const char *at = all ? strstr(all, text("\n%s ", name)) : NULL;

	return at ? strtol(at + strlen(name) + 2, NULL, 10) : -1;
}

static void renew(const char *path, const char *only)
{
	FILE *f = fopen(path, "ae");

	for (size_t i = 0; f && i < n_figures; i++)
		if (strncmp(figures[i].name, only, strlen(only)) == 0)
			fprintf(f, "%s %ld\n", figures[i].name, figures[i].most);
	if (f)
		fclose(f);
}

/* How many figures are beyond the baseline; @tell: which. */
static int beyond_baseline(const char *first_word, bool tell)
{
	char *all = read_file(baseline, NULL);
	int bad = 0;

	for (size_t i = 0; i < n_figures; i++) {
		const struct figure *f = &figures[i];
		long base = base_of(all, f->name);

		if (strncmp(f->name, first_word, strlen(first_word)) != 0)
			continue;
		if (base >= 0 && f->value <= base + allowance(f->name, base))
			continue;
		if (tell)
			print_error("%s: %ld, the baseline is %ld\n", f->name, f->value, base);
		bad++;
	}
	return bad;
}

static void compare_with_baseline(const char *first_word)
{
	const char *path = getenv("GUARD_RENEW");

	if (path)
		renew(path, first_word);
	else
		assert_int_equal(beyond_baseline(first_word, true), 0);
}

static void calls(void **state)
{
	(void)state;
	if (!in_path("strace")) {
		print_message("no strace\n");
		skip();
	}
	for (int i = 0; i < LIVES; i++)
		live_traced(text("t%d", i));
	compare_with_baseline("syscalls.");
	compare_with_baseline("forks.");
}

static void idle(void **state)
{
	(void)state;
	for (int i = 0; i < LIVES; i++)
		live_untraced(text("i%d", i));
	compare_with_baseline("dirty-kb.");
	compare_with_baseline("descriptors.");
	compare_with_baseline("wakeups.");
}

/* Another compiler makes other code. */
static void instructions(void **state)
{
	char *all = read_file(baseline, NULL);

	(void)state;
	if (!getenv("GUARD_RENEW") &&
	    (!all || !strstr(all, "\n# gcc " __VERSION__ "\n"))) {
		print_message("the baseline is of another compiler than gcc " __VERSION__
			      "\n");
		skip();
	}
	/* Of the C library's functions the plain ones, whatever this processor has. */
	setenv("GLIBC_TUNABLES",
	       "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI2,-ERMS,-RTM,"
	       "-SSE4_2,-SSE4_1,-SSSE3",
	       1);
	/* The least of some lives here too: what comes in two parts, as it may, takes more. */
	for (int i = 0; i < LIVES && (i == 0 || beyond_baseline("instructions.", false)); i++)
		count_instructions(text("s%d", i));
	unsetenv("GLIBC_TUNABLES");
	compare_with_baseline("instructions.");
}

static int run_guard(void)
{
	const struct CMUnitTest tests[] = { E2E(calls), E2E(idle), E2E(instructions) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	const char *path = getenv("GUARD_RENEW");
	FILE *f;

	if (!realpath("tests/bench/baseline", baseline))
		baseline[0] = 0;
	if (path) {
		f = fopen(path, "we");
		if (!f || fputs("# Written by make bench-baseline; read by test-guard.\n"
				"# gcc " __VERSION__ "\n",
				f) < 0)
			return 1;
		fclose(f);
	}
	e2e_main(run_guard);
}
