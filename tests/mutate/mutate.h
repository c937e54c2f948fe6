/* SPDX-License-Identifier: Apache-2.0 */
/* Changed config.json files, and a place where a runtime may be let loose on them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decides all that is random; the same seed, the same documents. */
uint64_t pick(uint64_t *state, uint64_t below);

/*
 * A document made of @json by one to three changes: a value replaced, a member
 * left out, there twice, in other letters, or one more. malloc()ed, with a NUL
 * behind. *may_run: nothing of it reaches beyond a container's own things.
 */
char *mutate(const char *json, size_t len, uint64_t *state, size_t *out_len,
	     bool *may_run);

/*
 * Goes into namespaces of the test's own, with a folder for the runtime. Returns
 * why it cannot (a reason to skip), or NULL.
 */
const char *box_open(void);
/* Whether "runc create" takes the document; the container is deleted again. */
bool box_creates(const char *json, size_t len);
/* What it said last. */
const char *box_said(void);
/* Removes everything; returns what was left behind of containers, or NULL. */
const char *box_close(void);
