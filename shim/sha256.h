/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), for the name of the socket. */
#pragma once

#include <stddef.h>

#define SHA256_HEX 65

/* Writes the digest of @data as 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const void *data, size_t len, char out[static SHA256_HEX]);
