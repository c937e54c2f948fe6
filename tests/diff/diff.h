/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differential suite: the same scripts of calls against the stock shim of
 * the machine and against ours, with the machine's runc and a busybox; whatever
 * can be seen from outside must be the same, but for what known.c lists with
 * its reason.
 *
 * A scenario is such a script. It runs once per side, in namespaces of its own
 * (tests/e2e/harness.h), several at the same time, and writes down what it sees: lines of a label (what was done) and a value (what came of it). Pids
 * and times are replaced by names in the order in which they are first seen, so
 * that what is compared is whether two of them are the same one.
 *
 * Environment: DIFF_ONLY=GLOB (of scenarios; then the list is not checked for
 * what does not occur), DIFF_KEEP=1 (the transcripts stay in /tmp), DIFF_STOCK
 * (that shim).
 */
#pragma once

#include "tests/e2e/harness.h"

#define ROOTFS "/run/diff/rootfs"
/* So long a step may take, on a busy machine; then whoever is slow has hung. */
#define HANGS (5 * SOON)
#define TMP "/run/diff/tmp" /* TMPDIR of the shims */
#define SHIM_NAME "containerd-shim-runc-v2"
#define OTHER_SHIM "/run/diff/other/" SHIM_NAME /* that of the other side */

struct scenario {
	const char *name;
	void (*run)(void);
};

/* The groups, each ended by an empty entry. */
extern const struct scenario life_scenarios[], states_scenarios[], kill_scenarios[],
	exec_scenarios[], stdio_scenarios[], tty_scenarios[], failure_scenarios[],
	mount_scenarios[], control_scenarios[], flags_scenarios[], runtime_scenarios[],
	cross_scenarios[];

/* A difference that is meant, as globs; "(none)" is a line that is not there. */
struct known {
	const char *scenario, *label, *stock, *ours;
	const char *why;
	bool races; /* it depends on who is faster: need not occur */
};
extern const struct known known[];
extern const size_t n_known;

/* ------------------------------------------------------------------ compare.c */

#define SIDES 2
extern const char *const sides[SIDES]; /* their names: stock's first */
/* The label of the last line of a script; and if it waited in vain for something. */
#define THE_END "end"
#define HUNG "hung"

enum verdict { SAME, DIFFERENT, STOCK_HUNG };
/* One scenario. Prints what is wrong; *@why: what the stock shim did not do. */
enum verdict compare(const char *name, const char *const transcripts[SIDES],
		     const char **why);
/* A difference that is no longer there must not stay in the list; prints those. */
bool all_known_occurred(void);

/* ------------------------------------------------------------------- record.c */

/* The transcript of this side goes to this file. */
void record_open(const char *path);
/* Forgets the names of pids and times. */
void record_begin(const char *scenario);
void record_end(void);
/* One line: "LABEL: VALUE"; both are normalised. */
void say(const char *label, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The name of a pid: "P1", "P2" in order of mention. */
const char *pid_name(int64_t pid);
/* Fields that are set, nested; pids and times by name. */
char *rendered(const ProtobufCMessage *m);

/* ---------------------------------------------------------------------- box.c */

/* What goes into a bundle; all but id may be left out. */
struct box {
	const char *id;
	const char *command; /* of "sh -c"; NULL: args */
	const char *args; /* JSON array */
	const char *root; /* NULL: ROOTFS */
	const char *annotations, *mounts, *cwd, *user; /* JSON: members, elements, ... */
	bool terminal, host_pid;

	/* For Create. */
	struct stdio io;
	const char *binary_name, *checkpoint;
	const char *options_url; /* type of the options; NULL: runc's */
	bool empty_options, no_runc_root;
	const struct mount_entry {
		const char *type, *source, *options[8];
	} * rootfs;
	size_t n_rootfs;
};

/* This side's folder in each cgroup hierarchy. */
const char *cgroup_name(void);
void make_rootfs(void);
/* The path of a file in a box's bundle. */
char *in_bundle(const char *id, const char *name);
/* Makes the bundle, and FIFOs with readers for stdout and stderr if @io: see io_of(). */
void box_make(const struct box *b);
/* FIFOs ID-out and ID-err with readers on them. */
struct stdio io_of(const char *id);
/* The same, and ID-in, whose writing end is returned by io_writer(). */
struct stdio io_with_stdin(const char *id);
int io_writer(const char *path);
/* The first reader of this path. */
struct reader *reader_of(const char *path);
/* What a reader of one of the FIFOs has got; waits for its end if @eof. */
void say_output(const char *path, bool eof);
/* Waits until @text is in what came out. */
void wait_output(const char *path, const char *text);

/* -------------------------------------------------------------------- steps.c */

/* Makes the bundle, starts its shim and connects to it. */
void boot(const struct box *b);
/* "start" for one more container; says whether it joined the shim of before. */
void join(const struct box *b);
/* Waits for the answer and writes it down. */
void told(struct answer *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct answer *ask_create_box(const struct box *b);
struct answer *ask_exec_json(const char *id, const char *exec, const char *process,
			     const struct stdio *io);
/* The calls, waited for and written down. @exec NULL: the init. */
bool do_create(const struct box *b);
void do_start(const char *id, const char *exec);
void do_exec(const char *id, const char *exec, const char *command,
	     const struct stdio *io);
void do_state(const char *id, const char *exec);
void do_wait(const char *id, const char *exec);
void do_delete(const char *id, const char *exec);
void do_kill(const char *id, const char *exec, int signal, bool all);
void do_close_io(const char *id, const char *exec);
void do_pids(const char *id);
void do_pause(const char *id);
void do_resume(const char *id);
void do_update(const char *id, const char *json);
void do_resize(const char *id, const char *exec, unsigned width, unsigned height);
void do_checkpoint(const char *id);
void do_stats(const char *id);
void do_connect(const char *id);
void do_shutdown(void);
/* SIGKILL, Wait, State, Delete, State. */
void do_end(const char *id, const char *exec);
/* Runs the runtime by hand; returns its status. */
int runc(const char *arg, ...) __attribute__((sentinel));

/* The next @n events; waits for them. */
void say_events(size_t n);
/*
 * Shutdown, the end of the server, all events, what is left, and the "delete"
 * of each container as containerd runs it after every task.
 */
void finish(void);
/* Waits for the end of the server. */
void wait_server(void);
/* The server is killed, as if it had crashed; then as finish(). */
void crash(void);

/* --------------------------------------------------------------------- left.c */

/* Files of a bundle, their modes and contents. */
void say_files(const char *id);
/* Processes, mounts, sockets, cgroups, containers in runc's books. */
void say_left(const char *when);
/* Ends and removes what there is; returns when it is gone. */
void clean_up(void);
