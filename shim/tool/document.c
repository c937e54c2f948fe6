/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a document for a subcommand; see document.h. */
#include "shim/tool/document.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/err.h"
#include "shim/tool/tool.h"
#include "shim/util.h"
#include "spec/spec.h"

/* Says why, and keeps it. */
__attribute__((format(printf, 2, 3))) static int fail(struct document *d,
						      const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(d->why, sizeof(d->why), format, ap);
	va_end(ap);
	return tool_fail("%s", d->why);
}

/* So long may the other end of a pipe take for its first byte. */
#define PIPE_MS 3000

static int read_stream(struct document *d, FILE *f)
{
	size_t size = 0, n;
	char *more;

	do {
		if (d->len == size) {
			size = size ? 2 * size : 64u << 10;
			more = realloc(d->text, size);
			if (!more)
				return fail(d, "out of memory");
			d->text = more;
		}
		n = fread(d->text + d->len, 1, size - d->len, f);
		d->len += n;
	} while (n > 0 && d->len <= SPEC_MAX_SIZE);
	if (ferror(f))
		return fail(d, "%s: %s", d->name, err_strerror(errno));
	return d->len > SPEC_MAX_SIZE ? fail(d, "%s: larger than 10 MiB", d->name)
				      : TOOL_OK;
}

static int read_stdin(struct document *d)
{
	return isatty(0) ? fail(d, "standard input is a terminal")
			 : read_stream(d, stdin);
}

/* What a shell makes of <(...), or /dev/stdin. */
static int read_pipe(struct document *d)
{
	int fd = open(d->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), r;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f || fcntl(fd, F_SETFL, 0) < 0)
		r = fail(d, "%s: %s", d->path, err_strerror(errno));
	else if (poll(&p, 1, PIPE_MS) == 0)
		r = fail(d, "%s: nobody writes to that pipe", d->path);
	else
		r = read_stream(d, f);
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	return r;
}

int document_read(struct document *d, const char *operand)
{
	const char *slash;
	struct stat st = { 0 };
	int r;

	if (strcmp(operand, "-") == 0) {
		d->name = "stdin";
		return read_stdin(d);
	}
	if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode)) {
		d->name = "config.json";
		d->path = str_printf("%s/config.json", operand);
	} else {
		slash = strrchr(operand, '/');
		d->name = slash ? slash + 1 : operand;
		d->path = strdup(operand);
	}
	if (d->path && S_ISFIFO(st.st_mode))
		return read_pipe(d);
	r = d->path ? file_read_followed(d->path, SPEC_MAX_SIZE, &d->text, &d->len)
		    : -ENOMEM;
	if (r < 0)
		return fail(d, "%s: %s", d->path ? d->path : operand,
			    r == -EFBIG	   ? "larger than 10 MiB"
			    : r == -EINVAL ? "not a regular file"
					   : err_strerror(-r));
	return TOOL_OK;
}

void document_release(struct document *d)
{
	free(d->path);
	free(d->text);
}
