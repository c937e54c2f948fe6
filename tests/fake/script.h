/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripts that tell fake-runc how to misbehave (tests/fake/README), and its
 * record of calls. Included by fake-runc.c alone, which owns cmd and fail().
 */
#pragma once

#include <sys/inotify.h>
#include <time.h>

/* What the script asks of the work itself. */
static struct {
	char *rest; /* lines for after the work */
	bool no_pid_file, die_before_pid_file, init_exits, no_console, hold_stdout;
	int init_status;
	const char *pid_text;
} script;

static void wait_for(const char *path)
{
	char dir[PATH_MAX], buf[4096] __attribute__((aligned(8)));
	int fd = inotify_init1(IN_CLOEXEC);
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		fail("wait_for: %s: not absolute", path);
	*slash = 0;
	if (inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO) < 0)
		fail("wait_for: %s: %m", dir);
	while (access(path, F_OK) != 0)
		if (read(fd, buf, sizeof(buf)) < 0 && errno != EINTR)
			fail("wait_for: %m");
	close(fd);
}

static void fill_log(size_t bytes)
{
	FILE *f = log_file();
	char line[256];
	int len;

	memset(line, 'x', sizeof(line));
	for (; f && bytes; bytes -= (size_t)len < bytes ? (size_t)len : bytes)
		len = fprintf(f,
			      "{\"level\":\"info\",\"msg\":\"%.200s\",\"time\":"
			      "\"2026-01-02T03:04:05Z\"}\n",
			      line);
	if (f)
		fclose(f);
}

static void print_bytes(long n)
{
	char some[4096];

	memset(some, 'x', sizeof(some));
	for (long part; n > 0; n -= part) {
		part = n < (long)sizeof(some) ? n : (long)sizeof(some);
		fwrite(some, 1, (size_t)part, stderr);
	}
}

static void hang(void)
{
	for (;;)
		pause();
}

static void leave_half_made(void);

/* One line of a script: a word and perhaps an argument. */
static void obey(const char *word, const char *arg)
{
	long n = arg ? strtol(arg, NULL, 10) : 0;

	if (!strcmp(word, "delay_ms"))
		nanosleep(&(struct timespec){ n / 1000, n % 1000 * 1000000 }, NULL);
	else if (!strcmp(word, "hang"))
		hang();
	else if (!strcmp(word, "wait_for") && arg)
		wait_for(arg);
	else if (!strcmp(word, "touch") && arg)
		close(open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	else if (!strcmp(word, "exit"))
		exit((int)n);
	else if (!strcmp(word, "error") && arg)
		fail("%s", arg);
	else if (!strcmp(word, "print") && arg)
		fprintf(stderr, "%s\n", arg);
	else if (!strcmp(word, "print_bytes"))
		print_bytes(n);
	else if (!strcmp(word, "log_bytes"))
		fill_log((size_t)n);
	else if (!strcmp(word, "log_text") && arg)
		log_line("error", arg);
	else if (!strcmp(word, "kill_self"))
		kill(getpid(), (int)n);
	else if (!strcmp(word, "half_made"))
		leave_half_made();
	else if (!strcmp(word, "ignore_term"))
		sigaction(SIGTERM, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	else if (!strcmp(word, "no_pid_file"))
		script.no_pid_file = true;
	else if (!strcmp(word, "pid_file_says") && arg)
		script.pid_text = arg;
	else if (!strcmp(word, "die_before_pid_file"))
		script.die_before_pid_file = true;
	else if (!strcmp(word, "no_console"))
		script.no_console = true;
	else if (!strcmp(word, "leave_child_holding_stdout"))
		script.hold_stdout = true;
	else if (!strcmp(word, "init_exits"))
		script.init_exits = true, script.init_status = (int)n;
	else
		fail("fake-runc: script: no such word: %s", word);
}

/* Obeys up to the line "after"; what follows is kept for later. */
static void obey_lines(char *text)
{
	char *line, *arg;

	while (text && *text) {
		line = text;
		text = strchr(text, '\n');
		if (text)
			*text++ = 0;
		if (!*line || *line == '#')
			continue;
		if (!strcmp(line, "after")) {
			script.rest = text;
			return;
		}
		arg = strchr(line, ' ');
		if (arg)
			*arg++ = 0;
		obey(line, arg);
	}
}

/* The most special script there is for this command. */
static void run_script(const char *special)
{
	const char *dir = getenv("FAKE_RUNC");
	const char *names[3] = { special, cmd.id, NULL };
	char path[PATH_MAX], *text = NULL;

	for (int i = 0; dir && !text && i < 3; i++) {
		if (i < 2 && !names[i])
			continue;
		snprintf(path, sizeof(path), "%s/%s%s%s", dir, cmd.command,
			 names[i] ? "." : "", names[i] ? names[i] : "");
		text = slurp(path);
	}
	obey_lines(text);
}

/* One line per invocation: argv as a JSON array. */
static void note_call(char **argv)
{
	const char *dir = getenv("FAKE_RUNC");
	char path[PATH_MAX], *line = NULL;
	size_t len = 0;
	FILE *f;
	int fd;

	if (!dir)
		return;
	path_of(path, dir, "calls");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	f = open_memstream(&line, &len);
	if (fd < 0 || !f)
		return;
	for (int i = 0; argv[i]; i++) {
		fputc(i ? ',' : '[', f);
		json_string(f, argv[i]);
	}
	fputs("]\n", f);
	fclose(f);
	if (write(fd, line, len) < 0)
		fail("calls: %m");
	close(fd);
	free(line);
}
