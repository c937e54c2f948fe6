/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of config.json, of a state and of a list of pids; and the parser
 * under them: the pieces that a document comes in change neither its events nor
 * the text of its error.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint64_t hash;
	size_t end; /* of the event before */
};

static void mix(struct sum *s, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static int on_event(struct json *j, const struct json_event *e)
{
	struct sum *s = json_data(j);

	assert(e->offset >= s->end && e->end > e->offset);
	assert(e->line >= 1 && e->column >= 1 && e->column <= e->offset + 1);
	s->end = e->end;
	mix(s, &e->kind, sizeof(e->kind));
	mix(s, &e->boolean, sizeof(e->boolean));
	mix(s, &e->offset, sizeof(e->offset));
	mix(s, &e->end, sizeof(e->end));
	mix(s, &e->line, sizeof(e->line));
	mix(s, &e->column, sizeof(e->column));
	if (e->text)
		mix(s, e->text, e->len);
	return 0;
}

#define ALL (JSON_ANY | JSON_KEY | JSON_END)

static const struct json_rule rules[] = {
	{ "", ALL, on_event, 0 },	 { "*", ALL, on_event, 0 },
	{ "*.*", ALL, on_event, 0 },	 { "*.*[]", ALL, on_event, 0 },
	{ "*.*[].*", ALL, on_event, 0 },
};

static int run(const char *json, size_t len, size_t step, struct sum *sum,
	       struct spec_error *e)
{
	struct json_doc doc = { .name = "doc",
				.rules = rules,
				.n_rules = sizeof(rules) / sizeof(rules[0]),
				.data = sum,
				.error = e };
	struct json *j = json_new(&doc);
	int r;

	assert(j);
	for (size_t at = 0; at < len; at += step)
		json_feed(j, json + at, len - at < step ? len - at : step);
	r = json_finish(j);
	json_free(j);
	return r;
}

static void check_pieces(const char *json, size_t len)
{
	static const size_t steps[] = { 1, 7, 64 };
	struct sum whole = { 0 };
	struct spec_error error = { .text = "" };
	int result = run(json, len, len + 1, &whole, &error);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct sum sum = { 0 };
		struct spec_error e = { .text = "" };

		assert(run(json, len, steps[i], &sum, &e) == result);
		assert(sum.hash == whole.hash);
		assert(!strcmp(e.text, error.text));
	}
}

static void check_readers(const char *json, size_t len)
{
	struct spec spec = SPEC_INIT;
	struct spec_state state = { 0 };
	struct spec_error e = { .text = "" };
	int *pids = NULL, r;
	size_t n = 0;

	r = spec_parse("config.json", json, len, &spec, &e);
	assert(r == 0 ? !e.text[0] : e.text[0] && (r == -EINVAL || r == -EFBIG));
	assert(!strchr(e.text, '\n'));
	spec_release(&spec);
	r = spec_state_parse(json, len, &state, &e);
	assert(r != 0 || (state.status && state.pid >= 0));
	spec_state_release(&state);
	if (spec_ps_parse(json, len, &pids, &n, &e) == 0)
		for (size_t i = 0; i < n; i++)
			assert(pids[i] >= 0);
	free(pids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_pieces((const char *)data, size);
	check_readers((const char *)data, size);
	return 0;
}
