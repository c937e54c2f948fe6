/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "start" and the flags: what containerd sends, what it gets back, and what bad
 * input gets (contract 1.2 to 1.9).
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"
#include "tests/e2e/faults.h"

#define SANDBOX "io.kubernetes.cri.sandbox-id"
#define GROUP "io.containerd.runc.v2.group"
#define FLAGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int exit_code(const struct run *r)
{
	return WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 1000;
}

/* The path of the socket for a group, by the rule of 1.7, worked out by sha256sum(1). */
static char *socket_of(const char *group)
{
	char *name = text("%s/" NS "%s%s", e2e.address, *group ? "/" : "", group), *out;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c",
		      text("printf %%s '%s' | sha256sum >%s", name, in_dir("sum")), NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	out = read_file(in_dir("sum"), NULL);
	return text("%s/%.64s", SHIM_SOCKETS, out);
}

static void version(void **st)
{
	const char *const flags[] = { "-v", "--v", "-v=true", "-version", "--version=1" };

	(void)st;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct run *r = run_shim("/", NULL, 0, false, FLAGS(flags[i]));

		assert_int_equal(exit_code(r), 0);
		assert_non_null(strstr(r->out, ":\n  Version:  "));
		assert_non_null(strstr(r->out, "\n  Revision: "));
		assert_int_equal(r->err_len, 0);
	}
}

static void bad_flags(void **st)
{
	static const char *const rows[][4] = {
		{ "-nonsense" },  { "-nonsense=1", "start" },
		{ "-id" },	  { "-debug=maybe", "start" },
		{ "---id", "x" }, { "-=x" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run *r = run_shim("/", NULL, 0, false, rows[i]);

		print_message("# %s\n", rows[i][0]);
		assert_int_equal(exit_code(r), 2);
		assert_int_equal(r->out_len, 0);
		assert_true(r->err_len > 0);
	}
}

/* Exit status 1 and one line on stderr, with the runtime's name first. */
static void complains(struct where w, const struct run *r, const char *part)
{
	if (exit_code(r) != 1 || r->out_len || !r->err_len ||
	    strchr(r->err, '\n') != r->err + r->err_len - 1 ||
	    strncmp(r->err, "io.containerd.brass.v2: ", 24) || !strstr(r->err, part))
		fail_at(w, "status 0x%x, stdout \"%s\", stderr \"%s\", expected: %s",
			r->status, r->out, r->err, part);
}

static void bad_names(void **st)
{
	static const char *const bad[] = { "a/b", "../x", "-", "a b", "a-", "\xc3\xa9" };
	struct bundle *b = bundle("c1", "true");

	(void)st;
	complains(HERE, run_shim(b->dir, NULL, 0, false, FLAGS("-id", "c1", "start")),
		  "namespace");
	complains(HERE,
		  run_shim(b->dir, NULL, 0, false, FLAGS("-namespace", NS, "start")),
		  "id");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("# %s\n", bad[i]);
		complains(HERE, run_shim(b->dir, NULL, 0, false, ARGS(bad[i], "start")),
			  bad[i]);
		complains(HERE,
			  run_shim(b->dir, NULL, 0, false,
				   FLAGS("-namespace", bad[i], "-id", "c1", "start")),
			  bad[i]);
		complains(HERE, run_shim(b->dir, NULL, 0, false, ARGS(bad[i], "delete")),
			  bad[i]);
	}
	assert_false(exists(text("%s/address", b->dir)));
}

