/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the documents around a container against the OCI runtime specification,
 * 1.0 to 1.3, for Linux, in one pass and without a tree. What is wrong is told
 * finding by finding, in the order of the text.
 *
 * It is meant for a shim that must not refuse what runc would have run: an error
 * is only what every runc since 1.0 refuses, whatever the host is like. Nothing
 * here looks at the host but the functions of struct check_names.
 */
#pragma once

#include "spec/spec.h"

/* Findings of one document; what comes behind the last is only counted. */
#define CHECK_MAX_FINDINGS 400

enum check_document {
	CHECK_CONFIG, /* config.json */
	CHECK_PROCESS, /* of an exec */
	CHECK_RESOURCES, /* of an update */
	CHECK_FEATURES, /* what "runc features" prints */
	CHECK_STATE, /* what "runc state" prints, and hooks read */
};
#define CHECK_DOCUMENTS 5

enum check_severity {
	CHECK_NOTE,
	CHECK_WARNING, /* it will run, but not as meant, or not everywhere */
	CHECK_ERROR, /* the runtime refuses it */
};

struct check_finding {
	enum check_severity severity;
	/* Refused when the text is read, and not when it is acted upon. */
	bool undecodable;
	size_t line, column; /* from 1, in bytes; 0: it is about no place */
	const char *path; /* "linux.namespaces[2].type"; "" is the document */
	const char *text;
};

/* Kinds of names that only a library knows. */
enum check_name {
	CHECK_CAPABILITY,
	CHECK_SYSCALL,
	CHECK_ARCHITECTURE,
	CHECK_ACTION,
	CHECK_FLAG,
};

/* A library that knows names; it may ask the kernel. */
struct check_names {
	/* What is wrong with @name here, as static text; NULL: nothing. */
	const char *(*wrong)(enum check_name kind, const char *name);
	/* Where this build has no such function: what it does not check, and why. */
	const char *missing;
};

/* check-cap.c and check-seccomp.c, or check-cap-none.c and check-seccomp-none.c. */
extern const struct check_names check_cap, check_seccomp;

struct check {
	enum check_document document;
	const char *name; /* for the error of what cannot be read */
	/* NULL: such names are not looked at. */
	const struct check_names *cap, *seccomp;
	/* Strings live as long as the call. */
	void (*found)(void *data, const struct check_finding *f);
	void *data;
};

/*
 * 0: the document has been looked at; what is no JSON at all is a finding too.
 * Negative: it could not be (not readable, over SPEC_MAX_SIZE, out of memory).
 */
int check_parse(const struct check *c, const char *json, size_t len,
		struct spec_error *e);
/* The same with a regular file that is not a symbolic link. */
int check_file(const struct check *c, const char *path, struct spec_error *e);

/* What a document seems to be, by its keys. */
enum check_document check_guess(const char *json, size_t len);

/* "NAME:LINE:COL: PATH: TEXT", without what is not there; cut to @size. */
void check_format(const char *name, const struct check_finding *f, char *buf,
		  size_t size);
