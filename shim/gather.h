/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output that comes in small pieces, one close behind the other: a program that
 * writes line by line as fast as it can. Each piece would cost a wake-up, of which
 * the next one is only a few microseconds away; so they are left to themselves for a
 * moment, and moved together. What comes now and then, and a conversation, in which
 * somebody waits for an answer, goes on at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ttrpc/loop.h"

struct gather {
	uint64_t since;  /* when the pieces began to be counted, on the loop's clock */
	unsigned pieces; /* that have come since then */
	bool away;       /* the owner does not look, until the timer fires */
	struct timer timer;
};

/* @again, given gather->timer: the owner looks again. */
void gather_init(struct gather *g, void (*again)(struct timer *));
/*
 * @n bytes have been moved, and there are no more just now. True: the owner should
 * not look until again(), which the timer that was armed here will call.
 */
bool gather_begins(struct gather *g, struct loop *l, size_t n);
