/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a shim of ours what it knows. */
#pragma once

#include "shim/tool/ask.h"

/* Makes @q ask for everything; @path is borrowed. */
void inspect_ask(struct question *q, const char *path, uint64_t timeout_ms);
/* The JSON of an answer that is TTRPC_OK: malloc()ed, NUL-terminated; NULL: it is none, or no memory. */
char *inspect_answer(const struct question *q, size_t *len);
