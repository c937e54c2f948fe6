/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass doctor": what of this host is right for brass, and what is not. Each
 * doctor_NAME() looks at one thing and says what it has found; none of them
 * changes anything, and what may hang has a deadline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "spec/toml.h"

enum finding_level {
	FINDING_OK,
	FINDING_NOTE, /* nothing is wrong, but it may matter to somebody */
	FINDING_WARNING, /* works, but not as well or not for everything */
	FINDING_ERROR, /* brass will not work */
};

struct finding {
	enum finding_level level;
	const char *check; /* what was looked at: one word */
	char *text;
	const char *advice; /* what to do; NULL: nothing */
};

struct doctor {
	const char *root; /* the host's files are below this; "": it is this one */
	const char *config, *address; /* of containerd, NULL: where it usually is */
	struct finding *findings;
	size_t n_findings;
	/* Found on the way, for those that come later. */
	bool unified; /* cgroup v2 */
	bool systemd; /* it runs this host */
	pid_t containerd; /* that is running; 0: none */
	char *path; /* its PATH, or else ours */
	int major, minor, patch; /* its version; 0: not known */
	bool shim_in_path;
	bool drop_in; /* the first shim by the stock one's name is brass */
	bool ignores_path; /* containerd does not heed runtime_path */
};

/* @advice is kept; "" is none. */
void doctor_say(struct doctor *d, enum finding_level level, const char *check,
		const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* A path on the host that is looked at; malloc()ed, NULL: no memory. */
char *doctor_at(const struct doctor *d, const char *path);
/* A whole small file of the host, or NULL with errno. */
char *doctor_read(const struct doctor *d, const char *path);
/* A program as containerd would find it; malloc()ed, NULL: there is none. */
char *doctor_find(const struct doctor *d, const char *name);
/*
 * What a program prints to stdout (and stderr, @both), NUL-terminated, malloc()ed; *status as
 * of reap_wait(). NULL: it could not be run.
 */
char *doctor_run(const char *const argv[], bool both, int *status);

/* doctor-host.c */
void doctor_kernel(struct doctor *d);
void doctor_cgroup(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_folders(struct doctor *d);
/* doctor-programs.c */
void doctor_containerd(struct doctor *d);
void doctor_runtimes(struct doctor *d);
void doctor_shim(struct doctor *d);
/* doctor-config.c */
void doctor_config(struct doctor *d);

/* doctor-once.c: for the two functions of a struct toml_doc; what comes after so many passes. */
struct once {
	char *names[4096];
	size_t n;
	char *table; /* where we are; NULL: at the top */
};

int once_table(struct once *o, struct toml *t, const struct toml_key *key, bool list);
/* A pair that is in no array and in no inline table. */
int once_pair(struct once *o, struct toml *t, const struct toml_key *key);
/* For another document, or for good. */
void once_release(struct once *o);
