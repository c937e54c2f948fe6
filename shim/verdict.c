/* SPDX-License-Identifier: Apache-2.0 */
/* The checker's findings, as they concern a call; see verdict.h. */
#include "shim/verdict.h"

#include <stdio.h>
#include <string.h>

#include "shim/args.h"
#include "shim/log.h"
#include "shim/util.h"
#include "spec/check.h"

#define CONFIG "config.json"
#define PROCESS "process"

struct refusal {
	const char *name,
		*id; /* of the document; of the container, NULL: nothing is logged */
	bool only_undecodable, nothing; /* what is refused */
	char text[700]; /* of the first error; empty: none */
	unsigned more;
};

static void on_finding(void *data, const struct check_finding *f)
{
	struct refusal *r = data;
	char text[sizeof(r->text)];

	if (f->severity == CHECK_ERROR && !r->nothing && (f->undecodable || !r->only_undecodable)) {
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

/* Or one that has been built, or is called, otherwise: /opt/runc-1.3/my-runc. */
static bool is_runc(const char *runtime)
{
	size_t len = runtime ? strlen(runtime) : 0, end = strlen(RUNTIME_DEFAULT);

	return len == 0 || (len >= end && strcmp(runtime + len - end, RUNTIME_DEFAULT) == 0);
}

int verdict_config(const char *bundle, const char *runtime, const char *id, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/" CONFIG, bundle);
	struct refusal r = { .name = CONFIG, .id = id, .nothing = !is_runc(runtime) };
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
