/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON document as a tree, for a program that reads one, answers and ends; the
 * shim has spec/json.h, which keeps nothing.
 */
#pragma once

#include <stdio.h>

#include "shim/err.h"
#include "spec/json.h"

struct node {
	unsigned kind; /* JSON_NULL ... JSON_ARRAY */
	bool boolean;
	char *key; /* in an object, else NULL */
	char *text; /* a string, decoded; a number, as written; NUL-terminated */
	size_t len;
	size_t offset, end; /* its text in the document */
	size_t line, column;
	struct node *parent, *first, *last, *next; /* a member's or element's */
	size_t n; /* members or elements */
};

struct tree {
	const char *name; /* of the document, for errors; borrowed */
	struct node *root;
	struct node *open; /* while it is being read */
	char *key;
};

/* @tree is to be released, also after a failure (TTRPC_INVALID_ARGUMENT, with line and column). */
int tree_parse(struct tree *tree, const char *name, const char *json, size_t len,
	       struct err *e);
void tree_release(struct tree *tree);

/* NULL: there is none, or @node is NULL or no object. */
const struct node *tree_member(const struct node *node, const char *key);
/* The string there, or @otherwise. */
const char *tree_text(const struct node *node, const char *key, const char *otherwise);
/* The number there, 0 if there is none. */
int64_t tree_int(const struct node *node, const char *key);
bool tree_bool(const struct node *node, const char *key);

/* "NAME:LINE:COL: PATH: reason"; returns -TTRPC_INVALID_ARGUMENT. */
int tree_fail(const struct tree *tree, const struct node *node, struct err *e,
	      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Prints a document for people: two columns deeper for each level. */
void tree_print(FILE *out, const char *json, size_t len);
