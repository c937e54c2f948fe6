/* SPDX-License-Identifier: Apache-2.0 */
/* What "start" is told on stdin and answers on stdout (contract 1.4, 1.5), as plain data. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/err.h"
#include "spec/spec.h"

/* Of the Task service: what containerd 2 speaks first. */
#define BOOTSTRAP_VERSION 3

struct bootstrap {
	bool given; /* BootstrapParams came: containerd 2.3 or later */
	bool debug;
	bool newer; /* the shim serves BOOTSTRAP_VERSION alone: the answer must say so */
	char *socket_dir; /* an absolute path; NULL: the usual one */
	char *ttrpc_address; /* NULL: the environment has it */
	char *grpc_address;  /* NULL: the command line has it */
	struct spec_options options;
};

/*
 * Decodes @data, the stdin of a "start" for container @id in namespace @ns. What is
 * not said stays as it is in @out, zeroed at first; bootstrap_release() is owed in any case.
 */
int bootstrap_read(const uint8_t *data, size_t len, const char *id, const char *ns,
		   struct bootstrap *out, struct err *e);
void bootstrap_release(struct bootstrap *b);

/* Writes the answer: the shim serves at @url. */
int bootstrap_answer(int fd, const struct bootstrap *b, const char *url, struct err *e);
