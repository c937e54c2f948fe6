/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the runtime's command lines (contract 4.1), in their order, on
 * which wrappers around a runtime count. Made here for those who run them and for
 * "brass explain", which only prints them. Strings are borrowed; lists end with NULL.
 */
#pragma once

#include <stdbool.h>

#include "spec/spec.h"

#define RUNTIME_DEFAULT "runc"
#define RUNTIME_ROOT "/run/containerd/runc"
/* It is there where systemd is PID 1 (sd_booted(3)); runc's driver asks the same. */
#define SYSTEMD_DIR "/run/systemd/system"

/* What stands behind the global flags is not longer than this, its NULL included. */
#define ARGS_MAX 16
/* The words of args_global(), at most. */
#define ARGS_GLOBAL_MAX 8

/*
 * Which runtime it is, where it keeps its books, and whether its cgroups are
 * systemd's: from the options, linux.cgroupsPath (NULL: none) and the namespace.
 * False: out of memory. *@program and *@root are to be freed in any case.
 */
bool args_choose(const struct spec_options *o, const char *cgroups_path, const char *ns,
		 char **program, char **root, bool *systemd_cgroup);

/* Program and global flags; returns how many words. No NULL behind. */
int args_global(const char **argv, const char *program, const char *root, const char *log,
		bool systemd_cgroup);

/* @console NULL: no terminal. */
void args_create(const char *args[static ARGS_MAX], const char *id, const char *bundle,
		 const struct spec_options *o, const char *pid_file, const char *console);
void args_exec(const char *args[static ARGS_MAX], const char *id, const char *document,
	       const char *pid_file, const char *console);
void args_update(const char *args[static ARGS_MAX], const char *id);
/* "start", "delete", "pause", "resume": nothing but the id. */
void args_simple(const char *args[static ARGS_MAX], const char *verb, const char *id);
void args_delete_by_force(const char *args[static ARGS_MAX], const char *id);
