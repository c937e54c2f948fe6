/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options on their way from a client's message to the runtime's command lines,
 * the pipes' owner and the files in the bundle (contract 7.1, 7.2).
 */
#include "tests/e2e/harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_runc.pb-c.h"
#include "runtimeoptions.pb-c.h"

/* What a container's life must look like. */
struct expected {
	const char *runtime; /* argv[0]; also in the bundle's file, where it may be "" */
	const char *runtime_file;
	const char *root; /* without the namespace */
	bool no_pivot, no_new_keyring, systemd;
	unsigned uid, gid;
	const char *json; /* options.json */
};

static Google__Protobuf__Any *any_of(const char *type_url, const ProtobufCMessage *m)
{
	Google__Protobuf__Any *any = forget_later(malloc(sizeof(*any)));

	google__protobuf__any__init(any);
	any->type_url = text("%s", type_url);
	any->value.len = pack(m, &any->value.data);
	return any;
}

static Google__Protobuf__Any *toml_body(const char *toml)
{
	Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;

	m.type_url = text("whatever");
	m.config_body.data = (uint8_t *)text("%s", toml);
	m.config_body.len = strlen(toml);
	return any_of("runtimeoptions.v1.Options", &m.base);
}

static Google__Protobuf__Any *toml_file(const char *toml)
{
	Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;

	m.config_path = in_dir("options.toml");
	write_file(m.config_path, toml, strlen(toml));
	return any_of("runtimeoptions.v1.Options", &m.base);
}

/* The fake goes by the name of "runc", and by another one, in PATH. */
static void fake_in_path(void)
{
	/* Otherwise it would be the real one. */
	assert_int_equal(access(e2e.fake, X_OK), 0);
	mkdir(in_dir("bin"), 0755);
	assert_int_equal(symlink(e2e.fake, in_dir("bin/runc")), 0);
	assert_int_equal(symlink(e2e.fake, in_dir("bin/my-runc")), 0);
	e2e.extra_env[0] = text("PATH=%s:/usr/bin:/bin", in_dir("bin"));
}

static struct run *run_start_with(const struct bundle *b, Google__Protobuf__Any *any)
{
	uint8_t *in = NULL;
	size_t len = any ? pack(&any->base, &in) : 0;

	return run_shim(b->dir, in, len, true, ARGS(b->id, "start"));
}

static void start_shim_with(struct where w, const struct bundle *b,
			    Google__Protobuf__Any *any)
{
	struct run *r = run_start_with(b, any);

	if (r->status || strncmp(r->out, "unix://", 7))
		fail_at(w, "start: status 0x%x, output \"%s\"", r->status, r->out);
	connect_shim_at(w, r->out + 7);
}

static struct answer *create_with(const struct bundle *b, Google__Protobuf__Any *any,
				  const char *out)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;

	q.id = text("%s", b->id);
	q.bundle = text("%s", b->dir);
	q.stdout = q.stderr = text("%s", out);
	q.options = any;
	return ask("Create", &q);
}

/* ------------------------------------------------------------------- checks */

static bool has(const char *line, const char *word)
{
	return strstr(line, text("\"%s\"", word));
}

/* Each call begins as it should, and has the flags that its verb takes. */
static void check_calls(struct where w, const struct expected *x)
{
	char *calls = read_file(text("%s/calls", e2e.scripts), NULL), *save = NULL;
	char *begin = text("[\"%s\",\"--root\",\"%s/" NS "\",\"--log\",\"", x->runtime,
			   x->root);
	size_t n = 0;

	if (!calls)
		fail_at(w, "the runtime was not called");
	for (char *line = strtok_r(calls, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), n++) {
		bool create = has(line, "create");

		if (strncmp(line, begin, strlen(begin)))
			fail_at(w, "%s\nshould begin with\n%s", line, begin);
		if (has(line, "--systemd-cgroup") != x->systemd ||
		    has(line, "--no-pivot") != (create && x->no_pivot) ||
		    has(line, "--no-new-keyring") != (create && x->no_new_keyring))
			fail_at(w, "flags: %s", line);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const verbs[] = { "create", "start", "exec",
						     "delete" };

		if (calls_of(verbs[i]) != 1)
			fail_at(w, "%zu calls of %s", calls_of(verbs[i]), verbs[i]);
	}
}

