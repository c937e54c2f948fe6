/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the shim's binary as containerd runs it (contract 1.2, 1.3), and waits
 * for the end of the server that it leaves. Knows nothing of calls but Connect
 * and Shutdown.
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Collects what comes out of a pipe until its end. */
struct collector {
	struct watch watch;
	char data[65536];
	size_t len;
	bool eof;
};

static void collect(struct watch *w, uint32_t events)
{
	struct collector *c = container_of(w, struct collector, watch);
	ssize_t n = read(w->fd, c->data + c->len, sizeof(c->data) - 1 - c->len);

	(void)events;
	if (n > 0) {
		c->len += (size_t)n;
		return;
	}
	c->eof = true;
	watch_set(w, 0);
}

static void collector_close(struct collector *c)
{
	int fd = c->watch.fd;

	watch_del(&c->watch);
	close(fd);
}

static int stdin_with(const void *in, size_t len)
{
	int p[2];

	if (!in)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (len > 60000) { /* more than a pipe holds */
		p[0] = memfd_create("stdin", MFD_CLOEXEC);
		if (p[0] < 0 || pwrite(p[0], in, len, 0) != (ssize_t)len)
			fail_at(HERE, "memfd: %s", strerror(errno));
		return p[0];
	}
	if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], in, len) != (ssize_t)len)
		fail_at(HERE, "pipe: %s", strerror(errno));
	close(p[1]);
	return p[0];
}

static void set_environment(void)
{
	setenv("TTRPC_ADDRESS", e2e.ttrpc_address, 1);
	setenv("GRPC_ADDRESS", e2e.address, 1);
	setenv("NAMESPACE", NS, 1);
	setenv("GOMAXPROCS", "2", 1);
	setenv("MAX_SHIM_VERSION", "2", 1);
	setenv("FAKE_RUNC", e2e.scripts, 1);
	if (e2e.cgroup[0] && !e2e.no_cgroup)
		setenv("FAKE_CGROUP", e2e.cgroup, 1);
	for (size_t i = 0; i < 8 && e2e.extra_env[i]; i++) {
		char *name = text("%s", e2e.extra_env[i]), *eq = strchr(name, '=');

		*eq = 0;
		if (eq[1])
			setenv(name, eq + 1, 1);
		else
			unsetenv(name);
	}
}

static _Noreturn void child(const char *cwd, const int fds[3], const char *const argv[])
{
	const char *all[32] = { e2e.shim };
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < 30 && argv[i]; i++)
		all[i + 1] = argv[i];
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	set_environment();
	if (chdir(cwd) == 0)
		execv(e2e.shim, (char *const *)(uintptr_t)all);
	perror(e2e.shim);
	_exit(126);
}

/* Waits for @pid in the loop; containers and events go on meanwhile. */
static int wait_status(struct where w, pid_t pid, int ms)
{
	uint64_t due = deadline_in((uint64_t)ms);
	int status = 0;
	pid_t r;

	while ((r = waitpid(pid, &status, WNOHANG)) == 0)
		if (!loop_until(due))
			fail_at(w, LATE "the end of process %d", pid);
	if (r < 0)
		fail_at(w, "waitpid %d: %s", pid, strerror(errno));
	return status;
}

struct run *run_begin(const char *cwd, const void *in, size_t in_len, bool merge,
		      const char *const argv[])
{
	struct run *r = forget_later(calloc(1, sizeof(*r)));
	struct collector *out = forget_later(calloc(1, sizeof(*out)));
	struct collector *err = forget_later(calloc(1, sizeof(*err)));
	int o[2], e[2], fds[3] = { stdin_with(in, in_len) };

	r->begin = loop_now();
	if (pipe2(o, O_CLOEXEC) < 0 || pipe2(e, O_CLOEXEC) < 0)
		fail_at(HERE, "pipe: %s", strerror(errno));
	fds[1] = o[1];
	fds[2] = merge ? o[1] : e[1];
	r->pid = fork();
	if (r->pid == 0)
		child(cwd, fds, argv);
	close(fds[0]);
	close(o[1]);
	close(e[1]);
	watch_add(&e2e.loop, &out->watch, o[0], EPOLLIN, collect);
	watch_add(&e2e.loop, &err->watch, e[0], EPOLLIN, collect);
	r->out_pipe = out;
	r->err_pipe = err;
	return r;
}

