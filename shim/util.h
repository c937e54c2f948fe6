/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that every file of shim/ may use: ownership, strings, whole files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* For locals that own something: released at the end of the scope unless taken. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

/* Hands a pointer over: yields it and leaves NULL behind; TAKE_FD leaves -1. */
#define TAKE(ptr)                                                           \
	({                                                                  \
		__typeof__(ptr) taken_ = (ptr);                             \
		(ptr) = NULL;                                               \
		taken_;                                                     \
	})
#define TAKE_FD(fd)                                                         \
	({                                                                  \
		int taken_ = (fd);                                          \
		(fd) = -1;                                                  \
		taken_;                                                     \
	})

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes *@fd unless it is -1, and leaves -1 behind. errno is kept. */
void closep(int *fd);

/* An identifier of containerd: [A-Za-z0-9]+([._-][A-Za-z0-9]+)*, at most 76 bytes (contract 1.1). */
bool is_identifier(const char *s);

/* malloc()ed text, or NULL: out of memory. */
char *str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A copy; NULL stays NULL and is no failure. Returns false if out of memory. */
bool str_copy(char **out, const char *s);
static inline bool str_is_set(const char *s)
{
	return s && *s;
}

/*
 * Reads a regular file of at most @max bytes whole; *out is malloc()ed and
 * NUL-terminated. Does not follow a symbolic link at the end of @path and does
 * not block on what is no file. Returns a negative errno; EFBIG: larger, EINVAL:
 * no regular file.
 */
int file_read(const char *path, size_t max, char **out, size_t *len);
/* The same, but follows a link. */
int file_read_followed(const char *path, size_t max, char **out, size_t *len);

/*
 * open(2) of a path that a client names, for a file of its own: a descriptor with
 * CLOEXEC, or a negative errno. The last component may be a symbolic link only if
 * nobody but our user can have put it there; else -ELOOP.
 */
int open_trusted(const char *path, int flags, mode_t mode);

/*
 * unlink(2), best effort. A file that is not there is looked for first: a disk that
 * stands still lets nobody begin to remove something.
 */
void file_remove(const char *path);

/* Writes a file so that a reader sees the old or the new one, whole. Negative errno. */
int file_write(const char *path, const void *data, size_t len, mode_t mode);

/* Writes all, also to a pipe; negative errno. */
int write_all(int fd, const void *data, size_t len);

/* A decimal number of at most @max that is all of @s: 0, or -EINVAL. */
int parse_uint(const char *s, uint64_t max, uint64_t *out);

/* An anonymous file in memory (memfd_create(2)), or a negative errno. */
int memfd_open(const char *name);
/* Reads up to @size - 1 bytes from its start into @buf and ends them with NUL; returns how many. */
size_t memfd_read(int fd, char *buf, size_t size);
