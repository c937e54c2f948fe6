/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-nothing: an OCI runtime for measurements, with runc's command line. It
 * does as little as a shim lets it do: "create" forks a process that sleeps, "exec"
 * one that ends at once. What a call over it costs is the shim's. ROOT/ID, a file, has the pid.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root = "/run/fake-nothing", *pid_file;
static char state[PATH_MAX];

static void write_pid(const char *path, pid_t pid)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, "%d", pid) < 0)
		_exit(2);
	close(fd);
}

static pid_t read_pid(void)
{
	char text[16] = "";
	int fd = open(state, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		_exit(2);
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

static void spawn(int lives)
{
	pid_t pid = fork();

	if (pid < 0)
		_exit(2);
	if (pid == 0) {
		setsid();
		while (lives)
			pause();
		_exit(0);
	}
	if (lives) {
		for (char *s = strchr(state + 1, '/'); s; s = strchr(s + 1, '/')) {
			*s = 0;
			mkdir(state, 0700);
			*s = '/';
		}
		write_pid(state, pid);
	}
	if (pid_file)
		write_pid(pid_file, pid);
}

static void run(const char *command, const char *signal)
{
	if (strcmp(command, "create") == 0)
		spawn(1);
	else if (strcmp(command, "exec") == 0)
		spawn(0);
	else if (strcmp(command, "kill") == 0)
		kill(read_pid(), (int)strtol(signal ? signal : "15", NULL, 10));
	else if (strcmp(command, "delete") == 0)
		unlink(state);
	else if (strcmp(command, "ps") == 0)
		printf("[%d]\n", read_pid());
}

int main(int argc, char **argv)
{
	static const char *const with_value[] = { "--root",	  "--log",
						  "--log-format", "--bundle",
						  "--pid-file",	  "--process",
						  "--format",	  "--console-socket" };
	const char *words[3] = { 0 };
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-') {
			if (n < 3)
				words[n++] = argv[i];
			continue;
		}
		for (size_t k = 0; k < sizeof(with_value) / sizeof(with_value[0]); k++)
			if (strcmp(argv[i], with_value[k]) == 0 && i + 1 < argc) {
				root = k == 0 ? argv[i + 1] : root;
				pid_file = k == 4 ? argv[i + 1] : pid_file;
				i++;
				break;
			}
	}
	if (!words[1])
		return 0;
	snprintf(state, sizeof(state), "%s/%s", root, words[1]);
	run(words[0], words[2]);
	fflush(stdout);
	return 0;
}