/* The answer to the letter, the socket, its permissions, and the address file. */
static void answer_of_start(void **st)
{
	struct bundle *b = bundle("c1", "true");
	char *path = socket_of("c1"), *address;
	struct stat s;
	struct run *r;
	size_t len;

	(void)st;
	r = run_shim(b->dir, NULL, 0, false, ARGS("c1", "-debug", "start"));
	assert_int_equal(exit_code(r), 0);
	assert_int_equal(r->err_len, 0);
	assert_string_equal(r->out, text("unix://%s", path));
	address = read_file(text("%s/address", b->dir), &len);
	assert_string_equal(address, r->out);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	assert_int_equal(stat(SHIM_SOCKETS, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
	connect_shim(path);
	shutdown_shim();
}

/* The process that start leaves. */
static void server_process(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *link = forget_later(calloc(1, 256)), *mine, *its;

	(void)st;
	assert_int_equal(getpgid(e2e.server), e2e.server);
	assert_true(readlink(text("/proc/%d/cwd", e2e.server), link, 255) > 0);
	assert_string_equal(link, b->dir);
	for (int fd = 0; fd < 2; fd++) {
		memset(link, 0, 256);
		assert_true(readlink(text("/proc/%d/fd/%d", e2e.server, fd), link, 255) >
			    0);
		assert_string_equal(link, "/dev/null");
	}
	mine = read_file("/proc/self/oom_score_adj", NULL);
	its = read_file(text("/proc/%d/oom_score_adj", e2e.server), NULL);
	if (strtol(mine, NULL, 10) < 1000)
		assert_int_equal(strtol(its, NULL, 10), strtol(mine, NULL, 10) + 1);
	assert_string_equal(proc_status(e2e.server, "Threads"), "1");
	shutdown_shim();
}

static void same_group(const char *annotation)
{
	struct bundle like = { .id = "c1", .annotation = annotation, .group = "pod" };
	struct bundle *b1 = bundle_like(&like, "exit 1"), *b2;
	struct run *r;
	pid_t first;

	start_shim(b1);
	first = e2e.server;
	assert_string_equal(e2e.path, socket_of("pod"));
	like.id = "c2";
	b2 = bundle_like(&like, "exit 2");
	r = run_start(b2->dir, "c2");
	assert_int_equal(exit_code(r), 0);
	assert_string_equal(r->out, text("unix://%s", e2e.path));
	assert_string_equal(read_file(text("%s/address", b2->dir), NULL), r->out);
	create(b1);
	create(b2);
	start("c1", NULL);
	start("c2", NULL);
	assert_int_equal(wait_exit("c1", NULL)->exit_status, 1);
	assert_int_equal(wait_exit("c2", NULL)->exit_status, 2);
	assert_string_equal(state("c2", NULL)->bundle, b2->dir);
	delete_task("c1", NULL);
	ok(ask_shutdown()); /* containerd sends one per container: c2 is still there */
	delete_task("c2", NULL);
	assert_int_equal(as_pid(ok(ask_connect(""))), first);
	shutdown_shim();
}

static void grouped_by_sandbox(void **st)
{
	(void)st;
	same_group(SANDBOX);
}

static void grouped_by_runc_group(void **st)
{
	(void)st;
	same_group(GROUP);
}

/* A stranger who listens where the shim of a pod would. */
static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir("/run/containerd", 0711);
	mkdir(SHIM_SOCKETS, 0700);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/*
 * A pod of the stock shim of containerd 2, which serves the third version of the service
 * alone: what containerd wrote of it is what the next container is answered.
 */
static void joins_newer_shim(void **st)
{
	struct bundle like = { .id = "c1", .annotation = SANDBOX, .group = "pod" };
	struct bundle *b = bundle_like(&like, "true"), *pod = bundle("pod", "true");
	char *url = text("unix://%s", socket_of("pod"));
	char *newer = text("{\"version\":3,\"address\":\"%s\",\"protocol\":\"ttrpc\"}",
			   url);
	const char *const as_ever[] = {
		text("{\"version\":2,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", url),
		"{\"version\":3,\"address\":\"unix:///another\",\"protocol\":\"ttrpc\"}",
		text("{\"version\":3,\"address\":\"%s\"", url),
		"{\"version\":3}",
	};
	char *file = text("%s/bootstrap.json", pod->dir);
	int fd = listen_at(url + strlen("unix://"));

	(void)st;
	assert_string_equal(run_start(b->dir, "c1")->out, url);
	for (size_t i = 0; i < sizeof(as_ever) / sizeof(as_ever[0]); i++) {
		write_file(file, as_ever[i], strlen(as_ever[i]));
		assert_string_equal(run_start(b->dir, "c1")->out, url);
	}
	write_file(file, newer, strlen(newer));
	assert_string_equal(run_start(b->dir, "c1")->out, newer);
	assert_string_equal(read_file(text("%s/address", b->dir), NULL), url);
	/* One of ours serves both: what any containerd understands is better. */
	write_file(text("%s/shim", pod->dir), "1 1 /socket\n", 12);
	assert_string_equal(run_start(b->dir, "c1")->out, url);
	close(fd);
	unlink(url + strlen("unix://"));
}

/*
 * Who speaks the third version joins a pod without "start": where its shim serves is
 * written all the same, for a containerd of before, and what stands there is left.
 */
static void joins_without_start(void **st)
{
	static const char json[] = "{\"version\":2,\"address\":\"unix:///x\"}";
	struct bundle like = { .id = "c1", .annotation = SANDBOX, .group = "pod" };
	struct bundle *b1 = bundle_like(&like, "exit 1"), *b2, *b3;

	(void)st;
	start_shim(b1);
	like.id = "c2";
	b2 = bundle_like(&like, "exit 2");
	like.id = "c3";
	b3 = bundle_like(&like, "exit 3");
	write_file(text("%s/address", b3->dir), json, strlen(json));
	create(b2);
	create(b3);
	assert_true(exists(text("%s/address", b2->dir)));
	assert_string_equal(read_file(text("%s/address", b2->dir), NULL),
			    text("unix://%s", e2e.path));
	assert_string_equal(read_file(text("%s/address", b3->dir), NULL), json);
	for (int i = 2; i <= 3; i++) {
		char *id = text("c%d", i);

		start(id, NULL);
		wait_exit(id, NULL);
		delete_task(id, NULL);
	}
	shutdown_shim();
}

/* The first annotation counts when both are there; an empty group is a group. */
static void group_by_both(void **st)
{
	struct bundle *b = bundle("c1", "true"), *empty;
	const char *json = "{\"annotations\":{\"" SANDBOX "\":\"s\",\"" GROUP
			   "\":\"g\"}}";

	(void)st;
	write_file(b->config, json, strlen(json));
	start_shim(b);
	assert_string_equal(e2e.path, socket_of("g"));
	shutdown_shim();
	empty = bundle_like(
		&(struct bundle){ .id = "c2", .annotation = GROUP, .group = "" }, "true");
	start_shim(empty);
	assert_string_equal(e2e.path, socket_of(""));
	shutdown_shim();
}

/* A socket file that nobody serves, as after a crash: replaced. */
static void stale_socket(void **st)
{
	struct bundle *b = bundle("c1", "true");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)st;
	mkdir("/run/containerd", 0711);
	mkdir(SHIM_SOCKETS, 0700);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_of("c1"));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	start_shim(b);
	shutdown_shim();
}

