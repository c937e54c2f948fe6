/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching for OOM kills; see oom.h. One descriptor per container, and nothing
 * else: the loop is not woken while nothing happens to the container's memory.
 * A cgroup that is removed would be reported for ever, so it is no longer watched.
 */
#include "shim/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "shim/event.h"
#include "shim/limits.h"
#include "shim/lines.h"
#include "shim/log.h"
#include "shim/shim.h"
#include "shim/util.h"

static struct container *container_of_oom(struct oom *o)
{
	return container_of(o, struct container, oom);
}

/* Memory for the next event is made now, or, if that fails, when it is needed. */
static void prepare(struct container *c)
{
	if (!c->oom.event)
		c->oom.event = event_reserve(&c->shim->events, c->id, "");
}

static void tell(struct container *c)
{
	log_write(LOG_INFO, c->id, "out of memory");
	prepare(c);
	if (c->oom.event)
		event_oom(&c->shim->events, c, TAKE(c->oom.event));
	else
		log_write(LOG_ERROR, c->id, "the shim is out of memory, too: containerd is not "
			  "told");
	prepare(c);
}

static void close_watch(struct oom *o)
{
	int fd = o->watch.fd;

	timer_disarm(&o->quiet);
	watch_del(&o->watch);
	closep(&fd);
	o->watch.fd = -1;
}

/* The init was killed, and not because a client asked for it. */
static bool died_unasked(const struct container *c)
{
	const struct child *init = &c->init.child;

	return init->exited && init->signal == SIGKILL && !c->init.sigkill_asked &&
	       !c->init.dumping;
}

/* Takes *@fd if it can be watched. */
static int start(struct container *c, int *fd, uint32_t mask,
		 void (*fn)(struct watch *, uint32_t))
{
	int r = watch_add(&c->shim->loop, &c->oom.watch, *fd, mask, fn);

	if (r == 0)
		TAKE_FD(*fd);
	return r;
}

/* ------------------------------------------------------------------- v2 */

