/* SPDX-License-Identifier: Apache-2.0 */
/* The checker's rules of "linux": namespaces, devices, resources, the filter. */
#include "tests/unit/check-common.h"

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
		/* Whatever the case of the keys: runc takes it. */
		{ NAMESPACES(USER, ",\"UIDMappings\":" MAP(
					   "0", "9") ",\"gidMappings\":" MAP("0", "1")),
		  "warning linux.UIDMappings: the specification writes it \"uidMappings\"\n" },
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

static void test_mappings(void **state)
{
#define RANGE(container, host, size) \
	"{\"containerID\":" container ",\"hostID\":" host ",\"size\":" size "}"
#define MAPPED(uids, gids, more)                                       \
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}," more    \
	",\"linux\":{\"namespaces\":[" USER "],\"uidMappings\":[" uids \
	"],\"gidMappings\":[" gids "]}}"
#define PROCESS "\"process\":" PROCESS_WITH("")
#define TERMINALS(options)                                             \
	PROCESS ",\"mounts\":[{\"destination\":\"/dev/pts\",\"type\":" \
		"\"devpts\",\"options\":[\"newinstance\"," options "]}]"
#define TEN RANGE("0", "1000", "10")
	static const struct finding_case cases[] = {
		{ MAPPED(TEN "," RANGE("10", "1010", "5"), TEN, PROCESS), "" },
		{ MAPPED(TEN "," RANGE("9", "2000", "5"), TEN, PROCESS),
		  "warning linux.uidMappings: two of them overlap: the kernel refuses that\n" },
		{ MAPPED(TEN, TEN "," RANGE("20", "1009", "5"), PROCESS),
		  "warning linux.gidMappings: two of them overlap: the kernel refuses that\n" },
		{ MAPPED(RANGE("0", "0", "4294967295"), TEN, PROCESS), "" },
		{ MAPPED(RANGE("0", "4294967290", "6"),
			 TEN "," RANGE("4294967295", "9", "1"), PROCESS),
		  "warning linux.uidMappings: one of them reaches 2^32-1, which is no id: the "
		  "kernel refuses that\n"
		  "warning linux.gidMappings: one of them reaches 2^32-1, which is no id: the "
		  "kernel refuses that\n" },
		{ MAPPED(TEN, TEN, TERMINALS("\"gid=5\"")), "" },
		{ MAPPED(TEN, RANGE("0", "1000", "5"), TERMINALS("\"gid=5\"")),
		  "warning mounts[0]: 5 is not mapped in the user namespace: runc refuses it\n" },
		{ MAPPED(TEN, RANGE("0", "1000", "5"), TERMINALS("\"gid=a\"")), "" },
		{ MAPPED(TEN, RANGE("0", "1000", "5"),
			 "\"process\":{\"user\":{\"uid\":10,\"gid\":5},\"args\":[\"a\"],"
			 "\"cwd\":\"/\"}"),
		  "warning process.user.uid: 10 is not mapped in the user namespace: runc refuses "
		  "it\n"
		  "warning process.user.gid: 5 is not mapped in the user namespace: runc refuses "
		  "it\n" },
	};

	(void)state;
	ARE(CHECK_CONFIG, cases);
}

/* The kernel takes 340, and all of them in less than a page. */
static void test_many_mappings(void **state)
{
	static const struct {
		int n, size;
		const char *found;
	} cases[] = {
		{ 340, 1, "" },
		{ 341, 1,
		  "warning linux.uidMappings: there are more than 340: the kernel refuses that\n" },
		{ 340, 1000000,
		  "warning linux.uidMappings: are written in more than 4095 bytes, which the "
		  "kernel refuses\n" },
	};
	static char json[64u << 10], maps[32u << 10];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char *text;
		size_t len = 0;

		for (int k = 0; k < cases[i].n; k++)
			len += (size_t)snprintf(
				maps + len, sizeof(maps) - len,
				"%s{\"containerID\":%d,\"hostID\":%d,\"size\":%d}",
				k ? "," : "", k * cases[i].size, 1000 + k * cases[i].size,
				cases[i].size);
		len = (size_t)snprintf(json, sizeof(json), MAPPED("%s", TEN, PROCESS),
				       maps);
		text = findings(CHECK_CONFIG, json, len, NULL);
		assert_string_equal(text, cases[i].found);
		free(text);
	}
}

