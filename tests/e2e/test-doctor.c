/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass doctor" on hosts that are made of files: a good one, and one for each
 * thing that can be wrong with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/tool.h"
#include "version.h"

#define HOST DIR_OF_TEST "/host"
#define CONFIG "/etc/containerd/config.toml"
#define RUNTIME "plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes"
#define HOST_CONF "/etc/containerd/conf.d/b.toml"
#define BRASS_RUNTIME                                                  \
	"[" RUNTIME ".b]\nruntime_type = \"io.containerd.brass.v2\"\n" \
	"options.SystemdCgroup = true\n"
#define RUNTIME_2                                                            \
	"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.b]\n" \
	"runtime_type = \"io.containerd.brass.v2\"\n"                        \
	"options.SystemdCgroup = true\n"
/* containerd 1.x forgets its default runtime with the first one that it is told of. */
#define RUNC_OF(top) "version = 2\n" top "[" RUNTIME ".runc]\n"
#define RUNC RUNC_OF("")
#define FEATURES \
	"{\"linux\":{\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":true},\"seccomp\":{\"enabled\":true}}}"

static void put_file(const char *path, const char *content, mode_t mode)
{
	char *at = text(HOST "%s", path);

	for (char *s = strchr(at + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = 0;
		if (mkdir(at, 0755) < 0 && errno != EEXIST)
			fail_at(HERE, "mkdir %s", at);
		*s = '/';
	}
	if (at[strlen(at) - 1] == '/')
		return;
	write_file(at, content, strlen(content));
	chmod(at, mode);
}

/* Prints @output for its first argument @word, or for any. */
static void put_program(const char *path, const char *output, const char *features)
{
	put_file(path,
		 text("#!/bin/sh\ncase $1 in\nfeatures) %s ;;\n*) echo '%s' ;;\nesac\n",
		      features ? text("echo '%s'", features) : "exit 1", output),
		 0755);
}

/* All is well with it: cgroup v2, systemd, runc, and brass in the place of runc's shim. */
static void make_host(void)
{
	put_file("/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n", 0644);
	put_file("/proc/sys/kernel/pid_max", "4194304\n", 0644);
	put_file("/proc/filesystems", "nodev\tsysfs\nnodev\toverlay\n", 0644);
	put_file("/proc/self/mountinfo",
		 "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n", 0644);
	put_file("/sys/fs/cgroup/cgroup.controllers",
		 "cpuset cpu io memory hugetlb pids\n", 0644);
	put_file("/sys/fs/cgroup/cgroup.subtree_control", "cpuset cpu io memory pids\n",
		 0644);
	put_file("/sys/fs/cgroup/system.slice/containerd.service/pids.max", "max\n",
		 0644);
	put_file("/run/systemd/system/", NULL, 0);
	put_file("/run/containerd/s/", NULL, 0);
	chmod(HOST "/run/containerd/s", 0700);
	put_file("/proc/77/comm", "containerd\n", 0644);
	put_file("/proc/77/environ", "LANG=C", 0644);
	put_file("/proc/77/limits",
		 "Max open files            1048576              1048576\n", 0644);
	put_file("/proc/77/cgroup", "0::/system.slice/containerd.service\n", 0644);
	put_program("/usr/bin/containerd",
		    "containerd github.com/containerd/containerd v1.7.24 abc", NULL);
	put_program("/usr/bin/runc", "runc version 1.1.12", FEATURES);
	put_program("/usr/bin/containerd-shim-brass-v2", "Version:  " BRASS_VERSION,
		    NULL);
	put_file(CONFIG,
		 "version = 2\n[" RUNTIME
		 ".runc]\n  runtime_type = \"io.containerd.runc.v2\"\n"
		 "  runtime_path = \"/usr/bin/containerd-shim-brass-v2\"\n"
		 "  [" RUNTIME ".runc.options]\n    SystemdCgroup = true\n",
		 0644);
}

static struct run *doctor(void)
{
	return TOOL("doctor", "--root", HOST);
}

static void good(void **st)
{
	(void)st;
	make_host();
	has(doctor(), 0, "ok       kernel      Linux 6.1.0-13-amd64\n",
	    "ok       cgroup      v2 (unified), with cpuset cpu io memory hugetlb pids\n",
	    "systemd runs this host", "/usr/bin/containerd, version 1.7.24\n",
	    "ok       containerd  runs, as process 77\n",
	    "/usr/bin/runc, version 1.1.12\n",
	    "runtime \"runc\" is brass (/usr/bin/containerd-shim-brass-v2)",
	    "note     criu", "/run/containerd/s: mode 0700",
	    "This host is ready for brass.\n");
	has(TOOL("doctor", "--json", "-r", HOST), 0, "\"result\": 0",
	    "\"level\": \"ok\",\n      \"check\": \"kernel\",\n      \"text\": \"Linux 6.1.0-13-amd64\"");
}

/* One file of the good host is another (NULL: is not there); what is said then. */
static const struct {
	const char *path, *content;
	int code;
	const char *level, *check, *text;
} bad[] = {
	{ "/proc/sys/kernel/osrelease", "5.3.18\n", 2, "error", "kernel",
	  "Linux 5.3.18 cannot wait for a pidfd (P_PIDFD)" },
	{ "/proc/sys/kernel/osrelease", "4.19.0\n", 2, "error", "kernel",
	  "Linux 4.19.0 cannot wait" },
	{ "/proc/sys/kernel/osrelease", "5.4.0\n", 0, "ok", "kernel", "Linux 5.4.0\n" },
	{ "/proc/sys/kernel/osrelease", NULL, 2, "error", "kernel",
	  "its version is not known" },
	{ "/proc/filesystems", "nodev\tsysfs\n", 0, "note", "kernel",
	  "overlayfs is not there" },
	{ "/proc/self/mountinfo", "1 1 0:1 / / rw - ext4 /dev/vda rw\n", 2, "error",
	  "cgroup", "no cgroups are mounted" },
	{ "/proc/self/mountinfo",
	  "1 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	  "1 1 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
	  2, "error", "cgroup", "v1, without the hierarchies pids, devices, freezer" },
	{ "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n", 2, "error",
	  "cgroup", "v2, without the controllers memory" },
	{ "/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n", 0, "note", "cgroup",
	  "v2, without the controllers io, cpuset" },
	{ "/sys/fs/cgroup/cgroup.subtree_control", "memory\n", 1, "warning", "cgroup",
	  "the controllers pids, cpu are not handed down" },
	{ "/proc/77/limits", "Max open files            1024                 4096\n", 1,
	  "warning", "limits", "containerd (pid 77) may have 1024 files open" },
	{ "/proc/sys/kernel/pid_max", "4096\n", 1, "warning", "limits",
	  "kernel.pid_max is 4096" },
	{ "/sys/fs/cgroup/system.slice/containerd.service/pids.max", "512\n", 1,
	  "warning", "limits", "may be 512 tasks together" },
	{ "/usr/bin/containerd", NULL, 2, "error", "containerd", "not in PATH" },
	{ "/usr/bin/containerd", "#!/bin/sh\necho containerd x 1.5.9 y\n", 1, "warning",
	  "containerd", "is 1.5.9: brass is tested from 1.6 on" },
	{ "/usr/bin/containerd", "#!/bin/sh\necho containerd x 1.6.20~ds1 y\n", 1,
	  "warning", "config",
	  "runtime \"runc\" is not brass: this containerd does not heed" },
	{ "/usr/bin/containerd", "#!/bin/sh\necho containerd x v1.7.0 y\n", 1, "warning",
	  "config", "runtime \"runc\" is not brass: this containerd does not heed" },
	{ "/usr/bin/containerd", "#!/bin/sh\necho containerd x 1.6.21 y\n", 0, "ok",
	  "config", "runtime \"runc\" is brass" },
	{ "/usr/bin/containerd", "#!/bin/sh\nexit 1\n", 1, "warning", "containerd",
	  "--version does not tell one" },
	{ "/proc/77/comm", "systemd\n", 0, "note", "containerd", "is not running" },
	{ "/usr/bin/containerd-shim-brass-v2", "#!/bin/sh\nexit 3\n", 2, "error", "shim",
	  "cannot be run" },
	{ "/usr/bin/containerd-shim-brass-v2", "\177ELF of another machine", 2, "error",
	  "shim", "cannot be run" },
	{ "/usr/bin/containerd-shim-brass-v2", "#!/bin/sh\necho Version: 0.0.9\n", 1,
	  "warning", "shim", "is another version than this tool" },
	{ "/usr/bin/containerd-shim-brass-v2", NULL, 2, "error", "config",
	  "runtime \"runc\": /usr/bin/containerd-shim-brass-v2: no such file or directory" },
	{ "/usr/bin/runc", NULL, 2, "error", "runc", "neither runc nor crun is in PATH" },
	{ "/usr/bin/runc", "#!/bin/sh\nexit 1\n", 1, "warning", "runc",
	  "--version fails" },
	{ "/usr/bin/runc", "#!/bin/sh\necho runc version 0.1.1\n", 1, "warning", "runc",
	  "is 0.1.1" },
	{ "/usr/bin/runc",
	  "#!/bin/sh\n[ $1 = features ] || { echo runc version 1.1.0; exit; }\n"
	  "echo '{\"linux\":{\"cgroup\":{\"v1\":true},\"seccomp\":{\"enabled\":false}}}'\n",
	  2, "error", "runc", "cannot do cgroup v2, which this host has" },
	{ "/usr/bin/runc",
	  "#!/bin/sh\n[ $1 = features ] || { echo runc version 1.1.0; exit; }\necho '{'\n",
	  1, "warning", "runc", "features: features:2:1: " },
	{ CONFIG, NULL, 0, "note", "config", "ctr finds brass, Kubernetes does not" },
	{ CONFIG, "version = 2\n", 1, "warning", "config",
	  "no runtime for Kubernetes is brass" },
	{ CONFIG, "version = \n", 2, "error", "config", "config.toml:1: " },
	{ CONFIG,
	  RUNC "[" RUNTIME ".b]\nruntime_type = \"io.containerd.brass.v2\"\n"
	       "options = { SystemdCgroup = true, BinaryName = \"/no/crun\" }\n",
	  2, "error", "config", "runtime \"b\": BinaryName /no/crun is not there" },
	{ CONFIG, RUNC "[" RUNTIME ".b]\nruntime_type = \"io.containerd.brass.v2\"\n", 1,
	  "warning", "config",
	  "runtime \"b\": SystemdCgroup is false, and this host is run by systemd" },
	{ CONFIG,
	  "version = 2\n"
	  "[plugins.'io.containerd.grpc.v1.cri'.containerd]\ndefault_runtime_name = \"b\"\n"
	  "runtimes.b.runtime_type = \"io.containerd.brass.v2\"\n"
	  "runtimes.b.options.SystemdCgroup = true\n",
	  0, "ok", "config", "runtime \"b\" is the default one" },
	{ CONFIG,
	  RUNC "[" RUNTIME ".b]\nruntime_path = \"/usr/bin/containerd-shim-brass-v2\"\n",
	  2, "error", "config", "runtime \"b\" has no runtime_type" },
	{ CONFIG, "disabled_plugins = [\"x\",\n \"cri\"]\n", 1, "note", "config",
	  "disables CRI" },
	{ CONFIG, "version = 2\n" BRASS_RUNTIME "[" RUNTIME ".b]\n", 2, "error", "config",
	  "config.toml:5: " RUNTIME ".b: is there twice" },
	{ CONFIG, "[a.\"b.c\"]\nx = 1\n'x' = 2\n", 2, "error", "config",
	  "config.toml:3: 'x': is there twice" },
	{ CONFIG, "[[a]]\nx = 1\n[a.b]\n[[a]]\nx = 1\n[a.b]\n[b.c]\n[b]\n[a.c]\n", 1,
	  "warning", "config", "no runtime for Kubernetes is brass" },
	{ CONFIG,
	  RUNC "[" RUNTIME ".k]\nruntime_type = \"io.containerd.kata.v2\"\n"
	       "runtime_path = \"/opt/kata\"\n",
	  2, "error", "config", "runtime \"k\": /opt/kata: no such file or directory" },
	{ CONFIG,
	  "version = 2\n[" RUNTIME ".runc]\nruntime_type = \"io.containerd.runc.v2\"\n"
	  "runtime_path = \"" CONFIG "\"\n",
	  2, "error", "config", "runtime \"runc\": " CONFIG ": permission denied" },
	{ CONFIG,
	  "version = 2\n[" RUNTIME ".runc]\nruntime_type = \"io.containerd.runc.v2\"\n"
	  "runtime_path = \"/usr/bin\"\n",
	  2, "error", "config", "runtime \"runc\": /usr/bin: permission denied" },
	{ CONFIG, "imports = [ \"/etc/none.toml\", \"rel.toml\" ]\n", 1, "note", "config",
	  "imports \"rel.toml\", which is not looked at" },
};

static void each_thing(void **st)
{
	(void)st;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *at = text(HOST "%s", bad[i].path), *line;
		struct run *r;
		char *found;

		make_host();
		unlink(at);
		if (bad[i].content)
			put_file(bad[i].path, bad[i].content,
				 strcmp(bad[i].path, CONFIG) == 0 ? 0644 : 0755);
		r = doctor();
		found = strstr(r->out, bad[i].text);
		if (r->status != bad[i].code << 8 || !found)
			fail_at(HERE, "%s: status %#x, no \"%s\" in: %s%s", bad[i].path,
				r->status, bad[i].text, r->out, r->err);
		for (line = found; line > r->out && line[-1] != '\n'; line--)
			;
		if (strncmp(line, text("%-8s %-11s ", bad[i].level, bad[i].check), 21) !=
		    0)
			fail_at(HERE, "%s: %s", bad[i].path, line);
	}
}

