/* SPDX-License-Identifier: Apache-2.0 */
/* The document that a subcommand is given: a file, a bundle, or standard input. */
#pragma once

#include <stddef.h>

struct document {
	const char *name; /* for people: of the last part of the path, or "stdin" */
	char *path; /* owned; NULL: stdin */
	char *text; /* owned */
	size_t len;
	char why[400]; /* it could not be read */
};

/*
 * Reads a regular file or a pipe, of a directory its config.json, or for "-" standard input,
 * which may not be a terminal; at most SPEC_MAX_SIZE. @operand is kept in @d.
 * Returns 0, or TOOL_FAILED having said why; @d is to be released in any case.
 */
int document_read(struct document *d, const char *operand);
void document_release(struct document *d);
