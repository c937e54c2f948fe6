/* SPDX-License-Identifier: Apache-2.0 */
/* Giving memory back; see memory.h. */
#include "shim/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
/* Deeper than any path of ours; less than the gap that the kernel keeps below a stack. */
#define STACK_DEPTH (256UL << 10)
/* What this function and madvise(2) themselves may use. */
#define STACK_MARGIN 1024UL
/* /proc/PID/pagemap: a page is there, or in the swap; it is the file's own, not written to. */
#define PAGEMAP_THERE (UINT64_C(3) << 62)
#define PAGEMAP_FILE (UINT64_C(1) << 61)
/* A segment of ours; on the stack, which goes back as well. */
#define PAGEMAP_BATCH 256UL
/* From here on malloc(3) takes a mapping, which goes back whole. */
#define LARGE (16 << 10)

/* Open from the start: who counts our descriptors finds always the same number. */
static int pagemap = -1;

/*
 * Its cache of small blocks: a block in it is not free, so that after many containers at
 * once 300 kB were kept for a few of them here and there.
 */
#define TUNABLES "GLIBC_TUNABLES"
#define NO_CACHE "glibc.malloc.tcache_count=0"

int memory_prepare(void)
{
	return setenv(TUNABLES, NO_CACHE, 0) < 0 ? -errno : 0;
}

void memory_init(void)
{
	const char *tunables = getenv(TUNABLES);

	if (tunables && strcmp(tunables, NO_CACHE) == 0)
		unsetenv(TUNABLES);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, LARGE);
#endif
}

static __attribute__((noinline)) void rest_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t end = (here - STACK_MARGIN) & ~(PAGE - 1);

	/* ENOMEM: the lower part has never been a stack. The upper part is given back. */
	madvise((void *)(end - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED);
}

/*
 * What a debugger or a probe has put into the code is a page of the process's own,
 * and must stay.
 */
static void rest_pages(uintptr_t at, uintptr_t end)
{
	uint64_t entries[PAGEMAP_BATCH];

	while (at < end) {
		size_t n = (end - at) / PAGE;
		ssize_t r;

		n = n < PAGEMAP_BATCH ? n : PAGEMAP_BATCH;
		r = pread(pagemap, entries, n * sizeof(entries[0]),
			  (off_t)(at / PAGE * sizeof(entries[0])));
		if (r != (ssize_t)(n * sizeof(entries[0])))
			return;
		for (size_t i = 0, from = 0; i <= n; i++) {
			if (i < n && (!(entries[i] & PAGEMAP_THERE) || entries[i] & PAGEMAP_FILE))
				continue;
			if (i > from)
				madvise((void *)(at + from * PAGE), (i - from) * PAGE,
					MADV_DONTNEED);
			from = i + 1;
		}
		at += n * PAGE;
	}
}

static int rest_object(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			rest_pages(at & ~(PAGE - 1),
				   (at + p->p_memsz) & ~(PAGE - 1));
	}
	return 0;
}

void memory_rest(bool code)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	if (code && pagemap >= 0)
		dl_iterate_phdr(rest_object, NULL);
	rest_stack();
}
