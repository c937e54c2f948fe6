/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who does not end when told to is waited for as long as limits.h says, and then given
 * up: a logger that ignores SIGTERM, a runtime that prints nothing, and, on a file
 * system whose daemon has a request and never answers it, what not even SIGKILL ends.
 * All at once, since each takes seconds; meanwhile everything else is answered.
 */
#include "tests/e2e/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"

/* What a timer may be late or early by, on a busy machine. */
#define LATE_MS 3000

static const char *put_script(const char *name, const char *lines)
{
	char *path = in_dir(name), *all = text("#!/bin/sh\n%s", lines);

	write_file(path, all, strlen(all));
	chmod(path, 0755);
	return path;
}

/* The daemon: agrees with the kernel, then takes requests, makes that known, and keeps them. */
static _Noreturn void hang(int fd)
{
	static char in[FUSE_MIN_READ_BUFFER + 65536];
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} out = { .init = { .major = FUSE_KERNEL_VERSION,
			    .minor = FUSE_KERNEL_MINOR_VERSION,
			    .max_write = 4096 } };
	ssize_t n;

	out.head.len = sizeof(out);
	while ((n = read(fd, in, sizeof(in))) > 0 || errno == EINTR) {
		const struct fuse_in_header *h = (const void *)in;

		if (n <= 0)
			continue;
		if (h->opcode != FUSE_INIT) {
			write_file(in_dir("taken"), "", 0);
			continue;
		}
		out.head.unique = h->unique;
		if (write(fd, &out, sizeof(out)) < 0)
			break;
	}
	_exit(1);
}

