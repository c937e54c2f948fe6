/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes are switched from one shim to the other while containers run: what one
 * has begun the other must be able to end. Here "stock" is the side that begins
 * with the stock shim and goes on with ours, and "ours" is the other way round.
 */
#include "tests/diff/diff.h"

static void switch_binary(void)
{
	snprintf(e2e.shim, sizeof(e2e.shim), "%s", OTHER_SHIM);
}

static void running(struct box *b)
{
	b->io = io_of(b->id);
	boot(b);
	do_create(b);
	do_start(b->id, NULL);
}

static void delete_of_the_other(void)
{
	const struct mount_entry m = { "bind", ROOTFS, { "rbind" } };
	struct box b = { .id = "c1",
			 .command = "exec sleep 1000",
			 .root = "rootfs",
			 .rootfs = &m,
			 .n_rootfs = 1 };

	running(&b);
	switch_binary();
	crash();
}

static void delete_after_a_life(void)
{
	struct box b = { .id = "c1", .command = "exit 5" };

	running(&b);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	switch_binary();
	finish();
}

static void join_of_the_other(void)
{
	static const char group[] = "\"io.containerd.runc.v2.group\":\"pod\"";
	struct box a = { .id = "c1", .command = "exec sleep 1000", .annotations = group };
	struct box b = { .id = "c2", .command = "exec sleep 1000", .annotations = group };

	running(&a);
	switch_binary();
	b.io = io_of("c2");
	join(&b);
	do_create(&b);
	do_start("c2", NULL);
	do_end("c1", NULL);
	do_end("c2", NULL);
	finish();
}

/* The socket of a shim that is dead does not keep the other's from starting. */
static void start_over_a_dead_one(void)
{
	struct box b = { .id = "c1", .command = "exit 5" };
	struct run *r;

	boot(&b);
	kill(e2e.server, SIGKILL);
	wait_server();
	ttrpc_client_close(&e2e.client);
	switch_binary();
	b.io = io_of("c1");
	r = run_start(in_bundle("c1", ""), "c1");
	say("start by the other", "%s", r->out);
	connect_shim(r->out + 7);
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

const struct scenario cross_scenarios[] = {
	{ "cross-delete", delete_of_the_other },
	{ "cross-delete-after-life", delete_after_a_life },
	{ "cross-join", join_of_the_other },
	{ "cross-start", start_over_a_dead_one },
	{ NULL, NULL },
};
