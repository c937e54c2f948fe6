/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's life from Create to Delete: the runtime's command lines, made by
 * args.c as the shim makes them, and what the shim does beside them.
 */
#include <string.h>

#include "shim/socket.h"
#include "shim/tool/explain.h"
#include "shim/util.h"

static void say_not_heeded(const struct explain *x)
{
	char what[64];

	snprintf(what, sizeof(what), "not heeded by %s",
		 map_runtimes[__builtin_ctz(x->runtime)]);
	for (size_t i = 0; i < x->values.n; i++)
		if (!(x->values.v[i].field->readers & x->runtime))
			say_origin(x, what, &x->values.v[i], x->values.v[i].field->note);
}

/* As containerd calls it, in the bundle. */
static void put_shim(const struct explain *x, const char *action)
{
	bool is_delete = strcmp(action, "delete") == 0;
	const char *words[14] = { "containerd-shim-brass-v2",
				  "-namespace",
				  x->ns,
				  "-address",
				  x->address,
				  "-publish-binary",
				  "/usr/bin/containerd",
				  "-id",
				  x->id };
	int n = 9;

	if (is_delete) {
		words[n++] = "-bundle";
		words[n++] = x->bundle;
	}
	words[n] = action;
	put_command(words, "\n");
}

static void say_shim(const struct explain *x)
{
	const char *group = x->spec.group;
	char path[SOCKET_PATH_MAX + 1];
	struct err e;

	say_title("the shim: one process for each group of containers");
	printf("cd ");
	put_command((const char *const[]){ x->bundle, NULL }, "\n");
	put_shim(x, "start");
	if (socket_path(SOCKET_DIR, x->address, x->ns, group ? group : x->id, path, &e) ==
	    0)
		say("serves at %s, if containerd is at %s", path, x->address);
	if (group)
		say("the group is that of an annotation: io.containerd.runc.v2.group, else "
		    "io.kubernetes.cri.sandbox-id");
	else
		say("the group is the container alone: no annotation names another");
}

static void say_create_flags(const struct explain *x)
{
	const struct map_value *path = map_find(&x->values, "linux.cgroupsPath", 0);
	const struct spec_options *o = &x->options;

	say("  --root: Root of the runtime's options, or %s, and the namespace",
	    RUNTIME_ROOT);
	if (o->systemd_cgroup)
		say("  --systemd-cgroup: SystemdCgroup of the runtime's options");
	else if (x->systemd_cgroup)
		say_origin(x, "--systemd-cgroup", path, "has the systemd driver's form");
	say("  --bundle: everything in config.json");
	if (explain_is_terminal(x))
		say_origin(x, "--console-socket",
			   map_find(&x->values, "process.terminal", 0),
			   "if the call says so too");
	if (o->no_pivot_root)
		say("  --no-pivot: NoPivotRoot of the runtime's options");
	if (o->no_new_keyring)
		say("  --no-new-keyring: NoNewKeyring of the runtime's options");
}

static void say_stdio(const struct explain *x)
{
	const struct map_value *v = map_find(&x->values, "process.terminal", 0);
	const struct spec_options *o = &x->options;

	say_title("stdio: the names come with the call, not with the bundle");
	if (explain_is_terminal(x)) {
		say_origin(x, "a terminal", v, NULL);
		say("  the runtime makes it and sends its other end over the console socket;");
		say("  the shim copies: FIFO of stdin -> terminal -> FIFO of stdout");
	} else {
		if (v)
			say_origin(x, "no terminal", v, NULL);
		else
			say("  no terminal: process.terminal is not there");
		say("  three pipes, owned by IoUid:IoGid = %u:%u; the shim copies:",
		    o->io_uid, o->io_gid);
		say("  FIFO of stdin -> pipe; pipe -> FIFO, file or logger (fifo://, file://,");
		say("  binary://) of stdout and stderr. A name that is empty: /dev/null.");
	}
}

static void say_exit(const struct explain *x)
{
	const struct map_value *type = NULL;

	for (unsigned i = 0; !type || strcmp(type->text, "pid") != 0; i++) {
		type = map_find(&x->values, "linux.namespaces[].type", i);
		if (!type)
			break;
	}
	say_title("exit of the init: who ends the rest");
	if (x->spec.private_pid_ns) {
		say_origin(x, "a pid namespace of its own", type, NULL);
		say("  the kernel kills whatever is left in it");
	} else {
		if (type)
			say_origin(x, "a pid namespace that exists", type,
				   "it has a path");
		else
			say("  no pid namespace of its own in linux.namespaces");
		say("  the shim kills every process in its cgroup with SIGKILL, and only then");
		say("  tells of the exit");
	}
}

static void say_files(void)
{
	static const char *const files[][2] = {
		{ "config.json", "containerd" },
		{ "address", "the shim's socket; by start" },
		{ "options.json, runtime",
		  "the runtime's options; by Create, for delete" },
		{ "init.pid", "by the runtime" },
		{ "exec-ID.pid", "by the runtime, while an exec starts (if this is a disk: beside "
				 "the shim's socket)" },
		{ "exit", "how the init ended, for delete after a shim that has died" },
		{ "rootfs", "where Create mounts what containerd sends with it" },
	};

	say_title("files in the bundle");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		say("  %-22s %s", files[i][0], files[i][1]);
}

void explain_create(const struct explain *x)
{
	_cleanup_free_ char *pid_file = str_printf("%s/init.pid", x->bundle);
	_cleanup_free_ char *rootfs = str_printf("%s/rootfs", x->bundle);
	const char *args[ARGS_MAX];

	say_shim(x);
	say_files();
	say_stdio(x);
	explain_cgroup(x);
	say_title("create: the method Create");
	explain_say_log();
	args_create(args, x->id, x->bundle, &x->options, pid_file,
		    explain_console_socket(x));
	put_runtime(x, args, "\n");
	say_create_flags(x);
	say_not_heeded(x);
	say_title("start: the method Start");
	args_simple(args, "start", x->id);
	put_runtime(x, args, "\n");
	say_exit(x);
	say_title("delete: the method Delete");
	args_simple(args, "delete", x->id);
	put_runtime(x, args, "\n");
	say("and, if Create had mounted something:");
	put_command((const char *const[]){ "umount", "--recursive", rootfs, NULL }, "\n");
	say_title(
		"delete: the command, which containerd runs behind it, or when the shim has died");
	put_shim(x, "delete");
	say("and that:");
	args_delete_by_force(args, x->id);
	struct explain plain = *x;

	plain.systemd_cgroup = false;
	put_runtime(&plain, args, "\n");
}
