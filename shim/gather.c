/* SPDX-License-Identifier: Apache-2.0 */
/* When small pieces of output are left to gather; see gather.h. */
#include "shim/gather.h"

#include "shim/limits.h"

void gather_init(struct gather *g, void (*again)(struct timer *))
{
	*g = (struct gather){ 0 };
	timer_init(&g->timer, again);
}

static bool is_stream(struct gather *g, uint64_t now)
{
	if (now - g->since >= LIMIT_GATHER_WINDOW_MS * LOOP_MSEC) {
		g->since = now;
		g->pieces = 0;
	}
	return ++g->pieces >= LIMIT_GATHER_PIECES;
}

bool gather_begins(struct gather *g, struct loop *l, size_t n)
{
	bool was_worth_it = g->away && n >= LIMIT_GATHER_LEAST;
	uint64_t now;

	g->away = false;
	if (n == 0 || n >= LIMIT_GATHER_MOST)
		return false;
	now = loop_now();
	if (!was_worth_it && !is_stream(g, now))
		return false;
	g->away = true;
	timer_arm(l, &g->timer, now + LIMIT_GATHER_MS * LOOP_MSEC);
	return true;
}
