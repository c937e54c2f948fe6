/* SPDX-License-Identifier: Apache-2.0 */
/* A container's memory has run out, and the shim's own as well: containerd is told. */
#include "tests/unit/stats-common.h"

#include <sys/eventfd.h>

#include "shim/event.h"
#include "shim/shim.h"

static struct shim shim;
static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

static struct container *make_container(void)
{
	struct container *c;

	shim = (struct shim){ .ns = "ns" };
	list_init(&shim.containers);
	work_init(&shim.reconsider, NULL);
	assert_int_equal(loop_init(&shim.loop), 0);
	reaper_init(&shim.reaper, &shim.loop);
	/* Nobody is there, so that events are kept. */
	assert_int_equal(
		event_queue_init(&shim.events, &shim.loop, "ns", "/nobody/there"), 0);
	c = container_new(&shim, "c1", "/bundle");
	assert_non_null(c);
	put_v1_processes();
	put("sys/fs/cgroup/memory/elsewhere/c1/memory.oom_control", "");
	put("sys/fs/cgroup/memory/elsewhere/c1/cgroup.event_control", "");
	assert_int_equal(cgroup_find_below(&c->cgroup, root, false, 77), 0);
	assert_int_equal(oom_arm(c), 0);
	return c;
}

static void free_container(struct container *c)
{
	work_cancel(&shim.reconsider);
	container_free(c);
	work_cancel(&shim.reconsider);
	event_queue_fini(&shim.events);
	reaper_fini(&shim.reaper);
	loop_fini(&shim.loop);
}

/* What the kernel does. */
static void run_out(struct container *c)
{
	assert_int_equal(eventfd_write(c->oom.watch.fd, 1), 0);
	assert_int_equal(loop_round(&shim.loop, 0), 0);
}

static unsigned n_events(void)
{
	struct event *e;
	unsigned n = 0;

	list_for_each(e, &shim.events.events, link) {
		assert_non_null(memmem(e->data, e->len, "/tasks/oom", 10));
		n++;
	}
	return n;
}

static void is_told_without_memory(void **st)
{
	struct container *c = make_container();

	(void)st;
	no_memory = true;
	run_out(c);
	assert_int_equal(n_events(), 1);
	/* There was none for the next one, and there is still none. */
	run_out(c);
	assert_int_equal(n_events(), 1);
	no_memory = false;
	run_out(c);
	assert_int_equal(n_events(), 2);
	no_memory = true;
	run_out(c);
	assert_int_equal(n_events(), 3);
	no_memory = false;
	free_container(c);
}

static void is_refused_at_creation(void **st)
{
	struct container *c = make_container();

	(void)st;
	no_memory = true;
	assert_null(container_new(&shim, "c2", "/bundle"));
	no_memory = false;
	assert_int_equal(shim.n_containers, 1);
	free_container(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_told_without_memory),
		TEST(is_refused_at_creation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
