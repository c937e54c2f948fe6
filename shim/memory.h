/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory while nothing happens, which is most of a shim's life: what was needed
 * for the work is given back to the kernel, and comes again by page faults.
 */
#pragma once

#include <stdbool.h>

/*
 * In the environment of the server to be: how its heap is to behave, which glibc reads
 * there alone. An environment that says something of that already is left as it is.
 * Returns 0 or -errno.
 */
int memory_prepare(void);
/* In the server, before anything is allocated. Its children do not inherit what is above. */
void memory_init(void);

/*
 * Gives back free heap, the stack below the caller, and (@code) the pages of
 * the program's own file, which stay in the page cache. Only the mapping of such
 * pages goes: whoever debugs wants them to stay.
 */
void memory_rest(bool code);
