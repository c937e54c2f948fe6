/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what the binary prints, and when it fails. */
#include "tests/diff/diff.h"

#include <unistd.h>

/* The first line, and the words before the colons of the others. */
static void say_shape(const char *label, const struct run *r)
{
	char *shape = text("%s", ""), *copy = text("%s", r->out), *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		shape = text("%s%.*s;", shape, (int)strcspn(l, ":"), l);
	say(label, "status 0x%x, %s", r->status, shape);
	say(text("stderr of %s", label), "%s", r->err_len ? "some" : "none");
}

static const char *here(const char *const argv[], const char *cwd)
{
	struct run *r = run_shim(cwd, NULL, 0, false, argv);

	return text("status 0x%x, stdout %s, stderr %s", r->status,
		    r->out_len ? "some" : "none", r->err_len ? r->err : "none");
}

static void version(void)
{
	const char *const argv[] = { "-v", NULL };

	say_shape("-v", run_shim(DIR_OF_TEST, NULL, 0, false, argv));
}

static void bad_flags(void)
{
	const char *const unknown[] = { "-nosuchflag", NULL };
	const char *const no_value[] = { "-id", NULL };
	const char *const no_namespace[] = { "-id", "c1", "start", NULL };
	struct run *r = run_shim(DIR_OF_TEST, NULL, 0, false, unknown);

	say("unknown flag", "status 0x%x, %.*s", r->status, (int)strcspn(r->err, "\n"),
	    r->err);
	r = run_shim(DIR_OF_TEST, NULL, 0, false, no_value);
	say("flag without a value", "status 0x%x, %.*s", r->status,
	    (int)strcspn(r->err, "\n"), r->err);
	say("no namespace", "%s", here(no_namespace, DIR_OF_TEST));
}

static void flag_spellings(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	const char *const argv[] = { "--namespace=" NS,
				     text("-address=%s", e2e.address),
				     "--publish-binary",
				     "x",
				     "-id=c1",
				     "-debug=false",
				     "start",
				     NULL };
	struct run *r;

	box_make(&b);
	r = run_shim(in_bundle("c1", ""), NULL, 0, true, argv);
	say("start", "status 0x%x %s", r->status, r->out);
	if (!strncmp(r->out, "unix://", 7)) {
		connect_shim(r->out + 7);
		do_shutdown();
	}
}

static void start_without_config(void)
{
	struct run *r = run_start(DIR_OF_TEST, "c1");

	say("start", "status 0x%x %s", r->status, r->out);
}

static void start_with_bad_config(void)
{
	struct run *r;

	write_file(in_dir("config.json"), "{\"annotations\":", 15);
	r = run_start(DIR_OF_TEST, "c1");
	say("start", "status 0x%x %s", r->status, r->status ? "text" : r->out);
}

static void delete_of_nothing(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	struct run *r;

	box_make(&b);
	write_file(in_bundle("c1", "runtime"), "runc", 4);
	r = run_delete(in_bundle("c1", ""), "c1");
	say("delete", "status 0x%x, %s", r->status, r->out_len ? "reply" : "none");
	r = run_delete(in_bundle("c1", ""), "c1");
	say("delete again", "status 0x%x, %s", r->status, r->out_len ? "reply" : "none");
	write_file(in_bundle("c1", "options.json"), "{\"root\":", 8);
	r = run_delete(in_bundle("c1", ""), "c1");
	say("delete with bad options", "status 0x%x, %s", r->status,
	    r->out_len ? "reply" : "none");
}

static void info(void)
{
	say("info", "%s", here((const char *const[]){ "-info", NULL }, DIR_OF_TEST));
}

static void unknown_methods(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	Task__StateRequest q = TASK__STATE_REQUEST__INIT;

	boot(&b);
	q.id = text("c1");
	told(ask_on(&e2e.client, "no.such.Service", "State", &q), "unknown service");
	told(ask_on(&e2e.client, V3, "State", &q), "Task v3");
	finish();
}

const struct scenario flags_scenarios[] = {
	{ "flags-version", version },
	{ "flags-bad", bad_flags },
	{ "flags-spellings", flag_spellings },
	{ "flags-no-config", start_without_config },
	{ "flags-bad-config", start_with_bad_config },
	{ "flags-delete", delete_of_nothing },
	{ "flags-info", info },
	{ "flags-unknown-methods", unknown_methods },
	{ NULL, NULL },
};