/* oom_kill of memory.events, which also makes epoll(7) forget what it had to say. */
static int read_kills(int fd, uint64_t *kills)
{
	char text[512], *rest = text;
	ssize_t n;

	do
		n = pread(fd, text, sizeof(text) - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = 0;
	for (char *line, *field[2]; (line = strsep(&rest, "\n"));)
		if (split(line, " ", field, 2) == 2 && strcmp(field[0], "oom_kill") == 0)
			return parse_counter(field[1], kills);
	return -EINVAL;
}

/* oom_kill of the cgroup above, of which this one's are a part; UINT64_MAX: unknown. */
static uint64_t kills_above(const struct container *c)
{
	_cleanup_close_ int fd = -1;
	char name[PATH_MAX];
	uint64_t kills = 0;
	int n = snprintf(name, sizeof(name), "%s%s",
			 cgroup_point(&c->cgroup, CGROUP_MEMORY),
			 cgroup_path(&c->cgroup, CGROUP_MEMORY));
	size_t dir;

	if (n >= (int)sizeof(name))
		return UINT64_MAX;
	dir = (size_t)(strrchr(name, '/') - name);
	snprintf(name + dir, sizeof(name) - dir, "/memory.events");
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read_kills(fd, &kills) < 0 ? UINT64_MAX : kills;
}

/*
 * The cgroup is gone and what it counted with it: systemd removes a scope as soon
 * as its last process is dead. What the one above has counted since the last look
 * may be of another container below it, but an init does not often die of a
 * SIGKILL that nobody asked for.
 */
static void look_above(struct container *c)
{
	uint64_t now = kills_above(c);

	if (!died_unasked(c))
		return;
	if (now != UINT64_MAX && now > c->oom.kills_above)
		tell(c);
}

static void look_v2(struct container *c)
{
	struct oom *o = &c->oom;
	uint64_t kills = 0;
	int r = read_kills(o->watch.fd, &kills);

	if (r < 0) {
		if (r != -ENODEV)
			log_write(LOG_WARN, c->id, "memory.events: %s", err_strerror(-r));
		/* Why it is gone is known when the init's exit is. */
		watch_del(&o->watch);
		if (!c->init.child.exited)
			return;
		look_above(c);
		close_watch(o);
		return;
	}
	if (kills > o->kills) {
		o->quiet_ns = 0;
		tell(c);
	}
	o->kills = kills;
	o->kills_above = kills_above(c);
}

static void on_memory_events(struct watch *w, uint32_t events)
{
	struct oom *o = container_of(w, struct oom, watch);
	struct container *c = container_of_oom(o);

	(void)events;
	look_v2(c);
	if (!w->loop)
		return;
	watch_del(w);
	timer_arm_in(&c->shim->loop, &o->quiet, o->quiet_ns);
	o->quiet_ns = o->quiet_ns * 2 + LOOP_MSEC;
	if (o->quiet_ns > LIMIT_OOM_PAUSE_MS * LOOP_MSEC)
		o->quiet_ns = LIMIT_OOM_PAUSE_MS * LOOP_MSEC;
}

static void on_quiet_over(struct timer *t)
{
	struct oom *o = container_of(t, struct oom, quiet);
	struct loop *l = &container_of_oom(o)->shim->loop;

	if (watch_add(l, &o->watch, o->watch.fd, EPOLLPRI, on_memory_events) < 0)
		timer_arm_in(l, &o->quiet, LIMIT_OOM_PAUSE_MS * LOOP_MSEC);
}

static int arm_v2(struct container *c, int dir)
{
	_cleanup_close_ int fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_kills(fd, &c->oom.kills);

	c->oom.kills_above = kills_above(c);
	return r < 0 ? r : start(c, &fd, EPOLLPRI, on_memory_events);
}

/* ------------------------------------------------------------------- v1 */

static bool is_gone(const struct container *c)
{
	_cleanup_close_ int dir = cgroup_open(&c->cgroup, CGROUP_MEMORY);

	return dir == -ENOENT;
}

static void look_v1(struct container *c)
{
	struct oom *o = &c->oom;
	uint64_t times;
	bool gone;

	if (read(o->watch.fd, &times, sizeof(times)) == sizeof(times))
		o->notified += times;
	if (o->notified == 0)
		return;
	gone = is_gone(c);
	/* Why it is gone is known when the init's exit is. */
	if (gone && !c->init.child.exited)
		return;
	/*
	 * The removal of the cgroup is notified once, too, if only after a while. Before
	 * we have been told of the exit systemd may have removed it; else somebody has
	 * had the runtime kill and delete the container.
	 */
	if (!gone || o->notified > 1 || (c->systemd_cgroup && died_unasked(c)))
		tell(c);
	o->notified = 0;
}

static void on_eventfd(struct watch *w, uint32_t events)
{
	(void)events;
	look_v1(container_of_oom(container_of(w, struct oom, watch)));
}

/* "EVENTFD FILE" into cgroup.event_control: the kernel writes to the eventfd. */
static int subscribe(int dir, int event)
{
	_cleanup_close_ int file =
		openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int control = -1;
	char text[32];
	int n;

	if (file < 0)
		return -errno;
	control = openat(dir, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	if (control < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%d %d", event, file);
	return write_all(control, text, (size_t)n);
}

static int arm_v1(struct container *c, int dir)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = fd < 0 ? -errno : subscribe(dir, fd);

	return r < 0 ? r : start(c, &fd, EPOLLIN, on_eventfd);
}

/* ------------------------------------------------------------------- all */

void oom_init(struct container *c)
{
	c->oom = (struct oom){ .watch = WATCH_INIT };
	timer_init(&c->oom.quiet, on_quiet_over);
}

int oom_reserve(struct container *c)
{
	prepare(c);
	return c->oom.event ? 0 : -ENOMEM;
}

void oom_fini(struct container *c)
{
	oom_disarm(c);
	free(c->oom.event);
	c->oom.event = NULL;
}

int oom_arm(struct container *c)
{
	_cleanup_close_ int dir = -1;

	oom_disarm(c);
	c->oom.notified = 0; /* of a cgroup that a restore that failed had made */
	if (cgroup_has(&c->cgroup, CGROUP_MEMORY) &&
	    !cgroup_owns(&c->cgroup, CGROUP_MEMORY))
		return -EXDEV;
	dir = cgroup_open(&c->cgroup, CGROUP_MEMORY);
	if (dir < 0)
		return dir;
	return c->cgroup.unified ? arm_v2(c, dir) : arm_v1(c, dir);
}

void oom_last_look(struct container *c)
{
	if (c->oom.watch.fd < 0)
		return;
	if (c->cgroup.unified)
		look_v2(c);
	else
		look_v1(c);
}

void oom_disarm(struct container *c)
{
	close_watch(&c->oom);
}
