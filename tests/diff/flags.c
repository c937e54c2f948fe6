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

static const char *link_of(const char *path)
{
	char target[256] = { 0 };

	return readlink(path, target, sizeof(target) - 1) < 0 ? "none"
							      : text("%s", target);
}

/* What a process has from its parents. */
static void server(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	char *score;

	boot(&b);
	score = read_file(text("/proc/%d/oom_score_adj", e2e.server), NULL);
	say("oom_score_adj", "%s", score ? score : "none");
	say("cwd", "%s", link_of(text("/proc/%d/cwd", e2e.server)));
	say("group", "%s", getpgid(e2e.server) == e2e.server ? "its own" : "another's");
	for (int i = 0; i < 2; i++)
		say(text("descriptor %d", i), "%s",
		    link_of(text("/proc/%d/fd/%d", e2e.server, i)));
	say("umask", "%s", proc_status(e2e.server, "Umask"));
	say("name", "%s", proc_status(e2e.server, "Name"));
	finish();
}

static void shim_cgroup(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	Runc__Options o = RUNC__OPTIONS__INIT;
	Google__Protobuf__Any *any = runc_options();
	uint8_t *in;
	size_t len;
	struct run *r;

	box_make(&b);
	o.shim_cgroup = text("/brass-diff-no-such-cgroup");
	any->value.len = pack(&o.base, &any->value.data);
	len = pack(&any->base, &in);
	r = run_shim(in_bundle("c1", ""), in, len, true, ARGS("c1", "start"));
	say("start in a cgroup that is not there", "status 0x%x", r->status);
	say_left("after it");
}

static void bad_stdin(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	struct run *r;

	box_make(&b);
	r = run_shim(in_bundle("c1", ""), "\377\377\377", 3, true, ARGS("c1", "start"));
	say("start with garbage on stdin", "status 0x%x", r->status);
	say_left("after it");
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
	{ "flags-server", server },
	{ "flags-shim-cgroup", shim_cgroup },
	{ "flags-bad-stdin", bad_stdin },
	{ "flags-unknown-methods", unknown_methods },
	{ NULL, NULL },
};