/* Two at the same time, 10 times: one server, which both name. */
static void start_race(void **st)
{
	(void)st;
	for (int i = 0; i < 10; i++) {
		struct bundle like = { .annotation = SANDBOX, .group = text("pod%d", i) };
		struct bundle *b[2];
		struct run *r[2];

		for (int k = 0; k < 2; k++) {
			like.id = text("c%d-%d", i, k);
			b[k] = bundle_like(&like, "true");
		}
		for (int k = 0; k < 2; k++)
			r[k] = run_begin(b[k]->dir, NULL, 0, true,
					 ARGS(b[k]->id, "start"));
		for (int k = 0; k < 2; k++) {
			run_end(r[k]);
			if (exit_code(r[k]) != 0)
				fail_at(HERE, "start: %s", r[k]->out);
			assert_string_equal(r[k]->out,
					    text("unix://%s", socket_of(like.group)));
		}
		connect_shim(r[0]->out + 7);
		shutdown_shim(); /* the end of the test looks for the other one */
	}
}

static char *log_of(const struct bundle *b)
{
	char *path = text("%s/log", b->dir);
	struct reader *r;

	list_for_each(r, &e2e.readers, link)
		if (!strcmp(r->path, path))
			return r->data ? r->data : text("%s", "");
	fail_at(HERE, "no log of %s", b->id);
}

/* One that is stuck where its bundle is, or its server, holds up nobody but its caller. */
static void start_that_hangs(void **st)
{
	struct faults *f = faults_open(FAULT_START);
	struct bundle *b1 = bundle("c1", "true"), *b2 = bundle("c2", "true");
	struct run *stuck, *r;

	(void)st;
	f->kind = FAULT_RENAME;
	f->hang = f->armed = 1;
	stuck = run_begin(b1->dir, NULL, 0, true, ARGS("c1", "start"));
	until(f->seen > 0);
	f->armed = 0;
	r = run_start(b2->dir, "c2");
	assert_string_equal(r->out, text("unix://%s", socket_of("c2")));
	assert_true(r->ns < LIMIT_LOCK_MS * LOOP_MSEC);
	connect_shim(r->out + 7);
	shutdown_shim();
	f->hang = 0;
	run_end(stuck);
	assert_string_equal(stuck->out, text("unix://%s", socket_of("c1")));
	connect_shim(stuck->out + 7);
	shutdown_shim();
	faults_close(f);
}

