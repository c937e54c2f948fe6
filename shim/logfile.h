/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log files: outputs that go to a regular file (contract 5.4). A disk may stand
 * still for ever (fsfreeze(8), a dead NFS), and then whoever opens, writes or
 * closes a file on it does too; so it is not the loop that does, but a process of
 * our own, one for each process of a container whose output goes to files. The
 * container writes to a pipe that ends there. It is run like a logger, by logger.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/err.h"
#include "shim/relay.h"

#define LOGFILE_MAX 2 /* stdout and stderr */

/* The writer's descriptors. */
enum {
	LOGFILE_FD_IN, /* and the next: the pipes' read ends, /dev/null for those that are not there */
	LOGFILE_FD_LOG = LOGFILE_FD_IN + LOGFILE_MAX,
	LOGFILE_FD_READY, /* told one byte, or a struct err; closed then */
	LOGFILE_FDS
};

struct logfile {
	const char *path; /* borrowed; NULL: there is none */
	bool make; /* so are the file and its folder, if they are not there */
	/*
	 * The pipe's read end. We keep it, and read nothing: should the writer be
	 * killed, the container does not write to nobody, and another one goes on.
	 */
	int in;
	struct relay relay; /* the writer's; its counters are everybody's */
	uint64_t lost; /* by writers before this one; bytes */
};

/* In memory that we share with the writer. */
struct logfiles {
	const char *id; /* for the log; borrowed */
	bool again; /* another writer had them open before */
	unsigned open; /* the writer's: how many have not ended */
	struct logfile of[LOGFILE_MAX];
};

/* NULL: no memory. Nothing is open. @id is borrowed. */
struct logfiles *logfiles_new(const char *id);
/* Closes our ends. @f may be NULL. */
void logfiles_free(struct logfiles *f);

/* Whether all that could still be written is in the pipes: no process holds them open. */
bool logfiles_ended(const struct logfiles *f);

/*
 * The writer, in a child of ours (spawn_fork()): opens the files, says that it is
 * ready, and writes until the pipes end. Returns its exit status. What it cannot
 * write is lost, counted and logged, and the container goes on; the disk's next
 * room is used again.
 */
int logfiles_write(void *files);
