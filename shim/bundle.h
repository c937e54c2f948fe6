/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a bundle that the shim writes and reads (contract 1.12), other
 * than config.json. Other shims must be able to go on from them, and ours from
 * theirs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "shim/err.h"
#include "spec/spec.h"

/*
 * Whether the bundle is in memory (tmpfs), as it is on most hosts. If not, what is
 * changed in it may wait for a disk, for ever if that stands still.
 */
bool bundle_is_in_memory(const char *bundle);

/* The status of what is gone when nobody can know how it ended. */
#define EXIT_KILLED 137

/* How a container's init ended; kept for a "delete" after the shim has died. */
struct exit_record {
	pid_t pid;
	int status;
	struct timespec at;
};

/* Writes "address": where containerd finds the server again. */
int bundle_write_address(const char *bundle, const char *address, struct err *e);
/*
 * The same for the server at the path @socket, if there is no such file yet: for a container
 * that has joined a pod without "start". A containerd of before 2.0 looks nowhere else.
 */
int bundle_complete_address(const char *bundle, const char *socket, struct err *e);
/* *address is malloc()ed. */
int bundle_read_address(const char *bundle, char **address);

/* Writes "options.json" and "runtime" for a later "delete". */
int bundle_write_options(const char *bundle, const struct spec_options *o, struct err *e);

/* Which server a container belongs to: for a "delete" after that has died. */
struct shim_record {
	pid_t pid;
	uint64_t started; /* reap_start_time() */
	char socket[128];
};

/* "shim". Negative errno: there is no (valid) record. */
int bundle_write_shim(const char *bundle, const struct shim_record *r, struct err *e);
int bundle_read_shim(const char *bundle, struct shim_record *r);

/*
 * Of a pod: "others/ID" in the bundle of the container that its shim was started for is the
 * options.json of another container of that shim, which outlives its own bundle: containerd
 * 2.3 removes that within milliseconds when the shim has died, and asks for the first one alone.
 * Best effort, at once. @first and @id: of containers, @bundle is that of @id.
 * bundle_note() is true if there is such a note now.
 */
#define BUNDLE_OTHERS "others"
bool bundle_note(const char *bundle, const char *id, const char *first);
void bundle_unnote(const char *bundle, const char *id, const char *first);

/* The content of "runtime", malloc()ed; "" if there is none. NULL: it cannot be read now. */
char *bundle_read_runtime(const char *bundle);

/*
 * A pid file as runtimes write it: decimal digits, perhaps a newline, nothing
 * else, and not 0 or 1.
 */
int bundle_read_pid(const char *path, pid_t *pid, struct err *e);

/* Best effort: a failure is only logged. Negative errno: there is no (valid) record. */
void bundle_write_exit(const char *bundle, const struct exit_record *r);
int bundle_read_exit(const char *bundle, struct exit_record *r);