/* Whoever has the lock is stopped, or the file system knows no locks: it goes without. */
static void start_without_lock(void **st)
{
	struct faults *f = faults_open(FAULT_START);
	struct bundle *b = bundle("c1", "true");
	int fd;

	(void)st;
	mkdir("/run/containerd", 0711);
	mkdir(SHIM_SOCKETS, 0700);
	fd = open(SHIM_SOCKETS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	start_shim(b);
	until(strstr(log_of(b), "start: no lock of the folder of sockets: connection timed out"));
	shutdown_shim();
	close(fd);
	f->kind = FAULT_FLOCK;
	f->error = ENOLCK;
	f->nth = f->armed = 1;
	start_shim(b);
	until(strstr(log_of(b), "no lock of the folder of sockets: no locks available"));
	shutdown_shim();
	faults_close(f);
}

/* It serves all the same, and says it. */
static void oom_score_that_stays(void **st)
{
	struct faults *f = faults_open(FAULT_START);
	struct bundle *b = bundle("c1", "true");

	(void)st;
	f->kind = FAULT_WRITE;
	f->error = EPERM;
	f->nth = 2; /* after "address" */
	f->armed = 1;
	start_shim(b);
	until(strstr(log_of(b), "start: oom_score_adj of the shim: operation not permitted"));
	shutdown_shim();
	faults_close(f);
}

/* What containerd 2.3 sends for c1, with one extension: the options of fake-runc. */
static Bootstrap__BootstrapParams params(void)
{
	static Bootstrap__Extension options, *extensions[] = { &options };
	Bootstrap__BootstrapParams p = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;

	options = (Bootstrap__Extension)BOOTSTRAP__EXTENSION__INIT;
	options.value = runc_options();
	p.instance_id = text("c1");
	p.namespace_ = text(NS);
	p.log_level = -4;
	p.containerd_version = text("v2.3.0");
	p.containerd_ttrpc_address = e2e.ttrpc_address;
	p.containerd_grpc_address = e2e.address;
	p.containerd_binary = text("/usr/bin/containerd");
	p.extensions = extensions;
	p.n_extensions = 1;
	return p;
}

static struct run *start_with(const struct bundle *b, const Bootstrap__BootstrapParams *p)
{
	uint8_t *in;
	size_t len = pack(&p->base, &in);

	return run_shim(b->dir, in, len, true, ARGS("c1", "start"));
}

/* The address in its BootstrapResult, which is looked at. */
static char *address_in(struct where w, const struct run *r)
{
	Bootstrap__BootstrapResult *m = (void *)protobuf_c_message_unpack(
		&bootstrap__bootstrap_result__descriptor, NULL, r->out_len, (uint8_t *)r->out);
	char *address;

	if (exit_code(r) != 0 || !m || m->version != 3 || strcmp(m->protocol, "ttrpc") != 0)
		fail_at(w, "status 0x%x: %s", r->status, r->out);
	address = text("%s", m->address);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	return address;
}

/* containerd 2.3: BootstrapParams in, BootstrapResult out, a directory of its choice. */
static void bootstrap_params(void **st)
{
	struct bundle *b = bundle("c1", "exit 4");
	Bootstrap__BootstrapParams p;
	Task__StateRequest q = TASK__STATE_REQUEST__INIT;
	char *script, *environment, *address;

	(void)st;
	/* What the shim is told here is not in its environment. */
	e2e.extra_env[0] = "TTRPC_ADDRESS=";
	e2e.binary_name = in_dir("runtime");
	script = text("#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >%s\nexec %s \"$@\"\n",
		      in_dir("environ"), e2e.fake);
	write_file(e2e.binary_name, script, strlen(script));
	chmod(e2e.binary_name, 0755);
	p = params();
	p.socket_dir = in_dir("s");
	address = address_in(HERE, start_with(b, &p));
	assert_memory_equal(address, text("unix://%s/", in_dir("s")),
			    strlen(in_dir("s")) + 8);
	connect_shim(address + 7);
	create(b);
	start("c1", NULL);
	wait_exit("c1", NULL);
	q.id = text("c1");
	ok(ask_on(&e2e.client, V3, "State", &q));
	delete_task("c1", NULL);
	expect_events("create c1", "start c1", "exit c1 c1 4", "delete c1 4");
	environment = read_file(in_dir("environ"), NULL);
	assert_non_null(strstr(environment, text("TTRPC_ADDRESS=%s\n", e2e.ttrpc_address)));
	assert_null(strstr(environment, "GLIBC_TUNABLES"));
	shutdown_shim();
}

static char *socket_dir_of(size_t len)
{
	char *dir = text("%s/%050d", DIR_OF_TEST, 0);

	dir[len] = 0;
	return dir;
}

/* The longest folder of sockets that containerd takes, 42, and a longer one. */
static void longest_socket_dir(void **st)
{
	struct bundle *b = bundle("c1", "exit 4");
	Bootstrap__BootstrapParams p = params();
	struct run *r;
	char *address;

	(void)st;
	p.socket_dir = socket_dir_of(42);
	address = address_in(HERE, start_with(b, &p));
	assert_int_equal(strlen(address), strlen("unix://") + 107);
	connect_shim(address + 7);
	create(b);
	/* Of the same pod. */
	assert_string_equal(address_in(HERE, start_with(b, &p)), address);
	assert_non_null(strstr(read_file(text("%s/shim", b->dir), NULL),
			       text(" %s\n", address + 7)));
	start("c1", NULL);
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
	p.socket_dir = socket_dir_of(43);
	r = start_with(b, &p);
	assert_int_equal(exit_code(r), 1);
	assert_non_null(strstr(r->out, "is too long: 43 bytes, at most 42 leave room"));
}

/* Where containerd is: what it says in them counts, not the flag. */
static void address_in_params(void **st)
{
	struct bundle *b = bundle("c1", "true");
	Bootstrap__BootstrapParams p = params();
	char *command;
	size_t len;

	(void)st;
	p.containerd_grpc_address = text("%s.other", e2e.address);
	connect_shim(address_in(HERE, start_with(b, &p)) + 7);
	command = read_file(text("/proc/%d/cmdline", e2e.server), &len);
	assert_non_null(memmem(command, len, p.containerd_grpc_address,
			       strlen(p.containerd_grpc_address) + 1));
	snprintf(e2e.address, sizeof(e2e.address), "%s", p.containerd_grpc_address);
	assert_string_equal(e2e.path, socket_of("c1"));
	shutdown_shim();
	/* It need not say it. */
	p.containerd_grpc_address = NULL;
	connect_shim(address_in(HERE, start_with(b, &p)) + 7);
	assert_string_equal(e2e.path, socket_of("c1"));
	shutdown_shim();
}

/* An extension of another kind than options is not for us, whatever its name. */
static void other_extensions(void **st)
{
	Bootstrap__Extension kinds[] = { BOOTSTRAP__EXTENSION__INIT, BOOTSTRAP__EXTENSION__INIT,
					 BOOTSTRAP__EXTENSION__INIT, BOOTSTRAP__EXTENSION__INIT };
	Bootstrap__Extension *extensions[] = { &kinds[0], &kinds[1], &kinds[2], &kinds[3] };
	Google__Protobuf__Any other = GOOGLE__PROTOBUF__ANY__INIT, later = other, ours = other;
	struct bundle *b = bundle("c1", "true");
	Bootstrap__BootstrapParams p = params();
	Runc__Options o = RUNC__OPTIONS__INIT;
	struct run *r;

	(void)st;
	other.type_url = text("types.example.org/example.tracing.v1.Options");
	other.value.data = (uint8_t *)text("what");
	other.value.len = 4;
	ours.type_url = text("types.containerd.io/containerd.runc.v1.Options");
	o.shim_cgroup = text("/sys/fs/cgroup/no");
	ours.value.len = pack(&o.base, &ours.value.data);
	later = ours;
	o.shim_cgroup = text("/sys/fs/cgroup/later");
	later.value.len = pack(&o.base, &later.value.data);
	kinds[1].value = &other;
	p.extensions = extensions;
	p.n_extensions = 2;
	connect_shim(address_in(HERE, start_with(b, &p)) + 7);
	shutdown_shim();
	/* Those behind it are read: */
	kinds[2].value = &ours;
	kinds[3].value = &later;
	p.n_extensions = 4;
	r = start_with(b, &p);
	assert_int_equal(exit_code(r), 1);
	assert_non_null(strstr(r->out, "shim_cgroup"));
	assert_null(strstr(r->out, "later"));
}

/* Garbage on stdin: either an address or one line of complaint, never a crash. */
static void garbage_on_stdin(void **st)
{
	char *junk = noise(70000, 48);
	const size_t sizes[] = { 1, 2, 3, 10, 1000, 50000, 70000 };

	(void)st;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *id = text("c%zu", i);
		struct bundle *b = bundle(id, "true");
		struct run *r =
			run_shim(b->dir, junk, sizes[i], false, ARGS(id, "start"));

		if (exit_code(r) == 0) {
			connect_shim(r->out + 7);
			shutdown_shim();
		} else {
			complains(HERE, r, "");
		}
	}
}