static void test_sysctl(void **state)
{
#define SYSCTL(list, key) NAMESPACES(list, ",\"sysctl\":{\"" key "\":\"1\"}")
	static const struct finding_case cases[] = {
		{ SYSCTL("{\"type\":\"ipc\"}", "kernel.sem"), "" },
		{ SYSCTL("{\"type\":\"ipc\"}", "fs/mqueue/msg_max"), "" },
		{ NAMESPACES("{\"type\":\"ipc\"}", ",\"Sysctl\":{\"kernel.sem\":\"1\"}"),
		  "warning linux.Sysctl: the specification writes it \"sysctl\"\n" },
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
		{ LINUX("\"rootfsPropagation\":\"unbindable\""),
		  "warning linux.rootfsPropagation: \"unbindable\": the runtime cannot bind "
		  "anything from the host's mounts then\n" },
		{ LINUX("\"maskedPaths\":[\"/a\\u0000\"],\"readonlyPaths\":[\"/\\u0000\"],\"mountLabel\":\"\\u0000\""),
		  "error linux.maskedPaths[0]: has a NUL character, which no path can have\n"
		  "error linux.readonlyPaths[0]: has a NUL character, which no path can have\n"
		  "warning linux.mountLabel: has a NUL character, which no mount option can have\n" },
		{ LINUX("\"maskedPaths\":[\"\"],\"readonlyPaths\":[\"/a\",\"b\"]"),
		  "warning linux.maskedPaths[0]: \"\" is no absolute path\n"
		  "warning linux.readonlyPaths[1]: \"b\" is no absolute path\n" },
		{ LINUX("\"cgroupsPath\":\"a.slice:b:c\""), "" },
		{ LINUX("\"cgroupsPath\":\"/a\\u0000\""),
		  "warning linux.cgroupsPath: has a NUL character, which no path can have\n" },
		{ LINUX("\"intelRdt\":{\"closID\":\"..\",\"l3CacheSchema\":\"x\",\"memBwSchema\":\"L3:0\"}"),
		  "error linux.intelRdt.closID: \"..\" is no name of a folder\n"
		  "warning linux.intelRdt.l3CacheSchema: does not begin with \"L3:\"\n"
		  "warning linux.intelRdt.memBwSchema: does not begin with \"MB:\"\n" },
		{ LINUX("\"intelRdt\":{\"closID\":\"/\"}"),
		  "warning linux.intelRdt.closID: \"/\" is known to newer runtimes only: runc 1.1 "
		  "refuses it\n" },
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
		  "warning linux.resources.memory.limit: -9223372036854775808 is below -1, which "
		  "stands for no limit: the kernel refuses it\n" },
		{ RES("\"memory\":{\"limit\":-1,\"reservation\":-2,\"swap\":-2},\"cpu\":{\"realtimeRuntime\":-1}"),
		  "warning linux.resources.memory.reservation: -2 is below -1, which stands for no "
		  "limit: the kernel refuses it\n"
		  "warning linux.resources.memory.swap: -2 is below -1, which stands for no limit: "
		  "the kernel refuses it\n"
		  "warning linux.resources.cpu.realtimeRuntime: -1 stands for no limit: the kernel "
		  "refuses that, unless it has none itself\n" },
		{ RES("\"devices\":[{\"allow\":true,\"access\":\"r\",\"major\":-1,\"minor\":-5}]"),
		  "warning linux.resources.devices[0].minor: -5: no device has such a number\n" },
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
		{ FILTER(ALLOW
			 "\"listenerPath\":\"/x\",\"syscalls\":[{\"names\":[\"write\"],\"action\":"
			 "\"SCMP_ACT_ALLOW\"},{\"names\":[\"read\",\"write\"],\"action\":"
			 "\"SCMP_ACT_NOTIFY\"},{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]"),
		  "warning linux.seccomp.syscalls[1]: SCMP_ACT_NOTIFY cannot be for \"write\": "
		  "runc refuses that\n" },
		{ FILTER(ALLOW
			 "\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]"),
		  "warning linux.seccomp: SCMP_ACT_NOTIFY needs \"listenerPath\": runc refuses it "
		  "without\n" },
		{ FILTER(ALLOW "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\","
			       "\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"]"),
		  "note linux.seccomp.flags[0]: runc takes flags of seccomp from 1.2 on only\n" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),    cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_many_mappings), cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_linux),	      cmocka_unit_test(test_resources),
		cmocka_unit_test(test_update),	      cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests_name("check-linux", tests, NULL, NULL);
}
