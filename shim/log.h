/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's log: one line per fact, as containerd's own text format has it
 * (contract 1.10), to the bundle's "log" FIFO, which containerd copies to its
 * stderr. Writing never blocks: a line that does not fit is dropped, and the
 * next one that does says how many were.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/*
 * Lines go to @fd from now on (borrowed; it should not block) and carry these
 * two fields (borrowed). @debug: LOG_DEBUG lines too.
 */
void log_open(int fd, const char *runtime, const char *ns, bool debug);

/* Where lines go, or -1; and in a child, where that descriptor has another number. */
int log_fd(void);
void log_move(int fd);

/*
 * Writes a line. @id names the container concerned, or is NULL. "%m" is errno,
 * as in printf(3); errno is kept.
 */
void log_write(enum log_level level, const char *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