static char *deep(size_t depth)
{
	char *s = forget_later(malloc(2 * depth + 32));
	size_t n = (size_t)snprintf(s, 32, "{\"x\":");

	memset(s + n, '[', depth);
	memset(s + n + depth, ']', depth);
	memcpy(s + n + 2 * depth, "}", 2);
	return s;
}

static void bad_config(const struct bundle *b, const char *json, size_t len,
		       const char *part)
{
	print_message("# %.20s\n", json);
	write_file(b->config, json, len);
	complains(HERE, run_shim(b->dir, NULL, 0, false, ARGS("c1", "start")), part);
	if (exists(socket_of("c1")))
		fail_at(HERE, "the socket is left");
}

static void config_that_start_refuses(void **st)
{
	struct bundle *b = bundle("c1", "true");
	char *large = forget_later(malloc(12 << 20));

	(void)st;
	bad_config(b, "", 0, "config.json");
	bad_config(b, "{", 1, "config.json:1:");
	bad_config(b, "{\"a\":\n\n  what}", 14, "config.json:3:");
	bad_config(b, "[]", 2, "config.json");
	bad_config(b, "{\"annotations\":[]}", 18, "config.json");
	bad_config(b, deep(20000), 40006, "config.json:1:");
	memset(large, ' ', 12 << 20);
	large[0] = '{';
	large[(12 << 20) - 1] = '}';
	bad_config(b, large, 12 << 20, "config.json");
	unlink(b->config);
	complains(HERE, run_shim(b->dir, NULL, 0, false, ARGS("c1", "start")),
		  "config.json: No such file or directory");
	mkdir(b->config, 0755);
	complains(HERE, run_shim(b->dir, NULL, 0, false, ARGS("c1", "start")),
		  "config.json");
}

