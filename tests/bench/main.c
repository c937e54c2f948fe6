/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs groups in turns: bench OUT [GROUP...]. Subjects: the shim of the build, that
 * of the machine's containerd package, and that of forky's where $FORKY_ROOT, a root of
 * contrib/lib/debian.bash, has it; and conmon, in groups where it does the same job.
 * Environment: BENCH_ROUNDS (for all groups), BENCH_ONLY (one subject), BENCH_MOST (how
 * many shims, or containers in one, 500).
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct group *const groups[] = {
	&calls_group, &counts_group, &instructions_group, &runc_group,
	&crun_group,  &execs_group,  &machine_group,	  &pod_group,
	&relay_group, &lines_group,  &file_group,	  &tty_group,
	&many_group,  &direct_group, &stdin_group,	  &latency_group,
};

static struct subject subjects[4];
static int number;
static size_t n_subjects;
static char exe[4096], out_path[8300];
static const char *current;
static const struct group *group;
static int turn;

const char *subject(void)
{
	return current;
}

bool subject_is(const char *name)
{
	return strcmp(current, name) == 0;
}

int bench_number(void)
{
	return number;
}

const char *self(void)
{
	return exe;
}

void record(const char *unit, double value, const char *what, ...)
{
	char name[256], line[1024];
	va_list ap;
	int fd, n;

	va_start(ap, what);
	vsnprintf(name, sizeof(name), what, ap);
	va_end(ap);
	n = snprintf(
		line, sizeof(line),
		"{\"group\":\"%s\",\"what\":\"%s\",\"subject\":\"%s\",\"unit\":\"%s\","
		"\"round\":%d,\"value\":%.6g}\n",
		group->name, name, current, unit, turn, value);
	fd = open(out_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		fail_at(HERE, "%s: %s", out_path, strerror(errno));
	close(fd);
	if (getenv("BENCH_VERBOSE"))
		printf("%-14s %-50s %12.3f %s\n", current, name, value, unit);
}

static int run_group(void)
{
	void *state = NULL;

	mkdir("/run/tmp", 01777);
	setenv("TMPDIR", "/run/tmp", 1);
	if (e2e_setup(&state) < 0)
		return 99;
	group->run();
	return e2e_teardown(&state) ? 98 : 0;
}

static bool run_turn(const struct subject *s)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		current = s->name;
		if (strcmp(s->name, "stock-forky") == 0)
			setenv("E2E_V3", "1", 1);
		setenv("BRASS_SHIM", s->path, 1);
		e2e_main(run_group);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return true;
	fprintf(stderr, "%s, %s: did not go well\n", group->name, s->name);
	return false;
}

static void add_subject(const char *name, const char *path)
{
	const char *only = getenv("BENCH_ONLY");
	struct subject *s = &subjects[n_subjects];

	if (access(path, X_OK) < 0 || (only && strcmp(only, name)))
		return;
	s->name = name;
	snprintf(s->path, sizeof(s->path), "%s", path);
	n_subjects++;
}

static void find_subjects(void)
{
	const char *ours = getenv("BRASS_SHIM"), *forky = getenv("FORKY_ROOT");
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char dir[4096], path[8300];

	exe[n > 0 ? n : 0] = 0;
	memcpy(dir, exe, sizeof(dir));
	for (int up = 0; up < 3; up++)
		*(strrchr(dir, '/') ? strrchr(dir, '/') : dir) = 0;
	snprintf(path, sizeof(path), "%s/containerd-shim-brass-v2", dir);
	add_subject("brass", ours ? ours : path);
	add_subject("stock-debian12", "/usr/bin/containerd-shim-runc-v2");
	snprintf(path, sizeof(path), "%s/usr/bin/containerd-shim-runc-v2",
		 forky ? forky : "/nowhere");
	add_subject("stock-forky", path);
	add_subject("conmon", "/usr/bin/conmon");
}

static bool does_it(const struct subject *s)
{
	if (group->ours_only)
		return strcmp(s->name, "brass") == 0;
	return group->conmon || strcmp(s->name, "conmon") != 0;
}

static bool run_rounds(const char *dir)
{
	const char *rounds = getenv("BENCH_ROUNDS");
	int n = rounds ? (int)strtol(rounds, NULL, 10) : group->rounds;
	bool good = true;

	snprintf(out_path, sizeof(out_path), "%s/%s.json", dir, group->name);
	unlink(out_path);
	for (turn = 0; turn < n; turn++)
		for (size_t i = 0; i < n_subjects; i++)
			if (does_it(&subjects[i]))
				good &= run_turn(&subjects[i]);
	return good;
}

/* A descriptor or two for each of 500 shims. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < 20000) {
		l.rlim_cur = l.rlim_max < 20000 ? l.rlim_max : 20000;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

int main(int argc, char **argv)
{
	bool good = true;
	char dir[4096];
	int status;

	if (role_run(argc, argv, &status))
		return status;
	if (argc < 2 || !realpath(argv[1], dir)) {
		fprintf(stderr, "usage: bench OUT [GROUP...]\n");
		return 2;
	}
	number = getpid();
	find_subjects();
	raise_limit();
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		bool wanted = argc == 2;

		for (int i = 2; i < argc; i++)
			wanted |= strcmp(argv[i], groups[g]->name) == 0;
		group = groups[g];
		if (wanted)
			good &= run_rounds(dir);
	}
	return good ? 0 : 1;
}
