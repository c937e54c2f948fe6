/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime, runc or one with its command line: how it is called
 * (contract 4.1) and what it says when it fails (contract 9). Its log goes to a
 * file in memory that is this call's own, so no older failure is ever blamed.
 */
#pragma once

#include "shim/args.h"
#include "shim/command.h"

struct container;

struct runtime_call {
	const char *verb;        /* "create": for texts */
	const char *const *args; /* what follows the global flags; ends with NULL */
	const int *stdio;        /* 3 descriptors; NULL: none, output is captured */
	bool birth;              /* leaves us a process */
	int input;               /* without stdio: its stdin; 0: /dev/null */
};

/*
 * The path under which the runtime finds a descriptor of ours. It is not given
 * the descriptor itself, so nothing of it can reach a container.
 */
#define RUNTIME_FD_PATH 40
void runtime_fd_path(int fd, char path[static RUNTIME_FD_PATH]);

/*
 * Starts the runtime of @c in its bundle; @cmd is prepared by command_init().
 * The error is complete, but for the prefix.
 */
int runtime_run(struct command *cmd, const struct container *c, const struct runtime_call *call,
		unsigned timeout_ms, struct err *e);

/*
 * Why @cmd, which did not succeed, failed: "PREFIX: " and the runtime's own last
 * error, or else how it ended and what it printed.
 */
void runtime_failure(const struct command *cmd, const char *prefix, struct err *e);