static void check_file(struct where w, const struct bundle *b, const char *name,
		       const char *expected)
{
	const char *path = text("%s/%s", b->dir, name);
	char *content = read_file(path, NULL);
	struct stat st;

	if (!content || strcmp(content, expected))
		fail_at(w, "%s: \"%s\", expected \"%s\"", name,
			content ? content : "none", expected);
	if (stat(path, &st) < 0 || (st.st_mode & 07777) != 0600)
		fail_at(w, "%s: mode %o", name, st.st_mode);
}

/* The process' ends of the pipes. */
static void check_owner(struct where w, unsigned pid, const struct expected *x)
{
	for (int fd = 0; fd < 3; fd++) {
		const char *path = text("/proc/%u/fd/%d", pid, fd);
		struct stat st;

		if (stat(path, &st) < 0)
			fail_at(w, "%s: %m", path);
		if (S_ISFIFO(st.st_mode) && (st.st_uid != x->uid || st.st_gid != x->gid))
			fail_at(w, "%s: owner %u:%u", path, st.st_uid, st.st_gid);
		if (fd == 1 && !S_ISFIFO(st.st_mode))
			fail_at(w, "%s: no pipe", path);
	}
}

#define lives(b, any, ...) lives_at(HERE, b, any, &(struct expected){ __VA_ARGS__ })
static void lives_at(struct where w, const struct bundle *b, Google__Protobuf__Any *any,
		     const struct expected *x)
{
	char *out = make_fifo("out"), *exec_out = make_fifo("exec-out");
	unsigned pid;

	reader_open(out);
	reader_open(exec_out);
	start_shim_with(w, b, any);
	pid = as_pid(ok_at(w, create_with(b, any, out)));
	check_file(w, b, "options.json", x->json);
	check_file(w, b, "runtime", x->runtime_file);
	check_owner(w, pid, x);
	start(b->id, NULL);
	ok(ask_exec(b->id, "e1", "exec sleep 1000",
		    &(struct stdio){ .out = exec_out, .err = exec_out }));
	check_owner(w, start(b->id, "e1"), x);
	kill_task(b->id, "e1", SIGKILL);
	wait_exit(b->id, "e1");
	delete_task(b->id, "e1");
	kill_task(b->id, NULL, SIGKILL);
	wait_exit(b->id, NULL);
	delete_task(b->id, NULL);
	check_calls(w, x);
	shutdown_shim();
}

/* ----------------------------------------------------------- typed messages */

#define RUNC(...)                                               \
	({                                                      \
		Runc__Options m_ = RUNC__OPTIONS__INIT;         \
		__VA_ARGS__;                                    \
		any_of("containerd.runc.v1.Options", &m_.base); \
	})
#define SLEEP "exec sleep 1000"
#define DEFAULTS .runtime = "runc", .runtime_file = "", .root = "/run/containerd/runc"

static void nothing(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP), NULL, DEFAULTS, .json = "{}");
}

/* As ctr always sends it. */
static void empty_message(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP), RUNC((void)m_), DEFAULTS, .json = "{}");
}

static void flags_of_create(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP), RUNC(m_.no_pivot_root = true), DEFAULTS,
	      .no_pivot = true, .json = "{\"no_pivot_root\":true}");
	unlink(text("%s/calls", e2e.scripts));
	unlink(in_dir("out"));
	unlink(in_dir("exec-out"));
	lives(bundle("c2", SLEEP), RUNC(m_.no_new_keyring = true), DEFAULTS,
	      .no_new_keyring = true, .json = "{\"no_new_keyring\":true}");
}

static void systemd_cgroup(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP), RUNC(m_.systemd_cgroup = true), DEFAULTS,
	      .systemd = true, .json = "{\"systemd_cgroup\":true}");
}

static void root_and_binary(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP),
	      RUNC(m_.root = in_dir("root"), m_.binary_name = text("my-runc")),
	      .runtime = "my-runc", .runtime_file = "my-runc", .root = in_dir("root"),
	      .json = text("{\"binary_name\":\"my-runc\",\"root\":\"%s\"}",
			   in_dir("root")));
}

