/* SPDX-License-Identifier: Apache-2.0 */
/* What the short-lived invocations share; see action.h. */
#include "shim/action.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/util.h"


int action_fail(const struct action *a, const struct err *e)
{
	fprintf(stderr, "%s: %s%s\n", a->runtime_name, e->text, err_class(e->code));
	return 1;
}

int action_read_stdin(uint8_t **out, size_t *len, struct err *e)
{
	size_t size = 4096, n = 0;
	uint8_t *buf = malloc(size), *more;

	*out = NULL;
	*len = 0;
	while (buf && !isatty(0)) {
		ssize_t r = read(0, buf + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int saved = errno;

			free(buf);
			/* A closed stdin is one without options. */
			return saved == EBADF ? 0 : err_sys(e, saved, "read the options from stdin");
		}
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > LIMIT_STDIN) {
			free(buf);
			return err_set(e, TTRPC_INVALID_ARGUMENT,
				       "the options on stdin are larger than %u bytes", LIMIT_STDIN);
		}
		if (n < size)
			continue;
		size *= 2;
		more = realloc(buf, size);
		if (!more)
			free(buf);
		buf = more;
	}
	if (!buf)
		return err_nomem(e);
	*out = buf;
	*len = n;
	return 0;
}
