/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a stdout, which may be a URI (contract 5.1, 5.4, 5.5): a path
 * stands for itself, "file:///path", "binary:///path?key=value&…".
 */
#pragma once

#include "shim/err.h"

#define URI_SCHEME_MAX 31
/* More query words than any logger takes. */
#define URI_ARGS_MAX 128

struct uri {
	char scheme[URI_SCHEME_MAX + 1]; /* lower case; "" for a plain path */
	char *path;                      /* decoded; NULL for a plain path */
	/* The query as a command line, decoded: each key once, then its first value. */
	char *args[URI_ARGS_MAX];
	size_t n_args;
};

/* Parses @name; uri_release() is owed also after a failure. */
int uri_parse(struct uri *u, const char *name, struct err *e);
void uri_release(struct uri *u);
