/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that can stand still; see disk.h. */
#include "tests/e2e/disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char path[256];
	int alarm; /* closing it thaws the disk, whatever becomes of the test */
} disk;

static int ask_for(unsigned long what)
{
	int fd = open(disk.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	r = ioctl(fd, what, 0);
	close(fd);
	return r;
}

/* Nothing can be killed or unmounted that waits for a frozen disk. */
static void thaw_some_day(void)
{
	int ends[2];
	struct pollfd p;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (fork() == 0) {
		close(ends[1]);
		p = (struct pollfd){ .fd = ends[0] };
		poll(&p, 1, 20000 * e2e.slow);
		ask_for(FITHAW);
		_exit(0);
	}
	close(ends[0]);
	disk.alarm = ends[1];
}

static void shell(const char *command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail_at(HERE, "no disk: %s", command);
}

void disk_make(const char *path)
{
	char *image = in_dir("image");

	make_folder(path);
	snprintf(disk.path, sizeof(disk.path), "%s", path);
	shell(text("truncate -s 8M %s && mkfs.ext4 -q %s && mount -o loop %s %s", image,
		   image, image, path));
}

void disk_freeze(void)
{
	thaw_some_day();
	assert_int_equal(ask_for(FIFREEZE), 0);
}

void disk_thaw(void)
{
	assert_int_equal(ask_for(FITHAW), 0);
	close(disk.alarm);
}

void disk_end(void)
{
	until(!other_processes());
	/* The logs in it are still being read. */
	assert_int_equal(umount2(disk.path, MNT_DETACH), 0);
}

bool disk_holds(pid_t pid)
{
	char *s = proc_status(pid, "State");

	return s && *s == 'D';
}
