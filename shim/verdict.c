/* SPDX-License-Identifier: Apache-2.0 */
/* The checker's findings, as they concern a call; see verdict.h. */
#include "shim/verdict.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "shim/log.h"
#include "shim/util.h"
#include "spec/check.h"

#define CONFIG "config.json"
#define PROCESS "process"

/* ---------------------------------------------------------------- refuse */

struct refusal {
	const char *name,
		*id; /* of the document; of the container, NULL: nothing is logged */
	bool only_undecodable;
	char text[700]; /* of the first error; empty: none */
	unsigned more;
};

static void on_finding(void *data, const struct check_finding *f)
{
	struct refusal *r = data;
	char text[sizeof(r->text)];

	if (f->severity == CHECK_ERROR && (f->undecodable || !r->only_undecodable)) {
		if (*r->text)
			r->more++;
		else
			check_format(r->name, f, r->text, sizeof(r->text));
	} else if (r->id && f->severity != CHECK_NOTE) {
		check_format(r->name, f, text, sizeof(text));
		log_write(LOG_DEBUG, r->id, "%s", text);
	}
}

static int refuse(const struct refusal *r, struct err *e)
{
	if (!*r->text)
		return 0;
	if (r->more)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "%s (and %u more)", r->text,
			       r->more);
	return err_set(e, TTRPC_INVALID_ARGUMENT, "%s", r->text);
}

int verdict_config(const char *bundle, const char *id, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/" CONFIG, bundle);
	struct refusal r = { .name = CONFIG, .id = id };
	const struct check c = {
		.document = CHECK_CONFIG, .name = CONFIG, .found = on_finding, .data = &r
	};
	struct spec_error se;

	if (!path)
		return err_nomem(e);
	if (check_file(&c, path, &se) < 0)
		log_write(LOG_DEBUG, id, "not checked: %s", se.text);
	return refuse(&r, e);
}

int verdict_process(const char *json, size_t len, struct err *e)
{
	struct refusal r = { .name = PROCESS, .only_undecodable = true };
	const struct check c = { .document = CHECK_PROCESS,
				 .name = PROCESS,
				 .found = on_finding,
				 .data = &r };
	struct spec_error se;

	check_parse(&c, json, len, &se);
	return refuse(&r, e);
}

/* --------------------------------------------------------------- explain */

/* What runtimes write when something fails, and the paths that it is about. */
static const struct {
	char word[24]; /* of the message, in small letters */
	char path[16]; /* is found in the finding's path */
} topics[] = {
	{ "capabilit", "capabilities" },
	{ "apply caps", "capabilities" },
	{ "capset", "capabilities" },
	{ "seccomp", "seccomp" },
	{ "syscall", "seccomp" },
	{ "rlimit", "rlimits" },
	{ "mount", "mounts" },
	{ "hook", "hooks" },
	{ "sysctl", "sysctl" },
	{ "apparmor", "apparmor" },
	{ "selinux", "selinux" },
	{ "intelrdt", "intelRdt" },
	{ "hugetlb", "hugepage" },
	{ "swappiness", "swappiness" },
	{ "memory", "memory" },
	{ "cpuset", "cpu.cpus" },
	{ "cpu", "cpu" },
	{ "blkio", "blockIO" },
	{ "io.weight", "blockIO" },
	{ "device", "devices" },
	{ "cgroup", "resources" },
	{ "cgroup", "cgroupsPath" },
	{ "environment", "env" },
	{ "executable file", "args" },
	{ "exec", "args" },
	{ "chdir", "cwd" },
	{ "cwd", "cwd" },
	{ "uids and gids", "user" },
	{ "setup user", "user" },
	{ "mapping", "Mappings" },
	{ "user namespace", "Mappings" },
	{ "namespace", "namespaces" },
	{ "hostname", "hostname" },
	{ "oom", "oomScoreAdj" },
	{ "personality", "personality" },
	{ "scheduler", "scheduler" },
	{ "no such file", "path" },
	{ "no such file", "mounts" },
	{ "args", "args" },
	{ "process", "process" },
};

struct explanation {
	const char *name;
	char message[sizeof(((struct err *)0)->text)]; /* in small letters */
	size_t best; /* the row of the finding so far; ARRAY_SIZE: none */
	char text[700];
};

/* The first topic of the message that the finding is about. */
static size_t topic_of(const struct explanation *x, const struct check_finding *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(topics); i++)
		if (strstr(f->path, topics[i].path) && strstr(x->message, topics[i].word))
			break;
	return i;
}

static void on_candidate(void *data, const struct check_finding *f)
{
	struct explanation *x = data;
	size_t topic = f->severity == CHECK_NOTE ? ARRAY_SIZE(topics) : topic_of(x, f);

	if (topic >= x->best)
		return;
	x->best = topic;
	check_format(x->name, f, x->text, sizeof(x->text));
}

static void explain_begin(struct explanation *x, const char *name, const struct err *e)
{
	x->name = name;
	x->best = ARRAY_SIZE(topics);
	*x->text = '\0';
	snprintf(x->message, sizeof(x->message), "%s", e->text);
	for (char *s = x->message; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void explain_end(const struct explanation *x, struct err *e)
{
	size_t len = strlen(e->text);

	if (*x->text)
		snprintf(e->text + len, sizeof(e->text) - len, " (%s)", x->text);
}

void verdict_explain_config(const char *bundle, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/" CONFIG, bundle);
	struct explanation x;
	const struct check c = { .document = CHECK_CONFIG,
				 .name = CONFIG,
				 .found = on_candidate,
				 .data = &x };
	struct spec_error se;

	explain_begin(&x, CONFIG, e);
	if (path && check_file(&c, path, &se) == 0)
		explain_end(&x, e);
}

void verdict_explain_process(const char *json, size_t len, struct err *e)
{
	struct explanation x;
	const struct check c = { .document = CHECK_PROCESS,
				 .name = PROCESS,
				 .found = on_candidate,
				 .data = &x };
	struct spec_error se;

	explain_begin(&x, PROCESS, e);
	if (json && check_parse(&c, json, len, &se) == 0)
		explain_end(&x, e);
}
