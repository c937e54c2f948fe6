/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass explain": what its files share. All that it prints is a shell script:
 * commands as they are run, and comments that say where each part comes from.
 * Text of the document is never printed but quoted.
 */
#pragma once

#include <stdio.h>

#include "shim/args.h"
#include "spec/map.h"

struct explain {
	char *id, *ns, *bundle;
	const char *address; /* of containerd */
	struct spec spec;
	struct spec_options options;
	/* As args_choose() says. */
	char *program, *root;
	bool systemd_cgroup;
	char *rootfs; /* the path that root.path says */
	const char *name; /* of the document, for comments */
	enum map_document kind;
	char *text;
	size_t len;
	struct map_values values; /* of the document */
	unsigned runtime; /* a bit of the map */
};

/* explain-create.c, explain-document.c, explain-mounts.c, explain-cgroup.c */
void explain_create(const struct explain *x);
/* Negative errno. */
int explain_exec(const struct explain *x, struct spec_error *e);
int explain_update(const struct explain *x, struct spec_error *e);
int explain_mounts(const struct explain *x, struct spec_error *e);
void explain_cgroup(const struct explain *x);

/* explain-map.c */
void explain_map(void);

/* explain-document.c */
bool explain_is_terminal(const struct explain *x);
/* Sets the variable LOG. */
void explain_say_log(void);
/* Sets CONSOLE and returns the word for it, or NULL: no terminal. */
const char *explain_console_socket(const struct explain *x);

/* explain-print.c */

/* Words that are printed as they are: variables of the script. */
extern const char explain_log[], explain_console[], explain_process[];

/* "# ---- TITLE" and lines of comment, which may hold no text of a document. */
void say_title(const char *title);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One word for a shell, quoted if need be; control characters never come out as such. */
void put_word(const char *word);
/*
 * A JSON document as the stdin of the command before it. What a terminal should not
 * get is escaped, which leaves its meaning; no line of JSON can end it.
 */
void put_document(const char *json, size_t len);
/* A command, and @end behind it; the words end with NULL. */
void put_command(const char *const *words, const char *end);
/* The same of the runtime: its global flags and @args. */
void put_runtime(const struct explain *x, const char *const *args, const char *end);
/*
 * Ends a command with the comment where it comes from: the path, with its index
 * for an array's item, and the line. @v NULL: @otherwise.
 */
void put_origin(const struct explain *x, const struct map_value *v,
		const char *otherwise);
/* A line of comment: "#   WHAT  PATH (NAME:LINE) NOTE", @what and @note may be NULL. */
void say_origin(const struct explain *x, const char *what, const struct map_value *v,
		const char *note);
