/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes, and the frame that carries one to the peer. Pure functions of
 * their arguments: no memory of their own, no I/O.
 */
#include "ttrpc/status.h"

#include <assert.h>
#include <string.h>

#include "ttrpc.pb-c.h"
#include "ttrpc/frame.h"
#include "ttrpc/ttrpc.h"

static const char *const code_names[] = {
	[TTRPC_OK] = "OK",
	[TTRPC_CANCELLED] = "Canceled",
	[TTRPC_UNKNOWN] = "Unknown",
	[TTRPC_INVALID_ARGUMENT] = "InvalidArgument",
	[TTRPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
	[TTRPC_NOT_FOUND] = "NotFound",
	[TTRPC_ALREADY_EXISTS] = "AlreadyExists",
	[TTRPC_PERMISSION_DENIED] = "PermissionDenied",
	[TTRPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
	[TTRPC_FAILED_PRECONDITION] = "FailedPrecondition",
	[TTRPC_ABORTED] = "Aborted",
	[TTRPC_OUT_OF_RANGE] = "OutOfRange",
	[TTRPC_UNIMPLEMENTED] = "Unimplemented",
	[TTRPC_INTERNAL] = "Internal",
	[TTRPC_UNAVAILABLE] = "Unavailable",
	[TTRPC_DATA_LOSS] = "DataLoss",
	[TTRPC_UNAUTHENTICATED] = "Unauthenticated",
};

const char *ttrpc_code_name(int code)
{
	size_t n = sizeof(code_names) / sizeof(*code_names);

	if (code < 0 || (size_t)code >= n)
		return "unknown code";
	return code_names[code];
}

/*
 * Bytes of the character at @s: 0 if it is not valid UTF-8, -1 if the string
 * ends within it. The second byte's range keeps out overlong forms, surrogates
 * and what is beyond U+10FFFF.
 */
static int utf8_len(const uint8_t *s)
{
	uint8_t lo = 0x80, hi = 0xbf;
	int i, n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	for (i = 1; i < n; i++, lo = 0x80, hi = 0xbf) {
		if (!s[i])
			return -1;
		if (s[i] < lo || s[i] > hi)
			return 0;
	}
	return n;
}

void status_clean(char *text)
{
	uint8_t *s = (uint8_t *)text;

	while (*s) {
		int n = utf8_len(s);

		if (n < 0) {
			*s = 0;
		} else if (n == 0) {
			*s++ = '?';
		} else {
			s += n;
		}
	}
}

size_t status_frame(uint8_t out[STATUS_FRAME_MAX], uint32_t stream, int code,
		    const char *text)
{
	TtrpcPb__Status status = TTRPC_PB__STATUS__INIT;
	TtrpcPb__Response response = TTRPC_PB__RESPONSE__INIT;
	struct frame f = { .stream = stream, .type = FRAME_RESPONSE };
	size_t n;

	status.code = code;
	/* protobuf-c does not write to what it packs; its type cannot say so. */
	status.message = (char *)(uintptr_t)text;
	response.status = &status;
	n = protobuf_c_message_get_packed_size(&response.base);
	assert(FRAME_HEADER + n <= STATUS_FRAME_MAX);
	f.length = (uint32_t)n;
	frame_encode(out, &f);
	return FRAME_HEADER + protobuf_c_message_pack(&response.base, out + FRAME_HEADER);
}
