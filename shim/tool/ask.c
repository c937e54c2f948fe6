/* SPDX-License-Identifier: Apache-2.0 */
/* Calls side by side; see ask.h. */
#include "shim/tool/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/err.h"
#include "shim/util.h"

/* What libttrpc says when it has given up, in the words of Go. */
#define OUR_TIMEOUT "context deadline exceeded"

struct asking {
	struct loop loop;
	size_t pending;
};

static void on_done(struct ttrpc_request *r, int code, const char *message,
		    const uint8_t *reply, size_t len)
{
	struct question *q = container_of(r, struct question, request);

	q->code = code;
	if (code != TTRPC_OK) {
		q->text = strdup(message);
	} else {
		q->reply = malloc(len + 1);
		if (q->reply) {
			memcpy(q->reply, reply, len);
			q->reply_len = len;
		} else {
			q->code = -ENOMEM;
		}
	}
	if (--q->asking->pending == 0)
		loop_stop(&q->asking->loop, 0);
}

static void begin(struct question *q, struct asking *a)
{
	int r;

	q->asking = a;
	ttrpc_client_init(&q->client, &a->loop, q->path);
	ttrpc_request_init(&q->request, on_done);
	r = ttrpc_request_send(&q->client, &q->request, q->service, q->method, NULL, 0,
			       q->message, q->len, q->timeout_ms * LOOP_MSEC);
	if (r < 0)
		q->code = r;
	else
		a->pending++;
}

int ask_all(struct question *questions, size_t n)
{
	struct asking a = { .pending = 0 };
	int r = loop_init(&a.loop);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		begin(&questions[i], &a);
	if (a.pending > 0)
		r = loop_run(&a.loop);
	for (size_t i = 0; i < n; i++)
		ttrpc_client_close(&questions[i].client);
	loop_fini(&a.loop);
	return r;
}

void question_release(struct question *q)
{
	free(q->text);
	free(q->reply);
	q->text = NULL;
	q->reply = NULL;
}

const char *question_describe(const struct question *q, char *buf, size_t size)
{
	if (q->code < 0)
		snprintf(buf, size, "%s: %s", q->path, err_strerror(-q->code));
	else if (q->code == TTRPC_DEADLINE_EXCEEDED && q->text &&
		 strcmp(q->text, OUR_TIMEOUT) == 0)
		snprintf(buf, size, "%s: no answer within %" PRIu64 " ms",
			 ttrpc_code_name(q->code), q->timeout_ms);
	else
		snprintf(buf, size, "%s: %s", ttrpc_code_name(q->code),
			 q->text ? q->text : "");
	return buf;
}
