/* SPDX-License-Identifier: Apache-2.0 */
/* The checker: each rule finds what it is for, in one line that says it, and nothing else. */
#include "spec-common.h"

#include "spec/check.h"

#define PROCESS_WITH(more) \
	"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],\"cwd\":\"/\"" more "}"
#define CONFIG_WITH(process, linux, more)                                                                        \
	"{\"ociVersion\":\"1.0.2\",\"process\":" PROCESS_WITH(                                                   \
		process) ",\"root\":{\"path\":"                                                                  \
			 "\"rootfs\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]" linux \
			 "}" more "}"
#define TOP(more) CONFIG_WITH("", "", "," more)
#define PROC(more) CONFIG_WITH("," more, "", "")
#define LINUX(more) CONFIG_WITH("", "," more, "")
#define RES(more) LINUX("\"resources\":{" more "}")
#define FILTER(more) LINUX("\"seccomp\":{" more "}")
#define MOUNT(more) TOP("\"mounts\":[{" more "}]")
#define NAMESPACES(list, more)                                 \
	"{\"ociVersion\":\"1.0.2\",\"process\":" PROCESS_WITH( \
		"") ",\"root\":{\"path\":\"r\"},"              \
		    "\"linux\":{\"namespaces\":[" list "]" more "}}"

struct finding_case {
	const char *json;
	const char *found; /* a line for each finding: "error PATH: TEXT" */
};

static void on_found(void *data, const struct check_finding *f)
{
	static const char *const names[] = { "note", "warning", "error" };
	struct record *r = data;
	char line[1024];

	assert_true(f->severity == CHECK_ERROR || !f->undecodable);
	note(r, names[f->severity], strlen(names[f->severity]));
	note(r, f->undecodable ? "! " : " ", f->undecodable ? 2 : 1);
	check_format("", f, line, sizeof(line));
	note(r, strchr(line, ' ') + 1, strlen(strchr(line, ' ') + 1));
	note(r, "\n", 1);
}

static const char *fake_wrong(enum check_name kind, const char *name)
{
	static const char *const known[] = { "CAP_KILL", "read", "SCMP_ARCH_X86",
					     "SCMP_ACT_ALLOW",
					     "SECCOMP_FILTER_FLAG_LOG" };

	return strcmp(name, known[kind]) ? "unknown to the library" : NULL;
}

static const struct check_names fake_names = { .wrong = fake_wrong };
static const struct check_names no_names = { .missing = "not checked" };

static char *findings(enum check_document document, const char *json, size_t len,
		      const struct check_names *names)
{
	struct record r = { 0 };
	struct spec_error e;
	const struct check c = {
		.document = document,
		.name = "doc",
		.cap = names,
		.seccomp = names,
		.found = on_found,
		.data = &r,
	};

	assert_int_equal(check_parse(&c, json, len, &e), 0);
	note(&r, "", 1);
	return r.text;
}

static void expect_all(enum check_document document, const struct finding_case *cases,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text =
			findings(document, cases[i].json, strlen(cases[i].json), NULL);

		if (strcmp(text, cases[i].found) != 0)
			fail_msg("%s\nfound:\n%swanted:\n%s", cases[i].json, text,
				 cases[i].found);
		free(text);
	}
}

#define ARE(document, cases) expect_all(document, cases, N(cases))

/* ------------------------------------------------------------- documents */

