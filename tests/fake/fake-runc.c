/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-runc: an OCI runtime for tests, with runc's command line (contract 4.1)
 * and none of its isolation: a container is a session of host processes. How
 * each command behaves is told by small scripts in the directory $FAKE_RUNC;
 * what they may say is in tests/fake/README. Knows nothing of the shim.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/json.h"

static struct {
	const char *root, *log, *command, *id;
	const char *bundle, *pid_file, *console, *process, *resources;
	bool force, all, detach;
	bool half_made; /* what fails leaves nothing */
	int sig;
	char dir[PATH_MAX]; /* ROOT/ID */
} cmd;

/* ---------------------------------------------------------------- errors */

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static FILE *log_file(void)
{
	int fd;

	if (!cmd.log)
		return NULL;
	fd = open(cmd.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return fd < 0 ? NULL : fdopen(fd, "a");
}

static void log_line(const char *level, const char *msg)
{
	FILE *f = log_file();

	if (!f)
		return;
	fprintf(f, "{\"level\":\"%s\",\"msg\":", level);
	json_string(f, msg);
	fputs(",\"time\":\"2026-01-02T03:04:05Z\"}\n", f);
	fclose(f);
}

static void remove_state(void);

/* As runc ends: the log's last error, the same on stderr, exit status 1. */
static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void fail(const char *format, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_line("error", text);
	fprintf(stderr, "%s\n", text);
	if (cmd.half_made)
		remove_state();
	exit(1);
}

static void path_of(char *out, const char *dir, const char *name)
{
	if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		fail("path too long");
}

/* The file, NUL-terminated, or NULL. */
static char *slurp(const char *path)
{
	char *buf = NULL;
	size_t len = 0, size = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	for (;;) {
		if (size - len < 4096) {
			size = size ? 2 * size : 16384;
			buf = realloc(buf, size);
			if (!buf)
				fail("out of memory");
		}
		n = read(fd, buf + len, size - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	buf[len] = 0;
	return buf;
}

#include "tests/fake/script.h"

#include "tests/fake/process.h"

/* -------------------------------------------------------------- commands */

static void must_exist(void)
{
	if (access(cmd.dir, F_OK) != 0)
		fail("container does not exist");
}

static void do_create(void)
{
	char path[PATH_MAX], *json;

	for (const char *s = strchr(cmd.dir + 1, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(path, sizeof(path), "%.*s", (int)(s - cmd.dir), cmd.dir);
		mkdir(path, 0700);
	}
	path_of(path, cmd.bundle ? cmd.bundle : ".", "config.json");
	json = slurp(path);
	if (!json)
		fail("runc create failed: open %s: %m", path);
	if (!skip_value(json))
		fail("runc create failed: %s: no JSON", path);
	if (mkdir(cmd.dir, 0700) < 0)
		fail("runc create failed: container with given ID already exists");
	cmd.half_made = true;
	path_of(path, cmd.dir, "exec.fifo");
	if (mkfifo(path, 0600) < 0)
		fail("mkfifo: %m");
	write_pid_file(spawn(member(json, "process"), true));
	cmd.half_made = false;
}

static void do_start(void)
{
	char path[PATH_MAX], byte;
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	ssize_t n;

	must_exist();
	if (is_status("stopped"))
		fail("cannot start a container that has stopped");
	if (!is_status("created"))
		fail("cannot start an already running container");
	path_of(path, cmd.dir, "exec.fifo");
	p[0].fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	p[1].fd = (int)syscall(SYS_pidfd_open, init_pid(), 0);
	poll(p, 2, -1);
	n = read(p[0].fd, &byte, 1);
	unlink(path);
	if (n != 1)
		fail("cannot start a container that has stopped");
}

static void do_exec(void)
{
	char *json = cmd.process ? slurp(cmd.process) : NULL;

	must_exist();
	if (is_status("stopped"))
		fail("cannot exec a container that has stopped");
	if (!json || !skip_value(json))
		fail("exec failed: process document: no JSON");
	write_pid_file(spawn(json, false));
}

/* From no checkpoint at all: its process begins anew. */
static void do_restore(void)
{
	do_create();
	do_start();
}

static void do_kill(void)
{
	must_exist();
	if (cmd.all)
		each_process(signal_one);
	else if (is_status("stopped"))
		fail("container not running");
	else
		kill(init_pid(), cmd.sig);
}

static void remove_state(void)
{
	static const char *const files[] = { "sessions", "exec.fifo", "paused",
					     "resources" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		path_of(path, cmd.dir, files[i]);
		unlink(path);
	}
	rmdir(cmd.dir);
}

static void do_delete(void)
{
	if (cmd.force && access(cmd.dir, F_OK) != 0)
		return;
	must_exist();
	if (!is_status("stopped")) {
		if (!cmd.force && !is_status("created"))
			fail("cannot delete container %s that is not stopped: %s", cmd.id,
			     status());
		kill(init_pid(), SIGKILL);
		await_death(init_pid());
	}
	cmd.sig = SIGKILL;
	if (cmd.force)
		each_process(signal_one);
	cgroup_remove();
	remove_state();
}

static void do_state(void)
{
	must_exist();
	printf("{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"pid\":%d,\"status\":\"%s\","
	       "\"bundle\":\"\"}\n",
	       cmd.id, is_status("stopped") ? 0 : init_pid(), status());
}

static void do_ps(void)
{
	must_exist();
	putchar('[');
	each_process(print_one);
	puts("]");
}

static void do_pause(void)
{
	char path[PATH_MAX];

	must_exist();
	if (!is_status("running"))
		fail("container not running");
	path_of(path, cmd.dir, "paused");
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cmd.sig = SIGSTOP;
	each_process(signal_one);
}

static void do_resume(void)
{
	char path[PATH_MAX];

	must_exist();
	if (!is_status("paused"))
		fail("container not paused");
	cmd.sig = SIGCONT;
	each_process(signal_one);
	path_of(path, cmd.dir, "paused");
	unlink(path);
}

/* Keeps what it was told in ROOT/ID/resources. */
static void do_update(void)
{
	const char *from = cmd.resources && strcmp(cmd.resources, "-") ? cmd.resources
								       : "/dev/stdin";
	char path[PATH_MAX], *json = slurp(from);
	FILE *f;

	must_exist();
	if (!json || !skip_value(json))
		fail("update: resources: no JSON");
	path_of(path, cmd.dir, "resources");
	f = fopen(path, "we");
	if (!f)
		fail("open %s: %m", path);
	fputs(json, f);
	fclose(f);
}

static void do_features(void)
{
	puts("{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.1.0\",\"hooks\":[],"
	     "\"linux\":{\"mountExtensions\":{\"idmap\":{\"enabled\":true}}}}");
}

static const struct {
	const char *name;
	void (*run)(void);
	bool needs_id;
} commands[] = {
	{ "create", do_create, true },
	{ "start", do_start, true },
	{ "exec", do_exec, true },
	{ "restore", do_restore, true },
	{ "kill", do_kill, true },
	{ "delete", do_delete, true },
	{ "state", do_state, true },
	{ "ps", do_ps, true },
	{ "pause", do_pause, true },
	{ "resume", do_resume, true },
	{ "update", do_update, true },
	{ "features", do_features, false },
};

/* ---------------------------------------------------------- command line */

/* Takes the flag at argv[i]; returns how many words it was. */
static int take_flag(char **argv, int i)
{
	const struct {
		const char *name;
		const char **to;
	} with_value[] = {
		{ "root", &cmd.root },	       { "log", &cmd.log },
		{ "log-format", NULL },	       { "criu", NULL },
		{ "bundle", &cmd.bundle },     { "format", NULL },
		{ "pid-file", &cmd.pid_file }, { "console-socket", &cmd.console },
		{ "process", &cmd.process },   { "resources", &cmd.resources },
		{ "image-path", NULL },	       { "work-path", NULL },
	};
	const char *name = argv[i] + strspn(argv[i], "-"), *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);

	for (size_t k = 0; k < sizeof(with_value) / sizeof(with_value[0]); k++) {
		if (strlen(with_value[k].name) != len ||
		    strncmp(with_value[k].name, name, len))
			continue;
		if (!eq && !argv[i + 1])
			fail("flag needs an argument: %s", argv[i]);
		if (with_value[k].to)
			*with_value[k].to = eq ? eq + 1 : argv[i + 1];
		return eq ? 1 : 2;
	}
	if (!strcmp(name, "force"))
		cmd.force = true;
	else if (!strcmp(name, "all"))
		cmd.all = true;
	else if (!strcmp(name, "detach"))
		cmd.detach = true;
	else if (!strcmp(name, "version"))
		exit(printf("fake-runc version 1\nspec: 1.0.2\n") < 0);
	else if (strcmp(name, "systemd-cgroup") && strcmp(name, "no-pivot") &&
		 strcmp(name, "no-new-keyring") && strcmp(name, "debug") &&
		 strcmp(name, "no-subreaper"))
		fail("flag provided but not defined: %s", argv[i]);
	return 1;
}

/* The exec's name for scripts: FAKE_NAME in its environment, else its pid file's. */
static const char *special_name(void)
{
	char *json = cmd.process ? slurp(cmd.process) : NULL, *base, *dot;
	char **env = strings_at(member(json, "env"));

	for (; env && *env; env++)
		if (!strncmp(*env, "FAKE_NAME=", 10))
			return *env + 10;
	if (!cmd.process || !cmd.pid_file)
		return NULL;
	base = strdup(strrchr(cmd.pid_file, '/') ? strrchr(cmd.pid_file, '/') + 1
						 : cmd.pid_file);
	dot = strrchr(base, '.');
	if (dot)
		*dot = 0;
	return base;
}

int main(int argc, char **argv)
{
	const char *words[3] = { 0 };
	int n = 0;

	note_call(argv);
	for (int i = 1; i < argc;) {
		if (argv[i][0] == '-' && argv[i][1]) {
			i += take_flag(argv, i);
			continue;
		}
		if (n < 3)
			words[n++] = argv[i];
		i++;
	}
	cmd.command = words[0] ? words[0] : "help";
	cmd.id = words[1];
	cmd.sig = words[2] ? (int)strtol(words[2], NULL, 10) : SIGTERM;
	for (size_t k = 0; k < sizeof(commands) / sizeof(commands[0]); k++) {
		if (strcmp(commands[k].name, cmd.command))
			continue;
		if (commands[k].needs_id && !cmd.id)
			fail("\"fake-runc %s\" requires exactly 1 argument", cmd.command);
		if (cmd.id)
			path_of(cmd.dir, cmd.root ? cmd.root : "/run/fake-runc", cmd.id);
		run_script(special_name());
		commands[k].run();
		fflush(stdout);
		obey_lines(script.rest);
		return 0;
	}
	fail("No help topic for '%s'", cmd.command);
}
