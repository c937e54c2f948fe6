/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a document that something is said about, with a mark below the place. */
#pragma once

#include <stddef.h>

/*
 * Prints two lines to stdout, each at most @width columns wide: what does not fit
 * of the document's is cut around the place, which is in bytes from 1. The mark is
 * put between @colour and @plain. Control characters are shown as blanks, and what
 * is not UTF-8 as '?'.
 */
void excerpt_print(const char *text, size_t len, size_t line, size_t column, int width,
		   const char *colour, const char *plain);
