/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of protobuf as JSON and back, by their descriptors. Fields go by
 * their names in the .proto (or in lowerCamelCase, when read). As protobuf's own
 * mapping has it, but for numbers of 64 bits, which stay numbers:
 *
 *	bytes                      a string, base64
 *	an enum                    its name (or number, when read)
 *	a map                      an object
 *	google.protobuf.Timestamp  "2026-01-02T03:04:05.678Z" (or seconds and nanos)
 *	google.protobuf.Any        an object: "@type", and the fields of a message
 *	                           that we know, or else "value": JSON for the types
 *	                           that hold some, base64 for what is unknown
 *
 * An Any without "@type" is of the type that its place is meant for
 * (message_expected()); if that holds JSON, the object is that JSON.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "shim/err.h"
#include "shim/pack.h"
#include "spec/json.h"

/*
 * Packs the JSON object @json as a message of type @d; @name stands for it in
 * errors, "NAME:LINE:COL: PATH: reason". @out is to be released, also after a failure.
 */
int message_read(const ProtobufCMessageDescriptor *d, const char *name, const char *json,
		 size_t len, struct pack *out, struct err *e);

/* Writes a packed message of type @d. */
int message_write(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len,
		  struct json_out *out, struct err *e);

/* A map is a list of messages that are its pairs. */
bool message_is_map(const ProtobufCFieldDescriptor *f);

/* types.c: what can be in an Any. */

/* The message of this type URL (what is behind its last slash), NULL: unknown. */
const ProtobufCMessageDescriptor *message_type(const char *url);
/* Its value is JSON, as that of all types of the OCI specification. */
bool message_is_json(const char *url);
/* The type URL that is meant where @d has the Any field @field, or NULL. */
const char *message_expected(const ProtobufCMessageDescriptor *d, const char *field);
/* All that message_type() knows, NULL at the end. */
extern const ProtobufCMessageDescriptor *const message_types[];

/* base64.c */

/* @out has room for 4 * ((len + 2) / 3) + 1 bytes; NUL-terminated, its length is returned. */
size_t base64_encode(const uint8_t *data, size_t len, char *out);
/* @out has room for len bytes; the number of bytes, or -EINVAL. Also the URL alphabet, also unpadded. */
ptrdiff_t base64_decode(const char *text, size_t len, uint8_t *out);

/* timestamp.c */

/* Room for "2026-01-02T03:04:05.123456789Z". */
#define TIMESTAMP_SIZE 40
/* RFC 3339 in UTC; false: outside of the years 1 to 9999. */
bool timestamp_write(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_SIZE]);
bool timestamp_read(const char *text, int64_t *seconds, int32_t *nanos);