static void test_document(void **state)
{
	static const struct finding_case cases[] = {
		{ TOP("\"hostname\":\"\""), "" },
		{ "", "error! premature EOF\n" },
		{ "null", "error! an object is needed, found null\n" },
		{ "[]", "error! an object is needed, found an array\n" },
		{ TOP("\"hostname\":null"), "" },
		{ TOP("\"x\":{\"y\":[1,{}]}"),
		  "warning x: unknown key: runtimes pass over it\n" },
		{ TOP("\"Annotations\":{}"),
		  "warning Annotations: the specification writes it \"annotations\"\n" },
		{ TOP("\"annotations\":{\"a\":\"\",\"\":\"x\",\"a\":\"b\"}"),
		  "warning annotations.: a name is empty\n"
		  "warning annotations.a: is there twice: runc takes the last one\n" },
		{ TOP("\"annotations\":{\"a\":\"\xff\"}"),
		  "warning annotations.a: is not UTF-8: runc puts U+FFFD where it is not\n" },
		{ TOP("\"annotations\":{\"a\":1}"),
		  "error! annotations.a: a string is needed, found a number\n" },
		{ TOP("\"windows\":{\"layerFolders\":5}"),
		  "note windows: is for another platform than Linux: not looked into\n" },
		{ TOP("\"vm\":5"),
		  "note vm: is for another platform than Linux: not looked into\n"
		  "error! vm: an object is needed, found a number\n" },
		{ TOP("\"zos\":5"),
		  "note zos: is for another platform than Linux: not looked into\n"
		  "warning zos: an object is needed, found a number: refused by a runc that "
		  "knows the field\n" },
		{ "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}}",
		  "warning process: is missing: there is nothing to start, and runc refuses that\n" },
		{ "{\"process\":" PROCESS_WITH("") "}",
		  "warning ociVersion: is missing: the specification requires it\n"
		  "error root: is missing\n" },
		{ "{\"ociVersion\":\"1.0.2\",\"process\":" PROCESS_WITH(
			  "") ",\"root\":{}}",
		  "warning root.path: is missing: the specification requires it\n" },
		{ TOP("\"ociVersion\":\"1.2\""),
		  "warning ociVersion: is there twice: runc takes the last one\n"
		  "warning ociVersion: \"1.2\" is no version like \"1.2.0\"\n" },
		{ "{\"ociVersion\":\"2.0.0\",\"process\":" PROCESS_WITH(
			  "") ",\"root\":{\"path\":\"r\"}}",
		  "warning ociVersion: \"2.0.0\": only versions 1.x of the specification are known "
		  "here\n" },
		{ "{\"ociVersion\":\"1.9.0-dev\",\"process\":" PROCESS_WITH(
			  "") ",\"root\":{\"path\":\"r\\u0000\"}}",
		  "note ociVersion: \"1.9.0-dev\" is later than 1.3, which is what is checked here\n"
		  "error root.path: has a NUL character, which no path can have\n" },
		{ TOP("\"hostname\":\"a\""),
		  "error hostname: needs a namespace of type \"uts\" in linux.namespaces\n" },
		{ TOP("\"domainname\":\"a\""),
		  "warning domainname: needs a namespace of type \"uts\" in linux.namespaces\n" },
		{ TOP("\"root\":{\"path\":\"\",\"readonly\":1}"),
		  "warning root: is there twice: runc takes the last one\n"
		  "warning root.path: is empty\n"
		  "error! root.readonly: a boolean is needed, found a number\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

static void test_mounts_and_hooks(void **state)
{
#define HOOK(more) TOP("\"hooks\":{\"poststop\":[{" more "}]}")
	static const struct finding_case cases[] = {
		{ MOUNT("\"destination\":\"/a\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"size=1k\",\"ro\"]"),
		  "" },
		{ MOUNT("\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/b\",\"options\":[\"rbind\",\"ro\"]"),
		  "" },
		{ MOUNT("\"type\":\"tmpfs\""),
		  "warning mounts[0].destination: is missing: the "
		  "specification requires it\n" },
		{ MOUNT("\"destination\":\"a\",\"type\":\"tmpfs\""),
		  "warning mounts[0].destination: \"a\" is no absolute path: runc takes it from the "
		  "root, and says that it will not for ever\n" },
		{ MOUNT("\"destination\":\"\",\"type\":\"tmpfs\""),
		  "warning mounts[0].destination: is empty\n" },
		{ MOUNT("\"destination\":\"/\\u0000\",\"type\":\"t\\u0000\",\"source\":\"\\u0000\""),
		  "error mounts[0].destination: has a NUL character, which no path can have\n"
		  "error mounts[0].type: has a NUL character\n"
		  "error mounts[0].source: has a NUL character, which no path can have\n" },
		{ MOUNT("\"destination\":\"/a\",\"source\":\"/b\""),
		  "warning mounts[0]: neither a type nor the option \"bind\": there is nothing to "
		  "mount\n" },
		{ MOUNT("\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"size=1k\"]"),
		  "warning mounts[0]: a bind mount takes no options of a file system: runc refuses "
		  "them from 1.2 on\n" },
		{ MOUNT("\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",5]"),
		  "error! mounts[0].options[1]: a string is needed, found a number\n" },
		{ MOUNT("\"destination\":\"/a\",\"type\":\"tmpfs\",\"uidMappings\":[{\"containerID\":0,"
			"\"hostID\":0}]"),
		  "warning mounts[0]: uidMappings and gidMappings go together\n"
		  "warning mounts[0]: ids can be mapped for a bind mount only\n"
		  "warning mounts[0].uidMappings[0].size: is missing: the specification requires "
		  "it\n"
		  "warning mounts[0].uidMappings[0]: maps nothing: its size is 0\n" },
		{ TOP("\"mounts\":[null]"),
		  "warning mounts[0]: null: runtimes take it for an empty one\n" },
		{ HOOK("\"path\":\"/bin/true\",\"timeout\":5,\"env\":[\"A=b\"]"), "" },
		{ HOOK(""),
		  "warning hooks.poststop[0].path: is missing: the specification requires "
		  "it\n" },
		{ HOOK("\"path\":\"a\",\"timeout\":0,\"env\":[\"A\"],\"args\":[5]"),
		  "warning hooks.poststop[0].path: \"a\" is no absolute path\n"
		  "warning hooks.poststop[0].timeout: has to be more than 0 seconds: such a hook "
		  "fails at once\n"
		  "warning hooks.poststop[0].env[0]: \"A\" is not NAME=value\n"
		  "error! hooks.poststop[0].args[0]: a string is needed, found a number\n" },
		{ TOP("\"hooks\":{\"prestart\":[]}"),
		  "warning hooks.prestart: is deprecated\n" },
		{ TOP("\"hooks\":{\"preStart\":[],\"before\":[]}"),
		  "warning hooks.preStart: the specification writes it \"prestart\"\n"
		  "warning hooks.preStart: is deprecated\n"
		  "warning hooks.before: unknown key: runtimes pass over it\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

static void test_process(void **state)
{
#define RLIMIT(more) PROC("\"rlimits\":[{" more "}]")
#define SCHED(more) PROC("\"scheduler\":{" more "}")
	static const struct finding_case cases[] = {
		{ PROC("\"env\":[\"A=b\",\"B=\"],\"oomScoreAdj\":-1000"), "" },
		{ TOP("\"process\":{}"),
		  "warning process: is there twice: runc takes the last one\n"
		  "warning process.args: is missing\n"
		  "warning process.cwd: is missing\n" },
		{ PROC("\"consoleSize\":{\"height\":1}"),
		  "warning process.consoleSize.width: is missing: the specification requires it\n"
		  "warning process.consoleSize: is without effect where \"terminal\" is not true\n" },
		{ PROC("\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":70000}"),
		  "warning process.consoleSize.width: 70000 is more than a terminal can have\n" },
		{ PROC("\"user\":{\"uid\":4294967296}"),
		  "warning process.user: is there twice: runc takes the last one\n"
		  "error! process.user.uid: 4294967296 is not an integer from 0 to 2^32-1\n" },
		{ PROC("\"user\":{\"uid\":-0,\"gid\":1.0,\"umask\":1e3,\"additionalGids\":[-1]}"),
		  "warning process.user: is there twice: runc takes the last one\n"
		  "error! process.user.uid: -0 is not an integer from 0 to 2^32-1\n"
		  "error! process.user.gid: 1.0 is not an integer from 0 to 2^32-1\n"
		  "error! process.user.umask: 1e3 is not an integer from 0 to 2^32-1\n"
		  "error! process.user.additionalGids[0]: -1 is not an integer from 0 to 2^32-1\n" },
		{ PROC("\"user\":{\"gid\":3000000000,\"umask\":512,\"username\":\"x\"}"),
		  "warning process.user: is there twice: runc takes the last one\n"
		  "warning process.user.gid: 3000000000 is above 2147483647: runc refuses it\n"
		  "warning process.user.umask: 512 is above 511, which is octal 777\n"
		  "note process.user.username: is for another platform than Linux: not looked "
		  "into\n" },
		{ PROC("\"env\":[\"A\",\"=b\",\"A=\\u0000\"]"),
		  "error process.env[0]: \"A\" is not NAME=value\n"
		  "error process.env[1]: \"=b\" has no name\n"
		  "warning process.env[2]: has a NUL character: runc refuses it\n" },
		{ PROC("\"oomScoreAdj\":1001"),
		  "error process.oomScoreAdj: 1001 is not from -1000 to 1000\n" },
		{ RLIMIT("\"type\":\"RLIMIT_NOFILE\",\"soft\":18446744073709551615,\"hard\":18446744073709551615"),
		  "" },
		{ RLIMIT("\"type\":\"RLIMIT_NOFILE\",\"soft\":18446744073709551616,\"hard\":0"),
		  "error! process.rlimits[0].soft: 18446744073709551616 is not an integer from 0 to "
		  "2^64-1\n" },
		{ RLIMIT("\"type\":\"NOFILE\",\"soft\":1,\"hard\":1"),
		  "error process.rlimits[0].type: \"NOFILE\" is no resource limit\n" },
		{ RLIMIT("\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":1"),
		  "error process.rlimits[0]: the soft limit is above the hard one: the kernel "
		  "refuses that\n"
		  "warning process.rlimits[1].hard: is missing: the specification requires it\n"
		  "error process.rlimits[1]: the soft limit is above the hard one: the kernel "
		  "refuses that\n"
		  "warning process.rlimits[1].type: RLIMIT_CPU is limited twice: runc takes the "
		  "last one\n" },
		{ RLIMIT(""),
		  "error process.rlimits[0].type: is missing\n"
		  "warning process.rlimits[0].hard: is missing: the specification "
		  "requires it\n"
		  "warning process.rlimits[0].soft: is missing: the specification "
		  "requires it\n" },
		{ PROC("\"capabilities\":{\"effective\":[\"CAP_KILL\",\"cap_kill\"],\"ambient\":[\"CAP_KILL\"]}"),
		  "warning process.capabilities.effective: has what \"permitted\" has not: the "
		  "kernel refuses that\n"
		  "warning process.capabilities.effective[1]: \"cap_kill\": no such capability, "
		  "which runc passes over\n"
		  "note process.capabilities.ambient: has what \"permitted\" or \"inheritable\" has "
		  "not: that has no effect\n" },
		{ PROC("\"ioPriority\":{\"class\":\"BE\",\"priority\":8}"),
		  "warning process.ioPriority.class: \"BE\" is no class of I/O priority\n"
		  "warning process.ioPriority.priority: 8 is not from 0 to 7\n" },
		{ SCHED("\"policy\":\"SCHED_FIFO\",\"priority\":5"), "" },
		{ SCHED("\"policy\":\"SCHED_OTHER\",\"priority\":5,\"period\":6,\"nice\":20,\"flags\":[\"X\"]"),
		  "warning process.scheduler: a priority is for SCHED_FIFO and SCHED_RR only: runc "
		  "refuses it\n"
		  "warning process.scheduler: runtime, deadline and period are for SCHED_DEADLINE "
		  "only: runc refuses them\n"
		  "warning process.scheduler.nice: 20 is not from -20 to 19\n"
		  "warning process.scheduler.flags[0]: \"X\" is no scheduling flag\n" },
		{ SCHED("\"nice\":2147483648"),
		  "warning process.scheduler.policy: is missing: the specification requires it\n"
		  "warning process.scheduler.nice: 2147483648 is not an integer of 32 bits: refused "
		  "by a runc that knows the field\n" },
		{ SCHED("\"policy\":\"FIFO\""),
		  "warning process.scheduler.policy: \"FIFO\" is no scheduling policy\n" },
		{ PROC("\"execCPUAffinity\":{\"initial\":\"0-3,7\",\"final\":\"0-\"}"),
		  "warning process.execCPUAffinity.final: \"0-\" is no list like \"0-3,7\"\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

/* The document of an exec is the same object alone. */
static void test_exec(void **state)
{
	static const struct finding_case cases[] = {
		{ PROCESS_WITH(""), "" },
		{ PROCESS_WITH(",\"oomScoreAdj\":5000"), "" },
		{ "{\"args\":[],\"cwd\":\"\"}",
		  "error args: is empty: there is no program\n"
		  "error cwd: is empty\n" },
		{ "{\"args\":[null],\"cwd\":\"a\"}",
		  "warning args[0]: null: runtimes take it for an empty one\n"
		  "error cwd: \"a\" is no absolute path\n" },
		{ "{\"args\":\"sh\",\"cwd\":\"/\\u0000\"}",
		  "error! args: an array is needed, found a string\n"
		  "error cwd: has a NUL character, which no path can have\n" },
		{ "{\"args\":[\"\\u0000\"],\"cwd\":\"/\",\"terminal\":\"yes\"}",
		  "warning args[0]: has a NUL character, which no argument can have\n"
		  "error! terminal: a boolean is needed, found a string\n" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\"} x",
		  "warning text behind the document: runc does not read it\n" },
	};

	(void)state;
	ARE(CHECK_PROCESS, cases);
}

/* ----------------------------------------------------------------- linux */

static void test_namespaces(void **state)
{
#define USER "{\"type\":\"user\"}"
#define MAP(id, size) "[{\"containerID\":" id ",\"hostID\":1000,\"size\":" size "}]"
	static const struct finding_case cases[] = {
		{ NAMESPACES("{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}", ""),
		  "error linux.namespaces[1].type: there are two namespaces of type \"pid\"\n" },
		{ NAMESPACES("{\"type\":\"PID\"},{},{\"type\":\"uts\",\"path\":\"x\"}",
			     ""),
		  "error linux.namespaces[0].type: \"PID\" is no type of namespace\n"
		  "error linux.namespaces[1].type: is missing\n"
		  "warning linux.namespaces[2].path: \"x\" is no absolute path\n" },
		{ NAMESPACES(
			  "{\"type\":\"ipc\",\"path\":\"/\\u0000\"},{\"type\":\"time\"}",
			  ""),
		  "error linux.namespaces[0].path: has a NUL character, which no path can have\n"
		  "note linux.namespaces[1].type: time namespaces are known to runc from 1.2 on\n" },
		{ NAMESPACES("", ",\"uidMappings\":" MAP("0", "1") ",\"gidMappings\":[]"),
		  "warning linux.uidMappings: without a namespace of type \"user\" runc passes over "
		  "them\n"
		  "warning linux.gidMappings: without a namespace of type \"user\" runc passes over "
		  "them\n" },
		{ NAMESPACES(USER, ""),
		  "error linux.uidMappings: a user namespace without a path needs uidMappings\n"
		  "error linux.gidMappings: a user namespace without a path needs gidMappings\n" },
		{ NAMESPACES(USER, ",\"uidMappings\":" MAP(
					   "0", "9") ",\"gidMappings\":" MAP("0", "1")),
		  "" },
		{ NAMESPACES(USER, ",\"uidMappings\":" MAP(
					   "0", "0") ",\"gidMappings\":" MAP("1", "1")),
		  "error linux.uidMappings: container id 0 is not mapped, and runc needs it\n"
		  "warning linux.uidMappings[0]: maps nothing: its size is 0\n"
		  "error linux.gidMappings: container id 0 is not mapped, and runc needs it\n" },
		{ NAMESPACES("{\"type\":\"user\",\"path\":\"/x\"}", ""), "" },
		{ NAMESPACES("", ",\"maskedPaths\":[],\"readonlyPaths\":[]"), "" },
		{ NAMESPACES("", ",\"maskedPaths\":[\"/a\"],\"readonlyPaths\":[\"/a\"]"),
		  "error linux.maskedPaths: needs a namespace of type \"mount\"\n"
		  "error linux.readonlyPaths: needs a namespace of type \"mount\"\n" },
		{ NAMESPACES("", ",\"timeOffsets\":{\"boottime\":{\"secs\":-5}}"),
		  "warning linux.timeOffsets: needs a namespace of type \"time\"\n" },
		{ NAMESPACES("{\"type\":\"time\",\"path\":\"/x\"}",
			     ",\"timeOffsets\":{\"cpu\":{\"nanosecs\":1000000000}}"),
		  "note linux.namespaces[0].type: time namespaces are known to runc from 1.2 on\n"
		  "warning linux.timeOffsets: a time namespace that is joined has its offsets "
		  "already\n"
		  "warning linux.timeOffsets.cpu: \"cpu\" is neither monotonic nor boottime\n"
		  "warning linux.timeOffsets.cpu.nanosecs: 1000000000 is a second or more\n" },
		{ NAMESPACES("", ",\"netDevices\":{\"a/b\":{\"name\":\"..\"}}"),
		  "warning linux.netDevices: needs a namespace of type \"network\"\n"
		  "warning linux.netDevices.a/b: \"a/b\" is no name of a network interface\n"
		  "warning linux.netDevices.a/b.name: \"..\" is no name of a network interface\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

static void test_sysctl(void **state)
{
#define SYSCTL(list, key) NAMESPACES(list, ",\"sysctl\":{\"" key "\":\"1\"}")
	static const struct finding_case cases[] = {
		{ SYSCTL("{\"type\":\"ipc\"}", "kernel.sem"), "" },
		{ SYSCTL("{\"type\":\"ipc\"}", "fs/mqueue/msg_max"), "" },
		{ SYSCTL("{\"type\":\"network\"}", "net.ipv4.conf.eth0/1.x"), "" },
		{ SYSCTL("{\"type\":\"uts\"}", "kernel.domainname"), "" },
		{ SYSCTL("", "kernel.shmmax"),
		  "error linux.sysctl: needs a namespace of type \"ipc\"\n" },
		{ SYSCTL("", "net/ipv4/ip_forward"),
		  "error linux.sysctl: needs a namespace of type \"network\"\n" },
		{ SYSCTL("", "kernel.domainname"),
		  "error linux.sysctl: needs a namespace of type \"uts\"\n" },
		{ SYSCTL("", "user.max_user_namespaces"),
		  "error linux.sysctl: needs a namespace of type \"user\"\n" },
		{ SYSCTL("", "kernel.hostname"),
		  "error linux.sysctl.kernel.hostname: is what \"hostname\" is for: runc refuses "
		  "it\n" },
		{ SYSCTL("", "vm.swappiness"),
		  "error linux.sysctl: is in no namespace: it would be the host's\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

static void test_linux(void **state)
{
#define DEVICE(more) LINUX("\"devices\":[{" more "}]")
	static const struct finding_case cases[] = {
		{ DEVICE("\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438"),
		  "" },
		{ DEVICE("\"path\":\"/dev/a\",\"type\":\"p\""), "" },
		{ DEVICE("\"path\":\"a\",\"type\":\"x\",\"major\":-1,\"minor\":3,\"fileMode\":33206"),
		  "warning linux.devices[0].path: \"a\" is no absolute path\n"
		  "error linux.devices[0].type: \"x\" is none of c, b, u, p\n"
		  "warning linux.devices[0].major: -1: no device has such a number\n"
		  "note linux.devices[0].fileMode: only the permission bits of 33206 count\n" },
		{ DEVICE("\"path\":\"\""),
		  "error linux.devices[0].type: is missing\n"
		  "warning linux.devices[0]: a device needs \"major\" and "
		  "\"minor\": runc takes 0\n"
		  "warning linux.devices[0].path: is empty: there will be no "
		  "such device\n" },
		{ LINUX("\"rootfsPropagation\":\"rslave\",\"cgroupsPath\":\"/a\""), "" },
		{ LINUX("\"rootfsPropagation\":\"Slave\",\"cgroupsPath\":\"a\""),
		  "error linux.rootfsPropagation: \"Slave\" is none of private rprivate slave "
		  "rslave shared rshared unbindable runbindable\n"
		  "note linux.cgroupsPath: \"a\" is relative: runc takes it from its own cgroup's "
		  "root\n" },
		{ LINUX("\"cgroupsPath\":\"a.slice:b:c\""), "" },
		{ LINUX("\"cgroupsPath\":\"/a\\u0000\""),
		  "warning linux.cgroupsPath: has a NUL character, which no path can have\n" },
		{ LINUX("\"intelRdt\":{\"closID\":\"..\",\"l3CacheSchema\":\"x\",\"memBwSchema\":\"L3:0\"}"),
		  "error linux.intelRdt.closID: \"..\" is no name of a folder\n"
		  "warning linux.intelRdt.l3CacheSchema: does not begin with \"L3:\"\n"
		  "warning linux.intelRdt.memBwSchema: does not begin with \"MB:\"\n" },
		{ LINUX("\"intelRdt\":{\"closID\":\"a/b\",\"schemata\":5}"),
		  "error linux.intelRdt.closID: \"a/b\" is no name of a folder\n"
		  "warning linux.intelRdt.schemata: an array is needed, found a number: refused by "
		  "a runc that knows the field\n" },
		{ LINUX("\"memoryPolicy\":{\"mode\":\"BIND\",\"nodes\":\"x\",\"flags\":[\"y\"]}"),
		  "warning linux.memoryPolicy.mode: \"BIND\" is no mode of a memory policy\n"
		  "warning linux.memoryPolicy.nodes: \"x\" is no list like \"0-3,7\"\n"
		  "warning linux.memoryPolicy.flags[0]: \"y\" is no flag of a memory policy\n" },
		{ LINUX("\"personality\":{\"domain\":\"LINUX\"}"), "" },
		{ LINUX("\"personality\":{\"domain\":\"BSD\",\"flags\":[\"x\"]}"),
		  "warning linux.personality.domain: \"BSD\" is neither LINUX nor LINUX32: runc "
		  "refuses it from 1.2 on\n"
		  "warning linux.personality.flags[0]: there are no flags of a personality: runc "
		  "passes over them\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

static void test_resources(void **state)
{
#define THROTTLE(more) RES("\"blockIO\":{\"throttleReadBpsDevice\":[{" more "}]}")
	static const struct finding_case cases[] = {
		{ RES("\"memory\":{\"limit\":9223372036854775807,\"swap\":-1},\"pids\":{\"limit\":-1}"),
		  "" },
		{ RES("\"memory\":{\"limit\":9223372036854775808}"),
		  "error! linux.resources.memory.limit: 9223372036854775808 is not an integer of 64 "
		  "bits\n" },
		{ RES("\"memory\":{\"limit\":-9223372036854775808,\"swappiness\":18446744073709551615}"),
		  "" },
		{ RES("\"memory\":{\"limit\":10,\"swap\":5,\"reservation\":11,\"swappiness\":101,\"kernel\":1}"),
		  "warning linux.resources.memory: swap is memory and swap together, 5, and cannot "
		  "be below the limit, 10\n"
		  "warning linux.resources.memory: the reservation is above the limit\n"
		  "warning linux.resources.memory.swappiness: 101 is not from 0 to 100\n"
		  "warning linux.resources.memory.kernel: is deprecated\n" },
		{ RES("\"memory\":{\"swap\":5}"),
		  "warning linux.resources.memory: swap needs a limit\n" },
		{ RES("\"cpu\":{\"shares\":1,\"quota\":999,\"period\":999,\"cpus\":\"0-a\",\"mems\":\"0,\",\"idle\":2}"),
		  "warning linux.resources.cpu.shares: 1 is not from 2 to 262144\n"
		  "warning linux.resources.cpu.quota: 999 is below 1000 microseconds, the least "
		  "there is\n"
		  "warning linux.resources.cpu.period: 999 is not from 1000 to 1000000 "
		  "microseconds\n"
		  "warning linux.resources.cpu.cpus: \"0-a\" is no list like \"0-3,7\"\n"
		  "warning linux.resources.cpu.mems: \"0,\" is no list like \"0-3,7\"\n"
		  "warning linux.resources.cpu.idle: 2 is neither 0 nor 1\n" },
		{ RES("\"cpu\":{\"cpus\":\"0-1-2\",\"mems\":\"\",\"burst\":-1}"),
		  "warning linux.resources.cpu.cpus: \"0-1-2\" is no list like \"0-3,7\"\n"
		  "warning linux.resources.cpu.burst: -1 is not an integer from 0 to 2^64-1: refused "
		  "by a runc that knows the field\n" },
		{ RES("\"devices\":[{\"allow\":true,\"access\":\"rwm\"},{\"type\":\"p\",\"access\":\"rx\"},{\"allow\":false,\"access\":\"\"}]"),
		  "warning linux.resources.devices[1].allow: is missing: the specification requires "
		  "it\n"
		  "error linux.resources.devices[1].type: \"p\" is none of a, b, c\n"
		  "warning linux.resources.devices[1].access: \"rx\" has more than r, w and m\n"
		  "error linux.resources.devices[2].access: is empty\n" },
		{ RES("\"devices\":[{\"allow\":true}]"),
		  "error linux.resources.devices[0].access: is missing\n" },
		{ RES("\"blockIO\":{\"weight\":9,\"leafWeight\":65536,\"weightDevice\":[{\"weight\":1001}]}"),
		  "warning linux.resources.blockIO.weight: 9 is not from 10 to 1000\n"
		  "error! linux.resources.blockIO.leafWeight: 65536 is not an integer from 0 to "
		  "65535\n"
		  "warning linux.resources.blockIO.weightDevice[0].major: is missing: the "
		  "specification requires it\n"
		  "warning linux.resources.blockIO.weightDevice[0].minor: is missing: the "
		  "specification requires it\n"
		  "warning linux.resources.blockIO.weightDevice[0].weight: 1001 is not from 10 to "
		  "1000\n" },
		{ THROTTLE("\"major\":8,\"minor\":0"),
		  "warning linux.resources.blockIO.throttleReadBpsDevice[0].rate: is missing: the "
		  "specification requires it\n" },
		{ THROTTLE("\"major\":8,\"minor\":0,\"rate\":-1"),
		  "error! linux.resources.blockIO.throttleReadBpsDevice[0].rate: -1 is not an "
		  "integer from 0 to 2^64-1\n" },
		{ RES("\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1},{\"pageSize\":\"02MB\",\"limit\":1},{\"limit\":2}]"),
		  "error linux.resources.hugepageLimits[1].pageSize: \"02MB\" is no size like "
		  "\"2MB\"\n"
		  "error linux.resources.hugepageLimits[2].pageSize: is missing\n" },
		{ RES("\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3},\"b\":{},\"c\":{\"hcaObjects\":\"1\"}}"),
		  "warning linux.resources.rdma.b: limits nothing: neither hcaHandles nor "
		  "hcaObjects\n"
		  "error! linux.resources.rdma.c.hcaObjects: a number is needed, found a string\n" },
		{ RES("\"network\":{\"classID\":1,\"priorities\":[{\"name\":\"eth0\"}]},\"unified\":{\"a\":1}"),
		  "warning linux.resources.network.priorities[0].priority: is missing: the "
		  "specification requires it\n"
		  "error! linux.resources.unified.a: a string is needed, found a number\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

/* Alone, it is an update's: what it does not change, it need not make sense of. */
static void test_update(void **state)
{
	static const struct finding_case cases[] = {
		{ "{\"memory\":{\"limit\":1}}", "" },
		{ "{\"devices\":[{\"allow\":true}],\"hugepageLimits\":[{\"pageSize\":\"x\",\"limit\":1}]}",
		  "warning devices[0].access: is missing: the specification requires it\n"
		  "warning hugepageLimits[0].pageSize: \"x\" is no size like \"2MB\"\n" },
		{ "{\"cpu\":5}", "error! cpu: an object is needed, found a number\n" },
	};

	(void)state;
	ARE(CHECK_RESOURCES, cases);
}

static void test_filter(void **state)
{
#define ALLOW "\"defaultAction\":\"SCMP_ACT_ALLOW\","
#define CALL(more) \
	"\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\"" more "}]"
	static const struct finding_case cases[] = {
		{ FILTER(ALLOW CALL("")), "" },
		/* No filter at all: nothing in it matters. */
		{ FILTER("\"defaultAction\":\"\",\"flags\":[\"X\"],\"architectures\":[\"Y\",\"Z\"]"),
		  "warning linux.seccomp.flags[0]: \"X\" is no flag of seccomp\n"
		  "warning linux.seccomp.architectures[0]: \"Y\" is no architecture of seccomp\n"
		  "warning linux.seccomp.architectures[1]: \"Z\" is no architecture of seccomp\n" },
		{ FILTER(ALLOW "\"flags\":[\"X\"],\"architectures\":[\"Y\"]"),
		  "error linux.seccomp.flags[0]: \"X\" is no flag of seccomp\n"
		  "error linux.seccomp.architectures[0]: \"Y\" is no architecture of seccomp\n" },
		{ FILTER("\"defaultAction\":\"ALLOW\""),
		  "error linux.seccomp.defaultAction: \"ALLOW\" is no action of seccomp\n" },
		{ FILTER("\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"x\""),
		  "warning linux.seccomp.defaultAction: cannot be the default: runc refuses that\n"
		  "warning linux.seccomp.listenerPath: \"x\" is no absolute path\n" },
		{ FILTER(CALL("")),
		  "warning linux.seccomp.defaultAction: is missing: the "
		  "specification requires it\n"
		  "error linux.seccomp.defaultAction: is needed where there are "
		  "syscalls\n" },
		{ FILTER(ALLOW "\"syscalls\":[{\"names\":[],\"action\":\"x\"},{}]"),
		  "warning linux.seccomp.syscalls[0].names: is empty: the rule is for no call\n"
		  "error linux.seccomp.syscalls[0].action: \"x\" is no action of seccomp\n"
		  "warning linux.seccomp.syscalls[1].names: is missing: the specification requires "
		  "it\n"
		  "error linux.seccomp.syscalls[1].action: is missing\n" },
		{ FILTER(ALLOW CALL(
			  ",\"errnoRet\":4096,\"args\":[{\"index\":6,\"value\":18446744073709551615,\"op\":\"EQ\"}]")),
		  "warning linux.seccomp.syscalls[0].errnoRet: 4096 is no errno: there are 4095\n"
		  "warning linux.seccomp.syscalls[0].args[0].index: 6: a call has the arguments 0 to "
		  "5\n"
		  "error linux.seccomp.syscalls[0].args[0].op: \"EQ\" is no operator of seccomp\n" },
		/* runc looks at operators only for a call. */
		{ FILTER(ALLOW
			 "\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":0,\"op\":\"x\"}],\"names\":[]}]"),
		  "warning linux.seccomp.syscalls[0].args[0].op: \"x\" is no operator of seccomp\n"
		  "warning linux.seccomp.syscalls[0].names: is empty: the rule is for no call\n" },
		{ FILTER(ALLOW "\"architectures\":[\"SCMP_ARCH_RISCV64\"]"),
		  "warning linux.seccomp.architectures[0]: SCMP_ARCH_RISCV64 is not known to every "
		  "runc\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

/* ----------------------------------------------------------- the others */

static void test_features(void **state)
{
	static const struct finding_case cases[] = {
		{ "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.2.0\",\"linux\":{\"seccomp\":{\"enabled\":true}}}",
		  "" },
		{ "{\"ociVersionMin\":1,\"hooks\":[\"a\",5],\"linux\":{\"cgroup\":{\"v1\":1,\"v3\":1}}}",
		  "error ociVersionMax: is missing\n"
		  "error! ociVersionMin: a string is needed, found a number\n"
		  "error! hooks[1]: a string is needed, found a number\n"
		  "error! linux.cgroup.v1: a boolean is needed, found a number\n"
		  "warning linux.cgroup.v3: unknown key: runtimes pass over it\n" },
	};

	(void)state;
	ARE(CHECK_FEATURES, cases);
}

static void test_state(void **state)
{
#define STATE(more) "{\"ociVersion\":\"1.0.2\",\"id\":\"a\",\"bundle\":\"/b\"" more "}"
	static const struct finding_case cases[] = {
		{ STATE(",\"status\":\"running\",\"pid\":5"), "" },
		{ STATE(",\"status\":\"stopped\""), "" },
		{ STATE(",\"status\":\"created\""),
		  "error pid: is needed in this status\n" },
		{ STATE(",\"status\":\"paused\",\"pid\":1"),
		  "note status: \"paused\" is runc's own\n" },
		{ STATE(",\"status\":\"dead\""),
		  "warning status: \"dead\" is none of creating, "
		  "created, running, stopped\n" },
		{ "{\"id\":\"\",\"bundle\":\"b\",\"annotations\":[]}",
		  "error ociVersion: is missing\nerror status: is missing\nerror id: is empty\n"
		  "error bundle: \"b\" is no absolute path\n"
		  "error! annotations: an object is needed, found an array\n" },
	};

	(void)state;
	ARE(CHECK_STATE, cases);
}

/* ------------------------------------------------------------- the engine */

/* For runc the last one counts: what is wrong with the first one is no error then. */
static void test_twice(void **state)
{
	static const struct finding_case cases[] = {
		{ "{\"cwd\":\"a\",\"args\":[\"a\"],\"Cwd\":\"/\"}",
		  "warning cwd: \"a\" is no absolute path\n"
		  "warning Cwd: is there twice: runc takes the last one\n"
		  "warning Cwd: the specification writes it \"cwd\"\n" },
		/* But its type does: the decoder fails for any of them. */
		{ "{\"cwd\":5,\"args\":[\"a\"],\"cwd\":\"/\"}",
		  "error! cwd: a string is needed, found a number\n"
		  "warning cwd: is there twice: runc takes the last one\n" },
	};

	(void)state;
	ARE(CHECK_PROCESS, cases);
}

static void test_names(void **state)
{
	static const char json[] = CONFIG_WITH(
		",\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_X\"]}",
		",\"seccomp\":{" ALLOW
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"],"
		"\"syscalls\":[{\"names\":[\"read\",\"raed\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		"");
	char *text = findings(CHECK_CONFIG, json, strlen(json), &fake_names);

	(void)state;
	assert_string_equal(
		text,
		"warning process.capabilities.bounding[1]: \"CAP_X\": unknown to the library\n"
		"warning linux.seccomp.flags[1]: \"SECCOMP_FILTER_FLAG_TSYNC\": unknown to the "
		"library\n"
		"warning linux.seccomp.syscalls[0].names[1]: \"raed\": unknown to the library\n");
	free(text);
	text = findings(CHECK_CONFIG, json, strlen(json), &no_names);
	assert_string_equal(text, "note process.capabilities.bounding[0]: not checked\n"
				  "note linux.seccomp.defaultAction: not checked\n");
	free(text);
}

/* What this build was linked with, or what it says of what it was not. */
static void test_libraries(void **state)
{
	(void)state;
	if (check_cap.wrong) {
		assert_null(check_cap.wrong(CHECK_CAPABILITY, "CAP_CHOWN"));
		assert_non_null(check_cap.wrong(CHECK_CAPABILITY, "CAP_NONSENSE"));
		assert_non_null(check_cap.wrong(CHECK_CAPABILITY, "cap_chown"));
		assert_non_null(check_cap.wrong(CHECK_CAPABILITY, "0"));
	} else {
		assert_non_null(check_cap.missing);
	}
	if (check_seccomp.wrong) {
		assert_null(check_seccomp.wrong(CHECK_SYSCALL, "read"));
		assert_null(check_seccomp.wrong(CHECK_SYSCALL, "chown32"));
		assert_non_null(check_seccomp.wrong(CHECK_SYSCALL, "raed"));
		assert_null(check_seccomp.wrong(CHECK_ARCHITECTURE, "SCMP_ARCH_X86_64"));
		assert_non_null(
			check_seccomp.wrong(CHECK_ARCHITECTURE, "SCMP_ARCH_PDP11"));
		assert_null(check_seccomp.wrong(CHECK_ACTION, "SCMP_ACT_ERRNO"));
		assert_null(check_seccomp.wrong(CHECK_FLAG, "SECCOMP_FILTER_FLAG_TSYNC"));
	} else {
		assert_non_null(check_seccomp.missing);
	}
}

static void test_places(void **state)
{
	static const char json[] =
		"{\n  \"args\": [\"a\"],\n\t\"cwd\": \"b\",\n \"env\": [\n\n \"A\"]}";
	struct record r = { 0 };
	struct spec_error e;
	const struct check c = { .document = CHECK_PROCESS,
				 .found = on_found,
				 .data = &r };
	struct check_finding f = { .line = 3, .column = 9, .path = "a\nb", .text = "c" };
	char text[64];

	(void)state;
	check_format("config.json", &f, text, sizeof(text));
	assert_string_equal(text, "config.json:3:9: a?b: c");
	f = (struct check_finding){ .path = "", .text = "c" };
	check_format("x", &f, text, sizeof(text));
	assert_string_equal(text, "x: c");
	check_format("x", &f, text, 3);
	assert_string_equal(text, "x:");
	assert_int_equal(check_parse(&c, json, strlen(json), &e), 0);
	note(&r, "", 1);
	assert_string_equal(r.text, "error cwd: \"b\" is no absolute path\n"
				    "error env[0]: \"A\" is not NAME=value\n");
	free(r.text);
}

/* Errors are told when there are more warnings than can be; what is not told is counted. */
static void test_many(void **state)
{
	size_t size = 2u << 20, len = 0;
	char *json = malloc(size), *text, *line;
	size_t n = 0;

	(void)state;
	assert_non_null(json);
	len += (size_t)snprintf(json + len, size - len,
				"{\"cwd\":\"/\",\"args\":[\"a\"]");
	for (int i = 0; i < 50000; i++)
		len += (size_t)snprintf(json + len, size - len, ",\"x%d\":%d", i, i);
	len += (size_t)snprintf(json + len, size - len, ",\"env\":[\"A\"]}");
	text = findings(CHECK_PROCESS, json, len, NULL);
	for (line = text; (line = strchr(line, '\n')); line++)
		n++;
	assert_int_equal(n, CHECK_MAX_FINDINGS - 100 + 2);
	assert_non_null(strstr(text, "error env[0]: \"A\" is not NAME=value\n"));
	assert_non_null(strstr(text, "note and 49700 more like these\n"));
	free(text);
	free(json);
}

static void test_guess(void **state)
{
	static const struct {
		const char *json;
		enum check_document document;
	} cases[] = {
		{ "{\"ociVersion\":\"1\",\"root\":{}}", CHECK_CONFIG },
		{ "{\"args\":[]}", CHECK_PROCESS },
		{ "{\"ociVersionMin\":\"1\",\"linux\":{}}", CHECK_FEATURES },
		{ "{\"ociVersion\":\"1\",\"status\":\"x\"}", CHECK_STATE },
		{ "{\"memory\":{}}", CHECK_RESOURCES },
		{ "{}", CHECK_CONFIG },
		{ "[]", CHECK_CONFIG },
		{ "{\"cwd\":", CHECK_PROCESS },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(check_guess(cases[i].json, strlen(cases[i].json)),
				 cases[i].document);
}

static void test_unreadable(void **state)
{
	struct record r = { 0 };
	struct spec_error e;
	const struct check c = { .name = "config.json", .found = on_found, .data = &r };
	size_t len = SPEC_MAX_SIZE + 1;
	char *large = malloc(len);

	(void)state;
	assert_non_null(large);
	memset(large, ' ', len);
	assert_int_equal(check_parse(&c, large, len, &e), -EFBIG);
	assert_string_equal(e.text, "config.json: larger than 10 MiB");
	free(large);
	assert_int_equal(check_file(&c, "/nonexistent/x", &e), -ENOENT);
	assert_int_equal(check_file(&c, "/dev/null", &e), -EINVAL);
	assert_null(r.text);
}

/* Whichever allocation fails: an error, or a finding fewer, which is counted. */
static void test_no_memory(void **state)
{
	static const char json[] = PROCESS_WITH(",\"env\":[\"A\",\"B\"]");

	(void)state;
	each_alloc_failing(n)
	{
		struct record r = { 0 };
		struct spec_error e;
		const struct check c = { .document = CHECK_PROCESS,
					 .name = "doc",
					 .found = on_found,
					 .data = &r };
		int result = check_parse(&c, json, strlen(json), &e);

		assert_true(result == 0 || result == -ENOMEM);
		note(&r, "", 1);
		if (result == 0)
			assert_non_null(
				strstr(r.text, alloc_fail < 0 ? "more" : "env[1]"));
		free(r.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_mounts_and_hooks),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_libraries),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
