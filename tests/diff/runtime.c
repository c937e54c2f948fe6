/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the runtime is run, seen by a wrapper around it; options that change that;
 * checkpoints, as far as they go without criu; memory that runs out.
 */
#include "tests/diff/diff.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char wrapper[] =
	"#!/bin/sh\n"
	"{ printf '%s' \"$PWD|$NOTIFY_SOCKET\"; for a; do printf '|%s' \"$a\"; done; "
	"echo; } "
	">>/run/e2e/argv\n"
	"exec runc \"$@\"\n";

/* What differs by nature: the runtime's log, names of temporary files. */
static const char *masked(char *args)
{
	char *save = NULL, *out = text("%s", "");
	const char *before = "";

	for (char *a = strtok_r(args, "|", &save); a; a = strtok_r(NULL, "|", &save)) {
		bool path = !strcmp(before, "--log") || !strcmp(before, "--process") ||
			    !strcmp(before, "--console-socket") ||
			    !strcmp(before, "--pid-file");

		out = text("%s %s", out, path ? "PATH" : a);
		before = a;
	}
	return out;
}

static void say_argv(void)
{
	char *data = read_file(in_dir("argv"), NULL), *save = NULL;

	for (char *l = data ? strtok_r(data, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save)) {
		static const char *const words[] = { "create",	  "start", "exec",
						     "delete",	  "pause", "resume",
						     "update",	  "kill",  "ps",
						     "checkpoint" };
		const char *word = "?";

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strstr(l, text("|%s|", words[i])))
				word = words[i];
		say(text("runc %s", word), "%s", masked(l));
	}
}

static void argv(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio tty = io_of("e2");

	write_file(in_dir("wrapper"), wrapper, sizeof(wrapper) - 1);
	chmod(in_dir("wrapper"), 0755);
	b.binary_name = in_dir("wrapper");
	b.io = io_of("c1");
	e2e.extra_env[0] = "NOTIFY_SOCKET=/run/notify";
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_exec("c1", "e1", "exit 0", NULL);
	do_start("c1", "e1");
	do_wait("c1", "e1");
	tty.err = NULL;
	tty.terminal = true;
	do_exec("c1", "e2", "exit 0", &tty);
	do_start("c1", "e2");
	do_wait("c1", "e2");
	do_pause("c1");
	do_resume("c1");
	do_update("c1", "{\"pids\":{\"limit\":100}}");
	do_checkpoint("c1");
	do_end("c1", NULL);
	say_argv();
	finish();
}

static Google__Protobuf__Any *options(Runc__Options *o)
{
	Google__Protobuf__Any *any = runc_options();

	o->root = e2e.root;
	any->value.len = pack(&o->base, &any->value.data);
	return any;
}

static void life_with(struct box *b, Google__Protobuf__Any *o)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;

	q.id = text("%s", b->id);
	q.bundle = text("%s/state/" NS "/%s", DIR_OF_TEST, b->id);
	q.stdout = text("%s", b->io.out);
	q.stderr = text("%s", b->io.err);
	q.options = o;
	told(ask("Create", &q), "Create c1");
	do_start("c1", NULL);
	do_wait("c1", NULL);
	say_output(b->io.out, true);
	do_delete("c1", NULL);
	say_argv();
	finish();
}

static void owner_of_pipes(void)
{
	struct box b = { .id = "c1", .command = "stat -L -c '%u %g' /proc/self/fd/2" };
	Runc__Options o = RUNC__OPTIONS__INIT;

	b.io = io_of("c1");
	boot(&b);
	o.io_uid = 1234;
	o.io_gid = 5678;
	life_with(&b, options(&o));
}

static void flags_of_create(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	Runc__Options o = RUNC__OPTIONS__INIT;

	write_file(in_dir("wrapper"), wrapper, sizeof(wrapper) - 1);
	chmod(in_dir("wrapper"), 0755);
	b.io = io_of("c1");
	boot(&b);
	o.binary_name = in_dir("wrapper");
	o.no_pivot_root = true;
	o.no_new_keyring = true;
	life_with(&b, options(&o));
}

/* ---------------------------------------------------------------- checkpoints */

static void to_be_restored(void)
{
	struct box b = { .id = "c1",
			 .command = "exec sleep 1000",
			 .checkpoint = "/run/e2e/no-checkpoint" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_state("c1", NULL);
	do_connect("c1");
	do_pause("c1");
	do_resume("c1");
	do_checkpoint("c1");
	do_update("c1", "{\"pids\":{\"limit\":100}}");
	do_exec("c1", "e1", "exit 0", NULL);
	do_resize("c1", NULL, 80, 25);
	do_close_io("c1", NULL);
	do_kill("c1", NULL, SIGTERM, false);
	do_pids("c1");
	do_stats("c1");
	do_state("c1", NULL);
	do_start("c1", NULL);
	do_state("c1", NULL);
	do_delete("c1", NULL);
	do_state("c1", NULL);
	finish();
}

/* ---------------------------------------------------------------------- memory */

static void out_of_memory(void)
{
	struct box b = {
		.id = "c1",
		.args = "[\"/bin/dd\",\"if=/dev/zero\",\"of=/tmp/x\",\"bs=1M\"]"
	};

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_state("c1", NULL);
	until_within(HANGS, sink_count() >= 4);
	say("OOM event", "%s the exit",
	    !strcmp(event(2)->topic, "/tasks/oom") ? "before" : "after");
	do_delete("c1", NULL);
	finish();
}

const struct scenario runtime_scenarios[] = {
	{ "runtime-argv", argv },
	{ "runtime-pipe-owner", owner_of_pipes },
	{ "runtime-create-flags", flags_of_create },
	{ "runtime-to-be-restored", to_be_restored },
	{ "runtime-out-of-memory", out_of_memory },
	{ NULL, NULL },
};
