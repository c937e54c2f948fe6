/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where "runc create" is tried: mount, network, IPC, UTS and PID namespaces of the
 * test's own, so that whatever a document says, the host stays as it is.
 */
#include "tests/mutate/mutate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR_OF_BOX "/tmp/brass-mutate"
#define BUNDLE DIR_OF_BOX "/bundle"
#define PLACEHOLDER "/brass-mutate"
#define SECONDS 60

static char said[512], name[64];

/* Runs a command with its output in said; its exit code, or -1. */
static int run(const char *const argv[])
{
	int fd = open(DIR_OF_BOX "/output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ssize_t n;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(SECONDS); /* stays over exec */
		dup2(null, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(fd);
	close(null);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static const char *make_rootfs(void)
{
	if (RUN("mkdir", "-p", BUNDLE "/rootfs/bin") ||
	    RUN("cp", "/bin/busybox", BUNDLE "/rootfs/bin/sh"))
		return "no busybox (Debian: busybox-static)";
	return NULL;
}

/* The test goes on as process 1 of the namespaces; its parent ends as it does. */
static void become_first(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

const char *box_open(void)
{
	if (geteuid() != 0)
		return "needs root";
	snprintf(name, sizeof(name), PLACEHOLDER "-%d", getpid());
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWPID) < 0)
		return "no namespaces";
	become_first();
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    (mkdir(DIR_OF_BOX, 0700) < 0 && errno != EEXIST) ||
	    mount("tmpfs", DIR_OF_BOX, "tmpfs", 0, NULL) < 0)
		return "no mounts";
	if (RUN("runc", "--version") != 0)
		return "no runc";
	return make_rootfs();
}

/* The cgroup is the test's own. */
static bool write_config(const char *json, size_t len)
{
	FILE *f = fopen(BUNDLE "/config.json", "we");
	const char *at, *end = json + len;

	if (!f)
		return false;
	while ((at = memmem(json, (size_t)(end - json), PLACEHOLDER,
			    strlen(PLACEHOLDER)))) {
		fwrite(json, 1, (size_t)(at - json), f);
		fputs(name, f);
		json = at + strlen(PLACEHOLDER);
	}
	fwrite(json, 1, (size_t)(end - json), f);
	return fclose(f) == 0;
}

bool box_creates(const char *json, size_t len)
{
	char text[sizeof(said)];
	bool created;

	if (!write_config(json, len))
		return false;
	created = RUN("runc", "--root", DIR_OF_BOX "/runc", "create", "--bundle", BUNDLE,
		      "m") == 0;
	memcpy(text, said, sizeof(said));
	RUN("runc", "--root", DIR_OF_BOX "/runc", "delete", "--force", "m");
	/* Whatever is left of it is a child of process 1, which is this one. */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	memcpy(said, text, sizeof(said));
	return created;
}

const char *box_said(void)
{
	said[strcspn(said, "\n")] = '\0';
	return said;
}

const char *box_close(void)
{
	static char left[400];
	struct dirent *d;
	DIR *top = opendir("/sys/fs/cgroup");
	struct stat st;

	while (top && (d = readdir(top))) {
		snprintf(left, sizeof(left), "/sys/fs/cgroup/%.100s%s", d->d_name, name);
		if (d->d_name[0] != '.' && stat(left, &st) == 0) {
			closedir(top);
			return left;
		}
	}
	if (top)
		closedir(top);
	snprintf(left, sizeof(left), "/sys/fs/cgroup%s", name);
	return stat(left, &st) == 0 ? left : NULL;
}
