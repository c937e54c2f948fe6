/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel has run out of a container's memory: TaskOOM (contract 8.4). Armed
 * at Create, disarmed at the init's exit, with one last look before: containerd
 * takes an exit for one of want of memory only if the TaskOOM came before it.
 *
 * v2: one event each time that oom_kill in memory.events, which counts the whole
 * subtree, is seen to have grown. v1: one per notification, whether or not a
 * process was killed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ttrpc/loop.h"

struct container;
struct event;

struct oom {
	struct watch watch; /* v1: an eventfd, v2: memory.events; ours */
	struct timer quiet; /* v2: not looking, for a moment */
	uint64_t quiet_ns; /* how long the next time */
	uint64_t kills; /* v2: oom_kill, as last seen */
	uint64_t kills_above; /* and that of the cgroup above; UINT64_MAX: unknown */
	uint64_t notified; /* v1: times that may be one too many */
	struct event *event; /* memory for the next one, from the first day */
};

void oom_init(struct container *c);
/* What the first event will need, once c->id is there: -ENOMEM. */
int oom_reserve(struct container *c);
void oom_fini(struct container *c);

/*
 * Watches c->cgroup, until oom_disarm(). Negative errno; -ENOENT: no memory
 * controller, -EXDEV: it is ours as well.
 */
int oom_arm(struct container *c);
/* Tells what the loop has not seen yet, at once. Nothing if not armed. */
void oom_last_look(struct container *c);
/* Closes the descriptor. May be called again. */
void oom_disarm(struct container *c);
