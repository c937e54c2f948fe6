/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker, with each kind of document that the text could be: it ends, each
 * finding is one line of UTF-8 about a place in the text, in the order of the
 * text; and what the parser of config.json does not take is an error.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "spec/check.h"
#include "spec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t len, line, n;
	bool error;
};

static bool is_line(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(s + i, len - i);
		if (!n || (unsigned char)s[i] < ' ')
			return false;
	}
	return true;
}

static void on_found(void *data, const struct check_finding *f)
{
	struct seen *s = data;

	assert(is_line(f->path) && is_line(f->text) && *f->text);
	assert(f->line >= s->line || !f->line);
	assert(f->column <= s->len + 1);
	assert(!f->undecodable || f->severity == CHECK_ERROR);
	assert(++s->n <= CHECK_MAX_FINDINGS + 1);
	s->line = f->line;
	s->error |= f->severity == CHECK_ERROR;
}

static struct seen check(const char *json, size_t len, enum check_document document)
{
	struct seen seen = { .len = len };
	struct spec_error e = { .text = "" };
	const struct check c = {
		.document = document,
		.name = "doc",
		.cap = &check_cap,
		.seccomp = &check_seccomp,
		.found = on_found,
		.data = &seen,
	};

	assert(check_parse(&c, json, len, &e) == 0);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *json = (const char *)data;
	enum check_document guess = check_guess(json, size);
	struct spec spec = SPEC_INIT;
	struct spec_error e = { .text = "" };
	struct seen seen;

	assert(guess < CHECK_DOCUMENTS);
	if (guess != CHECK_CONFIG)
		check(json, size, guess);
	seen = check(json, size, CHECK_CONFIG);
	/* A NUL in an annotation is nothing to the runtime. */
	if (spec_parse("doc", json, size, &spec, &e) < 0)
		assert(seen.error || strstr(e.text, "NUL"));
	spec_release(&spec);
	return 0;
}
