/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "delete": cleans up after a shim that is gone, and is run after every normal
 * Delete as well, so it must be quick, quiet and content to find nothing
 * (contract 1.13). Prints a DeleteResponse with the true exit status if the shim
 * had recorded it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/action.h"
#include "shim/bundle.h"
#include "shim/mount.h"
#include "shim/reap.h"
#include "shim/runtime.h"
#include "shim/spawn.h"
#include "shim/util.h"
#include "task.pb-c.h"

/* Containerd gives us five seconds for both. */
#define RUNTIME_MS 3500
#define UNMOUNT_MS 1000
#define KILLED 137

extern char **environ;

static void warn(const struct action *a, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", a->runtime_name, what, why);
}

/* Runs "RUNTIME --root … delete --force ID"; a container that is not there is fine. */
static void delete_container(const struct action *a, const char *bundle)
{
	const struct flags *f = a->flags;
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error se;
	_cleanup_free_ char *options = str_printf("%s/options.json", bundle);
	_cleanup_free_ char *runtime = bundle_read_runtime(bundle), *root = NULL;
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int out = memfd_open("output"), log = memfd_open("log");
	const int fds[] = { null, out, out };
	const char *name, *argv[ARGS_GLOBAL_MAX + ARGS_MAX];
	char path[PATH_MAX], text[512], log_path[RUNTIME_FD_PATH];
	pid_t pid;
	int r;

	if (!options || !runtime || null < 0 || out < 0 || log < 0) {
		warn(a, "delete", "out of memory or descriptors");
		return;
	}
	r = spec_options_load(options, &o, &se);
	if (r < 0 && r != -ENOENT)
		warn(a, "delete", se.text);
	root = str_printf("%s/%s", str_is_set(o.root) ? o.root : RUNTIME_ROOT, f->ns);
	name = *runtime ? runtime : RUNTIME_DEFAULT;
	spec_options_release(&o);
	r = root ? spawn_find(name, path) : -ENOMEM;
	if (r < 0) {
		warn(a, name, err_strerror(-r));
		return;
	}
	runtime_fd_path(log, log_path);
	args_delete_by_force(argv + args_global(argv, name, root, log_path, false), f->id);
	const struct spawn s = {
		.path = path, .argv = (char *const *)argv, .envp = environ, .fds = fds,
		.n_fds = 3, .dies_with_us = true,
	};
	r = spawn_exec(&s, &pid);
	if (r == 0)
		r = reap_wait(pid, RUNTIME_MS);
	if (r < 0)
		warn(a, name, err_strerror(-r));
	if (r > 0 && memfd_read(out, text, sizeof(text)) > 0 && !strstr(text, "does not exist"))
		warn(a, name, text);
}

static void unmount_rootfs(const struct action *a, const char *bundle)
{
	_cleanup_free_ char *rootfs = str_printf("%s/rootfs", bundle);
	pid_t pid;
	int r = rootfs ? spawn_call(mount_undo, rootfs, 2, &pid) : -ENOMEM;

	if (r == 0)
		r = reap_wait(pid, UNMOUNT_MS);
	if (r < 0)
		warn(a, "unmount rootfs", err_strerror(-r));
}

static int print_answer(const struct exit_record *x, struct err *e)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Task__DeleteResponse m = TASK__DELETE_RESPONSE__INIT;
	uint8_t packed[64];
	int r;

	at.seconds = x->at.tv_sec;
	at.nanos = (int32_t)x->at.tv_nsec;
	m.pid = (uint32_t)x->pid;
	m.exit_status = (uint32_t)x->status;
	m.exited_at = &at;
	r = write_all(1, packed, protobuf_c_message_pack(&m.base, packed));
	return r < 0 ? err_sys(e, -r, "write the answer") : 0;
}

/* The bundle: beside the current one, whatever -bundle says. */
static int find_bundle(const struct flags *f, char **bundle, struct err *e)
{
	char cwd[PATH_MAX], *slash;

	if (!is_identifier(f->id))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "-id \"%s\" is no identifier", f->id);
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, "the current directory, which should be a bundle");
	slash = strrchr(cwd, '/');
	*bundle = str_printf("%.*s/%s", (int)(slash - cwd), cwd, f->id);
	return *bundle ? 0 : err_nomem(e);
}

int delete_main(const struct action *a)
{
	_cleanup_free_ char *bundle = NULL, *pid_file = NULL;
	struct exit_record x = { .pid = -1, .status = KILLED };
	struct err e = ERR_INIT, ignored;

	if (find_bundle(a->flags, &bundle, &e) < 0)
		return action_fail(a, &e);
	/* First, in case that nothing below comes back in time. */
	if (bundle_read_exit(bundle, &x) < 0) {
		clock_gettime(CLOCK_REALTIME, &x.at);
		pid_file = str_printf("%s/init.pid", bundle);
		if (pid_file)
			bundle_read_pid(pid_file, &x.pid, &ignored);
	}
	delete_container(a, bundle);
	unmount_rootfs(a, bundle);
	return print_answer(&x, &e) < 0 ? action_fail(a, &e) : 0;
}
