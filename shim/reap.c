/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for processes by pidfd, and the sweep for orphans; see reap.h. */
#include "shim/reap.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/util.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0U); /* CLOEXEC by itself */

	return fd < 0 ? -errno : fd;
}

int reap_supported(void)
{
	_cleanup_close_ int fd = pidfd_open_(getpid());

	return fd == -ENOSYS ? -ENOSYS : 0;
}

/* Takes the status of an ended process out of the kernel: 0, -EAGAIN (alive), -ECHILD. */
static int reap(idtype_t type, id_t id, siginfo_t *si)
{
	si->si_pid = 0;
	while (waitid(type, id, si, WEXITED | WNOHANG) < 0)
		if (errno != EINTR)
			return -errno;
	return si->si_pid ? 0 : -EAGAIN;
}

static void record(struct child *c, const siginfo_t *si)
{
	c->exited = true;
	c->signal = si->si_code == CLD_EXITED ? 0 : si->si_status;
	c->status = si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
	clock_gettime(CLOCK_REALTIME, &c->exited_at);
}

static void on_pidfd(struct watch *w, uint32_t events)
{
	struct child *c = container_of(w, struct child, watch);
	siginfo_t si;

	(void)events;
	if (!c->exited) {
		int r = reap(P_PIDFD, (id_t)w->fd, &si);

		if (r == -EAGAIN)
			return;
		/* Nobody else waits for our children: it was one when it was added. */
		assert(r == 0);
		record(c, &si);
	}
	child_forget(c);
	c->done(c);
}

int child_watch(struct reaper *r, struct child *c, pid_t pid, void (*done)(struct child *))
{
	_cleanup_close_ int fd = -1;
	siginfo_t si;
	int err;

	assert(!child_is_watched(c));
	fd = pidfd_open_(pid);
	if (fd < 0)
		return fd;
	while (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	err = watch_add(r->loop, &c->watch, fd, EPOLLIN, on_pidfd);
	if (err < 0)
		return err;
	TAKE_FD(fd);
	c->reaper = r;
	c->pid = pid;
	c->exited = false;
	c->status = c->signal = 0;
	c->done = done;
	list_append(&r->children, &c->link);
	return 0;
}

void child_forget(struct child *c)
{
	int fd = c->watch.fd;

	if (!child_is_watched(c))
		return;
	watch_del(&c->watch);
	closep(&fd);
	c->watch.fd = -1;
	list_del(&c->link);
	c->reaper = NULL;
}

bool child_is_watched(const struct child *c)
{
	return c->reaper != NULL;
}

int child_signal(const struct child *c, int signo)
{
	if (!child_is_watched(c) || c->exited)
		return -ESRCH;
	if (syscall(SYS_pidfd_send_signal, c->watch.fd, signo, NULL, 0U) < 0)
		return -errno;
	return 0;
}

static struct child *find(struct reaper *r, pid_t pid)
{
	struct child *c;

	list_for_each(c, &r->children, link)
		if (c->pid == pid && !c->exited)
			return c;
	return NULL;
}

/*
 * The kernel offers zombies in its own order and offers the same one again, so
 * a known one cannot be skipped: its status is recorded, and reported when its
 * pidfd, readable by now, comes up in the loop.
 */
static void sweep(struct work *w)
{
	struct reaper *r = container_of(w, struct reaper, sweep);
	siginfo_t si;

	while (r->n_births == 0 && reap(P_ALL, 0, &si) == 0) {
		struct child *c = find(r, si.si_pid);

		if (c)
			record(c, &si);
	}
}

void reaper_sweep(struct reaper *r)
{
	if (r->n_births == 0)
		work_queue(r->loop, &r->sweep);
}

void reaper_birth_begin(struct reaper *r)
{
	r->n_births++;
}

void reaper_birth_end(struct reaper *r)
{
	assert(r->n_births > 0);
	r->n_births--;
	/* Who died meanwhile raised a SIGCHLD that was passed over. */
	reaper_sweep(r);
}

void reaper_init(struct reaper *r, struct loop *l)
{
	*r = (struct reaper){ .loop = l };
	list_init(&r->children);
	work_init(&r->sweep, sweep);
}

void reaper_fini(struct reaper *r)
{
	assert(list_empty(&r->children));
	work_cancel(&r->sweep);
}

int reap_wait(pid_t pid, int timeout_ms)
{
	_cleanup_close_ int fd = pidfd_open_(pid);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t until = loop_now() + (uint64_t)timeout_ms * LOOP_MSEC;
	siginfo_t si;
	int r;

	if (fd < 0)
		return fd;
	do {
		uint64_t now = loop_now();

		if (now >= until)
			return -ETIME;
		r = poll(&p, 1, (int)((until - now + LOOP_MSEC - 1) / LOOP_MSEC));
	} while (r == 0 || (r < 0 && errno == EINTR));
	if (r < 0)
		return -errno;
	r = reap(P_PIDFD, (id_t)fd, &si);
	if (r < 0)
		return r;
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}
