/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a stdout, which may be a URI (contract 5.1, 5.4, 5.5): a path
 * stands for itself, "file:///path", "binary:///path?key=value&…".
 */
#pragma once

#include "shim/err.h"
#include "shim/limits.h"


struct uri {
	char scheme[LIMIT_URI_SCHEME + 1]; /* lower case; "" for a plain path */
	char *path;                      /* decoded; NULL for a plain path */
	/* The query as a command line, decoded: each key once, then its first value. */
	char *args[LIMIT_URI_ARGS];
	size_t n_args;
};

/* Parses @name; uri_release() is owed also after a failure. */
int uri_parse(struct uri *u, const char *name, struct err *e);
void uri_release(struct uri *u);
