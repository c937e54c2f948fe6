/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and whole files. Knows nothing of shims. */
#include "shim/util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shim/limits.h"


void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

bool is_identifier(const char *s)
{
	bool alnum = false; /* the last character was one */
	size_t n;

	for (n = 0; s[n]; n++) {
		unsigned char c = (unsigned char)s[n];

		if (c < 0x80 && isalnum(c))
			alnum = true;
		else if (alnum && (c == '.' || c == '_' || c == '-'))
			alnum = false;
		else
			return false;
	}
	return alnum && n <= LIMIT_IDENTIFIER;
}

char *str_printf(const char *format, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&s, format, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

bool str_copy(char **out, const char *s)
{
	*out = s ? strdup(s) : NULL;
	return *out || !s;
}

static int read_whole(const char *path, int flags, size_t max, char **out, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	_cleanup_free_ char *buf = NULL;
	struct stat st;
	size_t n = 0, size;
	ssize_t r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	/* A file of /proc has no size: read until the end, not until st_size. */
	size = st.st_size ? (size_t)st.st_size : (max < 4096 ? max : 4096);
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	while ((r = read(fd, buf + n, size - n)) != 0) {
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		n += (size_t)r;
		if (n < size || n == max)
			continue;
		size = size * 2 < max ? size * 2 : max;
		char *more = realloc(buf, size + 1);
		if (!more)
			return -ENOMEM;
		buf = more;
	}
	buf[n] = 0;
	*len = n;
	*out = TAKE(buf);
	return 0;
}

int file_read(const char *path, size_t max, char **out, size_t *len)
{
	return read_whole(path, O_NOFOLLOW, max, out, len);
}

int file_read_followed(const char *path, size_t max, char **out, size_t *len)
{
	return read_whole(path, 0, max, out, len);
}

/* Whether nobody but our own user can have put the link @path there. */
static bool is_own_link(const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	struct stat link, parent;
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash || lstat(path, &link) < 0)
		return false;
	slash[slash == dir] = 0;
	if (stat(dir, &parent) < 0 || link.st_uid != geteuid() || parent.st_uid != geteuid())
		return false;
	return !(parent.st_mode & (S_IWGRP | S_IWOTH)) || (parent.st_mode & S_ISVTX);
}

int open_trusted(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0 && errno == ELOOP && is_own_link(path))
		fd = open(path, flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void file_remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		unlink(path);
}

int file_write(const char *path, const void *data, size_t len, mode_t mode)
{
	_cleanup_free_ char *temp = str_printf("%s.new", path);
	_cleanup_close_ int fd = -1;
	int r;

	if (!temp)
		return -ENOMEM;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	/* A left-over of a crash, or something planted: never written through. */
	if (fd < 0 && errno == EEXIST && unlink(temp) == 0)
		fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}

int parse_uint(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned digit = (unsigned char)*s - '0';

		if (digit > 9 || v > (max - digit) / 10)
			return -EINVAL;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

int memfd_open(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

size_t memfd_read(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size - 1) {
		ssize_t r = pread(fd, buf + n, size - 1 - n, (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	buf[n] = 0;
	return n;
}
