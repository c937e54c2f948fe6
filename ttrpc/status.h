/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error reply as bytes. It needs no memory, so that it can tell of a lack
 * of memory. Private to libttrpc.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ttrpc/limits.h"

/* Bytes of an error text; what is longer is cut. */
#define STATUS_TEXT_MAX TTRPC_LIMIT_STATUS
/* Room for any error reply, its header included. */
#define STATUS_FRAME_MAX (STATUS_TEXT_MAX + 64)

/*
 * Makes @text valid UTF-8, which proto3 asks of a string: a Go client cannot
 * decode the reply else, and its user would not see the text at all. Bytes that
 * are not become '?'; a character that was cut off at the end is dropped.
 */
void status_clean(char *text);

/* Writes the whole frame to @out, and returns its length. @text is clean. */
size_t status_frame(uint8_t out[STATUS_FRAME_MAX], uint32_t stream, int code,
		    const char *text);
