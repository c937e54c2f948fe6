/* SPDX-License-Identifier: Apache-2.0 */
/* Running the tool; see tool.h. */
#include "tests/e2e/tool.h"

struct run *tool_at(struct where w, const char *const argv[])
{
	return tool_with_at(w, NULL, 0, argv);
}

struct run *tool_with_at(struct where w, const void *input, size_t len,
			 const char *const argv[])
{
	char shim[sizeof(e2e.shim)];
	struct run *r;

	memcpy(shim, e2e.shim, sizeof(shim));
	snprintf(strrchr(e2e.shim, '/') + 1, sizeof("brass"), "brass");
	r = run_shim("/", input, len, false, argv);
	memcpy(e2e.shim, shim, sizeof(shim));
	if (r->ns > 10000 * LOOP_MSEC * (uint64_t)e2e.slow)
		fail_at(w, "took %d ms", (int)(r->ns / LOOP_MSEC));
	return r;
}

void has_at(struct where w, const struct run *r, int code, const char *const parts[])
{
	if (r->status != code << 8)
		fail_at(w, "status %#x: %s%s", r->status, r->out, r->err);
	for (; *parts; parts++)
		if (!strstr(r->out, *parts) && !strstr(r->err, *parts))
			fail_at(w, "no \"%s\" in: %s%s", *parts, r->out, r->err);
}
