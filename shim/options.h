/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a container, out of the google.protobuf.Any in which clients
 * send them (contract 7.2): one of three messages, or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/err.h"
#include "spec/spec.h"

/*
 * Decodes @value as @type_url says ("" or NULL: there is none). An empty value
 * means the defaults, whatever its type. @out is owned by the caller, also
 * after a failure.
 */
int options_decode(const char *type_url, const uint8_t *value, size_t len,
		   struct spec_options *out, struct err *e);

/* The same from a serialized Any, as "start" and "-info" read it from stdin. */
int options_decode_any(const uint8_t *any, size_t len, struct spec_options *out,
		       struct err *e);

/* Whether @type_url, which may be NULL, is that of one of the three messages. */
bool options_are_known(const char *type_url);
