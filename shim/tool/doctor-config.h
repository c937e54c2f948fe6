/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's configuration: which of its runtimes are brass, and whether what
 * they name is there.
 */
#pragma once

#include "shim/tool/doctor.h"

#define MAX_RUNTIMES 64
#define MAX_IMPORTS 32

struct runtime_entry {
	char *name, *type, *path, *binary;
	bool systemd;
	bool options; /* others than those that containerd 1.6 passes on */
	size_t file; /* the number of the last one that has it */
};

/*
 * What containerd 1.x takes for the section of its CRI plugin: that of the last file
 * that has one, with nothing of those before it.
 */
struct cri_section {
	char *name;
	size_t file;
	bool runtimes, names_default;
	bool has_default; /* in a table of its own, as was done once */
};

struct config {
	struct doctor *doctor;
	const char *file;
	struct runtime_entry runtimes[MAX_RUNTIMES];
	size_t n_runtimes;
	char *default_runtime;
	char *imports[MAX_IMPORTS];
	size_t n_imports;
	bool no_cri;
	int64_t version;
	/* What is being read. */
	const char *shown;
	size_t n_files;
	struct cri_section cri;
	struct once once;
	/* Where we are: names with '/' between them; its length for each depth of a value. */
	char path[1024];
	size_t base[TOML_MAX_DEPTH + 3];
};

/* What the CRI plugin goes by in a configuration for containerd 1.x. */
const char *config_cri_name(const struct config *c);
/* doctor-judge.c: says what comes of all that was read. */
void config_judge(const struct config *c);
