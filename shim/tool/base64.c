/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648); see message.h. */
#include <errno.h>

#include "shim/tool/message.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const uint8_t *data, size_t len, char *out)
{
	char *at = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)data[i] << 16;

		v |= n > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		v |= n > 2 ? data[i + 2] : 0;
		*at++ = alphabet[v >> 18];
		*at++ = alphabet[v >> 12 & 63];
		*at++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*at++ = n > 2 ? alphabet[v & 63] : '=';
	}
	*at = 0;
	return (size_t)(at - out);
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

ptrdiff_t base64_decode(const char *text, size_t len, uint8_t *out)
{
	size_t padding = 0, n = 0;
	uint32_t v = 0;

	while (padding < 2 && len > 0 && text[len - 1] == '=')
		len--, padding++;
	if (len % 4 == 1 || (padding && (len + padding) % 4 != 0))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = digit(text[i]);

		if (d < 0)
			return -EINVAL;
		v = v << 6 | (uint32_t)d;
		if (i % 4 != 0)
			out[n++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
	}
	return (ptrdiff_t)n;
}
