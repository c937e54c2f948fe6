/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checker's findings do in a shim: refuse what no runtime takes, before
 * one is called; explain a failure of the runtime; and cost nothing that stays.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "shim/verdict.h"
#include "tests/e2e/harness.h"

/* Until the shim has told its events and has gone to rest (BRASS_REST_MS, below). */
#define SETTLE 300

#define PROCESS(more) "\"process\":{\"args\":[\"/bin/sh\"],\"cwd\":\"/\"" more "}"
#define CONFIG(process, more)                                                           \
	"{\"ociVersion\":\"1.0.2\",\n" process ",\n\"root\":{\"path\":\"rootfs\"}" more \
	"}"

static struct answer *create_with(struct bundle *b, const char *config)
{
	write_file(b->config, config, strlen(config));
	return ask_create(b, NULL);
}

static void refused(void **st)
{
	static const struct {
		const char *config, *text;
	} cases[] = {
		{ CONFIG("\"process\":{\"args\":[\"a\"],\"cwd\":\"b\"}", ""),
		  "config.json:2:31: process.cwd: \"b\" is no absolute path: invalid argument" },
		{ CONFIG("\"process\":{\"args\":[],\"cwd\":\"/\"}", ",\"mounts\":{}"),
		  "config.json:2:20: process.args: is empty: there is no program (and 1 more): "
		  "invalid argument" },
		{ CONFIG(PROCESS(""), ",\"linux\":{\"namespaces\":[{\"type\":\"pod\"}]}"),
		  "config.json:3:57: linux.namespaces[0].type: \"pod\" is no type of namespace: "
		  "invalid argument" },
		{ "{\"ociVersion\":\"1.0.2\"," PROCESS("") "}",
		  "config.json:1:1: root: is missing: invalid argument" },
	};
	struct bundle *b = shim_for("c1", "true");
	int fds = count_fds(e2e.server);

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fails(create_with(b, cases[i].config), TTRPC_INVALID_ARGUMENT,
		      cases[i].text);
	fails(ask_state("c1", NULL), TTRPC_NOT_FOUND, "container not created: not found");
	assert_int_equal(calls_of("create"), 0);
	assert_int_equal(count_fds(e2e.server), fds);
	/* Put right, it can be created under the same id. */
	ok(create_with(b, CONFIG(PROCESS(""), "")));
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

/* What another runtime makes of a document is its own affair. */
static void left_to_others(void **st)
{
	struct bundle *b;
	char *other = text(DIR_OF_TEST "/other");

	(void)st;
	assert_int_equal(symlink(e2e.fake, other), 0);
	e2e.binary_name = other;
	b = shim_for("c1", "true");
	ok(create_with(b,
		       CONFIG("\"process\":{\"args\":[\"/bin/sh\"],\"cwd\":\"b\"}", "")));
	assert_int_equal(calls_of("create"), 1);
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static const struct reader *log_of(const struct bundle *b)
{
	const char *path = text("%s/log", b->dir);
	struct reader *r;

	list_for_each(r, &e2e.readers, link)
		if (strcmp(r->path, path) == 0)
			return r;
	fail_at(HERE, "no log %s", path);
}

/* They run, and are in the log for who asks. */
static void warnings(void **st)
{
	struct bundle *b = bundle("c1", "true");
	struct run *r = run_shim(b->dir, NULL, 0, true, ARGS("c1", "-debug", "start"));

	(void)st;
	assert_int_equal(r->status, 0);
	connect_shim(r->out + 7);
	ok(create_with(b, CONFIG(PROCESS(",\"tty\":true"), "")));
	until(log_of(b)->data && strstr(log_of(b)->data, "level=debug"));
	until(strstr(log_of(b)->data, "process.tty: unknown key: runtimes pass over it"));
	ok(ask_kill("c1", NULL, SIGKILL, true));
	wait_exit("c1", NULL);
	delete_task("c1", NULL);
	shutdown_shim();
}

static struct answer *exec_with(const char *exec_id, const char *json)
{
	Task__ExecProcessRequest q = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;

	q.id = (char *)"c1";
	q.exec_id = (char *)(uintptr_t)exec_id;
	spec.value.data = (uint8_t *)(uintptr_t)json;
	spec.value.len = strlen(json);
	q.spec = &spec;
	return ask("Exec", &q);
}

/* A document of a wrong type is refused at Exec; one that makes no sense by the runtime. */
static void execs(void **st)
{
	(void)st;
	run_c1("exec sleep 1000");
	fails(exec_with("e1", "{\"args\":[\"a\"],\n\"cwd\":5}"), TTRPC_INVALID_ARGUMENT,
	      "exec e1: process:2:7: cwd: a string is needed, found a number: invalid argument");
	fails(exec_with("e1", "{\"args\":\"a\",\"user\":{\"uid\":-1}}"),
	      TTRPC_INVALID_ARGUMENT,
	      "exec e1: process:1:9: args: an array is needed, found a string (and 1 more): "
	      "invalid argument");
	fails(ask_state("c1", "e1"), TTRPC_NOT_FOUND, NULL);
	/* What the checker does not know is not its affair. */
	ok(exec_with("e1", "{\"args\":[\"a\"],\"cwd\":\"x\",\"scheduler\":5}"));
	script("exec.exec-e1", "error exec failed: Cwd must be an absolute path\n");
	fails(ask_start("c1", "e1"), TTRPC_UNKNOWN,
	      "OCI runtime exec failed: exec failed: Cwd must be an absolute path "
	      "(process:1:21: cwd: \"x\" is no absolute path)");
	delete_task("c1", "e1");
	end_c1();
}

/* The runtime's words first, then the finding that is about the same. */
static void explained(void **st)
{
	static const char config[] = CONFIG(
		PROCESS(",\"x\":1,\"capabilities\":{\"effective\":[\"CAP_KILL\"]}"),
		",\"mounts\":[{\"destination\":\"a\",\"type\":\"tmpfs\"}]");
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	script("create",
	       "error runc create failed: unable to apply caps: operation not permitted\n");
	fails(create_with(b, config), TTRPC_UNKNOWN,
	      "OCI runtime create failed: runc create failed: unable to apply caps: operation not "
	      "permitted (config.json:2:76: process.capabilities.effective: has what \"permitted\" "
	      "has not: the kernel refuses that)");
	script("create", "error error mounting \"\" to rootfs at \"a\"\n");
	fails_with(
		create_with(b, config), TTRPC_UNKNOWN,
		"rootfs at \"a\" (config.json:3:51: mounts[0].destination: \"a\" is no absolute");
	/* Nothing is about it: then nothing is said. */
	script("create", "error no space left\n");
	fails(create_with(b, config), TTRPC_UNKNOWN,
	      "OCI runtime create failed: no space left");
	shutdown_shim();
}

/* Which of many findings belongs to what runc 1.1, runc 1.3 and crun say; or none. */
static void hints(void **st)
{
	static const char config[] =
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/bin/sh\",\"\\u0000\"],\"cwd\":\"/\",\n"
		"\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]},\"root\":{\"path\":\"rootfs\"},\n"
		"\"hostname\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\",\n"
		"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"tmpfs\"},\n"
		"{\"destination\":\"/b\",\"type\":\"bind\"},\n"
		"{\"destination\":\"/c\",\"type\":\"bind\"}],\n"
		"\"hooks\":{\"createRuntime\":[{\"path\":\"a\"},{\"path\":\"b\"}]},\n"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"}],\n"
		"\"resources\":{\"memory\":{\"limit\":5000,\"kernel\":1},\"cpu\":{\"shares\":1}},\n"
		"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":"
		"[\"SECCOMP_FILTER_FLAG_LOG\"],\n"
		"\"syscalls\":[{\"names\":[\"mknod\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}}";
	static const struct {
		const char *said, *hint; /* of the whole text: its end */
	} cases[] = {
		{ "error mounting \"x\" to rootfs at \"/c\": mount x:/c (via /proc/self/fd/6), "
		  "flags: 0x1: no such device",
		  "(config.json:6:1: mounts[2]: the type \"bind\" needs the option \"bind\" or "
		  "\"rbind\": the kernel refuses it without)" },
		{ "mount `x` to `b`: No such device",
		  "(config.json:5:1: mounts[1]: the type \"bind\" needs the option \"bind\" or "
		  "\"rbind\": the kernel refuses it without)" },
		{ "error mounting \"x\" to rootfs at \"/dev\": no such device",
		  "at \"/dev\": no such device" },
		{ "error closing exec fds: open /proc/self/fd: no such file or directory",
		  "(config.json:4:11: mounts[0]: hides /proc, which runc needs: it refuses "
		  "that)" },
		{ "error running hook #1: fork/exec b: no such file or directory",
		  "(config.json:7:48: hooks.createRuntime[1].path: \"b\" is no absolute path)" },
		{ "error running createRuntime hook #2: exit status 1", "exit status 1" },
		{ "error running poststop hook #0: exit status 1",
		  "hook #0: exit status 1" },
		{ "sethostname: invalid argument",
		  "(config.json:3:12: hostname: has 65 bytes: the kernel takes 64)" },
		{ "listenerPath is not set",
		  "(config.json:11:41: linux.seccomp: SCMP_ACT_NOTIFY needs \"listenerPath\": "
		  "runc refuses it without)" },
		{ "seccomp flags are not yet supported by runc",
		  "(config.json:10:54: linux.seccomp.flags[0]: runc takes flags of seccomp from "
		  "1.2 on only)" },
		/* What is deprecated is no reason, and no memory of the host's no limit. */
		{ "unable to set memory limit to 5000 (current usage: 9)", "usage: 9)" },
		{ "error setting cgroup config for procHooks process: the minimum allowed "
		  "cpu-shares is 2",
		  "(config.json:9:65: linux.resources.cpu.shares: 1 is not from 2 to 262144)" },
		{ "fork/exec /proc/self/exe: cannot allocate memory", "allocate memory" },
		{ "exec: \"/bin/sh\": stat /bin/sh: no such file or directory",
		  "stat /bin/sh: no such file or directory" },
		{ "unable to apply caps: operation not permitted", "not permitted" },
		{ "error setting rlimits: operation not permitted",
		  "(config.json:2:12: process.rlimits[0].soft: is missing: the specification "
		  "requires it)" },
	};
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer *a;
		size_t len = strlen(cases[i].hint);

		script("create", text("error %s\n", cases[i].said));
		a = create_with(b, config);
		fails(a, TTRPC_UNKNOWN, NULL);
		if (strlen(a->text) < len ||
		    strcmp(a->text + strlen(a->text) - len, cases[i].hint) != 0)
			fail_at(HERE, "%s\nwanted at its end: %s", a->text,
				cases[i].hint);
	}
	shutdown_shim();
}

/* What the shim has for itself, and how much of that is its heap. */
static long private_kb(bool heap)
{
	char *all = read_file(text("/proc/%d/smaps", e2e.server), NULL);
	long kb = 0;
	bool in_heap = false;

	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
		/* "FROM-TO rw-p …" begins a mapping, "Key: …" tells of it. */
		if (memchr(line, '-', strcspn(line, " ")))
			in_heap = strstr(line, "[heap]");
		else if (strncmp(line, "Private_Dirty:", 14) == 0 && (!heap || in_heap))
			kb += strtol(line + 14, NULL, 10);
	}
	return kb;
}

