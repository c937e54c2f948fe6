/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log; see log.h. It is the one piece of global state in the shim, so that
 * every file may say something without being handed a logger. No stdio, no
 * allocation: a line is made in a buffer on the stack and written at once.
 */
#include "shim/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/limits.h"


static struct {
	int fd;
	const char *runtime, *ns;
	bool debug;
	unsigned long dropped;
} the_log = { .fd = -1 };

struct line {
	char text[LIMIT_LOG_LINE];
	size_t len;
};

void log_open(int fd, const char *runtime, const char *ns, bool debug)
{
	the_log.fd = fd;
	the_log.runtime = runtime;
	the_log.ns = ns;
	the_log.debug = debug;
}

int log_fd(void)
{
	return the_log.fd;
}

void log_move(int fd)
{
	if (the_log.fd >= 0)
		the_log.fd = fd;
	the_log.dropped = 0; /* which the parent will say */
}

static void put_char(struct line *l, char c)
{
	/* The last byte is kept for the newline. */
	if (l->len < sizeof(l->text) - 1)
		l->text[l->len++] = c;
}

static void put(struct line *l, const char *s)
{
	while (*s)
		put_char(l, *s++);
}

/* In quotes, so that no container can forge a line or a field. */
static void put_quoted(struct line *l, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	put_char(l, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			put_char(l, '\\');
			put_char(l, (char)c);
		} else if (c == '\n') {
			put(l, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			put(l, "\\x");
			put_char(l, hex[c >> 4]);
			put_char(l, hex[c & 15]);
		} else {
			put_char(l, (char)c);
		}
	}
	put_char(l, '"');
}

static void put_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char buf[80];
	long east;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	east = tm.tm_gmtoff / 60;
	snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%09ld",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec, now.tv_nsec);
	put(l, buf);
	if (east == 0) {
		put(l, "Z");
		return;
	}
	snprintf(buf, sizeof(buf), "%c%02ld:%02ld", east < 0 ? '-' : '+',
		 (east < 0 ? -east : east) / 60, (east < 0 ? -east : east) % 60);
	put(l, buf);
}

static bool emit(enum log_level level, const char *id, const char *message)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };
	struct line l = { .len = 0 };
	ssize_t n;

	put(&l, "time=\"");
	put_time(&l);
	put(&l, "\" level=");
	put(&l, names[level]);
	put(&l, " msg=");
	put_quoted(&l, message);
	if (id) {
		put(&l, " id=");
		put_quoted(&l, id);
	}
	put(&l, " namespace=");
	put(&l, the_log.ns);
	put(&l, " runtime=");
	put(&l, the_log.runtime);
	l.text[l.len++] = '\n';
	/* At most PIPE_BUF bytes: a non-blocking FIFO takes all or nothing. */
	do
		n = write(the_log.fd, l.text, l.len);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

void log_write(enum log_level level, const char *id, const char *format, ...)
{
	char message[2048];
	int saved = errno;
	va_list ap;

	if (the_log.fd < 0 || (level == LOG_DEBUG && !the_log.debug))
		return;
	if (the_log.dropped > 0) {
		snprintf(message, sizeof(message), "%lu lines of this log were lost: nobody read it",
			 the_log.dropped);
		if (emit(LOG_WARN, NULL, message))
			the_log.dropped = 0;
		errno = saved;
	}
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (!emit(level, id, message))
		the_log.dropped++;
	errno = saved;
}
