/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short-lived invocations of the program (contract 1). Each returns the exit
 * code; before anything but 0 it has written "RUNTIME NAME: reason" to stderr, and
 * after 0 nothing.
 */
#pragma once

#include "shim/err.h"
#include "shim/flags.h"

struct action {
	const struct flags *flags;
	const char *program;      /* the name it was called by */
	const char *runtime_name; /* "io.containerd.brass.v2", after that name */
};

int start_main(const struct action *a);
int delete_main(const struct action *a);
int info_main(const struct action *a);

/* Writes the error as containerd expects it; returns 1. */
int action_fail(const struct action *a, const struct err *e);

/*
 * All of stdin, at most 10 MiB (contract 1.4); *out is malloc()ed. A terminal is
 * not read: there is nobody who sends options.
 */
int action_read_stdin(uint8_t **out, size_t *len, struct err *e);