static void folders(void **st)
{
	(void)st;
	make_host();
	chmod(HOST "/run/containerd/s", 0777);
	has(doctor(), 2,
	    "error    folders     /run/containerd/s can be written by others (mode 0777)");
	rmdir(HOST "/run/containerd/s");
	has(doctor(), 0,
	    "note     folders     /run/containerd/s: no such file or directory");
	put_file("/run/containerd/s", "", 0644);
	has(doctor(), 2, "error    folders     /run/containerd/s is no folder");
}

/* Of a file in /proc, with its NULs. */
#define BYTES(text) text, sizeof(text) - 1

/* containerd's own PATH is what counts. */
static void path_of_containerd(void **st)
{
	(void)st;
	make_host();
	write_file(HOST "/proc/77/environ", BYTES("LANG=C\0PATH=/opt/bin\0"));
	/* Others beside it, of k3s and of Docker. */
	write_file(HOST "/proc/77/cmdline", BYTES("/usr/bin/containerd\0"));
	put_file("/proc/5/comm", "containerd\n", 0644);
	write_file(HOST "/proc/5/cmdline", BYTES("containerd\0-a\0/run/k3s/c.sock\0"));
	write_file(HOST "/proc/5/environ", BYTES("PATH=/none\0"));
	put_file("/proc/6/comm", "containerd\n", 0644);
	write_file(HOST "/proc/6/cmdline",
		   BYTES("containerd\0--config\0/var/run/docker/c.toml\0"));
	write_file(HOST "/proc/6/environ", BYTES("PATH=/none\0"));
	has(TOOL("doctor", "-r", HOST, "--address", "/run/k3s/c.sock"), 2,
	    "runs, as process 5");
	has(TOOL("doctor", "-r", HOST, "-c", "/var/run/docker/c.toml"), 2,
	    "runs, as process 6");
	has(doctor(), 2, "is not in containerd's PATH (/opt/bin)",
	    "not in PATH (/opt/bin)");
	put_program("/opt/bin/crun", "crun version 1.14", NULL);
	put_program("/opt/bin/containerd", "containerd x v2.0.1 y", NULL);
	put_program("/opt/bin/containerd-shim-brass-v2", BRASS_VERSION, NULL);
	has(doctor(), 1, "/opt/bin/containerd, version 2.0.1",
	    "/opt/bin/crun, version 1.14", "warning  runc        not in PATH",
	    "BinaryName = \"crun\"");
}

