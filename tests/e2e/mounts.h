/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of mounts share: Create with mounts, and what mountinfo says of them. */
#pragma once

#include "tests/e2e/harness.h"

/* clang-format off */
#define TMPFS_ON(target) { "tmpfs", "t", target, { NULL } }
/* clang-format on */
#define TMPFS TMPFS_ON(NULL)

struct entry {
	const char *type, *source, *target; /* target NULL: "" */
	const char *options[10];
};

/* Create with these mounts. */
struct answer *ask_mounts(const struct bundle *b, const struct entry *v, size_t n);
#define ASK(b, ...)                                          \
	ask_mounts(b, (const struct entry[]){ __VA_ARGS__ }, \
		   sizeof((const struct entry[]){ __VA_ARGS__ }) / sizeof(struct entry))
#define CREATE(b, ...) ok(ASK(b, __VA_ARGS__))
/* Delete, after which nothing may be mounted, and Shutdown. */
void end(const struct bundle *b);

char *rootfs_of(const struct bundle *b);
/* Number of mounts on a path as mountinfo writes it, or with "/" at its end: below it. */
int mounts_at(const char *path);
bool any_mounts(const struct bundle *b);
/* The last line of mountinfo for a mount point. */
const char *line_of(const char *path);
/* Its options are these: some of its mount's and its file system's, comma-separated. */
#define mounted_with(path, ...) \
	mounted_with_at(HERE, path, (const char *[]){ __VA_ARGS__, NULL })
void mounted_with_at(struct where w, const char *path, const char *const *words);

/* A directory in the test's directory. */
char *make_dir(const char *name);
void put(const char *path, const char *content);
/* Layers NUMBER/fs in @dir, "DIR/1/fs:DIR/2/fs…"; each has a file of its own. */
char *make_layers(const char *dir, const char *escaped, int n);
/* An ext4 image, or NULL if this machine cannot do that (says what is missing). */
char *make_image(void);
