/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for processes by pidfd, and the sweep for orphans; see reap.h. */
#include "shim/reap.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/lines.h"
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
	siginfo_t si;

	if (fd == -ENOSYS)
		return -ENOSYS;
	/* ECHILD: it knows what to do, and we are no child of ours. */
	if (fd >= 0 && waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 && errno == EINVAL)
		return -ENOSYS;
	return 0;
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

static void lose_sight(struct child *c)
{
	int fd = c->watch.fd;

	watch_del(&c->watch);
	closep(&fd);
	c->watch.fd = -1;
	c->reaper->n_unseen++;
	reaper_sweep(c->reaper);
}

static void on_pidfd(struct watch *w, uint32_t events)
{
	struct child *c = container_of(w, struct child, watch);
	siginfo_t si;

	(void)events;
	if (!c->exited) {
		int r = reap(P_PIDFD, (id_t)w->fd, &si);

		/* A tracer comes first, and takes its time: SIGCHLD tells when it has gone. */
		if (r == -EAGAIN) {
			lose_sight(c);
			return;
		}
		/* Nobody else waits for our children: it was one when it was added. */
		assert(r == 0);
		record(c, &si);
	}
	child_forget(c);
	c->done(c);
}

/* Those without a pidfd: done() may do anything to the list. */
static bool report_one(struct reaper *r)
{
	struct child *c;
	siginfo_t si;

	list_for_each(c, &r->children, link) {
		if (c->watch.fd >= 0)
			continue;
		if (!c->exited && reap(P_PID, (id_t)c->pid, &si) == 0)
			record(c, &si);
		if (c->exited) {
			child_forget(c);
			c->done(c);
			return true;
		}
	}
	return false;
}

static struct child *find(struct reaper *r, pid_t pid)
{
	struct child *c;

	list_for_each(c, &r->children, link)
		if (c->pid == pid && !c->exited)
			return c;
	return NULL;
}

int child_watch(struct reaper *r, struct child *c, pid_t pid,
		void (*done)(struct child *))
{
	_cleanup_close_ int fd = -1;
	siginfo_t si;

	assert(!child_is_watched(c));
	/* Only one of two could take the status. */
	if (find(r, pid))
		return -EEXIST;
	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	/* Ours and not reaped, so the pid is its own until we reap it. */
	fd = pidfd_open_(pid);
	if (fd >= 0 && watch_add(r->loop, &c->watch, fd, EPOLLIN, on_pidfd) == 0) {
		TAKE_FD(fd);
	} else {
		c->watch.fd = -1;
		r->n_unseen++;
		reaper_sweep(r); /* its SIGCHLD may have come already */
	}
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
	if (fd >= 0)
		watch_del(&c->watch);
	else
		c->reaper->n_unseen--;
	closep(&fd);
	c->watch.fd = -1;
	list_del(&c->link);
	c->reaper = NULL;
}

bool child_is_watched(const struct child *c)
{
	return c->reaper != NULL;
}

bool child_has_ended(const struct child *c)
{
	siginfo_t si = { 0 };

	return c->exited ||
	       (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		si.si_pid != 0);
}

int child_signal(const struct child *c, int signo)
{
	if (!child_is_watched(c) || c->exited)
		return -ESRCH;
	if (c->watch.fd < 0
		    ? kill(c->pid, signo) < 0
		    : syscall(SYS_pidfd_send_signal, c->watch.fd, signo, NULL, 0U) < 0)
		return -errno;
	return 0;
}

