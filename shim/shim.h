/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of the program: everything that one shim knows hangs from struct
 * shim, as plain data and descriptors.
 *
 *	service.c      a request comes in; says which state it needs (state.h)
 *	  create.c launch.c remove.c   what takes longer: ops, one FIFO per process (op.h)
 *	    runtime.c  runs runc; command.c waits for it, with a deadline
 *	    mount.c    the rootfs, in a child
 *	    io.c       stdio; relay.c moves the bytes
 *	  cgroup.c stats.c   where its cgroups are, and what they say
 *	  oom.c        its memory has run out
 *	  process.c    an exit is noticed, and told to whom it concerns
 *	    event.c    what containerd is told, in order
 *	inspect.c      all of this as JSON, for "brass inspect" and "brass ps"
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "shim/bundle.h"
#include "shim/cgroup.h"
#include "shim/command.h"
#include "shim/event.h"
#include "shim/io.h"
#include "shim/limits.h"
#include "shim/oom.h"
#include "shim/reap.h"
#include "shim/socket.h"
#include "shim/state.h"
#include "spec/spec.h"
#include "ttrpc/ttrpc.h"

/* A container's init, or an exec in it. */
struct process {
	struct list link; /* on container->execs; unused for the init */
	struct container *container;
	char *id;         /* exec id; "" for the init */
	enum process_state state;
	pid_t pid;        /* 0 until it is known; stays after the exit */
	struct child child;
	int exit_status;
	struct timespec exited_at; /* tv_sec is TIME_ZERO until the exit */

	/* As the client asked for it. */
	char *stdin_path, *stdout_path, *stderr_path;
	bool terminal;
	char *document; /* an exec's OCI process, JSON, until it has been started */
	size_t document_len;

	struct io io;
	struct list waiters; /* struct ttrpc_call: parked Wait calls */
	struct list ops;     /* struct op: the first one is under way */
	struct list asides;  /* struct op: all under way */
	struct work next_op;
	uint64_t started;    /* when Start had succeeded, on the loop's clock; 0: not */
	bool in_transition;  /* Create, Start, Pause or Resume is under way: an exit is told after it */
	bool pausing;        /* Pause is under way */
	bool start_failed;   /* an exec's last Start: who waits for it, waits for nothing */
	bool exit_seen;      /* in a transition: process_settle() goes on with it */
	bool sigkill_asked;  /* while it lived: its end is no riddle (oom.c) */
	bool dumping;        /* a Checkpoint that ends it, or has: nor is criu's SIGKILL */
	struct event *exit_event; /* memory for the exit event, from the first day */
	void (*gone)(struct process *p); /* an op waits for the exit; may be NULL */
};

struct container {
	struct list link; /* on shim->containers */
	struct container *same_hash; /* the next of shim->by_id[...] */
	struct shim *shim;
	char *id, *bundle;
	/*
	 * Where short-lived files of ours are made: the bundle, or, if that may wait for
	 * a disk, the folder of our socket, or, if that may as well, /run.
	 */
	char *scratch;
	bool on_disk;         /* the bundle is: the loop changes nothing in it */
	bool noted;           /* in the bundle of the first one, see bundle_note() */
	struct child recorder; /* then this one writes how the init ended */

	struct spec spec;
	struct spec_options options;
	struct log_policy log_policy; /* of the init's outputs */
	char *runtime;    /* program: options.binary_name, or "runc" */
	char *root;       /* its --root: options.root and the namespace */
	char *checkpoint; /* folder to restore from; NULL: none */
	struct cgroup cgroup;
	struct oom oom;

	struct process init;
	struct list execs;
	unsigned n_execs;
	unsigned n_live_execs; /* starting or running */
	size_t document_bytes; /* of execs that have not been started */
	bool ready;            /* Create has been answered: visible to other calls */
	bool direct;           /* the init's outputs (direct.h) */
	bool systemd_cgroup;
	bool mounted;          /* we mounted something on BUNDLE/rootfs */
	bool init_dead;        /* its exit was seen: nothing begins from here on */
	bool look_again;       /* there was nothing left to find or watch its cgroup with */
	bool has_stray;        /* an exec's process of which nobody has told us the pid */
	bool killing;          /* the runtime is killing what the init left behind */
	struct command killer;
	/* How much of the dead init's output nobody has read, since when, and when to look. */
	size_t unread;
	uint64_t unread_since;
	struct timer unread_look;
	struct timer exec_drain; /* how long the execs may delay the init's exit */
};

