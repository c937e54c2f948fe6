/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's configuration: which of its runtimes are brass, and whether what
 * they name is there. Its files are read twice: doctor-files.c finds them and
 * their versions, on which depends what of them is read (doctor-version.c);
 * doctor-config.c then collects the runtimes, and doctor-judge.c says what comes
 * of them.
 */
#pragma once

#include "shim/tool/doctor.h"

/* What the CRI plugin is called from version 2 on (containerd 1.x), and from 3 on. */
#define CRI_OF_1 "io.containerd.grpc.v1.cri"
#define CRI_OF_2 "io.containerd.cri.v1.runtime"

#define MAX_RUNTIMES 64
#define MAX_FILES 32

struct runtime_entry {
	char *name, *type, *path, *binary;
	bool systemd;
	bool options; /* others than those that containerd 1.6 passes on */
	size_t file; /* the last one that has it, of struct config */
	char *unread; /* the section that it is in, which containerd does not read */
};

/*
 * What containerd 1.x takes for the section of its CRI plugin: that of the last file
 * that has one, with nothing of those before it.
 */
struct cri_section {
	bool any;
	size_t file;
	bool runtimes, names_default;
	bool has_default; /* in a table of its own, as was done once */
};

struct config_file {
	char *path;
	char *text;
	size_t len;
	int64_t version; /* that it says; 0: none */
};

enum config_list { LIST_OTHER, LIST_IMPORTS, LIST_DISABLED, LIST_REQUIRED };

struct config {
	struct doctor *doctor;
	const char *file; /* the first one */
	struct config_file files[MAX_FILES];
	size_t n_files;
	struct runtime_entry runtimes[MAX_RUNTIMES];
	size_t n_runtimes;
	char *default_runtime;
	bool no_cri;
	bool odd_plugin; /* has been said of one */
	size_t at; /* the file that is being read */
	bool in_table; /* in it */
	enum config_list list; /* the array in it that is being read */
	struct cri_section cri;
	struct once once;
	/* Where we are: names with '/' between them; its length for each depth of a value. */
	char path[1024];
	size_t base[TOML_MAX_DEPTH + 3];
};

/* Which array a pair begins that stands at the top of a file. */
enum config_list config_list_of(const struct toml_key *key, const struct toml_value *v);
/*
 * doctor-files.c: @file and all that it imports, in the order in which containerd
 * takes them. False: it has said why not.
 */
bool config_find_files(struct config *c, const char *file);
void config_release_files(struct config *c);

/*
 * doctor-version.c: the version by which containerd understands what is in the file that
 * is being read; 1 also if it does not say one.
 */
int64_t config_version(const struct config *c);
/* False: containerd takes no notice of what the file says of @plugin. */
bool config_reads(const struct config *c, const char *plugin);
/* What the CRI plugin goes by in a configuration for containerd 1.x. */
const char *config_cri_name(const struct config *c);
/* Says if containerd does not start with the versions of the files. */
void config_judge_versions(const struct config *c);
/*
 * Says if it does not start with this name of a plugin, in a table or (@listed) in the
 * list of those that it is not to start, or must; once.
 */
void config_judge_plugin(struct config *c, const char *plugin, bool listed);
/* Says what to write instead, of a runtime whose section is not read. */
void config_say_unread(struct config *c, const struct runtime_entry *e);

/* doctor-judge.c: says what comes of all that was read. */
void config_judge(struct config *c);