/* In the stock shim's place, by its name. */
static void by_another_name(void **st)
{
	(void)st;
	make_host();
	put_file(CONFIG, "version = 2\n", 0644);
	put_program("/usr/bin/containerd-shim-runc-v2", "Go version: go1.19", NULL);
	has(doctor(), 1, "no runtime for Kubernetes is brass");
	put_program("/usr/bin/containerd-shim-runc-v2", "Go version: none, this is brass",
		    NULL);
	has(doctor(), 0, "/usr/bin/containerd-shim-runc-v2 is brass as well",
	    "This host is ready for brass.\n");
	put_file(CONFIG,
		 "version = 2\n[" RUNTIME
		 ".runc]\nruntime_type = \"io.containerd.runc.v2\"\n",
		 0644);
	has(doctor(), 1, "runtime \"runc\" is brass (io.containerd.runc.v2)",
	    "runtime \"runc\": SystemdCgroup is false");
}

static void imports(void **st)
{
	(void)st;
	make_host();
	write_file(HOST CONFIG, "imports = ['/etc/containerd/conf.d/*.toml']\n", 44);
	put_file("/etc/containerd/conf.d/brass.toml",
		 RUNC "[" RUNTIME ".kept]\nruntime_type = \"io.containerd.brass.v2\"\n"
		      "[" RUNTIME ".kept.options]\nSystemdCgroup = true\n",
		 0644);
	has(doctor(), 0, "runtime \"kept\" is brass (io.containerd.brass.v2)");
	/* Another file than the usual one. */
	has(TOOL("doctor", "-r", HOST, "--config",
		 HOST "/etc/containerd/conf.d/brass.toml"),
	    0, "runtime \"kept\" is brass");
	has(TOOL("doctor", "-r", HOST, "--config", "/none.toml"), 1,
	    "warning  config      /none.toml: no such file or directory");
}

