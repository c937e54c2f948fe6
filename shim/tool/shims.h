/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shims of this node, ours and others of containerd's runtime v2, as /proc
 * and the files in their bundles tell: also those that do not answer. What
 * needs root (the socket, the bundles) is left out for others.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shim/err.h"

/* One running server of a shim. */
struct shim_seen {
	pid_t pid;
	char *program; /* "containerd-shim-brass-v2" */
	char *ns, *id; /* as it was started: the id of its first container */
	char *socket; /* where it listens, as we can reach it; NULL: not known */
	int why; /* errno: why it is not; 0: it listens on nothing */
	char **containers; /* those whose bundle names its socket */
	size_t n_containers;
};

struct shims {
	struct shim_seen *list;
	size_t n;
};

#define SHIMS_INIT \
	{          \
		0  \
	}

/* By pid. -ENOMEM, or what reading /proc said. */
int shims_find(struct shims *s);
void shims_release(struct shims *s);

/* Room for a path to connect to. */
#define SHIM_PATH_MAX 108

/*
 * Where to connect to for what a user has said: a path (or unix://PATH) of a
 * socket, the id of a container (in namespace @ns, if not NULL), or the pid of a
 * shim. @seen, which may be NULL, is set to its entry in @s, or to NULL for a
 * path of which no entry is known.
 */
int shims_resolve(const struct shims *s, const char *target, const char *ns,
		  char path[static SHIM_PATH_MAX], const struct shim_seen **seen,
		  struct err *e);
