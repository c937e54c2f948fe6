/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory while nothing happens, which is most of a shim's life: what was needed
 * for the work is given back to the kernel, and comes again by page faults.
 */
#pragma once

#include <stdbool.h>

/* Before anything is allocated: how the heap is to behave. */
void memory_init(void);

/*
 * Gives back free heap, the stack below the caller, and (@code) the pages of
 * the program's own file, which stay in the page cache. Only the mapping of such
 * pages goes: whoever debugs wants them to stay.
 */
void memory_rest(bool code);
