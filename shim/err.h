/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A failure, as a peer will read it: a ttrpc status code and a text. It has a
 * fixed size, so that even "out of memory" can be reported, and its makers
 * return a negative value, so that failing is one statement:
 *
 *	return err_sys(e, errno, "open %s", path);
 */
#pragma once

#include "ttrpc/ttrpc.h"

struct err {
	int code; /* enum ttrpc_code */
	char text[2048];
};

#define ERR_INIT { .code = TTRPC_OK }

/* Sets code and text; returns -code. */
int err_set(struct err *e, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* TTRPC_UNKNOWN with the text of @errnum (positive) behind; returns -TTRPC_UNKNOWN. */
int err_sys(struct err *e, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * strerror(3) as containerd's clients know it, "no such file or directory": Go
 * writes it small, and they look for it. Valid until the next call.
 */
const char *err_strerror(int errnum);

/* Puts "format: " before the text that is there; returns -code. */
int err_prefix(struct err *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int err_nomem(struct err *e);

/*
 * What containerd's clients find at the end of a text for this code, ": not
 * found" for example, or "" (contract 2.3).
 */
const char *err_class(int code);

/* Answers a call with the error. The only place where one becomes the other. */
void err_reply(struct ttrpc_call *call, const struct err *e);
