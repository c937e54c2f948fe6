/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two transcripts, side by side: what differs, and whether that is meant. Runs
 * nothing.
 */
#include "tests/diff/diff.h"

#include <fnmatch.h>
#include <stdlib.h>

struct line {
	char *label, *value;
};

/* One scenario of one side. */
struct script {
	struct line *lines;
	size_t n;
};

static struct line *add_line(struct script *s)
{
	if (s->n % 64 == 0)
		s->lines = realloc(s->lines, (s->n + 64) * sizeof(*s->lines));
	if (!s->lines)
		abort();
	return &s->lines[s->n++];
}

static struct script script_of(const char *transcript, const char *name)
{
	char *at = transcript ? strstr(transcript, text("== %s\n", name)) : NULL, *next;
	struct script s = { 0 };

	if (!at)
		return s;
	at = text("%s", strchr(at, '\n') + 1);
	for (; *at && strncmp(at, "== ", 3); at = next) {
		struct line *l = add_line(&s);

		next = at + strcspn(at, "\n");
		if (*next)
			*next++ = 0;
		l->label = at;
		l->value = strstr(at, ": ");
		if (l->value) {
			*l->value = 0;
			l->value += 2;
		} else {
			l->value = text("?");
		}
	}
	if (s.lines)
		forget_later(s.lines);
	return s;
}

/* What stands behind the last label, if it is this one. */
static const char *last(const struct script *s, const char *label)
{
	const struct line *l = s->n ? &s->lines[s->n - 1] : NULL;

	return l && !strcmp(l->label, label) ? l->value : NULL;
}

static bool occurs(const char *label, const struct script *s, size_t from)
{
	for (size_t i = from; i < s->n; i++)
		if (!strcmp(s->lines[i].label, label))
			return true;
	return false;
}

/* ------------------------------------------------------- known differences */

static bool known_used[1024];

static bool is_known(const char *scenario, const char *label, const char *stock,
		     const char *ours)
{
	bool found = false;

	for (size_t i = 0; i < n_known; i++) {
		const struct known *k = &known[i];

		if (fnmatch(k->scenario, scenario, 0) || fnmatch(k->label, label, 0) ||
		    fnmatch(k->stock, stock, 0) || fnmatch(k->ours, ours, 0))
			continue;
		known_used[i] = found = true;
	}
	return found;
}

/* What might have occurred in a scenario that stock did not end. */
static void excuse_known(const char *scenario)
{
	for (size_t i = 0; i < n_known; i++)
		if (fnmatch(known[i].scenario, scenario, 0) == 0)
			known_used[i] = true;
}

bool all_known_occurred(void)
{
	bool good = true;

	for (size_t i = 0; i < n_known; i++) {
		if (known_used[i] || known[i].races)
			continue;
		printf("# no such difference any more: %s: %s\n#   stock: %s\n"
		       "#   ours:  %s\n",
		       known[i].scenario, known[i].label, known[i].stock, known[i].ours);
		good = false;
	}
	return good;
}

/* -------------------------------------------------------------- comparison */

static size_t differs(const char *scenario, const char *label, const char *stock,
		      const char *ours)
{
	if (!strcmp(stock, ours) || is_known(scenario, label, stock, ours))
		return 0;
	printf("# %s: %s\n#   stock: %s\n#   ours:  %s\n", scenario, label, stock, ours);
	return 1;
}

static size_t differences(const char *name, const struct script *a,
			  const struct script *b)
{
	size_t i = 0, j = 0, bad = 0;

	while (i < a->n || j < b->n) {
		const struct line *x = &a->lines[i], *y = &b->lines[j];

		if (i < a->n && j < b->n && !strcmp(x->label, y->label)) {
			bad += differs(name, x->label, x->value, y->value);
			i++, j++;
		} else if (j < b->n && (i == a->n || !occurs(y->label, a, i))) {
			bad += differs(name, y->label, "(none)", y->value);
			j++;
		} else {
			bad += differs(name, x->label, x->value, "(none)");
			i++;
		}
	}
	return bad;
}

static bool ended(const char *name, const struct script *s, const char *side)
{
	if (last(s, THE_END))
		return true;
	printf("# %s: the script of the %s side did not end", name, side);
	if (s->n)
		printf(": %s: %s", s->lines[s->n - 1].label, s->lines[s->n - 1].value);
	printf("\n");
	return false;
}

enum verdict compare(const char *name, const char *const transcripts[SIDES],
		     const char **why)
{
	struct script stock = script_of(transcripts[0], name);
	struct script ours = script_of(transcripts[1], name);

	if (!ended(name, &ours, sides[1]))
		return DIFFERENT;
	*why = last(&stock, HUNG);
	if (*why) {
		excuse_known(name);
		return STOCK_HUNG;
	}
	if (!ended(name, &stock, sides[0]))
		return DIFFERENT;
	return differences(name, &stock, &ours) ? DIFFERENT : SAME;
}
