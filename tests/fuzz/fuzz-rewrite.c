/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_process_set_terminal(): what it writes is JSON with one "terminal" of
 * the right value, and writing it again changes nothing.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/json.h"

struct seen {
	bool value;
	int n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_key(struct json *j, const struct json_event *e)
{
	struct seen *s = json_data(j);

	s->n += e->kind == JSON_KEY && json_name_is(e->text, e->len, "terminal", 8);
	return 0;
}

static int on_terminal(struct json *j, const struct json_event *e)
{
	struct seen *s = json_data(j);

	s->value = e->boolean;
	return 0;
}

static const struct json_rule rules[] = {
	{ "", JSON_OBJECT | JSON_KEY, on_key, 0 },
	{ "terminal", JSON_BOOL, on_terminal, 0 },
};

static void check(const char *json, size_t len, bool terminal)
{
	struct seen seen = { .value = !terminal };
	struct spec_error e;
	struct json_doc doc = {
		.name = "out", .rules = rules, .n_rules = 2, .data = &seen, .error = &e
	};
	char *again;
	size_t again_len;

	assert(json_parse(&doc, json, len) == 0);
	assert(seen.n == 1 && seen.value == terminal);
	assert(spec_process_set_terminal(json, len, terminal, &again, &again_len, &e) ==
	       0);
	assert(again_len == len && !memcmp(again, json, len));
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int terminal = 0; terminal < 2; terminal++) {
		struct spec_error e = { .text = "" };
		char *out;
		size_t len;
		int r = spec_process_set_terminal((const char *)data, size, terminal,
						  &out, &len, &e);

		if (r == 0) {
			check(out, len, terminal);
			free(out);
		} else {
			assert(r == -EINVAL || r == -EFBIG);
			assert(e.text[0] && !strchr(e.text, '\n'));
		}
	}
	return 0;
}
