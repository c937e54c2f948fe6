/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the runtime's command lines; see args.h. */
#include "shim/args.h"

#include <string.h>
#include <unistd.h>

#include "shim/util.h"

/* "slice:prefix:name" is the systemd driver's form of a path. */
static bool is_systemd_path(const char *path)
{
	const char *first = path ? strchr(path, ':') : NULL;
	const char *second = first ? strchr(first + 1, ':') : NULL;

	return second && !strchr(second + 1, ':') && !strchr(path, '/');
}

/*
 * Options that do not say so must not make it a folder of that name. Only where there
 * is no systemd it has to be one, as with the stock shim: its driver would fail.
 */
static bool wants_systemd(const char *path)
{
	return is_systemd_path(path) && access(SYSTEMD_DIR, F_OK) == 0;
}

bool args_choose(const struct spec_options *o, const char *cgroups_path, const char *ns,
		 char **program, char **root, bool *systemd_cgroup)
{
	*program = strdup(str_is_set(o->binary_name) ? o->binary_name : RUNTIME_DEFAULT);
	*root = str_printf("%s/%s", str_is_set(o->root) ? o->root : RUNTIME_ROOT, ns);
	*systemd_cgroup = o->systemd_cgroup ||
			  (!o->systemd_cgroup_said && wants_systemd(cgroups_path));
	return *program && *root;
}

int args_global(const char **argv, const char *program, const char *root, const char *log,
		bool systemd_cgroup)
{
	const char *const words[] = {
		program, "--root",	 root,	 "--log",
		log,	 "--log-format", "json", "--systemd-cgroup"
	};
	int n = systemd_cgroup ? ARGS_GLOBAL_MAX : ARGS_GLOBAL_MAX - 1;

	memcpy(argv, words, (size_t)n * sizeof(*argv));
	return n;
}

/* Adds "@flag @value", if there is a value. */
static void add(const char *args[static ARGS_MAX], int *n, const char *flag,
		const char *value)
{
	if (!value)
		return;
	args[(*n)++] = flag;
	args[(*n)++] = value;
}

void args_create(const char *args[static ARGS_MAX], const char *id, const char *bundle,
		 const struct spec_options *o, const char *pid_file, const char *console)
{
	int n = 0;

	args[n++] = "create";
	add(args, &n, "--bundle", bundle);
	add(args, &n, "--pid-file", pid_file);
	add(args, &n, "--console-socket", console);
	if (o->no_pivot_root)
		args[n++] = "--no-pivot";
	if (o->no_new_keyring)
		args[n++] = "--no-new-keyring";
	args[n++] = id;
	args[n] = NULL;
}

void args_exec(const char *args[static ARGS_MAX], const char *id, const char *document,
	       const char *pid_file, const char *console)
{
	int n = 0;

	args[n++] = "exec";
	add(args, &n, "--process", document);
	add(args, &n, "--console-socket", console);
	args[n++] = "--detach";
	add(args, &n, "--pid-file", pid_file);
	args[n++] = id;
	args[n] = NULL;
}

void args_update(const char *args[static ARGS_MAX], const char *id)
{
	int n = 0;

	args[n++] = "update";
	add(args, &n, "--resources", "-");
	args[n++] = id;
	args[n] = NULL;
}

void args_simple(const char *args[static ARGS_MAX], const char *verb, const char *id)
{
	args[0] = verb;
	args[1] = id;
	args[2] = NULL;
}

void args_delete_by_force(const char *args[static ARGS_MAX], const char *id)
{
	args[0] = "delete";
	args[1] = "--force";
	args[2] = id;
	args[3] = NULL;
}
