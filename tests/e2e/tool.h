/* SPDX-License-Identifier: Apache-2.0 */
/* Running "brass", the operator's tool, which lies beside the shim. */
#pragma once

#include "tests/e2e/harness.h"

/* brass with these arguments; it may take 10 s at most. */
#define TOOL(...) tool_at(HERE, (const char *const[]){ __VA_ARGS__, NULL })
struct run *tool_at(struct where w, const char *const argv[]);
/* The same with @input as its standard input. */
#define TOOL_WITH(input, ...)                    \
	tool_with_at(HERE, input, strlen(input), \
		     (const char *const[]){ __VA_ARGS__, NULL })
struct run *tool_with_at(struct where w, const void *input, size_t len,
			 const char *const argv[]);

/* It ended with this code, and has printed each of these. */
#define has(r, code, ...) \
	has_at(HERE, r, code, (const char *const[]){ __VA_ARGS__, NULL })
void has_at(struct where w, const struct run *r, int code, const char *const parts[]);
