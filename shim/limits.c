/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds that the environment may set; see limits.h. */
#include "shim/limits.h"

#include <stdlib.h>

#include "shim/util.h"
#include "ttrpc/loop.h"

#define DAY_MS 86400000

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);
	uint64_t v;

	return s && parse_uint(s, DAY_MS, &v) == 0 ? v : otherwise;
}

void limits_load(struct limits *l)
{
	l->fifo_ns = setting("BRASS_FIFO_TIMEOUT_MS", LIMIT_FIFO_MS) * LOOP_MSEC;
	l->drain_ns = setting("BRASS_DRAIN_TIMEOUT_MS", LIMIT_DRAIN_MS) * LOOP_MSEC;
	l->exec_drain_ns = setting("BRASS_EXEC_DRAIN_TIMEOUT_MS", LIMIT_EXEC_DRAIN_MS) * LOOP_MSEC;
	l->unread_ns = setting("BRASS_UNREAD_TIMEOUT_MS", LIMIT_UNREAD_MS) * LOOP_MSEC;
	l->lease_ns = setting("BRASS_LEASE_MS", LIMIT_LEASE_MS) * LOOP_MSEC;
	l->unused_ns = setting("BRASS_UNUSED_MS", LIMIT_UNUSED_MS) * LOOP_MSEC;
	l->runtime_ms = (unsigned)setting("BRASS_RUNTIME_TIMEOUT_MS", LIMIT_RUNTIME_MS);
	l->mount_ms = (unsigned)setting("BRASS_MOUNT_TIMEOUT_MS", LIMIT_MOUNT_MS);
	l->rest_ms = (unsigned)setting("BRASS_REST_MS", LIMIT_REST_MS);
}
