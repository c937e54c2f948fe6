/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map: each field of the OCI documents, and how it reaches the runtime. Every
 * one is carried by config.json at "create"; some can be told again to "exec" or
 * "update" by a flag. The shim passes documents (--bundle, --process, --resources),
 * since no list of flags carries everything; the flags are for explaining, and for
 * doing by hand what the shim does.
 */
#pragma once

#include "spec/json.h"

/* The runtimes that were looked at, a bit each; one between two has what the older has. */
enum {
	MAP_RUNC_1_1 = 1 << 0,
	MAP_RUNC_1_3 = 1 << 1,
	MAP_CRUN_1_8 = 1 << 2,
	MAP_CRUN_1_28 = 1 << 3,
	MAP_RUNC = MAP_RUNC_1_1 | MAP_RUNC_1_3,
	MAP_CRUN = MAP_CRUN_1_8 | MAP_CRUN_1_28,
	MAP_NEW = MAP_RUNC_1_3 | MAP_CRUN_1_28,
	MAP_ALL = MAP_RUNC | MAP_CRUN,
};
#define MAP_N_RUNTIMES 4
/* "runc-1.1" ..., in the order of the bits. */
extern const char *const map_runtimes[MAP_N_RUNTIMES];
/*
 * The bit of a runtime by its name and version, "runc-1.1.5", or by its name only
 * ("crun", "/usr/bin/crun": the newest). What is not crun is taken for runc.
 */
unsigned map_runtime(const char *name);

/* How a value becomes words of the command line. */
enum map_form {
	MAP_NONE, /* by no flag */
	MAP_VALUE, /* --flag VALUE */
	MAP_EACH, /* --flag VALUE, for each element */
	MAP_TRUE, /* --flag, if it is true */
	MAP_USER, /* --user UID:GID, of two fields */
	MAP_WORDS, /* the words behind the container's id */
};

struct map_field {
	const char *path; /* in config.json, as in struct json_rule */
	unsigned kinds; /* of JSON */
	unsigned readers; /* runtimes that heed it in config.json */
	enum map_form form;
	const char *flag; /* without the dashes; NULL: none */
	const char *
		note; /* why there is no flag, or what is particular about it; may be NULL */
};

/* In an order that json.h accepts for rules. */
extern const struct map_field map_fields[];
extern const size_t map_n_fields;

/* The command whose flags can tell a field again: "exec", "update", or NULL. */
const char *map_command(const struct map_field *f);

struct map_flag {
	const char *command; /* "" for what stands before the command */
	const char *name; /* without the dashes */
	unsigned runtimes; /* that have it */
	const char *note; /* what it is for, where it stands for no field; else NULL */
};

extern const struct map_flag map_flags[];
extern const size_t map_n_flags;

/* NULL: no runtime has it. */
const struct map_flag *map_flag_find(const char *command, const char *name);

/* ------------------------------------------------------------- reading */

enum map_document {
	MAP_CONFIG,
	MAP_PROCESS, /* what is at "process" */
	MAP_RESOURCES, /* what is at "linux.resources" */
};

/* What a document says about a field. */
struct map_value {
	const struct map_field *field;
	unsigned item; /* of mounts[], linux.namespaces[]: which one, from 0 */
	unsigned kind; /* of JSON; an object or array only says that it is there */
	char *text; /* a scalar: a string decoded, a number as written; owned */
	size_t line;
};

struct map_values {
	struct map_value *v;
	size_t n, size;
	unsigned item;
};

/* Looks which document it is; MAP_CONFIG unless it can only be @other. */
enum map_document map_guess(const char *json, size_t len, enum map_document other);
/*
 * Reads the fields that are there, in the order of the document, the last one of
 * duplicates. 0 or a negative errno, as in spec.h. @out is to be released in any case.
 */
int map_read(const char *name, enum map_document kind, const char *json, size_t len,
	     struct map_values *out, struct spec_error *e);
void map_release(struct map_values *v);
/* The value at @path of item @item (0 outside of arrays of objects); NULL: none. */
const struct map_value *map_find(const struct map_values *v, const char *path,
				 unsigned item);
/* The same, its text; NULL: none, or "". */
const char *map_text(const struct map_values *v, const char *path, unsigned item);
