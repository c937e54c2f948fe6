/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be created or started, and what is left of it. */
#include "tests/diff/diff.h"

#include <sys/stat.h>
#include <unistd.h>

/* A Create that fails; then what containerd does. */
static void fails_to_be_created(struct box *b)
{
	if (!b->io.out)
		b->io = io_of("c1");
	boot(b);
	do_create(b);
	do_state("c1", NULL);
	do_delete("c1", NULL);
	do_connect("c1");
	finish();
}

static void missing_program(void)
{
	fails_to_be_created(
		&(struct box){ .id = "c1", .args = "[\"/no/such/program\"]" });
}

static void missing_in_path(void)
{
	fails_to_be_created(&(struct box){ .id = "c1", .args = "[\"no-such-program\"]" });
}

static void not_executable(void)
{
	fails_to_be_created(&(struct box){ .id = "c1", .args = "[\"/etc/passwd\"]" });
}

static void no_args(void)
{
	fails_to_be_created(&(struct box){ .id = "c1", .args = "[]" });
}

static void bad_cwd(void)
{
	fails_to_be_created(
		&(struct box){ .id = "c1", .command = "exit 0", .cwd = "/proc/no/such" });
}

static void relative_cwd(void)
{
	fails_to_be_created(
		&(struct box){ .id = "c1", .command = "exit 0", .cwd = "tmp" });
}

static void bad_mount(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1",
		.command = "exit 0",
		.mounts = "{\"destination\":\"/mnt\",\"type\":\"bind\",\"source\":"
			  "\"/no/such/source\",\"options\":[\"bind\"]}" });
}

static void bad_mount_type(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1",
		.command = "exit 0",
		.mounts = "{\"destination\":\"/mnt\",\"type\":\"nosuchfs\","
			  "\"source\":\"x\"}" });
}

static void missing_root(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .root = "/no/such/root" });
}

static void no_runc(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .binary_name = "no-runc" });
}

static void no_runc_path(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .binary_name = "/no/such/runc" });
}

/* A runtime that says nothing in its log, but on stderr. */
static void mute_runtime(void)
{
	write_file(in_dir("mute"), "#!/bin/sh\necho trouble >&2\nexit 3\n", 35);
	chmod(in_dir("mute"), 0755);
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .binary_name = in_dir("mute") });
}

static void killed_runtime(void)
{
	write_file(in_dir("killed"), "#!/bin/sh\nkill -9 $$\n", 21);
	chmod(in_dir("killed"), 0755);
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .binary_name = in_dir("killed") });
}

static void unknown_options(void)
{
	fails_to_be_created(&(struct box){
		.id = "c1", .command = "exit 0", .options_url = "no.such.Options" });
}

static void no_options_type(void)
{
	fails_to_be_created(
		&(struct box){ .id = "c1", .command = "exit 0", .options_url = "" });
}

static void bad_options(void)
{
	static uint8_t garbage[] = { 0xff, 0xff, 0xff, 0xff, 0xff };
	struct box b = { .id = "c1", .command = "exit 0" };
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;

	boot(&b);
	q.id = text("c1");
	q.bundle = text("%s/state/" NS "/c1", DIR_OF_TEST);
	q.options = runc_options();
	q.options->value.data = garbage;
	q.options->value.len = sizeof(garbage);
	told(ask("Create", &q), "Create c1");
	do_state("c1", NULL);
	finish();
}

/* An empty value: the defaults, thus the books in /run/containerd/runc. */
static void default_options(void)
{
	struct box b = { .id = "c1", .command = "exit 0", .empty_options = true };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	say("default root", "%s",
	    exists("/run/containerd/runc/" NS "/c1") ? "used" : "not used");
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

static void no_bundle(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };

	b.io = io_of("c1");
	boot(&b);
	b.id = "c2";
	do_create(&b);
	do_state("c2", NULL);
	finish();
}

static void bad_config(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };

	b.io = io_of("c1");
	boot(&b);
	write_file(in_bundle("c1", "config.json"), "{\"process\":", 11);
	do_create(&b);
	do_state("c1", NULL);
	finish();
}

static void bad_namespace(void)
{
	struct box b = { .id = "c1", .command = "exit 0" };
	static const char config[] =
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"x\"],"
		"\"cwd\":\"/\"},\"root\":{\"path\":\"rootfs\"},\"linux\":"
		"{\"namespaces\":[{\"type\":\"nosuch\"}]}}";

	b.io = io_of("c1");
	boot(&b);
	write_file(in_bundle("c1", "config.json"), config, strlen(config));
	do_create(&b);
	finish();
}

