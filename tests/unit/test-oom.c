/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's memory has run out, and the shim's own as well: containerd is told. And
 * that who is always at its limit does not keep the shim busy.
 */
#include "tests/unit/stats-common.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static bool no_watch;

/* The kernel's own memory.events can be watched, ours is a file like others. */
int epoll_ctl(int fd, int operation, int what, struct epoll_event *event)
{
	struct stat st;

	if (fstat(what, &st) < 0 || !S_ISREG(st.st_mode))
		return (int)syscall(SYS_epoll_ctl, fd, operation, what, event);
	if (operation != EPOLL_CTL_ADD || !no_watch)
		return 0;
	errno = ENOSPC;
	return -1;
}

/* Nobody leaves. */
static void on_reconsider(struct work *w)
{
	(void)w;
}

static struct container *new_container(void)
{
	struct container *c;

	shim = (struct shim){ .ns = "ns" };
	list_init(&shim.containers);
	work_init(&shim.reconsider, on_reconsider);
	assert_int_equal(loop_init(&shim.loop), 0);
	reaper_init(&shim.reaper, &shim.loop);
	/* Nobody is there, so that events are kept. */
	assert_int_equal(
		event_queue_init(&shim.events, &shim.loop, "ns", "/nobody/there"), 0);
	c = container_new(&shim, "c1", "/bundle");
	assert_non_null(c);
	return c;
}

static struct container *make_container(void)
{
	struct container *c = new_container();

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

#define EVENTS "sys/fs/cgroup/k8s/c1/memory.events"

static struct container *make_v2_container(void)
{
	struct container *c = new_container();

	put("proc/self/cgroup", "0::/shim\n");
	put("proc/77/cgroup", "0::/k8s/c1\n");
	put(EVENTS, "low 0\nhigh 0\nmax 1\noom 0\noom_kill 0\n");
	assert_int_equal(cgroup_find_below(&c->cgroup, root, true, 77), 0);
	assert_int_equal(oom_arm(c), 0);
	return c;
}

/* What the kernel says all the time; until when it is not listened to then. */
static uint64_t at_limit(struct container *c)
{
	assert_non_null(c->oom.watch.loop);
	c->oom.watch.fn(&c->oom.watch, EPOLLPRI);
	assert_null(c->oom.watch.loop);
	assert_true(timer_is_armed(&c->oom.quiet));
	return c->oom.quiet.due;
}

static void end_pause(struct container *c)
{
	timer_arm_in(&shim.loop, &c->oom.quiet, 0);
	assert_int_equal(loop_round(&shim.loop, 0), 0);
}

/* LIMIT_OOM_PAUSE_MS: it is let be for longer and longer, until there is something to tell. */
static void pauses_grow_up_to(void **st)
{
	struct container *c = make_v2_container();
	uint64_t before;

	(void)st;
	assert_true(at_limit(c) <= loop_now());
	end_pause(c);
	for (int i = 0; i < 10; i++) {
		at_limit(c);
		end_pause(c);
	}
	before = loop_now();
	assert_true(at_limit(c) >= before + LIMIT_OOM_PAUSE_MS * LOOP_MSEC);
	assert_true(c->oom.quiet.due <= loop_now() + LIMIT_OOM_PAUSE_MS * LOOP_MSEC);
	end_pause(c);
	assert_int_equal(n_events(), 0);
	put(EVENTS, "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n");
	assert_true(at_limit(c) <= loop_now());
	assert_int_equal(n_events(), 1);
	free_container(c);
}

/* After a pause there is nothing left to watch it with: it is tried until there is. */
static void is_watched_again(void **st)
{
	struct container *c = make_v2_container();

	(void)st;
	at_limit(c);
	no_watch = true;
	for (int i = 0; i < 3; i++) {
		end_pause(c);
		assert_null(c->oom.watch.loop);
		assert_true(timer_is_armed(&c->oom.quiet));
		assert_true(c->oom.quiet.due > loop_now());
	}
	no_watch = false;
	end_pause(c);
	put(EVENTS, "oom_kill 1\n");
	at_limit(c);
	assert_int_equal(n_events(), 1);
	/* It may end without: the descriptor and what it counts are still there. */
	no_watch = true;
	end_pause(c);
	no_watch = false;
	put(EVENTS, "oom_kill 2\n");
	oom_last_look(c);
	assert_int_equal(n_events(), 2);
	oom_disarm(c);
	assert_false(timer_is_armed(&c->oom.quiet));
	free_container(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_told_without_memory),
		TEST(is_refused_at_creation),
		TEST(pauses_grow_up_to),
		TEST(is_watched_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
