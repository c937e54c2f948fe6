/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory while nothing happens, which is most of a shim's life: what was needed
 * for the work is given back to the kernel, and comes again by page faults.
 */
#pragma once

/* Before anything is allocated: how the heap is to behave. */
void memory_init(void);

/*
 * Gives back free heap, the stack below the caller, and the pages of the program's
 * own file, of which only the mapping goes: they stay in the page cache.
 */
void memory_rest(void);
