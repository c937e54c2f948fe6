/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of all options that have been decoded, from wherever they came. */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/err.h"
#include "spec/options.h"
#include "spec/spec.h"

/* Nobody would read a failure without a text; and what succeeded may have set none. */
static inline void options_check_result(int r, const struct err *e)
{
	assert(r == -e->code);
	assert(r == 0 || e->text[0]);
	assert(memchr(e->text, 0, sizeof(e->text)));
}

/* What the bundle keeps of them is what "delete" reads from there. */
static inline void options_check_kept(const struct spec_options *o)
{
	struct spec_options again = SPEC_OPTIONS_INIT;
	struct spec_error se = { .text = "" };
	struct json_doc doc = {
		.name = "options.json",
		.rules = spec_option_rules,
		.n_rules = SPEC_N_OPTIONS,
		.data = &again,
		.error = &se,
	};
	char *json, *same;
	size_t len, n;

	json = spec_options_write(o, &len);
	assert(json && strlen(json) == len);
	if (json_parse(&doc, json, len) < 0) {
		fprintf(stderr, "%s: %s\n", json, se.text);
		abort();
	}
	same = spec_options_write(&again, &n);
	assert(same && n == len && memcmp(json, same, len) == 0);
	spec_options_release(&again);
	free(json);
	free(same);
}
