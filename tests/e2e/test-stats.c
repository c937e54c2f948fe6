/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Stats call: which message it answers with, when it cannot, that it waits
 * for nobody. What is in the message is for tests/unit and tests/host.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <unistd.h>

#include "metrics_v1.pb-c.h"
#include "metrics_v2.pb-c.h"
#include "tests/e2e/faults.h"

#define V1_TYPE "io.containerd.cgroups.v1.Metrics"
#define V2_TYPE "io.containerd.cgroups.v2.Metrics"

static struct answer *ask_stats(const char *id)
{
	Task__StatsRequest q = TASK__STATS_REQUEST__INIT;

	q.id = (char *)id;
	return ask("Stats", &q);
}

/* How many tasks there are, by the metrics of the cgroup that the fake has made. */
static uint64_t tasks(const char *id)
{
	const Task__StatsResponse *r = ok(ask_stats(id));
	const ProtobufCBinaryData *value = &r->stats->value;
	bool unified = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	uint64_t n = 0;

	assert_string_equal(r->stats->type_url, unified ? V2_TYPE : V1_TYPE);
	if (unified) {
		MetricsV2__Metrics *m = (void *)protobuf_c_message_unpack(
			&metrics_v2__metrics__descriptor, NULL, value->len, value->data);

		assert_non_null(m);
		n = m->pids->current;
		protobuf_c_message_free_unpacked(&m->base, NULL);
	} else {
		MetricsV1__Metrics *m = (void *)protobuf_c_message_unpack(
			&metrics_v1__metrics__descriptor, NULL, value->len, value->data);

		assert_non_null(m);
		assert_non_null(m->cpu);
		n = m->pids ? m->pids->current : 0;
		protobuf_c_message_free_unpacked(&m->base, NULL);
	}
	return n;
}

static void in_every_state(void **st)
{
	(void)st;
	if (!e2e.cgroup[0])
		skip();
	create(shim_for("c1", "exec sleep 1000"));
	assert_int_equal(tasks("c1"), 1);
	start("c1", NULL);
	assert_int_equal(tasks("c1"), 1);
	exec_add("c1", "e1", "exec sleep 1000");
	start("c1", "e1");
	until(tasks("c1") == 2);
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	assert_int_equal(tasks("c1"), 0);
	delete_task("c1", "e1");
	delete_task("c1", NULL);
	fails(ask_stats("c1"), TTRPC_NOT_FOUND, "container not created: not found");
	shutdown_shim();
}

static void without_cgroup(void **st)
{
	(void)st;
	e2e.no_cgroup = true;
	create(shim_for("c1", "exec sleep 1000"));
	start("c1", NULL);
	fails(ask_stats("c1"), TTRPC_NOT_FOUND, "cgroup does not exist: not found");
	fails(ask_stats("c2"), TTRPC_NOT_FOUND, "container not created: not found");
	end_c1();
}

/* Law 1 of the design, for this call. */
static void while_start_hangs(void **st)
{
	struct answer *hanging;

	(void)st;
	if (!e2e.cgroup[0])
		skip();
	create(shim_for("c1", "exec sleep 1000"));
	script("start", text("touch %s\nwait_for %s\n", in_dir("hangs"), in_dir("go")));
	hanging = ask_start("c1", NULL);
	until(exists(in_dir("hangs")));
	for (int i = 0; i < 20; i++)
		assert_int_equal(tasks("c1"), 1);
	assert_false(hanging->done);
	write_file(in_dir("go"), "", 0);
	ok(hanging);
	end_c1();
}

/* One call of this kind fails while c1 is created; false: there are not so many. */
static bool without_one(struct faults *f, struct bundle *b, enum fault_kind kind, unsigned n)
{
	struct answer *creating;

	f->kind = kind;
	f->error = EMFILE;
	f->nth = n;
	f->seen = f->failed = 0;
	f->armed = 1;
	creating = await(ask_create(b, NULL));
	f->armed = 0;
	if (creating->code != TTRPC_OK)
		return true;
	if (tasks("c1") != 1)
		fail_at(HERE, "call %u of %d: no metrics", n, kind);
	start("c1", NULL);
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	return f->failed > 0;
}

/* There was no descriptor to look at the cgroup with: later there is. */
static void looked_at_again(void **st)
{
	struct faults *f = faults_open(FAULT_SERVER);
	struct bundle *b;

	(void)st;
	if (!e2e.cgroup[0])
		skip();
	b = shim_for("c1", "exec sleep 1000");
	for (unsigned n = 1; without_one(f, b, FAULT_OPEN, n); n++)
		;
	for (unsigned n = 1; without_one(f, b, FAULT_READ, n); n++)
		;
	shutdown_shim();
	faults_close(f);
}

E2E_GROUP(E2E(in_every_state), E2E(without_cgroup), E2E(while_start_hangs),
	  E2E(looked_at_again))