/* A document of 40 kB, with findings, again and again. */
static void leaves_nothing(void **st)
{
	struct bundle *b;
	char *env = forget_later(calloc(1, 50000)), *config, *process;
	long dirty = 0, heap = 0;

	(void)st;
	e2e.extra_env[0] = "BRASS_REST_MS=30";
	b = shim_for("c1", "true");
	for (int i = 0; i < 1000; i++)
		sprintf(env + strlen(env), "%s\"VARIABLE_%d=%026d\"", i ? "," : "", i, i);
	process = text("\"process\":{\"args\":[\"a\"],\"cwd\":\"b\",\"env\":[%s]}", env);
	config = text("{\"ociVersion\":\"1.0.2\",%s,\"root\":{\"path\":\"rootfs\"}}",
		      process);
	assert_true(strlen(config) > 40000);
	for (int i = 0; i < 60; i++) {
		fails(create_with(b, config), TTRPC_INVALID_ARGUMENT, NULL);
		if (i != 10)
			continue;
		loop_for(SETTLE);
		dirty = private_kb(false);
		heap = private_kb(true);
	}
	/* A sanitizer has another heap, and keeps what was freed. */
	if (e2e.slow == 1) {
		assert_true(dirty > 0 && heap > 0);
		until(private_kb(false) <= dirty && private_kb(true) <= heap);
	}
	shutdown_shim();
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * What a Create costs more for the check of a document of 20 kB: less than a
 * millisecond. The least of many times is not the other programs' doing.
 */
static void costs_little(void **st)
{
	struct bundle *b = bundle("c1", "true");
	char *seed = read_file("tests/mutate/seeds/podman.json", NULL), *env, *config;
	uint64_t best = UINT64_MAX;
	struct err e = ERR_INIT;

	(void)st;
	env = seed ? strstr(seed, "\"env\":[") : NULL;
	assert_non_null(env);
	env += strlen("\"env\":[");
	config = text("%.*s\"A=%0*d\",%s", (int)(env - seed), seed, 100, 1, env);
	while (strlen(config) < 20480)
		config = text("%.*s\"SOME_VARIABLE=%040d\",%s", (int)(env - seed), config,
			      1, config + (env - seed));
	write_file(b->config, config, strlen(config));
	for (int i = 0; i < 100; i++) {
		uint64_t begin = cpu_ns();

		assert_int_equal(verdict_config(b->dir, NULL, NULL, &e), 0);
		begin = cpu_ns() - begin;
		best = begin < best ? begin : best;
	}
	print_message("# %llu us\n", (unsigned long long)best / 1000);
	if (e2e.slow == 1) /* a sanitizer takes its time */
		assert_in_range(best, 1, 1000000);
}

E2E_GROUP(E2E(refused), E2E(left_to_others), E2E(warnings), E2E(execs), E2E(explained),
	  E2E(hints), E2E(costs_little), E2E(leaves_nothing))