/* The same when it has become bad between start and Create. */
static void config_that_create_refuses(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	int fds = count_fds(e2e.server);
	struct answer *a;

	(void)st;
	write_file(b->config, "{\n \"a\" 1}", 9);
	a = await(ask_create(b, NULL));
	assert_int_not_equal(a->code, TTRPC_OK);
	assert_non_null(strstr(a->text, "config.json:2:"));
	assert_null(strchr(a->text, '\n'));
	unlink(b->config);
	a = await(ask_create(b, NULL));
	assert_int_not_equal(a->code, TTRPC_OK);
	assert_non_null(strstr(a->text, "config.json"));
	assert_int_equal(calls_of("create"), 0);
	assert_int_equal(count_fds(e2e.server), fds);
	shutdown_shim();
	expect_no_more_events();
}

/* The longest names that there are (containerd's TestShimSockLength). */
static void long_names(void **st)
{
	struct bundle *b = bundle(text("%064d", 7), "true");
	char *ns = text("%076d", 9);
	struct run *r = run_shim(b->dir, NULL, 0, true,
				 FLAGS("-namespace", ns, "-address", e2e.address, "-id",
				       b->id, "start"));

	(void)st;
	assert_int_equal(exit_code(r), 0);
	connect_shim(r->out + 7);
	shutdown_shim();
}

E2E_GROUP(E2E(version), E2E(bad_flags), E2E(bad_names), E2E(answer_of_start),
	  E2E(server_process), E2E(grouped_by_sandbox), E2E(grouped_by_runc_group),
	  E2E(joins_newer_shim), E2E(joins_without_start), E2E(group_by_both), E2E(stale_socket), E2E(start_race),
	  E2E(start_that_hangs), E2E(start_without_lock), E2E(oom_score_that_stays),
	  E2E(bootstrap_params), E2E(longest_socket_dir), E2E(address_in_params),
	  E2E(other_extensions),
	  E2E(garbage_on_stdin), E2E(config_that_start_refuses),
	  E2E(config_that_create_refuses), E2E(long_names))
