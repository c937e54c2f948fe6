/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checker calls an error, runc refuses: real config.json files are changed
 * at random, and those that have an error are given to "runc create". The others
 * need no runtime: it may refuse what it likes.
 *
 * MUTATE_DOCUMENTS, MUTATE_RUNS: how many; MUTATE_SEED: which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/check.h"
#include "tests/mutate/mutate.h"

#define MAX_KINDS 2000
/* Runs for one kind of finding, so that the rare ones have theirs. */
#define RUNS_OF_KIND 4

struct seed {
	const char *name;
	char *json;
	size_t len;
};

static struct seed seeds[] = {
	{ "runc", NULL, 0 },   { "containerd", NULL, 0 }, { "cri", NULL, 0 },
	{ "docker", NULL, 0 }, { "podman", NULL, 0 },
};

#define N_SEEDS (sizeof(seeds) / sizeof(seeds[0]))

struct verdict {
	unsigned errors, findings;
	char first[600];
	char kind[400]; /* of the first error: without what is particular to it */
};

static struct {
	char kind[400];
	unsigned runs;
} kinds[MAX_KINDS];
static unsigned n_kinds, test_number, failures;

/* -------------------------------------------------------------- verdicts */

static void set_kind(struct verdict *v, const struct check_finding *f)
{
	size_t n = 0;
	bool quoted = false;

	snprintf(v->kind, sizeof(v->kind), "%s|%s", f->path, f->text);
	for (const char *s = v->kind; *s; s++) {
		quoted ^= *s == '"';
		if (!quoted && (*s < '0' || *s > '9') && *s != '-')
			v->kind[n++] = *s;
	}
	v->kind[n] = '\0';
}

static void on_found(void *data, const struct check_finding *f)
{
	struct verdict *v = data;

	v->findings++;
	if (f->severity != CHECK_ERROR || v->errors++)
		return;
	check_format("config.json", f, v->first, sizeof(v->first));
	set_kind(v, f);
}

static struct verdict judge(const char *json, size_t len)
{
	struct verdict v = { 0 };
	struct spec_error e;
	const struct check c = { .name = "config.json", .found = on_found, .data = &v };

	if (check_parse(&c, json, len, &e) < 0)
		abort();
	return v;
}

/* Whether this kind of error has not been tried often enough. */
static bool is_wanted(const char *kind)
{
	unsigned i = 0;

	while (i < n_kinds && strcmp(kinds[i].kind, kind) != 0)
		i++;
	if (i == MAX_KINDS)
		return false;
	if (i == n_kinds)
		snprintf(kinds[n_kinds++].kind, sizeof(kinds[0].kind), "%s", kind);
	return kinds[i].runs++ < RUNS_OF_KIND;
}

/* ------------------------------------------------------------------ test */

static void result(bool ok, const char *what)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++test_number, what);
	failures += !ok;
}

static unsigned number(const char *variable, unsigned otherwise)
{
	const char *s = getenv(variable);

	return s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

static void read_seed(struct seed *s)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "tests/mutate/seeds/%s.json", s->name);
	f = fopen(path, "re");
	s->json = malloc(1 << 20);
	if (!f || !s->json)
		abort();
	s->len = fread(s->json, 1, 1 << 20, f);
	fclose(f);
}

/* As they are, they run: else the test would say nothing. */
static void try_seeds(void)
{
	char text[800];

	for (size_t i = 0; i < N_SEEDS; i++) {
		struct verdict v = judge(seeds[i].json, seeds[i].len);
		bool created = box_creates(seeds[i].json, seeds[i].len);

		snprintf(text, sizeof(text), "as %s writes it: %s%s", seeds[i].name,
			 v.errors ? v.first : "no error",
			 created ? "" : ", but runc does not take it");
		result(created && !v.errors, text);
		if (!created)
			printf("# %s\n", box_said());
	}
}

static unsigned runs, refused, with_error;

static void try_one(const char *json, size_t len, bool may_run, unsigned most)
{
	struct verdict v = judge(json, len);

	with_error += v.errors > 0;
	if (!v.errors || !may_run || runs >= most || !is_wanted(v.kind))
		return;
	runs++;
	if (!box_creates(json, len)) {
		refused++;
		return;
	}
	result(false, v.first);
	printf("# runc takes it: %.*s\n", (int)len, json);
}

int main(void)
{
	unsigned documents = number("MUTATE_DOCUMENTS", 1000),
		 most = number("MUTATE_RUNS", 25);
	uint64_t seed = number("MUTATE_SEED", 1),
		 state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	const char *why, *left;
	char text[300];

	for (size_t i = 0; i < N_SEEDS; i++)
		read_seed(&seeds[i]);
	why = box_open();
	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	try_seeds();
	for (unsigned i = 0; i < documents; i++) {
		const struct seed *s = &seeds[pick(&state, N_SEEDS)];
		bool may_run;
		size_t len;
		char *json = mutate(s->json, s->len, &state, &len, &may_run);

		try_one(json, len, may_run, most);
		free(json);
	}
	snprintf(text, sizeof(text),
		 "seed %lu: %u documents, %u with an error of %u kinds, %u "
		 "given to runc, %u refused",
		 (unsigned long)seed, documents, with_error, n_kinds, runs, refused);
	result(runs == refused && runs > 0, text);
	left = box_close();
	snprintf(text, sizeof(text), "nothing is left%s%s", left ? ", but " : "",
		 left ? left : "");
	result(!left, text);
	printf("1..%u\n", test_number);
	return failures > 0;
}
