/* SPDX-License-Identifier: Apache-2.0 */
/* Files as block devices: loop(4). */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>

#include "shim/compat.h"
#include "shim/err.h"
#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

#define LOOP_CONTROL "/dev/loop-control"
#define LOOP_PAUSE_MAX_MS 50

/* Those who collide must not pause for the same time. */
static void pause_a_little(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec = (t.tv_nsec / 64 + getpid() * 7919L) % LOOP_PAUSE_MAX_MS * 1000000L;
	t.tv_sec = 0;
	nanosleep(&t, NULL);
}

/* Before Linux 5.8: in steps. */
static int configure_by_steps(int device, int file, const struct loop_config *config)
{
	int r;

	if (ioctl(device, LOOP_SET_FD, file) < 0)
		return -errno;
	if (ioctl(device, LOOP_SET_STATUS64, &config->info) < 0 ||
	    (config->info.lo_flags & LO_FLAGS_DIRECT_IO &&
	     ioctl(device, LOOP_SET_DIRECT_IO, 1UL) < 0)) {
		r = -errno;
		ioctl(device, LOOP_CLR_FD, 0);
		return r;
	}
	return 0;
}

static int configure(int device, int file, const char *name,
		     const struct mount_options *o)
{
	struct loop_config config = { .fd = (uint32_t)file };

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (o->flags & MS_RDONLY)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	if (o->direct_io)
		config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
	/* For who looks at the list of devices; cut off when too long. */
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s",
		 name);
	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOTTY || errno == ENOSYS)
		return configure_by_steps(device, file, &config);
	return -errno;
}

/* The device's descriptor; -EBUSY: somebody else was faster. */
static int try_one(int control, int file, const char *name, const struct mount_options *o,
		   char device[static 32])
{
	_cleanup_close_ int fd = -1;
	int number = ioctl(control, LOOP_CTL_GET_FREE), r;

	if (number < 0)
		return -errno;
	snprintf(device, 32, "/dev/loop%d", number);
	fd = open(device, (o->flags & MS_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = configure(fd, file, name, o);
	return r < 0 ? r : TAKE_FD(fd);
}

int loop_attach(const char *file, const struct mount_options *o, char device[static 32])
{
	_cleanup_close_ int control = open(LOOP_CONTROL, O_RDWR | O_CLOEXEC), fd = -1;
	int r = -EBUSY;

	if (control < 0)
		return -mount_fail("open %s: %s", LOOP_CONTROL, err_strerror(errno));
	fd = open(file, (o->flags & MS_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return -mount_fail("open %s for a loop device: %s", file,
				   err_strerror(errno));
	device[0] = 0;
	for (int i = 0; i < LIMIT_LOOP_TRIES && r == -EBUSY; i++) {
		if (i > 0)
			pause_a_little();
		r = try_one(control, fd, file, o, device);
	}
	if (r < 0)
		return -mount_fail("attach %s to %s: %s", file,
				   device[0] ? device : "a loop device",
				   err_strerror(-r));
	return r;
}
