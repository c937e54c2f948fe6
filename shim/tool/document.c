/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a document for a subcommand; see document.h. */
#include "shim/tool/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/err.h"
#include "shim/tool/tool.h"
#include "shim/util.h"
#include "spec/spec.h"

static int read_stdin(struct document *d)
{
	size_t size = 0, n;
	char *more;

	if (isatty(0))
		return tool_fail("standard input is a terminal");
	do {
		if (d->len == size) {
			size = size ? 2 * size : 64u << 10;
			more = realloc(d->text, size);
			if (!more)
				return tool_fail("out of memory");
			d->text = more;
		}
		n = fread(d->text + d->len, 1, size - d->len, stdin);
		d->len += n;
	} while (n > 0 && d->len <= SPEC_MAX_SIZE);
	if (ferror(stdin))
		return tool_fail("stdin: %s", err_strerror(errno));
	return d->len > SPEC_MAX_SIZE ? tool_fail("stdin: larger than 10 MiB") : TOOL_OK;
}

int document_read(struct document *d, const char *operand)
{
	const char *slash;
	struct stat st;
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
	r = d->path ? file_read_followed(d->path, SPEC_MAX_SIZE, &d->text, &d->len)
		    : -ENOMEM;
	if (r < 0)
		return tool_fail("%s: %s", d->path ? d->path : operand,
				 r == -EFBIG	? "larger than 10 MiB"
				 : r == -EINVAL ? "not a regular file"
						: err_strerror(-r));
	return TOOL_OK;
}

void document_release(struct document *d)
{
	free(d->path);
	free(d->text);
}
