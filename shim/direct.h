/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output that its process has itself: the client's FIFO, and no byte passes
 * through the shim. We hold a read end and never read it, so that the process
 * gets no EPIPE while its client is away, and EPOLLHUP says that the last writer is
 * gone. It gives the container a file of the host's, whose path it can see, and
 * so is only for containers that ask for it (README, "Direct output").
 */
#pragma once

#include "shim/err.h"
#include "ttrpc/loop.h"

#define DIRECT_ANNOTATION "io.brass.stdio"
/* The same for all containers that do not say otherwise. */
#define DIRECT_VARIABLE "BRASS_STDIO"

struct direct {
	struct watch held; /* its descriptor belongs to the sink (sink->hold) */
	void (*ended)(struct direct *d);
};

#define DIRECT_INIT { .held = WATCH_INIT }

/* What @annotation (NULL: absent, then the environment) asks for; InvalidArgument. */
int direct_wanted(const char *annotation, bool *wanted, struct err *e);

/*
 * Opens both ends of the FIFO @path: 0, 1 if it is none, or a failure. The one of
 * the process is a blocking one.
 */
int direct_open(const char *path, int *held, int *child, struct err *e);
/* Calls @ended once when nobody has @held's FIFO open for writing any more. */
int direct_watch(struct direct *d, struct loop *l, int held, void (*ended)(struct direct *));
void direct_stop(struct direct *d);
/* A write end for sink_finish(); -1: there is none to be had. */
int direct_write_end(int held);