/* Seconds of Go's zero time: "has not exited" (contract 3). */
#define TIME_ZERO (-62135596800)

struct op;

struct shim {
	struct limits limits;
	struct loop loop;
	struct ttrpc_server server;
	struct ttrpc_service task_v2, task_v3, inspect;
	struct sigwatch signals;
	struct reaper reaper;
	struct event_queue events;
	struct list containers;
	struct container *by_id[64]; /* chains, by the hash of the id */
	unsigned n_containers; /* those that are being created included */
	unsigned n_ops;        /* under way, or waiting for their turn */

	const char *ns, *runtime_name;
	struct socket socket;
	struct shim_record record; /* we, for the bundles */
	const char *first; /* the container that we were started for; it may be gone */
	bool debug;
	bool leaving;       /* SIGTERM: go when no container runs */
	bool going;         /* the socket is gone; only events are left to send */
	struct timer lease; /* nobody needs us, or the last events take too long */
	uint64_t empty_since; /* without a container, on the loop's clock; 0: it has one */
	unsigned n_looks;     /* at whether the bundles are still there, in a row */
	struct work reconsider;
};

/* serve.c */

/* Runs the server until it has ended; returns the exit code of the program. */
struct flags;
int serve_main(const struct flags *f, const char *runtime_name);
/* A container, a connection or an event has come or gone: may we leave? */
void serve_reconsider(struct shim *s);
/* The Shutdown method: unlinks the socket at once, leaves when events are sent. */
void serve_shutdown(struct shim *s);

/* container.c */

/* An empty container, reserved under its id; NULL: out of memory. */
struct container *container_new(struct shim *s, const char *id, const char *bundle);
/* Its init exists: finds its cgroup, and watches that. */
void container_entered(struct container *c);
/* The same, if it did not work for a reason that may have gone. */
void container_look_again(struct container *c);
/* The only place where one is freed: calls that wait for it are answered. */
void container_free(struct container *c);
/* NULL: unknown. @reserved: also one whose Create is still under way. */
struct container *container_find(struct shim *s, const char *id, bool reserved);
/* Its init has ended, and this is yet to be told. */
bool container_is_dying(const struct container *c);
/* A process runs, its end is yet to be told, or a call that is about the init runs. */
bool container_is_busy(const struct container *c);
/* Its end was told, and nothing is under way: it is only to be deleted. */
bool container_is_over(const struct container *c);
/* And it will not be, since its bundle is gone, or a new one has its name. Reads the disk. */
bool container_is_forgotten(const struct container *c);
/* The init for exec_id "" (or NULL), else the exec; NULL: unknown. */
struct process *container_process(struct container *c, const char *exec_id);

/* process.c */

/*
 * Prepares a zeroed process that is linked already; -ENOMEM. process_fini() is
 * owed in any case: it answers all calls that wait for the process.
 */
int process_init(struct process *p, struct container *c, const char *id);
void process_fini(struct process *p);
/* An exec, on its container's list; NULL: out of memory. */
struct process *process_new_exec(struct container *c, const char *id);
void process_free_exec(struct process *p);
/* It has been started: nobody needs p->document any more. */
void process_drop_document(struct process *p);
/* io_open() as the client has asked for it. */
void process_open_io(struct process *p, void (*opened)(struct io *, struct err *failure));
/* How it ended, or that it has not (TIME_ZERO). */
struct exit_record process_exit(const struct process *p);
/*
 * The process exists: watches it. @pid_file says which one it is. The error
 * says when that file lies.
 */
int process_adopt(struct process *p, const char *pid_file, struct err *e);
/*
 * state_check() for what works on a process that lives: an init that is dead is stopped,
 * also while its exit is yet to be told. So that is never told in a transition.
 */
int process_check(const struct process *p, enum verb verb, struct err *e);
/* What a transition was for. */
void process_enter(struct process *p, enum process_state state);
/*
 * The end of a transition: an exit that came meanwhile is told now. An exec that
 * has not @started is not alive any more.
 */
