/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to shims, side by side, each with its answer or with what came instead. */
#pragma once

#include "ttrpc/ttrpc.h"

struct question {
	const char *path; /* of the socket */
	const char *service, *method;
	const uint8_t *message; /* packed */
	size_t len;
	uint64_t timeout_ms; /* 0: none */

	/*
	 * The end: a code of ttrpc and, unless that is TTRPC_OK, its text; or a
	 * negative errno: it could not be asked.
	 */
	int code;
	char *text;
	uint8_t *reply;
	size_t reply_len;

	/* Private. */
	struct asking *asking;
	struct ttrpc_client client;
	struct ttrpc_request request;
};

/* Asks all at once, and returns when each has ended. Negative errno: nothing was asked. */
int ask_all(struct question *questions, size_t n);
/* Frees what the answer is made of. */
void question_release(struct question *q);

/* How long a shim may take for what it answers from memory. */
#define ASK_MS 2000

/* "/path: no such file or directory", "NotFound: …" into @buf, for any code but TTRPC_OK. */
const char *question_describe(const struct question *q, char *buf, size_t size);
