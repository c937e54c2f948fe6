/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the e2e tests stand on: they are containerd to the real shim binary, and
 * fake-runc (tests/fake) is the runtime.
 *
 * Each test program lives in pid and mount namespaces of its own, with an empty
 * /run, so that nothing of it can be left on the machine and tests can run side
 * by side. It is pid 1 there: whatever the shim leaves behind becomes its child.
 *
 * One test at a time, so there is one environment (struct e2e e2e), made before
 * and checked after each test: no process, mount, socket or descriptor may be
 * left. What helpers return lives until the end of the test. A helper that does
 * not get what it waits for fails the test with file and line of its caller.
 *
 * Environment: BRASS_SHIM, BRASS_FAKE (other binaries than those of the build),
 * E2E_LOG=1 (the shims' logs go to stderr), E2E_SLOW=N (multiplies limits),
 * E2E_ONLY=PATTERN (the tests of that name).
 */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "bootstrap.pb-c.h"
#include "events.pb-c.h"
#include "forward.pb-c.h"
#include "runc_options.pb-c.h"
#include "task.pb-c.h"
#include "ttrpc/loop.h"
#include "ttrpc/ttrpc.h"
#include "types.pb-c.h"

#define NS "e2e"
#define V2 "containerd.task.v2.Task"
#define V3 "containerd.task.v3.Task"
#define ZERO_TIME INT64_C(-62135596800)
#define DIR_OF_TEST "/run/e2e"
#define SHIM_SOCKETS "/run/containerd/s"
/* How long anything may take that is not meant to take long. */
#define SOON 5000

struct e2e {
	struct loop loop;
	struct ttrpc_client client; /* to the shim that was started last */
	char shim[4096], fake[4096]; /* binaries */
	char address[64], ttrpc_address[72]; /* containerd's sockets */
	char scripts[64], root[64];
	pid_t server; /* the shim that was started last, 0: none */
	struct {
		pid_t server; /* whose descriptors were counted before there was a container */
		int fds;
	} census;
	char path[108]; /* of its socket */
	const char *extra_env[8]; /* for shims to come; K=V */
	const char *binary_name; /* for Create's options; NULL: fake-runc */
	int fds_before;
	int slow;
	/* What Create mounts on rootfs, if type is set. */
	struct {
		const char *type, *source, *options[8];
	} rootfs;
	/* Where fake-runc makes cgroups; "": this machine has none for us. */
	char cgroup[96];
	bool no_cgroup; /* for shims to come: containers stay in the shim's own */
	bool keep_runc_state; /* the test leaves containers in fake-runc's books */
	struct list answers, readers, logs;
};

extern struct e2e e2e;

int e2e_setup(void **state);
int e2e_teardown(void **state);
/* Runs @run (a cmocka group) in namespaces of its own and exits with its result. */
_Noreturn void e2e_main(int (*run)(void));

#define E2E(test) cmocka_unit_test_setup_teardown(test, e2e_setup, e2e_teardown)
#define E2E_GROUP(...)                                             \
	static int run_group(void)                                 \
	{                                                          \
		const struct CMUnitTest tests[] = { __VA_ARGS__ }; \
		return cmocka_run_group_tests(tests, NULL, NULL);  \
	}                                                          \
	int main(void)                                             \
	{                                                          \
		e2e_main(run_group);                               \
	}

struct where {
	const char *file;
	int line;
};
#define HERE ((struct where){ __FILE__, __LINE__ })
/* How a failure begins that is a wait whose time was up. */
#define LATE "not in time: "
_Noreturn void fail_at(struct where w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Is told of each failure before the test ends by it; NULL: nobody. */
extern void (*failing)(const char *why);

/* Runs the loop until @condition, for SOON milliseconds at most. */
#define until(condition) until_within(SOON, condition)
#define until_within(ms, condition)                                   \
	do {                                                          \
		uint64_t due_ = deadline_in(ms);                      \
		while (!(condition))                                  \
			if (!loop_until(due_))                        \
				fail_at(HERE, LATE "%s", #condition); \
	} while (0)
uint64_t deadline_in(uint64_t ms);
bool loop_until(uint64_t due);
/* Runs the loop for a time, for what must not happen meanwhile. */
void loop_for(uint64_t ms);

/* --------------------------------------------------------- files, processes */

/* Formats a path (or any text) that lives until the end of the test. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A path in the test's directory. */
#define in_dir(name) text("%s/%s", DIR_OF_TEST, name)
void write_file(const char *path, const void *data, size_t len);
/* The contents, with a NUL behind; NULL if it cannot be read. */
char *read_file(const char *path, size_t *len);
bool exists(const char *path);
/* Number of open descriptors of a process. */
int count_fds(pid_t pid);
/* How many of them are links that start with @prefix ("pipe:"). */
int count_fds_of(pid_t pid, const char *prefix);
bool is_alive(pid_t pid);
/* Living processes of this pid namespace but us and the shim, described; NULL: none. */
char *other_processes(void);
/* The first mount below the test's directory, and what follows; NULL: none. */
char *own_mounts(void);
/* How many files are in a directory; -1: it cannot be read. */
int count_files(const char *dir);
/* The name of a file in @dir that is not among @known; NULL: none. */
char *other_file_in(const char *dir, const char *const known[], size_t n);
void make_folder(const char *path);
/* A line of /proc/PID/status, such as "State" or "voluntary_ctxt_switches". */
char *proc_status(pid_t pid, const char *field);
void *forget_later(void *allocated);
/*
 * For tests that would pile up too much until their end: frees the answers, the
 * readers and what came into the pool since the mark.
 */
size_t e2e_mark(void);
void e2e_forget(size_t mark);

/* ----------------------------------------------------------------- fake-runc */

/* Writes the script NAME ("create", "exec.e1"), as tests/fake/README has it. */
void script(const char *name, const char *lines);
/* How many calls there were whose argv has @word. */
size_t calls_of(const char *word);

/* ------------------------------------------------------------------- bundles */

struct bundle {
	const char *id, *dir, *config; /* directory; path of config.json */
	const char *annotation, *group; /* in: name and value, or NULL */
	bool host_pid; /* in: no pid namespace of its own */
};

/* Makes the bundle of @id whose process runs "sh -c @command". */
struct bundle *bundle(const char *id, const char *command);
struct bundle *bundle_like(const struct bundle *like, const char *command);
/* Adds linux.cgroupsPath to its config.json. */
void set_cgroups_path(const struct bundle *b, const char *path);
/* An exec's process document that runs "sh -c @command", FAKE_NAME=@name. */
char *process_json(const char *name, const char *command);
/* A FIFO in the test's directory, opened by nobody. */
char *make_fifo(const char *name);

/* -------------------------------------------------------------- the binary */

struct run {
	int status; /* as of waitpid(2) */
	char *out, *err; /* NUL-terminated; all in out if merged */
	size_t out_len, err_len;
	uint64_t ns;

	/* Private. */
	pid_t pid;
	uint64_t begin;
	struct collector *out_pipe, *err_pipe;
};

/* Runs the shim's binary with these arguments, NULL-terminated, as containerd does. */
struct run *run_shim(const char *cwd, const void *in, size_t in_len, bool merge,
		     const char *const argv[]);
/* The same in two steps, so that two can run at once. */
struct run *run_begin(const char *cwd, const void *in, size_t in_len, bool merge,
		      const char *const argv[]);
struct run *run_end(struct run *r);
/* "start" for @id in @cwd; stdin as containerd 1.6 sends it. */
struct run *run_start(const char *cwd, const char *id);
struct run *run_delete(const char *cwd, const char *id);
/* The command line of containerd for an action. */
#define ARGS(id, ...)                                                                \
	((const char *const[]){ "-namespace", NS, "-address", e2e.address,           \
				"-publish-binary", "/usr/bin/containerd", "-id", id, \
				__VA_ARGS__, NULL })

/* Makes a bundle, starts its shim, connects to it. */
struct bundle *shim_for(const char *id, const char *command);
#define start_shim(b) start_shim_at(HERE, b)
void start_shim_at(struct where w, const struct bundle *b);
/* Connects to the shim at this path, which is then the one that was started last. */
#define connect_shim(path) connect_shim_at(HERE, path)
void connect_shim_at(struct where w, const char *path);
/*
 * Shutdown; the server must end with status 0, its socket gone before the answer,
 * and have no descriptor by then that it had not before the first container.
 */
#define shutdown_shim() shutdown_shim_at(HERE)
void shutdown_shim_at(struct where w);
/* Waits for the end of the server and returns its wait status. */
#define shim_ended() shim_ended_at(HERE, SOON)
int shim_ended_at(struct where w, int ms);
/* The options that make a shim use fake-runc, packed into an Any. */
Google__Protobuf__Any *runc_options(void);
size_t pack(const ProtobufCMessage *m, uint8_t **out);

/* ------------------------------------------------------------------- calls */

struct answer {
	struct list link;
	struct ttrpc_request request;
	const ProtobufCMessageDescriptor *type;
	bool done;
	int code;
	char text[4096];
	ProtobufCMessage *reply;
	uint64_t sent, ns; /* ns: how long it took */
};

/* Sends; answers come while the loop runs. @request is any message. */
struct answer *ask(const char *method, const void *request);
struct answer *ask_on(struct ttrpc_client *c, const char *service, const char *method,
		      const void *request);
/* Waits for the answer. */
#define await(a) await_at(HERE, a)
struct answer *await_at(struct where w, struct answer *a);
/* Waits for the answer, which must be OK, and returns the reply. */
#define ok(a) ok_at(HERE, a)
const void *ok_at(struct where w, struct answer *a);
/* Waits for an answer that must be this error; the text may be NULL: any. */
#define fails(a, ...) fails_at(HERE, a, __VA_ARGS__)
void fails_at(struct where w, struct answer *a, int code, const char *text);
#define fails_with(a, code, part) fails_with_at(HERE, a, code, part)
void fails_with_at(struct where w, struct answer *a, int code, const char *part);

/* stdin, stdout, stderr of a process to be; NULL: "". */
struct stdio {
	const char *in, *out, *err;
	bool terminal;
};

struct answer *ask_create(const struct bundle *b, const struct stdio *io);
struct answer *ask_exec(const char *id, const char *exec_id, const char *command,
			const struct stdio *io);
/* @exec_id NULL: the init. */
struct answer *ask_start(const char *id, const char *exec_id);
struct answer *ask_state(const char *id, const char *exec_id);
struct answer *ask_wait(const char *id, const char *exec_id);
struct answer *ask_delete(const char *id, const char *exec_id);
struct answer *ask_kill(const char *id, const char *exec_id, int signal, bool all);
struct answer *ask_close_io(const char *id, const char *exec_id);
struct answer *ask_pids(const char *id);
struct answer *ask_pause(const char *id);
struct answer *ask_resume(const char *id);
struct answer *ask_connect(const char *id);
struct answer *ask_shutdown(void);

static inline const Task__StateResponse *as_state(const void *reply)
{
	return reply;
}

static inline const Task__WaitResponse *as_wait(const void *reply)
{
	return reply;
}

static inline const Task__DeleteResponse *as_delete(const void *reply)
{
	return reply;
}

static inline uint32_t as_pid(const void *reply)
{
	return ((const Task__StartResponse *)reply)->pid; /* Create's looks the same */
}

/* The same, waited for; each must succeed. */
#define create(b) as_pid(ok(ask_create(b, NULL)))
#define create_io(b, io) as_pid(ok(ask_create(b, io)))
/* Also looks whether the process has got a descriptor that is the shim's. */
#define start(id, exec) start_at(HERE, id, exec)
uint32_t start_at(struct where w, const char *id, const char *exec_id);
#define state(id, exec) as_state(ok(ask_state(id, exec)))
#define wait_exit(id, exec) as_wait(ok(ask_wait(id, exec)))
#define delete_task(id, exec) as_delete(ok(ask_delete(id, exec)))
#define kill_task(id, exec, sig) ok(ask_kill(id, exec, sig, false))
#define exec_add(id, exec, command) ok(ask_exec(id, exec, command, NULL))
/* To 100 processes. */
struct answer *ask_update(const char *id);
/* A container c1 in a shim of its own that runs @command, and its end. */
struct bundle *run_c1(const char *command);
void end_c1(void);

/* ------------------------------------------------------------------- events */

struct event {
	char ns[80], topic[80], type[80];
	char metadata_ns[80];
	char line[256]; /* see expect_events() */
	int64_t seconds;
	const ProtobufCMessage *message; /* of type */
};

/* How the sink treats what it gets. */
enum sink_mode {
	SINK_TAKE,
	SINK_SILENT,
	SINK_REFUSE, /* as one that is away: Unavailable */
	SINK_FAIL, /* another error */
};

void sink_open(void); /* done by setup */
void sink_bind(void); /* its socket is there, and refuses connections until sink_open() */
/* A second one is bound in its place, to be opened; what the first was sent stays with it. */
void sink_supersede(void);
void sink_close(void); /* as if containerd were gone: the socket is unlinked */
void sink_set(enum sink_mode mode);
/* From now on events are only written to @fd, a line each, before they are acknowledged. */
void sink_record(int fd);
size_t sink_count(void);
unsigned sink_failed(void); /* how often, in SINK_FAIL */
/* Event number @i; waits for it. */
#define event(i) event_at(HERE, i)
const struct event *event_at(struct where w, size_t i);
/*
 * The next events, in order, one a line: "create ID", "start ID",
 * "exit ID PROCESS STATUS", "delete ID STATUS", "exec-added ID EXEC",
 * "exec-started ID EXEC". Waits for them.
 */
#define expect_events(...) \
	expect_events_at(HERE, (const char *const[]){ __VA_ARGS__, NULL })
void expect_events_at(struct where w, const char *const lines[]);
/* All events that came were expected. */
#define expect_no_more_events() expect_no_more_events_at(HERE)
void expect_no_more_events_at(struct where w);

/* ------------------------------------------------------------------- readers */

/* The client's end of an output FIFO: reads all there is. */
struct reader {
	struct list link;
	struct watch watch;
	const char *path;
	char *data; /* NUL-terminated */
	size_t len, size;
	bool eof, paused;
};

struct reader *reader_open(const char *path);
/* Stops and starts reading. */
void reader_pause(struct reader *r, bool paused);
void reader_close(struct reader *r);

/* FIFOs for stdout and stderr. */
struct stdio out_and_err(void);
/* A command that writes 3 MiB on each of them at the same time, */
char *two_files_command(void);
/* and c1, in a shim without containers, whose command that is: they arrive byte for byte. */
void two_files_pass(struct bundle *b, void (*created)(void));
/* Known content: the same for the same seed. */
char *noise(size_t len, uint64_t seed);