void process_settle(struct process *p, bool started);
bool process_is_init(const struct process *p);
/* Answers all parked Wait calls with what is known: also for an exec that did not start. */
void process_release_waiters(struct process *p);
/* A client has asked for its end: it makes no difference if that has come already. */
void process_expect_sigkill(struct process *p);
/*
 * Execs that have outlived a container that is being deleted: nobody could name them
 * afterwards. They are killed when that begins; of whom is still there when it ends (he
 * sleeps in the kernel) it is told that he was.
 */
void process_kill_execs(struct container *c);
void process_abandon_execs(struct container *c);
/* kill(2) by pidfd; NotFound when it has ended. */
int process_signal(struct process *p, int signo, struct err *e);

/* It is time to see what is left of container->unread. */
void process_look_unread(struct timer *t);
/* The time of an init's execs is up (container->exec_drain): its exit is told. */
void process_give_up_execs(struct timer *t);

/* create.c, launch.c, remove.c: the ops behind Create, Start and Delete. */

/* CreateTaskRequest, as plain data; strings are never NULL and live as long as the call. */
struct create_request {
	const char *id, *bundle, *checkpoint;
	const char *stdio[IO_STREAMS];
	bool terminal;
	struct mount *rootfs;
	size_t n_rootfs;
	struct spec_options options; /* owned: handed over */
};
void create_begin(struct shim *s, struct ttrpc_call *call, struct create_request *r);
void launch_begin(struct process *p, struct ttrpc_call *call);
/*
 * A Kill of an exec, or of what is being restored, whose Start is under way: SIGKILL ends
 * that. False: there is no such Start, or no process yet that could get another signal.
 */
bool launch_kill(struct process *p, int signo, struct err *e);
/* Ends a Start of that kind that is under way, if one is: it fails. */
void launch_give_up(struct process *p);
void remove_begin(struct process *p, struct ttrpc_call *call);

/*
 * checkpoint.c, or checkpoint-none.c in a build without criu, which refuses.
 * Strings live as long as the call.
 */
struct checkpoint_request {
	const char *path, *work_path, *parent_path;
	bool exit, open_tcp, external_unix_sockets, terminal, file_locks;
	char *const *empty_namespaces;
	size_t n_empty_namespaces;
};
bool checkpoint_supported(struct err *e);
void checkpoint_begin(struct process *init, struct ttrpc_call *call,
		      const struct checkpoint_request *r);
/* The Start of an init in PROC_CREATED_CHECKPOINT; ends in launch_started() or launch_failed(). */
void checkpoint_restore(struct op *op);
/* Has it fail, soon. */
void checkpoint_give_up(struct op *op);
/* The end of a Start (launch.c): containerd and the caller are told. */
void launch_started(struct op *op);
void launch_failed(struct op *op);

/* control.c: Pause, Resume and Update. */
void control_pause(struct process *init, struct ttrpc_call *call);
void control_resume(struct process *init, struct ttrpc_call *call);
/* @json: LinuxResources, as long as the call. */
void control_update(struct process *init, struct ttrpc_call *call, const void *json,
		    size_t len);
/* Its init has died while it was paused: lets go of what the freezer still holds. */
void control_thaw_dead(struct container *c);

/* kill.c, pids.c: what signals and what lists the processes of a container. */
void kill_begin(struct process *p, int signo, bool all, struct ttrpc_call *call);
/*
 * A frozen process dies of SIGKILL only when it is let go (cgroup v1), so "runc kill" does
 * that, whoever has frozen it.
 */
void kill_let_go(struct container *c);
void pids_begin(struct container *c, struct ttrpc_call *call);
/*
 * Kills what is left of a container whose init is dead. True: done, or nothing
 * to do; false: process_remains_killed() will be called.
 */
bool kill_remains(struct container *c);
void process_remains_killed(struct container *c);

/* service.c: binds the Task service, and the answers of the ops. */
void service_open(struct shim *s);
void service_reply_created(struct ttrpc_call *call, const struct process *init);
void service_reply_empty(struct ttrpc_call *call);
void service_reply_pids(struct ttrpc_call *call, struct container *c, const pid_t *pids,
			size_t n);
void service_reply_started(struct ttrpc_call *call, const struct process *p);
void service_reply_deleted(struct ttrpc_call *call, const struct exit_record *x);
void service_reply_waited(struct ttrpc_call *call, const struct process *p);

/* inspect.c: adds the service that tells the operator's tool what all this says. */
void inspect_open(struct shim *s);