/* A table of runtimes replaces the one that containerd 1.x has built in. */
static void default_runtime(void **st)
{
	static const char missing[] =
		"error    config      " HOST CONFIG ": no table [" RUNTIME ".%s], "
		"the default runtime: containerd 1.x does not load CRI";
	static const char *const right[] = {
		"version = 2\n" BRASS_RUNTIME "[" RUNTIME ".runc]\n",
		"version = 2\n" BRASS_RUNTIME "[" RUNTIME "]\nrunc = {}\n",
		"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
		"default_runtime_name = \"b\"\n" BRASS_RUNTIME,
	};

	(void)st;
	make_host();
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		put_file(CONFIG, right[i], 0644);
		has(doctor(), 0, "runtime \"b\" is brass");
	}
	put_file(CONFIG,
		 "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
		 "default_runtime_name = \"x\"\n" BRASS_RUNTIME,
		 0644);
	has(doctor(), 2, text(missing, "x"));
	put_file(CONFIG, "version = 2\n" BRASS_RUNTIME, 0644);
	has(doctor(), 2, "runtime \"b\" is brass", text(missing, "runc"),
	    "runtime_type = \"io.containerd.runc.v2\"");
	put_program("/usr/bin/containerd", "containerd x v2.0.1 y", NULL);
	has(doctor(), 0, "This host is ready for brass.\n");
}

