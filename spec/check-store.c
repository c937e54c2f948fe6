/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The findings of one document, until its end is known: only then is it known
 * which of them count, and what stands where. Out of memory loses findings, which
 * are then counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/check-internal.h"
#include "spec/utf8.h"

/*
 * Errors may still be told when warnings have used up what there is, and what
 * cannot be decoded when errors have that may turn out to be none (check_tell()).
 */
#define MAX_WARNINGS (CHECK_MAX_FINDINGS - 100)
#define MAX_ERRORS (CHECK_MAX_FINDINGS - 10)

struct check_stored {
	struct check_finding finding;
	enum check_basis basis;
	size_t order; /* in which it was found */
	size_t rule;
	char *strings; /* the path, and behind its NUL the text */
};

static bool grow(struct checker *c)
{
	size_t size = c->size_stored ? 2 * c->size_stored : 16;
	void *p;

	if (c->n_stored < c->size_stored)
		return true;
	p = json_realloc(c->stored, size * sizeof(*c->stored));
	if (!p)
		return false;
	c->stored = p;
	c->size_stored = size;
	return true;
}

static size_t most(const struct check_finding *f)
{
	if (f->undecodable)
		return CHECK_MAX_FINDINGS;
	return f->severity == CHECK_ERROR ? MAX_ERRORS : MAX_WARNINGS;
}

static void store(struct checker *c, const struct check_finding *f,
		  enum check_basis basis)
{
	size_t path = strlen(f->path) + 1, text = strlen(f->text) + 1;
	struct check_stored *s;
	char *strings;

	if (c->n_stored >= most(f) || !grow(c)) {
		c->left_out++;
		return;
	}
	strings = json_realloc(NULL, path + text);
	if (!strings) {
		c->left_out++;
		return;
	}
	memcpy(strings, f->path, path);
	memcpy(strings + path, f->text, text);
	s = &c->stored[c->n_stored];
	*s = (struct check_stored){
		.finding = *f,
		.basis = basis,
		.order = c->n_stored++,
		.rule = c->node ? (size_t)(c->node - c->nodes) : 0,
		.strings = strings,
	};
	s->finding.path = strings;
	s->finding.text = strings + path;
}

void check_add(struct checker *c, enum check_severity severity, enum check_basis basis,
	       const struct place *at, const char *path, const char *format, va_list ap)
{
	char text[400], name[256];

	vsnprintf(text, sizeof(text), format, ap);
	utf8_clean(text, strlen(text), true);
	snprintf(name, sizeof(name), "%s", path);
	utf8_clean(name, strlen(name), true);
	store(c,
	      &(struct check_finding){
		      .severity = severity,
		      .undecodable = basis == OF_DECODER,
		      .line = at->line,
		      .column = at->column,
		      .path = name,
		      .text = text,
	      },
	      basis);
}

static bool is_before(const struct check_finding *f, const struct place *p)
{
	return f->line < p->line || (f->line == p->line && f->column < p->column);
}

void check_supersede(struct checker *c, size_t first_rule, size_t last_rule,
		     const struct place *since)
{
	for (size_t i = c->n_stored; i-- > 0;) {
		struct check_stored *s = &c->stored[i];

		if (s->basis == OF_VALUE && s->finding.severity == CHECK_ERROR &&
		    s->rule >= first_rule && s->rule <= last_rule &&
		    !is_before(&s->finding, since))
			s->finding.severity = CHECK_WARNING;
	}
}

/* Whether it is one although keys are there twice. */
static bool is_error_still(const struct checker *c, const struct check_stored *s)
{
	return s->basis == OF_DECODER || !c->twice ||
	       (s->basis == OF_VALUE && c->twice <= CHECK_MAX_TWICE);
}

static int compare(const void *a, const void *b)
{
	const struct check_stored *x = a, *y = b;

	if (x->finding.line != y->finding.line)
		return x->finding.line < y->finding.line ? -1 : 1;
	if (x->finding.column != y->finding.column)
		return x->finding.column < y->finding.column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void tell_left_out(const struct checker *c)
{
	char text[64];

	snprintf(text, sizeof(text), "and %zu more like these", c->left_out);
	c->request->found(c->request->data,
			  &(struct check_finding){
				  .severity = CHECK_NOTE, .path = "", .text = text });
}

void check_tell(struct checker *c)
{
	if (c->n_stored)
		qsort(c->stored, c->n_stored, sizeof(*c->stored), compare);
	for (size_t i = 0; i < c->n_stored; i++) {
		struct check_finding *f = &c->stored[i].finding;

		if (f->severity == CHECK_ERROR && !is_error_still(c, &c->stored[i]))
			f->severity = CHECK_WARNING;
		c->request->found(c->request->data, f);
		free(c->stored[i].strings);
	}
	free(c->stored);
	if (c->left_out)
		tell_left_out(c);
}

void check_format(const char *name, const struct check_finding *f, char *buf, size_t size)
{
	char place[48] = "";

	if (f->line)
		snprintf(place, sizeof(place), ":%zu:%zu", f->line, f->column);
	snprintf(buf, size, "%s%s: %s%s%s", name, place, f->path, *f->path ? ": " : "",
		 f->text);
	utf8_clean(buf, strlen(buf), true);
}
