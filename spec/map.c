/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the map, and finding in them; see map.h. A test holds the flags
 * against what the runtimes on the machine say of themselves. */
#include "spec/map.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define BOOL JSON_BOOL
#define NUM JSON_NUMBER
#define STR JSON_STRING
#define OBJ JSON_OBJECT
#define ARR JSON_ARRAY

#define KEPT "an exec by flags has what config.json says"
#define ANEW "only at create"
#define DOC_ONLY "only the document carries it"
#define NOT_READ "only at create: runc update does not read it"
#define FOREIGN "for another system than Linux"

const struct map_field map_fields[] = {
	{ "ociVersion", STR, MAP_ALL, MAP_NONE, NULL, ANEW },

	{ "process", OBJ, MAP_ALL, MAP_NONE, NULL,
	  "the document of exec is one of these" },
	{ "process.terminal", BOOL, MAP_ALL, MAP_TRUE, "tty",
	  "the shim sets it in the document of an exec to what the client asked for" },
	{ "process.consoleSize", OBJ, MAP_ALL, MAP_NONE, NULL, KEPT },
	{ "process.user", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.user.uid", NUM, MAP_ALL, MAP_USER, "user", NULL },
	{ "process.user.gid", NUM, MAP_ALL, MAP_USER, "user", NULL },
	{ "process.user.umask", NUM, MAP_ALL, MAP_NONE, NULL, KEPT },
	{ "process.user.additionalGids", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.user.additionalGids[]", NUM, MAP_ALL, MAP_EACH, "additional-gids",
	  "added to those of config.json" },
	{ "process.user.username", STR, 0, MAP_NONE, NULL, FOREIGN },
	{ "process.args", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.args[]", STR, MAP_ALL, MAP_WORDS, NULL, "behind the container's id" },
	{ "process.commandLine", STR, 0, MAP_NONE, NULL, FOREIGN },
	{ "process.env", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.env[]", STR, MAP_ALL, MAP_EACH, "env",
	  "added to those of config.json, but by crun 1.8, which replaces them" },
	{ "process.cwd", STR, MAP_ALL, MAP_VALUE, "cwd", NULL },
	{ "process.capabilities", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.capabilities.bounding", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "process.capabilities.bounding[]", STR, MAP_ALL, MAP_EACH, "cap",
	  "runc adds it to bounding, effective and permitted (and ambient) of config.json; "
	  "crun replaces them" },
	{ "process.capabilities.effective", ARR, MAP_ALL, MAP_NONE, NULL,
	  "follows the bounding set" },
	{ "process.capabilities.inheritable", ARR, MAP_ALL, MAP_NONE, NULL, KEPT },
	{ "process.capabilities.permitted", ARR, MAP_ALL, MAP_NONE, NULL,
	  "follows the bounding set" },
	{ "process.capabilities.ambient", ARR, MAP_ALL, MAP_NONE, NULL,
	  "follows the bounding set, as far as they are inheritable" },
	{ "process.rlimits", ARR, MAP_ALL, MAP_NONE, NULL, KEPT },
	{ "process.noNewPrivileges", BOOL, MAP_ALL, MAP_TRUE, "no-new-privs", NULL },
	{ "process.apparmorProfile", STR, MAP_ALL, MAP_VALUE, "apparmor", NULL },
	{ "process.oomScoreAdj", NUM, MAP_ALL, MAP_NONE, NULL, KEPT },
	{ "process.scheduler", OBJ, MAP_NEW, MAP_NONE, NULL, KEPT },
	{ "process.selinuxLabel", STR, MAP_ALL, MAP_VALUE, "process-label", NULL },
	{ "process.ioPriority", OBJ, MAP_NEW, MAP_NONE, NULL, KEPT },
	{ "process.execCPUAffinity", OBJ, MAP_NEW, MAP_NONE, NULL, KEPT },

	{ "root", OBJ, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "root.path", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "root.readonly", BOOL, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "hostname", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "domainname", STR, MAP_RUNC_1_3 | MAP_CRUN, MAP_NONE, NULL, ANEW },

	{ "mounts", ARR, MAP_ALL, MAP_NONE, NULL, "in the order of the array" },
	{ "mounts[]", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].destination", STR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].type", STR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].source", STR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].options", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].options[]", STR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "mounts[].uidMappings", ARR, MAP_RUNC_1_3 | MAP_CRUN, MAP_NONE, NULL,
	  "runc 1.1 mounts without them" },
	{ "mounts[].gidMappings", ARR, MAP_RUNC_1_3 | MAP_CRUN, MAP_NONE, NULL,
	  "runc 1.1 mounts without them" },

	{ "hooks", OBJ, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "annotations", OBJ, MAP_ALL, MAP_NONE, NULL,
	  "two of them name the pod, for the shim; some are orders to crun" },

	{ "linux", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.uidMappings", ARR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.gidMappings", ARR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.sysctl", OBJ, MAP_ALL, MAP_NONE, NULL, ANEW },

	{ "linux.resources", OBJ, MAP_ALL, MAP_NONE, NULL,
	  "the document of update is one of these" },
	{ "linux.resources.devices", ARR, MAP_ALL, MAP_NONE, NULL,
	  "only at create: runc update leaves devices alone" },
	{ "linux.resources.memory", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.resources.memory.limit", NUM, MAP_ALL, MAP_VALUE, "memory", NULL },
	{ "linux.resources.memory.reservation", NUM, MAP_ALL, MAP_VALUE,
	  "memory-reservation", NULL },
	{ "linux.resources.memory.swap", NUM, MAP_ALL, MAP_VALUE, "memory-swap",
	  "memory and swap together" },
	{ "linux.resources.memory.kernel", NUM, MAP_CRUN, MAP_VALUE, "kernel-memory",
	  "runc ignores it, its flag is hidden" },
	{ "linux.resources.memory.kernelTCP", NUM, MAP_CRUN, MAP_VALUE,
	  "kernel-memory-tcp", "runc ignores it, its flag is hidden" },
	{ "linux.resources.memory.swappiness", NUM, MAP_ALL, MAP_NONE, NULL, NOT_READ },
	{ "linux.resources.memory.disableOOMKiller", BOOL, MAP_ALL, MAP_NONE, NULL,
	  NOT_READ },
	{ "linux.resources.memory.useHierarchy", BOOL, MAP_CRUN, MAP_NONE, NULL,
	  "runc ignores it: hierarchies are always used" },
	{ "linux.resources.memory.checkBeforeUpdate", BOOL, MAP_RUNC_1_3 | MAP_CRUN,
	  MAP_NONE, NULL, DOC_ONLY },
	{ "linux.resources.cpu", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.resources.cpu.shares", NUM, MAP_ALL, MAP_VALUE, "cpu-share", NULL },
	{ "linux.resources.cpu.quota", NUM, MAP_ALL, MAP_VALUE, "cpu-quota", NULL },
	{ "linux.resources.cpu.burst", NUM, MAP_NEW, MAP_VALUE, "cpu-burst",
	  "the flag is in newer runc only" },
	{ "linux.resources.cpu.period", NUM, MAP_ALL, MAP_VALUE, "cpu-period", NULL },
	{ "linux.resources.cpu.realtimeRuntime", NUM, MAP_ALL, MAP_VALUE,
	  "cpu-rt-runtime", NULL },
	{ "linux.resources.cpu.realtimePeriod", NUM, MAP_ALL, MAP_VALUE, "cpu-rt-period",
	  NULL },
	{ "linux.resources.cpu.cpus", STR, MAP_ALL, MAP_VALUE, "cpuset-cpus", NULL },
	{ "linux.resources.cpu.mems", STR, MAP_ALL, MAP_VALUE, "cpuset-mems", NULL },
	{ "linux.resources.cpu.idle", NUM, MAP_RUNC_1_3 | MAP_CRUN, MAP_VALUE, "cpu-idle",
	  "the flag is in newer runc only" },
	{ "linux.resources.pids", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.resources.pids.limit", NUM, MAP_ALL, MAP_VALUE, "pids-limit", NULL },
	{ "linux.resources.blockIO", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.resources.blockIO.weight", NUM, MAP_ALL, MAP_VALUE, "blkio-weight",
	  NULL },
	{ "linux.resources.blockIO.leafWeight", NUM, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.blockIO.weightDevice", ARR, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.blockIO.throttleReadBpsDevice", ARR, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.blockIO.throttleWriteBpsDevice", ARR, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.blockIO.throttleReadIOPSDevice", ARR, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.blockIO.throttleWriteIOPSDevice", ARR, MAP_ALL, MAP_NONE, NULL,
	  DOC_ONLY ", and runc 1.1 does not read it there" },
	{ "linux.resources.hugepageLimits", ARR, MAP_ALL, MAP_NONE, NULL, NOT_READ },
	{ "linux.resources.network", OBJ, MAP_ALL, MAP_NONE, NULL, NOT_READ },
	{ "linux.resources.rdma", OBJ, MAP_RUNC, MAP_NONE, NULL, NOT_READ },
	{ "linux.resources.unified", OBJ, MAP_ALL, MAP_NONE, NULL, DOC_ONLY },

	{ "linux.cgroupsPath", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.namespaces", ARR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.namespaces[]", OBJ, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.namespaces[].type", STR, MAP_ALL, MAP_NONE, NULL,
	  "runc 1.1 knows no time namespace" },
	{ "linux.namespaces[].path", STR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.devices", ARR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.netDevices", OBJ, MAP_CRUN_1_28, MAP_NONE, NULL,
	  "only at create; runc has it from 1.4 on" },
	{ "linux.seccomp", OBJ, MAP_ALL, MAP_NONE, NULL,
	  "only at create; an exec has the same filter" },
	{ "linux.rootfsPropagation", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.maskedPaths", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.maskedPaths[]", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.readonlyPaths", ARR, MAP_ALL, MAP_NONE, NULL, NULL },
	{ "linux.readonlyPaths[]", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.mountLabel", STR, MAP_ALL, MAP_NONE, NULL, ANEW },
	{ "linux.intelRdt", OBJ, MAP_RUNC | MAP_CRUN_1_28, MAP_NONE, NULL, NULL },
	{ "linux.intelRdt.closID", STR, MAP_RUNC | MAP_CRUN_1_28, MAP_NONE, NULL, ANEW },
	{ "linux.intelRdt.schemata", ARR, MAP_CRUN_1_28, MAP_NONE, NULL, ANEW },
	{ "linux.intelRdt.l3CacheSchema", STR, MAP_RUNC | MAP_CRUN_1_28, MAP_VALUE,
	  "l3-cache-schema", "not in the document of update" },
	{ "linux.intelRdt.memBwSchema", STR, MAP_RUNC | MAP_CRUN_1_28, MAP_VALUE,
	  "mem-bw-schema", "not in the document of update" },
	{ "linux.intelRdt.enableMonitoring", BOOL, MAP_CRUN_1_28, MAP_NONE, NULL, ANEW },
	{ "linux.memoryPolicy", OBJ, MAP_CRUN_1_28, MAP_NONE, NULL,
	  "only at create; runc has it from 1.4 on" },
	{ "linux.personality", OBJ, MAP_RUNC_1_3 | MAP_CRUN, MAP_NONE, NULL, ANEW },
	{ "linux.timeOffsets", OBJ, MAP_NEW, MAP_NONE, NULL, ANEW },

	{ "solaris", OBJ, 0, MAP_NONE, NULL, FOREIGN },
	{ "windows", OBJ, 0, MAP_NONE, NULL, FOREIGN },
	{ "vm", OBJ, 0, MAP_NONE, NULL, FOREIGN },
	{ "zos", OBJ, 0, MAP_NONE, NULL, FOREIGN },
	{ "freebsd", OBJ, 0, MAP_NONE, NULL, FOREIGN },
};
const size_t map_n_fields = COUNT(map_fields);

#define NOT_PASSED "not passed by the shim"

const struct map_flag map_flags[] = {
	{ "", "root", MAP_ALL, "where the runtime keeps its books" },
	{ "", "log", MAP_ALL, "a file in memory that is this call's own" },
	{ "", "log-format", MAP_ALL, "json, for the text of a failure" },
	{ "", "log-level", MAP_CRUN_1_28, NOT_PASSED },
	{ "", "debug", MAP_ALL, NOT_PASSED },
	{ "", "criu", MAP_RUNC_1_1, NOT_PASSED ": criu is looked up in PATH" },
	{ "", "systemd-cgroup", MAP_ALL,
	  "by SystemdCgroup, or the form of linux.cgroupsPath" },
	{ "", "cgroup-manager", MAP_CRUN, NOT_PASSED },
	{ "", "rootless", MAP_ALL, NOT_PASSED },

	{ "create", "bundle", MAP_ALL, "where config.json is: all fields" },
	{ "create", "config", MAP_CRUN, NOT_PASSED },
	{ "create", "console-socket", MAP_ALL, "with process.terminal" },
	{ "create", "pidfd-socket", MAP_RUNC_1_3, NOT_PASSED },
	{ "create", "pid-file", MAP_ALL, "how the shim learns the pid" },
	{ "create", "no-pivot", MAP_ALL, "by NoPivotRoot" },
	{ "create", "no-new-keyring", MAP_ALL, "by NoNewKeyring" },
	{ "create", "no-subreaper", MAP_CRUN, NOT_PASSED },
	{ "create", "preserve-fds", MAP_ALL, NOT_PASSED },

	{ "exec", "process", MAP_ALL, "the document: all fields of process" },
	{ "exec", "console-socket", MAP_ALL, "with process.terminal" },
	{ "exec", "pidfd-socket", MAP_RUNC_1_3, NOT_PASSED },
	{ "exec", "detach", MAP_ALL,
	  "the shim waits for the process, not for the runtime" },
	{ "exec", "pid-file", MAP_ALL, "how the shim learns the pid" },
	{ "exec", "preserve-fds", MAP_ALL, NOT_PASSED },
	{ "exec", "cgroup", MAP_ALL,
	  NOT_PASSED ": an exec is in the container's cgroup" },
	{ "exec", "ignore-paused", MAP_RUNC, NOT_PASSED },
	{ "exec", "tty", MAP_ALL, NULL },
	{ "exec", "user", MAP_ALL, NULL },
	{ "exec", "additional-gids", MAP_RUNC, NULL },
	{ "exec", "env", MAP_ALL, NULL },
	{ "exec", "cwd", MAP_ALL, NULL },
	{ "exec", "cap", MAP_ALL, NULL },
	{ "exec", "no-new-privs", MAP_ALL, NULL },
	{ "exec", "apparmor", MAP_ALL, NULL },
	{ "exec", "process-label", MAP_ALL, NULL },

	{ "update", "resources", MAP_ALL, "the document: all fields of linux.resources" },
	{ "update", "memory", MAP_ALL, NULL },
	{ "update", "memory-reservation", MAP_ALL, NULL },
	{ "update", "memory-swap", MAP_ALL, NULL },
	{ "update", "kernel-memory", MAP_CRUN, NULL },
	{ "update", "kernel-memory-tcp", MAP_CRUN, NULL },
	{ "update", "cpu-share", MAP_ALL, NULL },
	{ "update", "cpu-quota", MAP_ALL, NULL },
	{ "update", "cpu-burst", MAP_RUNC_1_3, NULL },
	{ "update", "cpu-period", MAP_ALL, NULL },
	{ "update", "cpu-rt-runtime", MAP_ALL, NULL },
	{ "update", "cpu-rt-period", MAP_ALL, NULL },
	{ "update", "cpuset-cpus", MAP_ALL, NULL },
	{ "update", "cpuset-mems", MAP_ALL, NULL },
	{ "update", "cpu-idle", MAP_RUNC_1_3, NULL },
	{ "update", "pids-limit", MAP_ALL, NULL },
	{ "update", "blkio-weight", MAP_ALL, NULL },
	{ "update", "l3-cache-schema", MAP_RUNC | MAP_CRUN_1_28, NULL },
	{ "update", "mem-bw-schema", MAP_RUNC | MAP_CRUN_1_28, NULL },
};
const size_t map_n_flags = COUNT(map_flags);

/* ------------------------------------------------------------- finding */

const char *const map_runtimes[MAP_N_RUNTIMES] = {
	"runc-1.1",
	"runc-1.3",
	"crun-1.8",
	"crun-1.28",
};

unsigned map_runtime(const char *name)
{
	const char *base = strrchr(name, '/'), *dash;
	unsigned major, minor, version = ~0u;
	bool crun;

	base = base ? base + 1 : name;
	crun = strncmp(base, "crun", 4) == 0;
	dash = strrchr(base, '-');
	if (dash && sscanf(dash, "-%u.%u", &major, &minor) == 2 && major < 1000 &&
	    minor < 1000)
		version = 1000 * major + minor;
	if (crun)
		return version < 1028 ? MAP_CRUN_1_8 : MAP_CRUN_1_28;
	return version < 1003 ? MAP_RUNC_1_1 : MAP_RUNC_1_3;
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && path[len] == '.';
}

const char *map_command(const struct map_field *f)
{
	if (is_below(f->path, "process"))
		return "exec";
	return is_below(f->path, "linux.resources") ||
			       (f->flag && is_below(f->path, "linux.intelRdt"))
		       ? "update"
		       : NULL;
}

const struct map_flag *map_flag_find(const char *command, const char *name)
{
	for (size_t i = 0; i < map_n_flags; i++)
		if (strcmp(map_flags[i].command, command) == 0 &&
		    strcmp(map_flags[i].name, name) == 0)
			return &map_flags[i];
	return NULL;
}