/* Not in a user namespace of one user. */
static bool may_chown(void)
{
	write_file(in_dir("owned"), "", 0);
	return chown(in_dir("owned"), 1000, 2000) == 0;
}

static void owner_of_pipes(void **st)
{
	(void)st;
	if (!may_chown())
		skip();
	fake_in_path();
	lives(bundle("c1", SLEEP), RUNC(m_.io_uid = 1000, m_.io_gid = 2000), DEFAULTS,
	      .uid = 1000, .gid = 2000, .json = "{\"io_uid\":1000,\"io_gid\":2000}");
}

/* Of 1.x clients; it has no binary, root or driver. */
static void linux_message(void **st)
{
	LinuxRunc__CreateOptions m = LINUX_RUNC__CREATE_OPTIONS__INIT;

	(void)st;
	if (!may_chown())
		skip();
	fake_in_path();
	m.no_pivot_root = m.no_new_keyring = true;
	m.io_uid = 1000;
	m.io_gid = 2000;
	lives(bundle("c1", SLEEP), any_of("containerd.linux.runc.CreateOptions", &m.base),
	      DEFAULTS, .no_pivot = true, .no_new_keyring = true, .uid = 1000,
	      .gid = 2000,
	      .json = "{\"no_pivot_root\":true,\"no_new_keyring\":true,\"io_uid\":1000,"
		      "\"io_gid\":2000}");
}

static void unknown_message(void **st)
{
	Runc__Options m = RUNC__OPTIONS__INIT;
	struct bundle *b = shim_for("c1", SLEEP);

	(void)st;
	m.systemd_cgroup = true;
	fails(create_with(b, any_of("runhcs.v1.Options", &m.base), ""),
	      TTRPC_INVALID_ARGUMENT,
	      "options of the unknown type \"runhcs.v1.Options\": invalid argument");
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, NULL);
	shutdown_shim();
}

/* --------------------------------------------------------------------- TOML */

static void body(void **st)
{
	const char *toml;

	(void)st;
	if (!may_chown())
		skip();
	fake_in_path();
	toml = text(
		"BinaryName = \"%s\"\nIoGid = 2000\nIoUid = 1000\nNoNewKeyring = true\n"
		"NoPivotRoot = true\nRoot = \"%s\"\nSystemdCgroup = true\n",
		e2e.fake, in_dir("root"));
	lives(bundle("c1", SLEEP), toml_body(toml), .runtime = e2e.fake,
	      .runtime_file = e2e.fake, .root = in_dir("root"), .no_pivot = true,
	      .no_new_keyring = true, .systemd = true, .uid = 1000, .gid = 2000,
	      .json = text(
		      "{\"no_pivot_root\":true,\"no_new_keyring\":true,\"io_uid\":1000,"
		      "\"io_gid\":2000,\"binary_name\":\"%s\",\"root\":\"%s\","
		      "\"systemd_cgroup\":true}",
		      e2e.fake, in_dir("root")));
}

/* The warning is in the log once for Create: "start" has none. */
static void file(void **st)
{
	struct bundle *b = bundle("c1", SLEEP);
	struct reader *log = container_of(e2e.readers.prev, struct reader, link);
	const char *warning;

	(void)st;
	fake_in_path();
	lives(b,
	      toml_file("binary_name = 'my-runc'\nsystemd = true\n\n[options]\n"
			"NoPivotRoot = true\n"),
	      .runtime = "my-runc", .runtime_file = "my-runc",
	      .root = "/run/containerd/runc", .no_pivot = true,
	      .json = "{\"no_pivot_root\":true,\"binary_name\":\"my-runc\"}");
	warning =
		text("%s:2: the unknown key systemd is ignored", in_dir("options.toml"));
	until(log->len && strstr(log->data, warning));
	assert_non_null(strstr(log->data, "level=warning msg=\"options: "));
	assert_null(strstr(strstr(log->data, warning) + 1, warning));
}

