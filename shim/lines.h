/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's text files (/proc, cgroups, /sys), line by line, through a buffer
 * in the caller's frame: nothing is allocated, however long the file is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/limits.h"

struct lines {
	int fd;
	bool skip_long; /* set by the caller: lines that are too long are passed over */
	bool eof;
	int error; /* why the reading ended before the end: negative errno */
	size_t start, end;
	char buf[LIMIT_LINE];
};

/*
 * Opens @name below the directory @dir (AT_FDCWD too; any other negative @dir
 * stands for a directory that is gone: -ENOENT; a NULL @name for one that could
 * not be made: -ENOMEM). Negative errno; @l can be closed also then.
 */
int lines_open(struct lines *l, int dir, const char *name);
/* Takes @fd, read from where it is. */
void lines_adopt(struct lines *l, int fd);
/* Closes the file; may be called again. */
void lines_close(struct lines *l);

/*
 * The next line, without its end; NULL: there is none, or l->error says what is
 * wrong (-EMSGSIZE: the line is too long). Valid, and the caller's to change,
 * until the next call.
 */
char *lines_next(struct lines *l);
/* The same for the next word of the file, on whatever line. */
char *lines_word(struct lines *l);

/*
 * Splits @line in place at any of @separators, several in a row being one;
 * returns how many fields there are, of which the first @max are in @fields.
 */
size_t split(char *line, const char *separators, char **fields, size_t max);

/*
 * A counter as the kernel writes it: a decimal number; a negative one is 0, as
 * every reader of cgroups takes it (contract 8.2). 0, or -EINVAL.
 */
int parse_counter(const char *s, uint64_t *out);