/* Of an imported file the plugin's section replaces that of the file before, whole. */
static void default_of_an_import(void **st)
{
	(void)st;
	make_host();
	put_file(CONFIG,
		 "version = 2\nimports = [\"" HOST_CONF "\"]\n[" RUNTIME ".runc]\n"
		 "runtime_type = \"io.containerd.runc.v2\"\n",
		 0644);
	put_file(HOST_CONF, BRASS_RUNTIME, 0644);
	has(doctor(), 2,
	    HOST HOST_CONF ": no table [" RUNTIME ".runc], the default runtime");
	put_file(HOST_CONF, BRASS_RUNTIME "[" RUNTIME ".runc]\n", 0644);
	has(doctor(), 0, "This host is ready for brass.\n");
	put_file(HOST_CONF, "[plugins.\"io.containerd.grpc.v1.cri\"]\n", 0644);
	has(doctor(), 1, "no runtime for Kubernetes is brass");
	put_file(HOST_CONF, "a = 1\na = 2\n", 0644);
	has(doctor(), 2, HOST HOST_CONF ":2: a: is there twice");
}

/* containerd 1.6 passes them on only to shims whose kind it knows. */
static void options_not_passed(void **st)
{
	static const char said[] =
		"warning  config      runtime \"b\": containerd 1.6 takes no notice of its "
		"options";
	struct run *r;

	(void)st;
	make_host();
	put_file(CONFIG,
		 RUNC "[" RUNTIME ".b]\nruntime_type = \"io.containerd.brass.v2\"\n"
		      "options.BinaryName = \"/no/crun\"\n",
		 0644);
	put_program("/usr/bin/containerd", "containerd x 1.6.20~ds1 y", NULL);
	r = doctor();
	has(r, 1, said);
	assert_null(strstr(r->out, "/no/crun"));
	assert_null(strstr(r->out, "SystemdCgroup is"));
	put_file(CONFIG,
		 RUNC "[" RUNTIME ".b]\nruntime_type = \"io.containerd.brass.v2\"\n"
		      "options.ConfigPath = \"/etc/brass.toml\"\n",
		 0644);
	has(doctor(), 0, "runtime \"b\" is brass");
	put_file(CONFIG,
		 RUNC "[" RUNTIME ".b]\nruntime_type = \"io.containerd.runc.v2\"\n"
		      "runtime_path = \"/usr/bin/containerd-shim-brass-v2\"\n"
		      "options.BinaryName = \"/no/crun\"\n",
		 0644);
	has(doctor(), 2, "runtime \"b\": BinaryName /no/crun is not there");
}

