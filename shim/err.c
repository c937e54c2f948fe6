/* SPDX-License-Identifier: Apache-2.0 */
/* Failures as text and code; see err.h. Allocates nothing. */
#include "shim/err.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *format, ...)
{
	va_list ap;

	assert(code > TTRPC_OK);
	e->code = code;
	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
	return -code;
}

const char *err_strerror(int errnum)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s", strerror(errnum));
	if (text[1] < 'A' || text[1] > 'Z')
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

int err_sys(struct err *e, int errnum, const char *format, ...)
{
	va_list ap;
	size_t n;

	assert(errnum > 0);
	e->code = TTRPC_UNKNOWN;
	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", err_strerror(errnum));
	return -e->code;
}

int err_prefix(struct err *e, const char *format, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t n;

	assert(e->code > TTRPC_OK);
	memcpy(old, e->text, sizeof(old));
	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %.*s", (int)sizeof(old) - 1, old);
	return -e->code;
}

int err_nomem(struct err *e)
{
	return err_set(e, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
}

const char *err_class(int code)
{
	switch (code) {
	case TTRPC_NOT_FOUND:
		return ": not found";
	case TTRPC_ALREADY_EXISTS:
		return ": already exists";
	case TTRPC_FAILED_PRECONDITION:
		return ": failed precondition";
	case TTRPC_INVALID_ARGUMENT:
		return ": invalid argument";
	case TTRPC_UNIMPLEMENTED:
		return ": not implemented";
	case TTRPC_UNAVAILABLE:
		return ": unavailable";
	default:
		return "";
	}
}

void err_reply(struct ttrpc_call *call, const struct err *e)
{
	ttrpc_call_fail(call, e->code, "%s%s", e->text, err_class(e->code));
}
