/* SPDX-License-Identifier: Apache-2.0 */
/* Calling the runtime; see runtime.h. What it prints is read by spec/output.c. */
#include "shim/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shim/shim.h"
#include "shim/util.h"

#define MAX_ARGS 64

extern char **environ;

static void exec_error(const struct container *c, const char *path, int r, struct err *e)
{
	/* The texts of Go's os/exec, quotes and all: clients look for them. */
	if (strchr(c->runtime, '/') || (r != -ENOENT && r != -EACCES) || *path)
		err_sys(e, -r, "fork/exec %s", *path ? path : c->runtime);
	else if (r == -EACCES)
		err_set(e, TTRPC_UNKNOWN, "exec: \"%s\": permission denied", c->runtime);
	else
		err_set(e, TTRPC_UNKNOWN, "exec: \"%s\": executable file not found in $PATH",
			c->runtime);
}

void runtime_fd_path(int fd, char path[static RUNTIME_FD_PATH])
{
	snprintf(path, RUNTIME_FD_PATH, "/proc/%d/fd/%d", getpid(), fd);
}

int runtime_run(struct command *cmd, const struct container *c, const struct runtime_call *call,
		unsigned timeout_ms, struct err *e)
{
	char log[RUNTIME_FD_PATH] = "";
	const char *argv[MAX_ARGS] = { NULL };
	int fds[3], n, r;
	_cleanup_close_ int null = -1;
	char path[PATH_MAX] = "";

	n = args_global(argv, c->runtime, c->root, log, c->systemd_cgroup);
	for (const char *const *a = call->args; *a; a++) {
		if (n == MAX_ARGS - 1)
			return err_set(e, TTRPC_RESOURCE_EXHAUSTED, "too many arguments for %s %s",
				       c->runtime, call->verb);
		argv[n++] = *a;
	}
	r = spawn_find(c->runtime, path);
	if (r < 0) {
		path[0] = 0;
		exec_error(c, path, r, e);
		return -e->code;
	}
	cmd->log_fd = memfd_open("log");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!call->stdio)
		cmd->out_fd = memfd_open("output");
	if (cmd->log_fd < 0 || null < 0 || (!call->stdio && cmd->out_fd < 0))
		return err_sys(e, errno, "prepare %s %s", c->runtime, call->verb);
	for (int i = 0; i < 3; i++)
		fds[i] = call->stdio ? call->stdio[i] : cmd->out_fd;
	if (!call->stdio)
		fds[0] = call->input ? call->input : null;
	runtime_fd_path(cmd->log_fd, log);

	struct spawn s = {
		.path = path,
		.argv = (char *const *)argv,
		.envp = environ,
		.cwd = c->bundle,
		.fds = fds,
		.n_fds = 3,
		.dies_with_us = true,
	};
	r = command_exec(cmd, c->runtime, &s, call->birth, timeout_ms);
	if (r < 0) {
		exec_error(c, path, r, e);
		return -e->code;
	}
	return 0;
}

void runtime_failure(const struct command *cmd, const char *prefix, struct err *e)
{
	char message[1536];

	command_describe(cmd, e);
	if (!cmd->timed_out && !cmd->killed && cmd->log_fd >= 0 &&
	    spec_log_error(cmd->log_fd, message, sizeof(message)) > 0)
		err_set(e, TTRPC_UNKNOWN, "%s", message);
	err_prefix(e, "%s", prefix);
}