/* What the plugin is called depends on the version, and so does what is read at all. */
static const struct {
	const char *containerd, *config;
	int code;
	const char *text;
} versions[] = {
	{ "v1.7.24", BRASS_RUNTIME, 2,
	  "error    config      " HOST CONFIG
	  ": runtime \"b\" is not read: containerd 1.7 takes no notice of "
	  "[plugins.\"io.containerd.grpc.v1.cri\"] in a file that says no version, which is "
	  "1\n" },
	{ "v1.7.24", "version = 1\n" BRASS_RUNTIME, 2,
	  "[plugins.\"io.containerd.grpc.v1.cri\"] in version 1\n" },
	{ "v1.7.24",
	  "[plugins.cri.containerd.runtimes]\nrunc = {}\n"
	  "b = { runtime_type = \"io.containerd.brass.v2\", options.SystemdCgroup = true }\n",
	  0, "runtime \"b\" is brass" },
	{ "v1.7.24",
	  "[plugins.cri.containerd.runtimes]\n"
	  "b = { runtime_type = \"io.containerd.brass.v2\", options.SystemdCgroup = true }\n",
	  2, "no table [plugins.cri.containerd.runtimes.runc], the default runtime" },
	{ "v1.7.24", RUNC BRASS_RUNTIME "[plugins.cri]\na = 1\n[plugins.cri.b]\n", 2,
	  "the plugin \"cri\" by a name of version 1: containerd does not start with it in "
	  "version 2\n" },
	{ "v1.7.24", RUNC_OF("disabled_plugins = [\"cri\"]\n"), 2,
	  "config.toml: the plugin \"cri\" by a name of version 1" },
	{ "v2.1.9", "version = 2\nrequired_plugins = ['cri']\n", 2,
	  "config.toml: the plugin \"cri\" by a name of version 1" },
	{ "v2.1.9", "version = 2\n[plugins.cri]\n" BRASS_RUNTIME, 0, "\"b\" is brass" },
	{ "v2.1.9",
	  "version = 2\n[plugins.cri.containerd.runtimes]\n"
	  "b = { runtime_type = \"io.containerd.brass.v2\" }\n",
	  2, "takes no notice of [plugins.\"cri\"] in version 2\n" },
	{ "v1.7.24", "disabled_plugins = [ # isn't it\n\"cri\"]\n", 1,
	  "config.toml disables CRI" },
	{ "v1.7.16", "version = 3\n[" RUNTIME ".runc]\n" BRASS_RUNTIME, 0,
	  "\"b\" is brass" },
	{ "v1.6.32", "version = 3\n" BRASS_RUNTIME, 2,
	  "version 3, and containerd 1.6 starts with 2 at most" },
	{ "v1.7.24", "version = 3\n" BRASS_RUNTIME, 2,
	  "version 3, and containerd 1.7 starts with 2 at most" },
	{ "v1.7.24", RUNC RUNTIME_2, 2,
	  "runtime \"b\" is not read: containerd 1.7 takes no notice of "
	  "[plugins.\"io.containerd.cri.v1.runtime\"] in version 2\n" },
	/* The one for each. */
	{ "v1.7.24", RUNC BRASS_RUNTIME RUNTIME_2, 0, "runtime \"b\" is brass" },
	{ "v2.1.9", RUNC BRASS_RUNTIME RUNTIME_2, 0, "runtime \"b\" is brass" },
	/* 2.0 to 2.2 convert a file of version 1 as if it had been of version 3. */
	{ "v2.1.9", BRASS_RUNTIME, 2, "in a file that says no version, which is 1\n" },
	{ "v2.3.0", BRASS_RUNTIME, 0, "runtime \"b\" is brass" },
	{ "v2.1.9", "version = 3\n" BRASS_RUNTIME, 2,
	  "[plugins.\"io.containerd.grpc.v1.cri\"] in version 3\n" },
	{ "v2.1.9", "version = 3\n" RUNTIME_2, 0, "runtime \"b\" is brass" },
	{ "v2.1.9", "version = 4\n" RUNTIME_2, 2,
	  "version 4, and containerd 2.1 starts with 3 at most" },
	{ "v2.3.4", "version = 4\n" RUNTIME_2, 0, "runtime \"b\" is brass" },
	{ "v2.3.4", "version = 3\n" BRASS_RUNTIME, 0, "runtime \"b\" is brass" },
	{ "v2.3.4", "version = 4\n" BRASS_RUNTIME, 2, "is not read" },
	{ "of no version", "version = 4\n" BRASS_RUNTIME, 2,
	  "is not read: containerd takes no notice of [plugins.\"io.containerd.grpc.v1.cri\"] "
	  "in version 4\n                     -> see contrib/containerd/config.toml\n" },
};

