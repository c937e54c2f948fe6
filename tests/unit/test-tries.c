/* SPDX-License-Identifier: Apache-2.0 */
/* Races that are always lost: who tries again gives up in the end, and says so. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

static unsigned tries, pauses;

/* The kernel was disturbed by a rename. */
long syscall(long number, ...)
{
	if (number == SYS_openat2)
		tries++;
	errno = EAGAIN;
	return -1;
}

/* There are no devices here, or too many. */
int open(const char *path, int flags, ...)
{
	if (strncmp(path, "/dev/loop", 9) == 0)
		path = "/dev/null";
	return openat(AT_FDCWD, path, flags, 0);
}

/* Somebody else has taken the free device. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	if (request == LOOP_CTL_GET_FREE)
		return 7;
	assert_int_equal(request, LOOP_CONFIGURE);
	tries++;
	errno = EBUSY;
	return -1;
}

int nanosleep(const struct timespec *t, struct timespec *rest)
{
	(void)rest;
	assert_true(t->tv_sec == 0 && t->tv_nsec < 50000000);
	pauses++;
	return 0;
}

/* LIMIT_TARGET_TRIES */
static void target(void **st)
{
	(void)st;
	tries = 0;
	assert_int_equal(target_open(AT_FDCWD, "a"), -EAGAIN);
	assert_int_equal(tries, LIMIT_TARGET_TRIES);
}

/* LIMIT_LOOP_TRIES */
static void device(void **st)
{
	struct mount_options o = { 0 };
	int out = dup(2), text = memfd_open("output"), r;
	char name[32], said[256];

	(void)st;
	tries = pauses = 0;
	dup2(text, 2);
	r = loop_attach("/dev/null", &o, name);
	dup2(out, 2);
	close(out);
	assert_true(r < 0);
	assert_int_equal(tries, LIMIT_LOOP_TRIES);
	assert_int_equal(pauses, LIMIT_LOOP_TRIES - 1);
	memfd_read(text, said, sizeof(said));
	close(text);
	assert_non_null(
		strstr(said, "attach /dev/null to /dev/loop7: device or resource busy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target),
		cmocka_unit_test(device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
