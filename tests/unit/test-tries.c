/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races that are always lost, and children that never end: who tries again, or waits, gives
 * up in the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

static unsigned tries, pauses;
static uint64_t waited_ms;

/* The kernel was disturbed by a rename. */
long syscall(long number, ...)
{
	if (number == SYS_pidfd_open)
		return dup(2);
	if (number == SYS_openat2)
		tries++;
	errno = EAGAIN;
	return -1;
}

/* The child does not end, and the time that it is waited for passes at once. */
int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	(void)fds;
	(void)n;
	/* Of the child itself. */
	if (timeout_ms < 0)
		return 1;
	waited_ms += (uint64_t)timeout_ms;
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	*t = (struct timespec){ .tv_sec = (time_t)(waited_ms / 1000),
				.tv_nsec = (long)(waited_ms % 1000) * 1000000 };
	return 0;
}

/* There are no devices here, or too many. */
int open(const char *path, int flags, ...)
{
	if (strncmp(path, "/dev/loop", 9) == 0)
		path = "/dev/null";
	return openat(AT_FDCWD, path, flags, 0);
}

/* It has these names where _FORTIFY_SOURCE cannot see the flags. */
int open_2(const char *path, int flags) __asm__("__open_2");
int open64_2(const char *path, int flags) __asm__("__open64_2");

int open_2(const char *path, int flags)
{
	return open(path, flags);
}

int open64_2(const char *path, int flags)
{
	return open(path, flags);
}

/* Somebody else has taken the free device. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	if (request == LOOP_CTL_GET_FREE)
		return 4711;
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

/* From now on what is said goes elsewhere; and what was said till then. */
static int out, text;

static void listen_to_errors(void)
{
	out = dup(2);
	text = memfd_open("output");
	dup2(text, 2);
}

static const char *errors(void)
{
	static char said[256];

	dup2(out, 2);
	close(out);
	memfd_read(text, said, sizeof(said));
	close(text);
	return said;
}

/* LIMIT_LOOP_TRIES */
static void device(void **st)
{
	struct mount_options o = { 0 };
	const char *said;
	char name[32];
	int r;

	(void)st;
	tries = pauses = 0;
	listen_to_errors();
	r = loop_attach("/dev/null", &o, name);
	said = errors();
	assert_true(r < 0);
	assert_int_equal(tries, LIMIT_LOOP_TRIES);
	assert_int_equal(pauses, LIMIT_LOOP_TRIES - 1);
	assert_non_null(
		strstr(said, "attach /dev/null to /dev/loop4711: device or resource busy"));
}

/* LIMIT_IDMAP_MS: what it was made for is there or not, whether or not it ends. */
static void holder(void **st)
{
	int fd;

	(void)st;
	waited_ms = 0;
	listen_to_errors();
	fd = userns_open("0:0:1", "0:0:1");
	errors();
	assert_int_equal(waited_ms, LIMIT_IDMAP_MS);
	if (fd >= 0)
		close(fd);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target),
		cmocka_unit_test(device),
		cmocka_unit_test(holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
