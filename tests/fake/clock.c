/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload: the time of day jumps by decades, there and back, with each look
 * at it. What measures time by another clock notices nothing. That one is ahead by as many
 * milliseconds as the first eight bytes of the file $CLOCK say, so that nobody has to wait
 * for what takes an hour.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define YEARS (365 * 86400)
#define MSEC 1000000L

static const int64_t *ahead_ms; /* NULL: not at all */

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("CLOCK");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)
		      : -1;
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*ahead_ms), PROT_READ, MAP_SHARED, fd, 0);

	if (p != MAP_FAILED)
		ahead_ms = p;
	if (fd >= 0)
		syscall(SYS_close, fd);
}

static void pass(struct timespec *t, int64_t ms)
{
	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * MSEC;
	if (t->tv_nsec >= 1000 * MSEC) {
		t->tv_nsec -= 1000 * MSEC;
		t->tv_sec++;
	}
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static unsigned looks;
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (r == 0 && clock == CLOCK_REALTIME)
		t->tv_sec += looks++ % 2 ? 30 * YEARS : -30 * YEARS;
	if (r == 0 && clock == CLOCK_MONOTONIC && ahead_ms)
		pass(t, __atomic_load_n(ahead_ms, __ATOMIC_SEQ_CST));
	return r;
}