/* Mounts it on @path; returns its daemon's pid, whose end frees all that hang. */
static pid_t mount_hung(const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		return -1;
	mkdir(path, 0755);
	if (mount("hung", path, "fuse.hung", 0,
		  text("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)) < 0)
		fail_at(HERE, "mount: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		hang(fd);
	close(fd);
	return pid;
}

static void end_hung(pid_t daemon)
{
	umount2(in_dir("hung"), MNT_DETACH);
	kill(daemon, SIGKILL);
	waitpid(daemon, NULL, 0);
}

static struct run *begin_info(void)
{
	uint8_t *in;
	size_t len = pack((const ProtobufCMessage *)runc_options(), &in);

	return run_begin("/", in, len, false, (const char *const[]){ "-info", NULL });
}

static void took(struct where w, const char *what, uint64_t ns, unsigned ms)
{
	unsigned passed = (unsigned)(ns / LOOP_MSEC);

	if (passed + 50 < ms || passed > ms + LATE_MS * (unsigned)e2e.slow)
		fail_at(w, "%s took %u ms, expected: %u", what, passed, ms);
}

/* c1 has a logger that does not end. */
static struct bundle *first(void)
{
	struct stdio io = { 0 };
	struct bundle *b;

	e2e.extra_env[0] = "BRASS_MOUNT_TIMEOUT_MS=1000";
	io.out = text("binary://%s",
		      put_script("logger", "trap '' TERM\nexec 5>&-\nexec sleep 3000\n"));
	io.err = io.out;
	b = shim_for("c1", "exec sleep 1000");
	create_io(b, &io);
	start("c1", NULL);
	return b;
}

/* A runtime whose "exec" hangs where nothing ends it. */
static const char *exec_that_hangs(void)
{
	return put_script("runtime",
			  text("case \"$*\" in *' exec '*) touch %s; cd %s/x ;; esac\n"
			       "exec %s \"$@\"\n",
			       in_dir("hangs"), in_dir("hung"), e2e.fake));
}

/* c2 has an exec whose runtime hangs where nothing ends it. */
static void second(void)
{
	struct bundle like = { .id = "c2",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "c1" };

	e2e.binary_name = exec_that_hangs();
	create(bundle_like(&like, "exec sleep 1000"));
	start("c2", NULL);
	exec_add("c2", "e1", "exit 0");
	e2e.binary_name = NULL;
}

/* c3 is to be created from a file system that hangs. */
static struct answer *third(void)
{
	struct bundle like = { .id = "c3",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "c1" };
	struct entry m = { "bind", in_dir("hung/x"), NULL, { "rbind", NULL } };

	return ask_mounts(bundle_like(&like, "exec sleep 1000"), &m, 1);
}

static void given_up(struct where w, struct answer *a, unsigned after)
{
	while (!a->done) {
		struct answer *other = ask_state("c2", NULL);

		ok_at(w, other);
		if (other->ns > 100 * LOOP_MSEC * (uint64_t)e2e.slow)
			fail_at(w, "State took %d ms", (int)(other->ns / LOOP_MSEC));
		loop_for(20);
	}
	fails_with_at(w, a, TTRPC_UNKNOWN,
		      text("did not end within %u s and was given up", after / 1000));
	took(w, a->text, a->ns, after + LIMIT_KILL_MS);
}

/* A mount, and an exec in a container whose init has died and an update of it. */
static void never_end(void)
{
	pid_t daemon = mount_hung(in_dir("hung"));
	struct answer *starting, *creating, *waiting, *updating;

	if (daemon < 0) {
		print_message("no /dev/fuse\n");
		kill_task("c2", NULL, SIGKILL);
		return;
	}
	starting = ask_start("c2", "e1");
	until(exists(in_dir("hangs")));
	creating = third();
	script("update", "hang\n");
	updating = ask_update("c2");
	waiting = ask_wait("c2", NULL);
	kill_task("c2", NULL, SIGKILL);
	given_up(HERE, creating, 1000);
	given_up(HERE, starting, LIMIT_RUNTIME_ORPHAN_MS);
	until(updating->done);
	took(HERE, "Update", updating->ns, LIMIT_RUNTIME_ORPHAN_MS);
	assert_int_not_equal(updating->code, TTRPC_OK);
	/* It could not wait any longer for an exec that may still come. */
	ok(waiting);
	took(HERE, "Wait", waiting->ns, LIMIT_EXEC_DRAIN_MS);
	end_hung(daemon);
}

static void waits(void **st)
{
	struct answer *deleting;
	struct run *info;

	(void)st;
	first();
	second();
	script("features", "ignore_term\nhang\n");
	info = begin_info();
	kill_task("c1", NULL, SIGKILL);
	wait_exit("c1", NULL);
	deleting = ask_delete("c1", NULL);
	never_end();
	run_end(info);
	assert_int_equal(info->status, 0);
	assert_true(info->out_len > 0);
	ok(deleting);
	took(HERE, "Delete", deleting->ns, LIMIT_LOGGER_END_MS + LIMIT_LOGGER_TERM_MS);
	wait_exit("c2", NULL);
	delete_task("c2", "e1");
	delete_task("c2", NULL);
	until(!other_processes());
	shutdown_shim();
}

/* Who asks for the end of what does not end again and again does not put it off. */
static void killed_again_and_again(void **st)
{
	struct answer *starting;
	uint64_t killed;
	pid_t daemon = mount_hung(in_dir("hung"));

	(void)st;
	if (daemon < 0)
		skip();
	e2e.binary_name = exec_that_hangs();
	run_c1("exec sleep 1000");
	exec_add("c1", "e1", "exit 0");
	starting = ask_start("c1", "e1");
	/* From then on nothing ends who waits for the answer. */
	until(exists(in_dir("taken")));
	killed = loop_now();
	for (int i = 0; i < 20 && !starting->done; i++) {
		kill_task("c1", "e1", SIGKILL);
		loop_for(LIMIT_KILL_MS / 10);
	}
	fails_with(starting, TTRPC_UNKNOWN, "killed before it had started");
	took(HERE, "Start", loop_now() - killed, LIMIT_KILL_MS);
	end_hung(daemon);
	end_c1();
}

/* CRIU's folder is the client's: what it is on may hang. */
static void log_of_a_checkpoint_hangs(void **st)
{
	Task__CheckpointTaskRequest q = TASK__CHECKPOINT_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__CheckpointOptions o = RUNC__CHECKPOINT_OPTIONS__INIT;
	pid_t daemon = mount_hung(in_dir("hung"));
	struct answer *a;

	(void)st;
	if (daemon < 0)
		skip();
	e2e.extra_env[0] = "BRASS_MOUNT_TIMEOUT_MS=500";
	run_c1("exec sleep 1000");
	o.work_path = in_dir("hung/x");
	any.type_url = text("containerd.runc.v1.CheckpointOptions");
	any.value.len = pack(&o.base, &any.value.data);
	q.id = text("c1");
	q.path = in_dir("images");
	q.options = &any;
	a = ask("Checkpoint", &q);
	until(calls_of("checkpoint") == 1);
	while (!a->done) {
		state("c1", NULL);
		loop_for(20);
	}
	/* Of which the fake knows nothing: these are its words, and no log is named. */
	fails_with(a, TTRPC_UNKNOWN, "did not terminate successfully");
	assert_null(strstr(a->text, "path="));
	took(HERE, "Checkpoint", a->ns, 500 + LIMIT_KILL_MS);
	end_hung(daemon);
	end_c1();
}

E2E_GROUP(E2E(waits), E2E(killed_again_and_again), E2E(log_of_a_checkpoint_hangs))
