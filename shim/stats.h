/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container uses, as the Stats call tells it: the Metrics message of
 * io.containerd.cgroups.v1 or v2 (contract 3.7, 3.8, 8.1 to 8.3), read from the
 * cgroup's files at each call. Nothing is kept in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/cgroup.h"
#include "shim/err.h"
#include "shim/lines.h"
#include "shim/pack.h"

/* The type_url of what stats_pack() writes. */
const char *stats_type(const struct cgroup *cg);

/*
 * Writes the message to @out, which the caller releases in any case. What a
 * kernel does not have, and a cgroup that is gone, count as 0; a file that says
 * what it should not is an error. @root: "", or what stands for / in a test.
 * Negative: @e says why; TTRPC_NOT_FOUND if the cgroup was never found.
 */
int stats_pack(const struct cgroup *cg, const char *root, struct pack *out,
	       struct err *e);

/* ------------------- the rest is between stats.c, stats-v1.c and stats-v2.c */

/* A reading under way. */
struct scan {
	const struct cgroup *cg;
	const char *root;
	struct pack *out;
	struct err *err;
	enum cgroup_controller controller;
	int dir; /* its directory; negative: it is gone */
};

/*
 * What these functions return beside 0 and, with scan->err set, a negative value:
 * there is no such file. What it means depends on the version.
 */
#define STATS_MISSING 1

int stats_v1(struct scan *s);
int stats_v2(struct scan *s);

/* Opens a file of the controller; to be closed also if it fails. */
int stats_open(struct scan *s, struct lines *l, const char *file);
/* What ended the reading: 0 at the end of the file, else as above. */
int stats_end(struct scan *s, struct lines *l, const char *file);
/* The error of a file that cannot be opened or read; @r is a negative errno. */
int stats_unreadable(struct scan *s, int r, const char *file);
/* The error of a line; @word is what is wrong with it. */
int stats_malformed(struct scan *s, const char *file, const char *word);

/* A file that is one number, or "max", which stands for @max. */
int stats_counter(struct scan *s, const char *file, uint64_t max, uint64_t *value);

/* A file of lines "KEY VALUE": those that are wanted, and the fields they become. */
struct stats_key {
	char name[27];
	uint8_t field;
};
#define STATS_KEYS_MAX 64
/* Of keys that are not there, the value is 0; @found has bit i for key i. */
int stats_keys(struct scan *s, const char *file, const struct stats_key *keys, size_t n,
	       uint64_t *values, uint64_t *found);
/* The same, written to s->out at once. */
int stats_pack_keys(struct scan *s, const char *file, const struct stats_key *keys,
		    size_t n);

/* Entries "DEVICE hca_handle=N hca_object=N", written as @field; @n counts the lines. */
int stats_rdma(struct scan *s, const char *file, unsigned field, size_t *n);

/* Sizes of huge pages as hugetlb's files name them ("2MB"), in order of folders. */
struct stats_page_sizes {
	size_t n;
	char name[16][24];
};
int stats_page_sizes(struct scan *s, struct stats_page_sizes *sizes);