struct run *run_end(struct run *r)
{
	until_within(2 * SOON, r->out_pipe->eof && r->err_pipe->eof);
	r->status = wait_status(HERE, r->pid, SOON);
	r->ns = loop_now() - r->begin;
	collector_close(r->out_pipe);
	collector_close(r->err_pipe);
	r->out = r->out_pipe->data;
	r->out_len = r->out_pipe->len;
	r->err = r->err_pipe->data;
	r->err_len = r->err_pipe->len;
	return r;
}

struct run *run_shim(const char *cwd, const void *in, size_t in_len, bool merge,
		     const char *const argv[])
{
	return run_end(run_begin(cwd, in, in_len, merge, argv));
}

size_t pack(const ProtobufCMessage *m, uint8_t **out)
{
	*out = forget_later(malloc(protobuf_c_message_get_packed_size(m) + 1));
	return protobuf_c_message_pack(m, *out);
}

Google__Protobuf__Any *runc_options(void)
{
	Google__Protobuf__Any *any = forget_later(malloc(sizeof(*any)));
	Runc__Options o = RUNC__OPTIONS__INIT;

	google__protobuf__any__init(any);
	o.binary_name = text("%s", e2e.binary_name ? e2e.binary_name : e2e.fake);
	o.root = e2e.root;
	any->type_url = text("containerd.runc.v1.Options");
	any->value.len = pack(&o.base, &any->value.data);
	return any;
}

struct run *run_start(const char *cwd, const char *id)
{
	uint8_t *in;
	size_t len = pack(&runc_options()->base, &in);

	return run_shim(cwd, in, len, true, ARGS(id, "start"));
}

struct run *run_delete(const char *cwd, const char *id)
{
	return run_shim(cwd, NULL, 0, false, ARGS(id, "-bundle", cwd, "delete"));
}

/* Connections come and go, to us and to the sink, which is looked for by inotify(7). */
static int count_lasting(void)
{
	return count_fds(e2e.server) - count_fds_of(e2e.server, "socket:") -
	       count_fds_of(e2e.server, "anon_inode:inotify");
}

static void census_begin(void)
{
	if (e2e.census.server == e2e.server)
		return; /* another container of its pod */
	e2e.census.server = e2e.server;
	e2e.census.fds = count_lasting();
}

static void census_end(struct where w)
{
	uint64_t due = deadline_in(SOON);

	if (e2e.census.server != e2e.server)
		return;
	while (count_lasting() != e2e.census.fds)
		if (!loop_until(due))
			fail_at(w, "the shim has %d descriptors left, before: %d",
				count_lasting(), e2e.census.fds);
}

void start_shim_at(struct where w, const struct bundle *b)
{
	struct run *r = run_start(b->dir, b->id);

	if (r->status || strncmp(r->out, "unix://", 7))
		fail_at(w, "start: status 0x%x, output \"%s\"", r->status, r->out);
	connect_shim_at(w, r->out + 7);
	census_begin();
}

void connect_shim_at(struct where w, const char *path)
{
	const Task__ConnectResponse *c;

	ttrpc_client_close(&e2e.client);
	snprintf(e2e.path, sizeof(e2e.path), "%s", path);
	ttrpc_client_init(&e2e.client, &e2e.loop, e2e.path);
	c = ok_at(w, ask_connect(""));
	e2e.server = (pid_t)c->shim_pid;
}

struct bundle *shim_for(const char *id, const char *command)
{
	struct bundle *b = bundle(id, command);

	start_shim(b);
	return b;
}

int shim_ended_at(struct where w, int ms)
{
	return wait_status(w, e2e.server, ms);
}

void shutdown_shim_at(struct where w)
{
	int status;

	census_end(w);
	ok_at(w, ask_shutdown());
	if (exists(e2e.path))
		fail_at(w, "%s: still there after Shutdown", e2e.path);
	ttrpc_client_close(&e2e.client);
	status = shim_ended_at(w, SOON);
	if (status)
		fail_at(w, "the shim ended with status 0x%x", status);
}
