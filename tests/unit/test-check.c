/* SPDX-License-Identifier: Apache-2.0 */
/* The checker: each rule finds what it is for, in one line that says it, and nothing else. */
#include "tests/unit/check-common.h"

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
		{ TOP("\"windows\":{\"layerFolders\":[\"a\"],\"credentialSpec\":5,\"network\":{\"x\":{}}}"),
		  "note windows: is for another platform than Linux: only its types are looked at\n" },
		{ TOP("\"windows\":{\"layerFolders\":5,\"resources\":{\"cpu\":{\"shares\":65536,\"affinity\":5}}}"),
		  "note windows: is for another platform than Linux: only its types are looked at\n"
		  "error! windows.layerFolders: an array is needed, found a number\n"
		  "error! windows.resources.cpu.shares: 65536 is not an integer from 0 to 65535\n"
		  "warning windows.resources.cpu.affinity: an array is needed, found a number: "
		  "refused by a runc that knows the field\n" },
		{ TOP("\"solaris\":{\"anet\":[{\"macAddress\":5}]}"),
		  "note solaris: is for another platform than Linux: only its types are looked at\n"
		  "error! solaris.anet[0].macAddress: a string is needed, found a number\n" },
		{ TOP("\"vm\":{\"kernel\":{\"path\":{}}}"),
		  "note vm: is for another platform than Linux: only its types are looked at\n"
		  "error! vm.kernel.path: a string is needed, found an object\n" },
		{ TOP("\"vm\":5"),
		  "note vm: is for another platform than Linux: only its types are looked at\n"
		  "error! vm: an object is needed, found a number\n" },
		{ TOP("\"zos\":5"),
		  "note zos: is for another platform than Linux: only its types are looked at\n"
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
		{ NAMESPACES(
			  "{\"type\":\"uts\"}",
			  "},\"hostname\":\"0123456789abcdef0123456789abcdef0123456789abcdef"
			  "0123456789abcdef0\",\"annotations\":{"),
		  "warning hostname: has 65 bytes: the kernel takes 64\n" },
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
		{ MOUNT("\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/b\",\"options\":[\"ro\"]"),
		  "warning mounts[0]: the type \"bind\" needs the option \"bind\" or \"rbind\": the "
		  "kernel refuses it without\n" },
		{ MOUNT("\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"a\\u0000\"]"),
		  "warning mounts[0].options[0]: has a NUL character: runc refuses it\n" },
		{ MOUNT("\"destination\":\"/proc\",\"type\":\"tmpfs\""),
		  "warning mounts[0]: hides /proc, which runc needs: it refuses that\n" },
		{ MOUNT("\"destination\":\"//proc/\",\"type\":\"proc\""), "" },
		{ MOUNT("\"destination\":\"/proc\",\"source\":\"/proc\",\"options\":[\"rbind\"]"),
		  "" },
		{ MOUNT("\"destination\":\"/proc/acpi\",\"type\":\"tmpfs\""),
		  "warning mounts[0]: is inside of /proc: runc mounts nothing there but the files "
		  "of lxcfs\n" },
		{ MOUNT("\"destination\":\"/proc/uptime\",\"source\":\"/b\",\"options\":[\"bind\"]"),
		  "" },
		{ MOUNT("\"destination\":\"/process\",\"type\":\"tmpfs\""), "" },
		{ NAMESPACES("{\"type\":\"mount\"}", ""),
		  "warning mounts: nothing is mounted on /proc: runc refuses that, since it needs it "
		  "itself\n" },
		{ HOOK("\"path\":\"/bin/true\\u0000\""),
		  "warning hooks.poststop[0].path: has a NUL character, which no path can have\n" },
		{ TOP("\"hooks\":{\"createRuntime\":[{\"path\":\"/\\u0000\"}],\"createContainer\":[{\"path\":\"/\\u0000\"}],"
		      "\"startContainer\":[{\"path\":\"/\\u0000\"}]}"),
		  "error hooks.createRuntime[0].path: has a NUL character, which no path can have\n"
		  "error hooks.createContainer[0].path: has a NUL character, which no path can have\n"
		  "warning hooks.startContainer[0].path: has a NUL character, which no path can "
		  "have\n" },
		{ HOOK("\"path\":\"/a\",\"args\":[\"a\\u0000\"],\"env\":[\"A=\\u0000\"]"),
		  "warning hooks.poststop[0].args[0]: has a NUL character, which no argument can "
		  "have\n"
		  "warning hooks.poststop[0].env[0]: has a NUL character, which no variable can "
		  "have\n" },
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
		  "warning process.user.gid: 3000000000 is above 2147483647: runc refuses it before "
		  "1.3\n"
		  "warning process.user.umask: 512 is above 511, which is octal 777\n"
		  "note process.user.username: is for another platform than Linux: only its types "
		  "are looked at\n" },
		{ PROC("\"env\":[\"A\",\"=b\",\"A=\\u0000\"]"),
		  "error process.env[0]: \"A\" is not NAME=value\n"
		  "error process.env[1]: \"=b\" has no name\n"
		  "error process.env[2]: has a NUL character, which no variable can have\n" },
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
		{ PROC("\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_KILL\"]}"),
		  "" },
		{ PROC("\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_CHOWN\"]}"),
		  "warning process.capabilities.inheritable: has what \"bounding\" has not: the "
		  "kernel refuses that, unless the runtime has inherited it\n" },
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
		{ "{\"args\":[5],\"cwd\":\"/\"}",
		  "error! args[0]: a string is needed, found a number\n" },
		{ "{\"args\":[null],\"cwd\":\"a\"}",
		  "warning args[0]: null: runtimes take it for an empty one\n"
		  "error cwd: \"a\" is no absolute path\n" },
		{ "{\"args\":\"sh\",\"cwd\":\"/\\u0000\"}",
		  "error! args: an array is needed, found a string\n"
		  "error cwd: has a NUL character, which no path can have\n" },
		{ "{\"args\":[\"\\u0000\"],\"cwd\":\"/\",\"terminal\":\"yes\"}",
		  "error args[0]: has a NUL character, which no path can have\n"
		  "error! terminal: a boolean is needed, found a string\n" },
		{ "{\"args\":[\"a\",\"\",\"\\u0000\"],\"cwd\":\"/\"}",
		  "warning args[2]: has a NUL character, which no argument can have\n" },
		{ "{\"args\":[\"\"],\"cwd\":\"/\"}",
		  "error args[0]: is empty: there is no program\n" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\"} x",
		  "warning text behind the document: runc does not read it\n" },
	};

	(void)state;
	ARE(CHECK_PROCESS, cases);
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
		/* What is wrong with the last one is, and with what has nothing to do with it. */
		{ "{\"cwd\":\"/\",\"args\":[\"a\"],\"env\":[\"A\"],\"Cwd\":\"a\"}",
		  "error env[0]: \"A\" is not NAME=value\n"
		  "warning Cwd: is there twice: runc takes the last one\n"
		  "warning Cwd: the specification writes it \"cwd\"\n"
		  "error Cwd: \"a\" is no absolute path\n" },
		{ "{\"cwd\":\"a\",\"args\":[\"a\"],\"cwd\":null}",
		  "warning cwd: is missing\n"
		  "warning cwd: \"a\" is no absolute path\n"
		  "warning cwd: is there twice: runc takes the last one\n" },
		/* All that is below it is replaced too. */
		{ "{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"X\",\"soft\":1,\"hard\":1}],"
		  "\"rlimits\":[]}",
		  "warning rlimits[0].type: \"X\" is no resource limit\n"
		  "warning rlimits: is there twice: runc takes the last one\n" },
		/* Two that do not go together are of different documents perhaps. */
		{ "{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1,"
		  "\"hard\":1}]}",
		  "warning rlimits[0]: the soft limit is above the hard one: the kernel refuses "
		  "that\n"
		  "warning rlimits[0].hard: is there twice: runc takes the last one\n" },
		/* But its type does: the decoder fails for any of them. */
		{ "{\"cwd\":5,\"args\":[\"a\"],\"cwd\":\"/\"}",
		  "error! cwd: a string is needed, found a number\n"
		  "warning cwd: is there twice: runc takes the last one\n" },
	};

	(void)state;
	ARE(CHECK_PROCESS, cases);
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
		"note linux.seccomp.flags[0]: runc takes flags of seccomp from 1.2 on only\n"
		"warning linux.seccomp.flags[1]: \"SECCOMP_FILTER_FLAG_TSYNC\": unknown to the "
		"library\n"
		"warning linux.seccomp.syscalls[0].names[1]: \"raed\": unknown to the library\n");
	free(text);
	text = findings(CHECK_CONFIG, json, strlen(json), &no_names);
	assert_string_equal(text,
			    "note process.capabilities.bounding[0]: not checked\n"
			    "note linux.seccomp.defaultAction: not checked\n"
			    "note linux.seccomp.flags[0]: runc takes flags of seccomp "
			    "from 1.2 on only\n");
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