void reap_kill(struct reaper *r, pid_t pid)
{
	siginfo_t si;

	if (!find(r, pid) &&
	    waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
		kill(pid, SIGKILL);
}

/* ------------------------------------------------------------- orphans */

/* Now, in the unit of /proc/PID/stat: a process that is made from now on has no smaller time. */
static uint64_t boot_ticks(void)
{
	uint64_t per_sec = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * per_sec + (uint64_t)t.tv_nsec * per_sec / LOOP_SEC;
}

/* What /proc/PID/stat says: the fields 3, 6 and 22. */
struct looks {
	char state;
	pid_t session; /* 0: its leader is out of our pid namespace */
	uint64_t start;
};

/* False: it is not there. */
static bool look_up(pid_t pid, struct looks *l)
{
	char path[64], text[1024], *s;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	/* The second field is a name, with whatever in it, brackets too. */
	s = strrchr(text, ')');
	return s && sscanf(s + 1,
			   " %c %*s %*s %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			   "%*s %*s %*s %*s %" SCNu64,
			   &l->state, &l->session, &l->start) == 3;
}

uint64_t reap_start_time(pid_t pid)
{
	struct looks l;

	return !look_up(pid, &l) || l.state == 'Z' || l.state == 'X' ? UINT64_MAX
								     : l.start;
}

/*
 * In the session of a container's process: sessions are inherited, so it descends
 * from it. That leader must be there, and older than the commands under way or one
 * that is watched: crun's execs are in the session of a process that crun had put
 * between, and that is gone. (Its number is nobody else's while the session lasts.)
 */
static bool is_of_older_session(struct reaper *r, pid_t session, uint64_t since)
{
	const struct birth *b;
	struct looks leader;

	if (session == 0 || session == getsid(0))
		return false;
	list_for_each(b, &r->births, link)
		if (b->pid == session)
			return false;
	return find(r, session) || (look_up(session, &leader) && leader.start < since);
}

/*
 * Whether no command under way can be about to report the zombie @pid: it is
 * older than all of them (whatever stands between us and the runtime, a wrapper or
 * a double fork, a child is not older than its parent), or from somewhere else.
 */
static bool is_nobodys(struct reaper *r, pid_t pid)
{
	const struct birth *oldest = list_first(&r->births, struct birth, link);
	struct looks l;

	if (!oldest)
		return true;
	return look_up(pid, &l) &&
	       (l.start < oldest->since ||
		(l.session != pid && is_of_older_session(r, l.session, oldest->since)));
}

/*
 * Takes it away. A known one is reported when its pidfd, readable by now, comes up in
 * the loop, or by the next sweep.
 */
static bool take(struct reaper *r, pid_t pid)
{
	struct child *c = find(r, pid);
	siginfo_t si;

	if (reap(P_PID, (id_t)pid, &si) < 0)
		return false;
	if (!c)
		return true;
	record(c, &si);
	if (c->watch.fd < 0)
		reaper_sweep(r);
	return true;
}

/*
 * The kernel offers the same zombie until it is taken, so one that must wait
 * hides the others: looks at each child. Only zombies can be taken, and a pid
 * stays its owner's until then, so nothing here is a race.
 */
static void look_at_all(struct reaper *r)
{
	unsigned n = 0, left = LIMIT_LOOK_AT_ONCE, pause = LIMIT_LOOK_MS;
	_cleanup_(lines_close) struct lines l;
	char path[64], *word;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	lines_open(&l, AT_FDCWD, path); /* a kernel without it: at the end of the births */
	while (left > 0 && (word = lines_word(&l))) {
		pid_t pid = (pid_t)strtol(word, NULL, 10);

		if (n++ < r->n_looked_at)
			continue;
		left--;
		/* Those behind it move up. */
		if ((find(r, pid) || is_nobodys(r, pid)) && take(r, pid))
			n--;
	}
	if (left == 0)
		pause = LIMIT_LOOK_PART_MS;
	r->n_looked_at = left == 0 ? n : 0;
	r->look_due = loop_now() + pause * LOOP_MSEC;
	if (left == 0)
		timer_arm(r->loop, &r->again, r->look_due);
}

static void sweep(struct work *w)
{
	struct reaper *r = container_of(w, struct reaper, sweep);
	siginfo_t si = { 0 };

	while (r->n_unseen > 0 && report_one(r))
		;
	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
		if (find(r, si.si_pid) || is_nobodys(r, si.si_pid)) {
			if (!take(r, si.si_pid))
				return;
		} else if (loop_now() >= r->look_due) {
			look_at_all(r);
			return;
		} else {
			timer_arm(r->loop, &r->again, r->look_due);
			return;
		}
		si.si_pid = 0;
	}
}

static void on_again(struct timer *t)
{
	reaper_sweep(container_of(t, struct reaper, again));
}

void reaper_sweep(struct reaper *r)
{
	work_queue(r->loop, &r->sweep);
}

void reaper_birth_begin(struct reaper *r, struct birth *b)
{
	assert(!b->since);
	b->since = boot_ticks();
	list_append(&r->births, &b->link);
}

void reaper_birth_end(struct reaper *r, struct birth *b)
{
	if (!b->since)
		return;
	b->since = 0;
	list_del(&b->link);
	/* Who died meanwhile raised a SIGCHLD that was passed over. */
	reaper_sweep(r);
}

void reaper_init(struct reaper *r, struct loop *l)
{
	*r = (struct reaper){ .loop = l };
	list_init(&r->children);
	list_init(&r->births);
	work_init(&r->sweep, sweep);
	timer_init(&r->again, on_again);
}

void reaper_fini(struct reaper *r)
{
	assert(list_empty(&r->children));
	work_cancel(&r->sweep);
	timer_disarm(&r->again);
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