static void versions_of_config(void **st)
{
	(void)st;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct run *r;

		make_host();
		put_program("/usr/bin/containerd",
			    text("containerd x %s y", versions[i].containerd), NULL);
		put_file(CONFIG, versions[i].config, 0644);
		r = doctor();
		if (r->status != versions[i].code << 8 ||
		    !strstr(r->out, versions[i].text) ||
		    strstr(strstr(r->out, versions[i].text) + 1, versions[i].text))
			fail_at(HERE, "%zu: status %#x, not once \"%s\" in: %s%s", i,
				r->status, versions[i].text, r->out, r->err);
	}
}

static void put_containerd(const char *version)
{
	put_program("/usr/bin/containerd", text("containerd x v%s y", version), NULL);
}

/* containerd 2.3 refuses one that is newer; 2.0 to 2.2 go by the last one alone. */
static void versions_of_imports(void **st)
{
	static const char *const root = "version = 2\nimports = [\"" HOST_CONF "\"]\n";

	(void)st;
	make_host();
	put_file(CONFIG, text("%s" BRASS_RUNTIME, root), 0644);
	put_file(HOST_CONF, "version = 3\n", 0644);
	put_containerd("2.3.4");
	has(doctor(), 2,
	    "error    config      " HOST HOST_CONF
	    ": version 3, and those before it have 2: containerd 2.3 does not start");
	put_containerd("2.4.0");
	has(doctor(), 0, "This host is ready for brass.\n");
	put_containerd("2.1.9");
	has(doctor(), 2,
	    "[plugins.\"io.containerd.grpc.v1.cri\"] unless the last of its files has "
	    "version 2, as " HOST HOST_CONF " has not\n");
	put_file(HOST_CONF, "root = 'x'\n", 0644);
	has(doctor(), 2, "as " HOST HOST_CONF " has not\n");
	put_file(HOST_CONF, "version = 2\n", 0644);
	has(doctor(), 0, "This host is ready for brass.\n");
	/* Each by its own one. */
	put_file(CONFIG, "imports = [\"" HOST_CONF "\"]\n", 0644);
	put_file(HOST_CONF, "version = 3\n" RUNTIME_2, 0644);
	put_containerd("2.3.4");
	has(doctor(), 0, "This host is ready for brass.\n");
}

