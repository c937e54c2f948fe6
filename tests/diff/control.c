/* SPDX-License-Identifier: Apache-2.0 */
/* Pause, Resume, Update, Stats, and containers that share a shim. */
#include "tests/diff/diff.h"

static void running(struct box *b)
{
	b->io = io_of(b->id);
	boot(b);
	do_create(b);
	do_start(b->id, NULL);
}

static void pause_resume(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };

	running(&b);
	do_exec("c1", "e1", "exec sleep 1000", NULL);
	do_start("c1", "e1");
	for (int i = 0; i < 2; i++) {
		do_pause("c1");
		do_state("c1", NULL);
		do_state("c1", "e1");
		do_pids("c1");
		do_resume("c1");
		do_state("c1", NULL);
		do_state("c1", "e1");
	}
	do_pause("c1");
	do_kill("c1", "e1", SIGKILL, false);
	do_state("c1", "e1");
	do_resume("c1");
	do_wait("c1", "e1");
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

static void say_limit(const char *hierarchy, const char *file)
{
	char *data = read_file(
		text("/sys/fs/cgroup/%s%s/c1/%s", hierarchy, cgroup_name(), file), NULL);

	say(text("limit %s", file), "%s", data ? data : "none");
}

static void update(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	static const char *const documents[] = {
		"{\"memory\":{\"limit\":134217728}}",
		"{\"pids\":{\"limit\":77}}",
		"{\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000}}",
		"{}",
		"{\"unknown\":{\"key\":1},\"pids\":{\"limit\":78}}",
		"{\"memory\":{\"limit\":1}}",
		"{\"memory\":",
		"garbage",
		"",
		"{\"memory\":\"much\"}",
		"[1,2]",
		"null",
	};

	running(&b);
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		do_update("c1", documents[i]);
	say_limit("memory", "memory.limit_in_bytes");
	say_limit("pids", "pids.max");
	say_limit("cpu", "cpu.shares");
	do_state("c1", NULL);
	do_end("c1", NULL);
	finish();
}

static void stats(void)
{
	struct box b = { .id = "c1", .command = "echo ready; exec sleep 1000" };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_stats("c1");
	do_start("c1", NULL);
	wait_output(b.io.out, "ready");
	do_stats("c1");
	do_end("c1", NULL);
	finish();
}

static void stats_stopped(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };

	running(&b);
	do_wait("c1", NULL);
	do_stats("c1");
	do_delete("c1", NULL);
	do_stats("c1");
	finish();
}

/* ------------------------------------------------------------------- groups */

#define GROUP "\"io.containerd.runc.v2.group\":\"pod\""
#define SANDBOX "\"io.kubernetes.cri.sandbox-id\":\"c1\""

static void group_of_two(const char *annotations)
{
	struct box a = { .id = "c1",
			 .command = "exec sleep 1000",
			 .annotations = annotations };
	struct box b = { .id = "c2",
			 .command = "exec sleep 1000",
			 .annotations = annotations };

	running(&a);
	b.io = io_of("c2");
	join(&b);
	do_connect("c2");
	do_create(&b);
	do_start("c2", NULL);
	do_connect("c2");
	do_exec("c2", "e1", "exit 3", NULL);
	do_state("c1", "e1");
	do_start("c2", "e1");
	do_wait("c2", "e1");
	do_pids("c1");
	do_pids("c2");
	do_shutdown();
	say_events(7);
	do_end("c1", NULL);
	do_shutdown();
	do_state("c2", NULL);
	do_end("c2", NULL);
	finish();
}

static void group(void)
{
	group_of_two(GROUP);
}

static void sandbox(void)
{
	group_of_two(SANDBOX);
}

static void both_annotations(void)
{
	struct box b = { .id = "c9",
			 .command = "exit 0",
			 .annotations = SANDBOX "," GROUP };

	boot(&b);
	finish();
}

static void empty_group(void)
{
	struct box b = { .id = "c9",
			 .command = "exit 0",
			 .annotations = "\"io.containerd.runc.v2.group\":\"\"" };

	boot(&b);
	finish();
}

/* Start for an id whose shim is there. */
static void started_twice(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	struct run *r;

	boot(&b);
	r = run_start(in_bundle("c1", ""), "c1");
	say("start again", "status 0x%x %s", r->status, r->out);
	finish();
}

const struct scenario control_scenarios[] = {
	{ "control-pause", pause_resume },
	{ "control-update", update },
	{ "control-stats", stats },
	{ "control-stats-stopped", stats_stopped },
	{ "group", group },
	{ "group-sandbox", sandbox },
	{ "group-both", both_annotations },
	{ "group-empty", empty_group },
	{ "group-start-twice", started_twice },
	{ NULL, NULL },
};