static void neither(void **st)
{
	(void)st;
	fake_in_path();
	lives(bundle("c1", SLEEP), toml_body(""), DEFAULTS, .json = "{}");
}

/* Both "start" and Create say file, line and key, and leave nothing behind. */
static void wrong_toml(void **st)
{
	struct bundle *b = bundle("c1", SLEEP);
	Google__Protobuf__Any *any = toml_file("# brass\nSystemdCgroup = \"true\"\n");
	const char *error =
		text("options: %s:2: SystemdCgroup: a boolean is needed, found a "
		     "string: invalid argument",
		     in_dir("options.toml"));
	struct run *r = run_start_with(b, any);

	(void)st;
	assert_int_equal(WEXITSTATUS(r->status), 1);
	assert_string_equal(r->out, text("io.containerd.brass.v2: %s\n", error));
	assert_false(exists(text("%s/address", b->dir)));
	start_shim(b);
	fails(create_with(b, any, ""), TTRPC_INVALID_ARGUMENT, error);
	unlink(in_dir("options.toml"));
	fails(create_with(b, any, ""), TTRPC_INVALID_ARGUMENT,
	      text("options: config_path %s: no such file or directory: "
		   "invalid argument",
		   in_dir("options.toml")));
	assert_int_equal(calls_of("create"), 0);
	/* The same container with options that are right. */
	ok(create_with(b, runc_options(), ""));
	delete_task("c1", NULL);
	shutdown_shim();
}

/* ----------------------------------------------------------- cgroupsPath */

static void systemd_path(struct where w, const char *path, Google__Protobuf__Any *any,
			 bool systemd, const char *json)
{
	static unsigned n;
	struct bundle *b = bundle(text("c%u", n++), SLEEP);

	set_cgroups_path(b, path);
	lives_at(w, b, any,
		 &(struct expected){ DEFAULTS, .systemd = systemd, .json = json });
	unlink(text("%s/calls", e2e.scripts));
	unlink(in_dir("out"));
	unlink(in_dir("exec-out"));
}

static void path_of_systemd(void **st)
{
	const char *slice = "kubepods-besteffort.slice:cri-containerd:0123abcd";

	(void)st;
	fake_in_path();
	mkdir("/run/systemd", 0755);
	assert_int_equal(mkdir("/run/systemd/system", 0755), 0);
	systemd_path(HERE, slice, NULL, true, "{}");
	systemd_path(HERE, slice, toml_body("SystemdCgroup = true"), true,
		     "{\"systemd_cgroup\":true}");
	systemd_path(HERE, ":cri-containerd:x", toml_body("IoUid = 0"), true, "{}");
	systemd_path(HERE, slice, toml_body("SystemdCgroup = false"), false, "{}");
	rmdir("/run/systemd/system");
}

/* As critest has it on containerd 1.6, whatever the host. */
static void path_without_systemd(void **st)
{
	(void)st;
	fake_in_path();
	systemd_path(HERE, "test.slice:cri-containerd:x", NULL, false, "{}");
	systemd_path(HERE, "test.slice:cri-containerd:x", RUNC((void)m_), false, "{}");
	systemd_path(HERE, "test.slice:cri-containerd:x",
		     toml_body("SystemdCgroup = true"), true,
		     "{\"systemd_cgroup\":true}");
}

static void path_of_cgroupfs(void **st)
{
	(void)st;
	fake_in_path();
	systemd_path(HERE, "/kubepods/pod1/c1", NULL, false, "{}");
	systemd_path(HERE, "a.slice:b", NULL, false, "{}");
	systemd_path(HERE, "a:b:c:d", NULL, false, "{}");
	systemd_path(HERE, "/a:b:c", NULL, false, "{}");
}

E2E_GROUP(E2E(nothing), E2E(empty_message), E2E(flags_of_create), E2E(systemd_cgroup),
	  E2E(root_and_binary), E2E(owner_of_pipes), E2E(linux_message),
	  E2E(unknown_message), E2E(body), E2E(file), E2E(neither), E2E(wrong_toml),
	  E2E(path_of_systemd), E2E(path_without_systemd), E2E(path_of_cgroupfs))
