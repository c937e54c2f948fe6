/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, their sources, and what mountinfo says; see mounts.h. */
#include "tests/e2e/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer *ask_mounts(const struct bundle *b, const struct entry *v, size_t n)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	Types__Mount mounts[8], *list[8];

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		list[i] = &mounts[i];
		mounts[i] = (Types__Mount)TYPES__MOUNT__INIT;
		mounts[i].type = text("%s", v[i].type);
		mounts[i].source = text("%s", v[i].source);
		mounts[i].target = text("%s", v[i].target ? v[i].target : "");
		mounts[i].options = (char **)(uintptr_t)v[i].options;
		while (v[i].options[mounts[i].n_options])
			mounts[i].n_options++;
	}
	q.rootfs = list;
	q.n_rootfs = n;
	q.id = text("%s", b->id);
	q.bundle = text("%s", b->dir);
	q.options = runc_options();
	return ask("Create", &q);
}

char *rootfs_of(const struct bundle *b)
{
	return text("%s/rootfs", b->dir);
}

int mounts_at(const char *path)
{
	char *all = read_file("/proc/self/mountinfo", NULL), *line;
	bool below = path[strlen(path) - 1] == '/';
	int n = 0;

	while ((line = strsep(&all, "\n"))) {
		char *point = strstr(line, text(" %s%s", path, below ? "" : " "));

		n += point != NULL;
	}
	return n;
}

bool any_mounts(const struct bundle *b)
{
	return mounts_at(rootfs_of(b)) || mounts_at(text("%s/", rootfs_of(b)));
}

const char *line_of(const char *path)
{
	char *all = read_file("/proc/self/mountinfo", NULL), *line, *last = NULL;

	while ((line = strsep(&all, "\n")))
		if (strstr(line, text(" %s ", path)))
			last = line;
	if (!last)
		fail_at(HERE, "nothing is mounted on %s", path);
	return last;
}

void mounted_with_at(struct where w, const char *path, const char *const *words)
{
	const char *line = line_of(path);

	for (; *words; words++) {
		char *hit = strstr(line, *words);

		while (hit &&
		       (!strchr(" ,", hit[-1]) || !strchr(" ,", hit[strlen(*words)])))
			hit = strstr(hit + 1, *words);
		if (!hit)
			fail_at(w, "no %s in: %s", *words, line);
	}
}

char *make_dir(const char *name)
{
	char *path = in_dir(name);

	if (mkdir(path, 0755) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	return path;
}

void put(const char *path, const char *content)
{
	write_file(path, content, strlen(content));
}

void end(const struct bundle *b)
{
	delete_task(b->id, NULL);
	assert_false(any_mounts(b));
	shutdown_shim();
}

char *make_layers(const char *dir, const char *escaped, int n)
{
	char *all = text("%s", "");

	for (int i = 1; i <= n; i++) {
		mkdir(text("%s/%d", dir, i), 0755);
		mkdir(text("%s/%d/fs", dir, i), 0755);
		put(text("%s/%d/fs/file%d", dir, i, i), "x");
		all = text("%s%s%s/%d/fs", all, i > 1 ? ":" : "", escaped, i);
	}
	return all;
}

char *make_image(void)
{
	char *path = in_dir("image");
	int fd;

	if (access("/dev/loop-control", W_OK) < 0) {
		print_message("no /dev/loop-control\n");
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	close(fd);
	if (fork() == 0) {
		fd = open("/dev/null", O_RDWR);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-b", "4096", path, NULL);
		_exit(127);
	}
	wait(&fd);
	if (fd) {
		print_message("no mkfs.ext4 (e2fsprogs)\n");
		return NULL;
	}
	return path;
}
