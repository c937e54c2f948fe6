/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Escapes of half a surrogate pair. Private to json.c.
 */
#pragma once

#include <stddef.h>

/*
 * Turns each escape of a surrogate that has no partner into one of U+FFFD, of
 * the same length, as Go's decoder understands it; yajl would lose the character
 * behind it, or abort, depending on how it is patched. @text begins outside of
 * an escape. Returns how many bytes are ready: all, or those before an escape
 * whose end or partner may be still to come, at most 11 less.
 */
size_t escape_mend(char *text, size_t len);
