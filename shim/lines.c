/* SPDX-License-Identifier: Apache-2.0 */
/* Reading text files of the kernel in small pieces; see lines.h. Knows no format. */
#include "shim/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shim/util.h"

void lines_adopt(struct lines *l, int fd)
{
	l->fd = fd;
	l->skip_long = false;
	l->eof = false;
	l->error = 0;
	l->start = l->end = 0;
	l->buf[0] = 0;
}

int lines_open(struct lines *l, int dir, const char *name)
{
	lines_adopt(l, -1);
	l->error = name ? -ENOENT : -ENOMEM;
	if (!name)
		return l->error;
	if (dir < 0 && dir != AT_FDCWD)
		return -ENOENT;
	l->fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	l->error = l->fd < 0 ? -errno : 0;
	return l->error;
}

void lines_close(struct lines *l)
{
	closep(&l->fd);
}

/* Reads what fits behind what is there; false at the end of the file. */
static bool fill(struct lines *l)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	do
		n = read(l->fd, l->buf + l->end, sizeof(l->buf) - 1 - l->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		l->error = -errno;
	if (n <= 0)
		l->eof = true;
	else
		l->end += (size_t)n;
	l->buf[l->end] = 0;
	return n > 0;
}

/* Cuts off what is before the next of @ends; the last piece need not have an end. */
static char *next(struct lines *l, const char *ends)
{
	bool passing = false;

	for (;;) {
		char *s = l->buf + l->start;
		size_t len;

		len = strcspn(s, ends);
		/* A NUL byte ends it too: there are none in these files. */
		if (l->start + len < l->end) {
			s[len] = 0;
			l->start += len + 1;
			if (!passing)
				return s;
			passing = false;
			continue;
		}
		if (l->end - l->start == sizeof(l->buf) - 1) {
			if (!l->skip_long) {
				l->error = -EMSGSIZE;
				return NULL;
			}
			passing = true;
			l->start = l->end;
		}
		if (!l->eof && fill(l))
			continue;
		s = l->buf + l->start;
		l->start = l->end;
		return l->error || !*s || passing ? NULL : s;
	}
}

char *lines_next(struct lines *l)
{
	return l->error ? NULL : next(l, "\n");
}

char *lines_word(struct lines *l)
{
	char *s;

	if (l->error)
		return NULL;
	do
		s = next(l, " \t\n");
	while (s && !*s);
	return s;
}

size_t split(char *line, const char *separators, char **fields, size_t max)
{
	size_t n = 0;

	for (char *s; (s = strsep(&line, separators));) {
		if (!*s)
			continue;
		if (n < max)
			fields[n] = s;
		n++;
	}
	return n;
}

int parse_counter(const char *s, uint64_t *out)
{
	int r = parse_uint(*s == '-' ? s + 1 : s, UINT64_MAX, out);

	if (r == 0 && *s == '-')
		*out = 0;
	return r;
}