/* containerd 1.x takes the section of a plugin from one file, the last that has it. */
static void hidden_by_an_import(void **st)
{
	(void)st;
	make_host();
	put_file(CONFIG, RUNC_OF("imports = [\"" HOST_CONF "\"]\n") BRASS_RUNTIME, 0644);
	put_file(HOST_CONF,
		 "[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = '/x'\n",
		 0644);
	has(doctor(), 2,
	    "error    config      runtime \"b\" of " HOST CONFIG
	    " is not read: the section of the CRI plugin in " HOST HOST_CONF
	    " replaces it whole\n");
	/* Nor is what the first file says of a runtime that the second has too. */
	put_file(HOST_CONF,
		 "[" RUNTIME ".b]\nruntime_path = 'x-brass'\n[" RUNTIME ".runc]\n", 0644);
	has(doctor(), 2, "runtime \"b\" has no runtime_type");
	/* containerd 2 puts them together. */
	put_containerd("2.3.4");
	put_file(HOST_CONF,
		 "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
		 "config_path = '/x'\n",
		 0644);
	has(doctor(), 0, "This host is ready for brass.\n");
}

/* A file that imports itself, or is imported twice, is one. */
static void imports_go_round(void **st)
{
	struct run *r;
	char *said;

	(void)st;
	make_host();
	put_file(
		CONFIG,
		RUNC_OF("disabled_plugins = ['cri']\n"
			"imports = [ # the site's files\n'/etc/containerd/*.toml', \"" CONFIG
			"\"]\n"),
		0644);
	put_file("/etc/containerd/a.toml", RUNC_OF("imports = ['" CONFIG "']\n"), 0644);
	put_file("/etc/containerd/z.toml", "disabled_plugins = []\n[" RUNTIME ".y]\n",
		 0644);
	r = doctor();
	has(r, 2, "config.toml disables CRI");
	said = strstr(r->out, "by a name of version 1");
	assert_non_null(said);
	assert_null(strstr(said + 1, "by a name of version 1"));
}

/* containerd passes them over, and takes a shim of that name from further on. */
static void dangling_links(void **st)
{
	(void)st;
	make_host();
	put_file("/usr/local/bin/", "", 0);
	write_file(HOST "/proc/77/environ", BYTES("PATH=/usr/local/bin:/usr/bin\0"));
	assert_int_equal(symlink("/usr/bin/containerd-shim-brass-v2",
				 HOST "/usr/local/bin/containerd-shim-runc-v2"),
			 0);
	has(doctor(), 0, "This host is ready for brass.\n");
	assert_int_equal(symlink("gone", HOST "/usr/local/bin/containerd-shim-brass-v2"),
			 0);
	has(doctor(), 1,
	    "warning  shim        /usr/local/bin/containerd-shim-brass-v2 -> gone: "
	    "no such file or directory",
	    "/usr/bin/containerd-shim-brass-v2, version " BRASS_VERSION);
	unlink(HOST "/usr/local/bin/containerd-shim-runc-v2");
	unlink(HOST "/usr/local/bin/containerd-shim-brass-v2");
	has(doctor(), 0, "This host is ready for brass.\n");
}

/* The host that we are on; whatever it is, pidfds work here. */
static void this_host(void **st)
{
	struct run *r = TOOL("doctor");

	(void)st;
	assert_true(r->status >> 8 <= 2);
	assert_non_null(
		strstr(r->out,
		       "ok       pidfd       a child can be waited for by pidfd, tried"));
}

static void misused(void **st)
{
	(void)st;
	has(TOOL("doctor", "x"), 2, "\"x\": no argument is needed");
	has(TOOL("doctor", "--help"), 0, "Usage: brass doctor");
}

E2E_GROUP(E2E(good), E2E(each_thing), E2E(folders), E2E(path_of_containerd),
	  E2E(by_another_name), E2E(imports), E2E(default_runtime),
	  E2E(default_of_an_import), E2E(options_not_passed), E2E(versions_of_config),
	  E2E(versions_of_imports), E2E(hidden_by_an_import), E2E(imports_go_round),
	  E2E(dangling_links), E2E(this_host), E2E(misused))
