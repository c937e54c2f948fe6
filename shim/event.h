/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a container, told to containerd (contract 3.3, 3.4, 10): one
 * event at a time, in order, each kept until it has been acknowledged. A
 * containerd that is stopped is waited for, unless it has a successor; one that is
 * gone is looked for when something happens to its socket, when somebody connects to
 * us, and once a minute.
 *
 * Memory is bounded: what is given up first (LIMIT_EVENT_BYTES) is never an exit, then
 * (LIMIT_EVENT_EXIT_BYTES) those of execs, and those of containers last. An event's memory is made before the thing happens, an exit's with its
 * process, any other's with the op (an oom's with its container), so that telling it cannot fail.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "ttrpc/ttrpc.h"

struct container;
struct process;
struct mount;

/* What is given up first comes first. */
enum event_rank { EVENT_OTHER, EVENT_EXEC_EXIT, EVENT_INIT_EXIT, N_EVENT_RANKS };

/* One event: a ForwardRequest, packed. */
struct event {
	struct list link;
	enum event_rank rank;
	size_t len, size; /* used of data; all of it */
	uint8_t data[];
};

struct event_queue {
	struct loop *loop;
	const char *ns;
	struct list events; /* oldest first; the first one may be under way */
	size_t bytes;
	unsigned n[N_EVENT_RANKS]; /* how many of each are in it */
	unsigned long dropped;
	unsigned given_up; /* bits of ranks: which have been dropped */
	struct ttrpc_client client;
	struct ttrpc_request request;
	char *path; /* of containerd's ttrpc socket; NULL: nobody to tell */
	dev_t dev; /* of the socket that it is connected to, as ino */
	ino_t ino;
	struct watch folder; /* inotify(7) on the socket's folder, while it is away */
	struct timer retry;
	unsigned attempts; /* in a row that failed */
	uint64_t refused_since; /* the first event, on the loop's clock; 0: it is not */
	/* The queue has become empty; may be NULL. */
	void (*emptied)(struct event_queue *q);
};

/* @address: containerd's ttrpc socket (TTRPC_ADDRESS), may be NULL. */
int event_queue_init(struct event_queue *q, struct loop *l, const char *ns,
		     const char *address);
/* Drops what is left. */
void event_queue_fini(struct event_queue *q);
bool event_queue_is_empty(const struct event_queue *q);
/* Containerd may be back: looks for it now, if it is away or has not answered. */
void event_queue_hurry(struct event_queue *q);

/*
 * Memory for one event about a process of these ids; NULL: out of memory. It is
 * handed to one of the functions below, or freed with free().
 */
struct event *event_reserve(const struct event_queue *q, const char *container_id,
			    const char *process_id);
/* The same for the creation of @c, which has all in it but the pid. */
struct event *event_reserve_create(const struct event_queue *q, const struct container *c,
				   const struct mount *rootfs, size_t n_rootfs,
				   const char *checkpoint);

/* These queue an event, which takes @memory and cannot fail. */
void event_create(struct event_queue *q, const struct container *c, struct event *memory);
void event_start(struct event_queue *q, const struct process *init, struct event *memory);
void event_exec_added(struct event_queue *q, const struct process *exec,
		      struct event *memory);
void event_exec_started(struct event_queue *q, const struct process *exec,
			struct event *memory);
void event_paused(struct event_queue *q, const struct container *c, struct event *memory);
void event_resumed(struct event_queue *q, const struct container *c,
		   struct event *memory);
void event_delete(struct event_queue *q, const struct process *init,
		  struct event *memory);
void event_exit(struct event_queue *q, const struct process *p, struct event *memory);
void event_oom(struct event_queue *q, const struct container *c, struct event *memory);
