/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a container's cgroups when its runtime was killed before it had
 * written down that there is one, and who removes it.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of a cgroup of the test's; cgroupsPath is what follows the mount point. */
static char *folder(const char *name)
{
	if (!e2e.cgroup[0]) {
		print_message("no cgroup can be made\n");
		skip();
	}
	return text("%s/%s", e2e.cgroup, name);
}

static struct bundle *bundle_in(const char *name)
{
	struct bundle *b = bundle("c1", "exec sleep 1000");

	set_cgroups_path(b, text("%s/%s", strrchr(e2e.cgroup, '/'), name));
	return b;
}

/* What the OOM killer does, or the shim when its caller has left. */
static void runtime_is_killed(void **st)
{
	char *dir = folder("c1");
	struct bundle *b = bundle_in("c1");
	struct answer *a;

	(void)st;
	start_shim(b);
	script("create", "half_made\nkill_self 9\n");
	fails_with(ask_create(b, NULL), TTRPC_UNKNOWN, "signal: killed");
	assert_false(exists(dir));
	script("create", text("half_made\ntouch %s\nhang\n", in_dir("at")));
	a = ask_create(b, NULL);
	until(exists(in_dir("at")));
	assert_true(exists(text("%s/below", dir)));
	assert_false(a->done);
	ttrpc_client_close(&e2e.client);
	until(!exists(dir));
	/* And nothing stands in the way of the next one. */
	connect_shim(text("%s", e2e.path));
	script("create", "");
	until((a = await(ask_create(b, NULL)))->code != TTRPC_ALREADY_EXISTS); /* being undone */
	ok(a);
	start("c1", NULL);
	end_c1();
}

/* Then the shim cannot; after that "delete" is run. */
static void shim_is_killed(void **st)
{
	char *dir = folder("c1");
	struct bundle *b = bundle_in("c1");
	struct run *r;

	(void)st;
	start_shim(b);
	script("create", text("half_made\ntouch %s\nhang\n", in_dir("at")));
	ask_create(b, NULL);
	until(exists(in_dir("at")));
	kill(e2e.server, SIGKILL);
	ttrpc_client_close(&e2e.client);
	assert_int_equal(shim_ended(), SIGKILL);
	assert_true(exists(dir));
	r = run_delete(b->dir, "c1");
	assert_int_equal(r->status, 0);
	assert_string_equal(r->err, "");
	assert_false(exists(dir));
}

/* One that has another name may have been there before, and be meant for others. */
static void others_stay(void **st)
{
	static const char *const paths[] = { "pod", "pod/../c1", "pod/xc1" };
	char *pod = folder("pod"), *c1 = folder("c1"), *xc1 = folder("pod/xc1");
	struct bundle *b = bundle_in("pod");
	char *config = read_file(b->config, NULL);

	(void)st;
	assert_int_equal(mkdir(pod, 0755) | mkdir(c1, 0755) | mkdir(xc1, 0755), 0);
	start_shim(b);
	script("create", "kill_self 9\n");
	for (size_t i = 0; i < 3; i++) {
		write_file(b->config, config, strlen(config));
		set_cgroups_path(b, text("%s/%s", strrchr(e2e.cgroup, '/'), paths[i]));
		fails_with(ask_create(b, NULL), TTRPC_UNKNOWN, "signal: killed");
		assert_int_equal(run_delete(b->dir, "c1")->status, 0);
	}
	assert_int_equal(rmdir(xc1) | rmdir(pod) | rmdir(c1), 0);
	shutdown_shim();
}

E2E_GROUP(E2E(runtime_is_killed), E2E(shim_is_killed), E2E(others_stay))
