/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the runtime's command lines (contract 4.1), in their order, on
 * which wrappers around a runtime count. Made here for those who run them and for
 * "brass explain", which only prints them. Strings are borrowed; lists end with NULL.
 */
#pragma once

#include <stdbool.h>

struct container;

#define RUNTIME_DEFAULT "runc"
#define RUNTIME_ROOT "/run/containerd/runc"

/* What stands behind the global flags is not longer than this, its NULL included. */
#define ARGS_MAX 16
/* The words of args_global(), at most. */
#define ARGS_GLOBAL_MAX 8

/*
 * Sets c->runtime, c->root and c->systemd_cgroup, from c->options, c->spec and the
 * namespace. False: out of memory.
 */
bool args_choose(struct container *c, const char *ns);

/* Program and global flags; returns how many words. No NULL behind. */
int args_global(const char **argv, const char *program, const char *root, const char *log,
		bool systemd_cgroup);

/* @console NULL: no terminal. */
void args_create(const char *args[static ARGS_MAX], const struct container *c,
		 const char *pid_file, const char *console);
void args_exec(const char *args[static ARGS_MAX], const struct container *c,
	       const char *document, const char *pid_file, const char *console);
void args_update(const char *args[static ARGS_MAX], const struct container *c);
/* "start", "delete", "pause", "resume": nothing but the id. */
void args_simple(const char *args[static ARGS_MAX], const struct container *c,
		 const char *verb);
void args_delete_by_force(const char *args[static ARGS_MAX], const char *id);
