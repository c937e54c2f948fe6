/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of processes: children we started (runtime commands, helpers) and
 * those that became ours as their subreaper (a container's init, an exec).
 *
 * A zombie is the kernel's own cache of an early exit: while a runtime command
 * that may leave us a process is under way, no unknown pid is reaped. When it
 * has ended, its pid file names the process, which is watched through a pidfd:
 * if it is dead already, the pidfd is readable at once and waitid(2) gives its
 * true status. Since only we can reap it, its pid cannot be reused before.
 * Only an orphan that is older than every such command, or in the session of a
 * container's process that lives, cannot be what one of them is about to report, and is
 * reaped meanwhile: so a container that is given execs without a pause keeps no zombies,
 * and one hanging command only those that were born after it and whose session's leader
 * they are, or is gone.
 *
 * Only reap.c waits.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "ttrpc/loop.h"

struct reaper {
	struct loop *loop;
	struct list children; /* struct child: watched, not yet reported */
	unsigned n_unseen;    /* of them: without a pidfd, which SIGCHLD tells of */
	struct list births;   /* struct birth, oldest first */
	struct work sweep;
	struct timer again;   /* the next look at all children, which is not cheap */
	uint64_t look_due;    /* not before, on the loop's clock */
	unsigned n_looked_at; /* the first ones, which it passes over */
};

/* A command that may leave us a process. */
struct birth {
	struct list link;
	uint64_t since; /* ticks since boot, as in /proc/PID/stat; 0: none is under way */
	pid_t pid;      /* the command's own */
};

struct child {
	struct list link;
	struct reaper *reaper;
	pid_t pid;
	struct watch watch; /* its pidfd, which is ours; -1: there is none to be had, or it is traced */
	/* From its end on: */
	bool exited;
	int status; /* the exit code, or 128 + the signal that killed it */
	int signal; /* 0: it exited by itself */
	struct timespec exited_at; /* CLOCK_REALTIME */
	void (*done)(struct child *c);
};

#define CHILD_INIT { .watch = WATCH_INIT }

void reaper_init(struct reaper *r, struct loop *l);
void reaper_fini(struct reaper *r);

/*
 * To be called on SIGCHLD: reports the watched that have no pidfd, and reaps orphans, but
 * for those that a birth may be about.
 */
void reaper_sweep(struct reaper *r);

/*
 * From before the start of a command that may leave us a process until that one
 * is watched, or will never be. The end can be repeated.
 */
void reaper_birth_begin(struct reaper *r, struct birth *b);
void reaper_birth_end(struct reaper *r, struct birth *b);

/*
 * Watches @pid; done() is called once, from the loop, when it has ended and is
 * reaped. -ECHILD: it is no child of ours; -EEXIST: it is watched already (@c stays as
 * it was). Nothing else fails: where there is no descriptor or memory for a pidfd
 * (EMFILE, ENFILE, ENOMEM, ENOSPC), SIGCHLD and the sweep tell of the end.
 */
int child_watch(struct reaper *r, struct child *c, pid_t pid, void (*done)(struct child *));
/* SIGKILL to a child of ours that is not watched; nothing if it is none. */
void reap_kill(struct reaper *r, pid_t pid);

/* Stops watching; done() is not called. The sweep reaps it some day. */
void child_forget(struct child *c);

/* Alive, or not yet reaped: safe to signal. */
bool child_is_watched(const struct child *c);

/* Of a watched one: it will be reported as soon as the loop comes to it. */
bool child_has_ended(const struct child *c);

/* pidfd_send_signal(2): 0, -ESRCH if it has ended, -EINVAL for no such signal. */
int child_signal(const struct child *c, int signo);

/*
 * For programs without a loop ("delete", "-info"): waits until @pid has ended,
 * at most @timeout_ms. Returns its status as in struct child, or -ETIME.
 */
int reap_wait(pid_t pid, int timeout_ms);

/*
 * When @pid was made, in ticks since boot: with the pid it names one process
 * for ever. UINT64_MAX: there is none, or it is dead already.
 */
uint64_t reap_start_time(pid_t pid);

/*
 * 0, or -ENOSYS on a kernel that has no pidfd_open(2) (before 5.3), or cannot wait for
 * what that returns (before 5.4: waitid(2), P_PIDFD).
 */
int reap_supported(void);
