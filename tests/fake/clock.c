/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload: the time of day jumps by decades, there and back, with each look
 * at it. What measures time by another clock notices nothing.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define YEARS (365 * 86400)

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static unsigned looks;
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (r == 0 && clock == CLOCK_REALTIME)
		t->tv_sec += looks++ % 2 ? 30 * YEARS : -30 * YEARS;
	return r;
}