/* ------------------------------------------------------------------- execs */

static void exec_fails(const char *process)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct stdio io = io_of("e1");

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1", process, &io), "Exec c1/e1");
	do_state("c1", "e1");
	do_start("c1", "e1");
	do_state("c1", "e1");
	do_kill("c1", "e1", SIGKILL, false);
	do_delete("c1", "e1");
	do_state("c1", NULL);
	do_end("c1", NULL);
	finish();
}

#define USER "\"user\":{\"uid\":0,\"gid\":0}"

static void exec_missing_program(void)
{
	exec_fails("{" USER ",\"cwd\":\"/\",\"args\":[\"/no/such/program\"]}");
}

static void exec_missing_in_path(void)
{
	exec_fails("{" USER
		   ",\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"args\":[\"nosuch\"]}");
}

static void exec_bad_cwd(void)
{
	exec_fails("{" USER ",\"cwd\":\"/proc/no/such\",\"args\":[\"/bin/true\"]}");
}

static void exec_no_cwd(void)
{
	exec_fails("{" USER ",\"args\":[\"/bin/true\"]}");
}

static void exec_no_args(void)
{
	exec_fails("{" USER ",\"cwd\":\"/\"}");
}

static void exec_bad_user(void)
{
	exec_fails("{\"user\":{\"uid\":4294967295,\"gid\":0},\"cwd\":\"/\","
		   "\"args\":[\"/bin/true\"]}");
}

static void exec_not_executable(void)
{
	exec_fails("{" USER ",\"cwd\":\"/\",\"args\":[\"/etc/passwd\"]}");
}

static void exec_bad_json(void)
{
	exec_fails("{\"args\":[");
}

static void exec_no_json(void)
{
	exec_fails("");
}

static void exec_wrong_type(void)
{
	exec_fails("{\"args\":\"/bin/true\",\"cwd\":\"/\"}");
}

/* Who waits for it before it has failed, and who asks only then. */
static void exec_waited_for(void)
{
	struct box b = { .id = "c1", .command = "exec sleep 1000" };
	struct answer *w;

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	told(ask_exec_json("c1", "e1", "{" USER ",\"cwd\":\"/\",\"args\":[\"/nosuch\"]}",
			   NULL),
	     "Exec c1/e1");
	w = ask_wait("c1", "e1");
	do_start("c1", "e1");
	told(w, "Wait c1/e1");
	do_wait("c1", "e1");
	do_state("c1", "e1");
	/* A second Start would end the stock shim: it closes a closed channel. */
	do_delete("c1", "e1");
	do_end("c1", NULL);
	finish();
}

const struct scenario failure_scenarios[] = {
	{ "fail-missing-program", missing_program },
	{ "fail-missing-in-path", missing_in_path },
	{ "fail-not-executable", not_executable },
	{ "fail-no-args", no_args },
	{ "fail-bad-cwd", bad_cwd },
	{ "fail-relative-cwd", relative_cwd },
	{ "fail-bad-mount", bad_mount },
	{ "fail-bad-mount-type", bad_mount_type },
	{ "fail-missing-root", missing_root },
	{ "fail-no-runc", no_runc },
	{ "fail-no-runc-path", no_runc_path },
	{ "fail-mute-runtime", mute_runtime },
	{ "fail-killed-runtime", killed_runtime },
	{ "fail-unknown-options", unknown_options },
	{ "fail-no-options-type", no_options_type },
	{ "fail-bad-options", bad_options },
	{ "default-options", default_options },
	{ "fail-no-bundle", no_bundle },
	{ "fail-bad-config", bad_config },
	{ "fail-bad-namespace", bad_namespace },
	{ "exec-fail-missing-program", exec_missing_program },
	{ "exec-fail-missing-in-path", exec_missing_in_path },
	{ "exec-fail-bad-cwd", exec_bad_cwd },
	{ "exec-fail-no-cwd", exec_no_cwd },
	{ "exec-fail-no-args", exec_no_args },
	{ "exec-fail-bad-user", exec_bad_user },
	{ "exec-fail-not-executable", exec_not_executable },
	{ "exec-fail-bad-json", exec_bad_json },
	{ "exec-fail-no-json", exec_no_json },
	{ "exec-fail-wrong-type", exec_wrong_type },
	{ "exec-fail-waited-for", exec_waited_for },
	{ NULL, NULL },
};
