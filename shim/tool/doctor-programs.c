/* SPDX-License-Identifier: Apache-2.0 */
/* containerd, the shim, and the OCI runtimes, as they say of themselves; see doctor.h. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/err.h"
#include "shim/runtime.h"
#include "shim/tool/doctor.h"
#include "shim/tool/tree.h"
#include "shim/util.h"
#include "version.h"

#define SHIM "containerd-shim-brass-v2"
#define STOCK_SHIM "containerd-shim-runc-v2"
#define ADDRESS "/run/containerd/containerd.sock"
#define CONFIG "/etc/containerd/config.toml"
#define ENVIRON_MAX (4u << 20)

/* The first "N.N" in @text behind @mark: *major, *minor, and where it begins. */
static const char *find_version(const char *text, const char *mark, int *major,
				int *minor)
{
	const char *s = strstr(text, mark);

	for (s = s ? s + strlen(mark) : NULL; s && *s && *s != '\n'; s++)
		if (*s >= '0' && *s <= '9' && sscanf(s, "%d.%d", major, minor) == 2)
			return s;
	return NULL;
}

/* ------------------------------------------------------------ containerd */

/* The value of a flag on a command line, "--NAME VALUE" or "--NAME=VALUE"; NULL: not there. */
static const char *flag_of(const char *text, size_t len, const char *name, char letter)
{
	const char *end = text + len;
	size_t n = strlen(name);

	for (const char *s = text; s < end; s += strlen(s) + 1) {
		const char *word = s + (s[0] == '-') + (s[0] == '-' && s[1] == '-');
		const char *next = s + strlen(s) + 1;

		if (word == s)
			continue;
		if (strncmp(word, name, n) == 0 && word[n] == '=')
			return word + n + 1;
		if (next < end &&
		    (strcmp(word, name) == 0 || (word[0] == letter && !word[1])))
			return next;
	}
	return NULL;
}

/*
 * Whether it is the containerd that is asked for, as far as its command line tells.
 * Those of k3s, Docker and others run beside the host's own.
 */
static bool is_asked_for(const struct doctor *d, const char *pid)
{
	_cleanup_free_ char *path = str_printf("%s/proc/%s/cmdline", d->root, pid);
	_cleanup_free_ char *text = NULL;
	const char *address, *config;
	size_t len;

	if (!path || file_read(path, ENVIRON_MAX, &text, &len) < 0)
		return true;
	address = flag_of(text, len, "address", 'a');
	config = flag_of(text, len, "config", 'c');
	if (d->config && config)
		return strcmp(config, d->config) == 0;
	if (address)
		return strcmp(address, d->address ? d->address : ADDRESS) == 0;
	/* Its address is in a file of its own. */
	return !d->address && (!config || strcmp(config, CONFIG) == 0);
}

/* A process that runs a program of this name, and is the one asked for; 0: none. */
static pid_t find_process(const struct doctor *d, const char *name)
{
	_cleanup_free_ char *proc = doctor_at(d, "/proc");
	DIR *dir = proc ? opendir(proc) : NULL;
	const struct dirent *entry;
	pid_t found = 0;
	uint64_t pid;

	while (dir && !found && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL, *comm = NULL;

		if (parse_uint(entry->d_name, INT_MAX, &pid) < 0)
			continue;
		path = str_printf("/proc/%s/comm", entry->d_name);
		comm = path ? doctor_read(d, path) : NULL;
		if (comm && strncmp(comm, name, strlen(name)) == 0 &&
		    comm[strlen(name)] == '\n' && is_asked_for(d, entry->d_name))
			found = (pid_t)pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Where it looks for shims. */
static void take_path(struct doctor *d)
{
	_cleanup_free_ char *name =
		str_printf("%s/proc/%d/environ", d->root, d->containerd);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (!name || file_read(name, ENVIRON_MAX, &text, &len) < 0)
		return;
	for (const char *s = text; s < text + len; s += strlen(s) + 1)
		if (strncmp(s, "PATH=", 5) == 0) {
			char *path = strdup(s + 5);

			if (path) {
				free(d->path);
				d->path = path;
			}
			return;
		}
}

static void look_at_version(struct doctor *d, const char *program)
{
	const char *const argv[] = { program, "--version", NULL };
	int status = 0, major, minor;
	_cleanup_free_ char *text = doctor_run(argv, false, &status);
	const char *s = text ? find_version(text, "containerd ", &major, &minor) : NULL;

	if (s) {
		d->major = major;
		d->minor = minor;
	}
	/* Its CRI reads runtime_path, and forgets it, before 1.6.21 and 1.7.1. */
	if (s && sscanf(s, "%*d.%*d.%d", &d->patch) == 1)
		d->ignores_path = major == 1 && (minor == 6 ? d->patch < 21
							    : minor == 7 && d->patch < 1);
	if (!s)
		doctor_say(d, FINDING_WARNING, "containerd", "run it by hand",
			   "%s --version does not tell one", program);
	else if (major == 1 && minor < 6)
		doctor_say(d, FINDING_WARNING, "containerd", "use 1.6 or later",
			   "%s is %.*s: brass is tested from 1.6 on", program,
			   (int)strcspn(s, " \n"), s);
	else
		doctor_say(d, FINDING_OK, "containerd", "", "%s, version %.*s", program,
			   (int)strcspn(s, " \n"), s);
}

void doctor_containerd(struct doctor *d)
{
	_cleanup_free_ char *program = NULL;

	d->containerd = find_process(d, "containerd");
	if (d->containerd)
		take_path(d);
	program = doctor_find(d, "containerd");
	if (program)
		look_at_version(d, program);
	else
		doctor_say(d, FINDING_ERROR, "containerd", "install it",
			   "not in PATH (%s)", d->path);
	if (d->containerd)
		doctor_say(d, FINDING_OK, "containerd", "", "runs, as process %d",
			   d->containerd);
	else
		doctor_say(d, FINDING_NOTE, "containerd", "",
			   "is not running (that we can see)");
}

/* ------------------------------------------------------------------ shim */

static void look_for_drop_in(struct doctor *d)
{
	_cleanup_free_ char *program = doctor_find(d, STOCK_SHIM), *text = NULL;
	const char *const argv[] = { program, "-v", NULL };
	int status = 0;

	text = program ? doctor_run(argv, true, &status) : NULL;
	d->drop_in = text && strstr(text, "this is brass");
	if (d->drop_in)
		doctor_say(
			d, FINDING_OK, "shim", "",
			"%s is brass as well: who asks for io.containerd.runc.v2 gets it",
			program);
}

/* A link at @at, which is a path below the root, to something that is not there. */
static void look_at_link(struct doctor *d, const char *at)
{
	const char *path = at + strlen(d->root);
	char target[PATH_MAX];
	ssize_t len = readlink(at, target, sizeof(target) - 1);
	_cleanup_free_ char *there = NULL;
	struct stat st;

	if (len < 0)
		return;
	target[len] = 0;
	/* An absolute one begins at the root of the host that is looked at. */
	there = *target == '/' ? doctor_at(d, target) : strdup(at);
	if (there && stat(there, &st) < 0 && errno != EACCES)
		doctor_say(d, FINDING_WARNING, "shim",
			   "remove it, or install what it names",
			   "%s -> %s: %s; containerd takes another shim, or none", path,
			   target, err_strerror(errno));
}

static void look_for_dangling_links(struct doctor *d)
{
	_cleanup_free_ char *copy = strdup(d->path);
	char *rest = copy, *dir;

	while (rest && (dir = strsep(&rest, ":"))) {
		_cleanup_free_ char *pattern =
			str_printf("%s%s/containerd-shim-*-v2", d->root, dir);
		glob_t found = { 0 };

		if (*dir == '/' && pattern && glob(pattern, 0, NULL, &found) == 0)
			for (size_t i = 0; i < found.gl_pathc; i++)
				look_at_link(d, found.gl_pathv[i]);
		globfree(&found);
	}
}

void doctor_shim(struct doctor *d)
{
	_cleanup_free_ char *program = doctor_find(d, SHIM), *text = NULL;
	const char *const argv[] = { program, "-v", NULL };
	int status = 0;

	look_for_dangling_links(d);
	look_for_drop_in(d);
	d->shim_in_path = program;
	if (!program) {
		doctor_say(d, FINDING_WARNING, "shim",
			   "install it there, or name it by runtime_path in config.toml",
			   SHIM " is not in containerd's PATH (%s): \"--runtime "
				"io.containerd.brass.v2\" will not be found",
			   d->path);
		return;
	}
	text = doctor_run(argv, true, &status);
	if (!text || status != 0)
		doctor_say(d, FINDING_ERROR, "shim", "install it again, for this machine",
			   "%s cannot be run", program);
	else if (!strstr(text, BRASS_VERSION))
		doctor_say(d, FINDING_WARNING, "shim", "install both from one release",
			   "%s is another version than this tool (" BRASS_VERSION ")",
			   program);
	else
		doctor_say(d, FINDING_OK, "shim", "", "%s, version " BRASS_VERSION,
			   program);
}

/* -------------------------------------------------------------- runtimes */

/* What "runc features" says, compared with the host. */
static void look_at_features(struct doctor *d, const char *name, const char *program)
{
	const char *const argv[] = { program, "features", NULL };
	_cleanup_(tree_release) struct tree tree = { 0 };
	_cleanup_free_ char *text = NULL;
	const struct node *cgroup, *linux_;
	struct err e = ERR_INIT;
	int status = 0;

	text = doctor_run(argv, false, &status);
	if (!text || status != 0)
		return; /* an older one */
	if (tree_parse(&tree, "features", text, strlen(text), &e) < 0) {
		doctor_say(d, FINDING_WARNING, name, "run it by hand", "%s features: %s",
			   program, e.text);
		return;
	}
	linux_ = tree_member(tree.root, "linux");
	cgroup = tree_member(linux_, "cgroup");
	if (cgroup && !tree_bool(cgroup, d->unified ? "v2" : "v1"))
		doctor_say(d, FINDING_ERROR, name, "use another build of it",
			   "%s cannot do cgroup %s, which this host has", program,
			   d->unified ? "v2" : "v1");
	if (d->systemd && cgroup && !tree_bool(cgroup, "systemd"))
		doctor_say(d, FINDING_WARNING, name, "use another build of it",
			   "%s was built without the systemd cgroup driver", program);
	if (linux_ && !tree_bool(tree_member(linux_, "seccomp"), "enabled"))
		doctor_say(d, FINDING_WARNING, name, "use another build of it",
			   "%s was built without seccomp: profiles are refused", program);
}

/* @oldest: the major version from which on it works. False: it is not there. */
static bool look_at_runtime(struct doctor *d, const char *name, const char *mark,
			    int oldest)
{
	_cleanup_free_ char *program = doctor_find(d, name), *text = NULL;
	const char *const argv[] = { program, "--version", NULL };
	int status = 0, major, minor;
	const char *s;

	if (!program)
		return false;
	text = doctor_run(argv, false, &status);
	s = text && status == 0 ? find_version(text, mark, &major, &minor) : NULL;
	if (!s) {
		doctor_say(d, FINDING_WARNING, name, "run it by hand",
			   "%s --version fails, or tells no version", program);
		return true;
	}
	if (major < oldest)
		doctor_say(d, FINDING_WARNING, name, "use 1.0 or later", "%s is %.*s",
			   program, (int)strcspn(s, " \n"), s);
	else
		doctor_say(d, FINDING_OK, name, "", "%s, version %.*s", program,
			   (int)strcspn(s, " \n"), s);
	look_at_features(d, name, program);
	return true;
}

static void look_at_criu(struct doctor *d)
{
	if (look_at_runtime(d, "criu", "Version:", 3))
		return;
	doctor_say(d, FINDING_NOTE, "criu", "",
		   "not in PATH: checkpoint and restore need it, nothing "
		   "else does");
}

void doctor_runtimes(struct doctor *d)
{
	bool runc = look_at_runtime(d, RUNTIME_DEFAULT, "runc version", 1);
	bool crun = look_at_runtime(d, "crun", "crun version", 1);

	if (!runc && !crun)
		doctor_say(d, FINDING_ERROR, RUNTIME_DEFAULT, "install runc (or crun)",
			   "neither runc nor crun is in PATH (%s)", d->path);
	else if (!runc)
		doctor_say(
			d, FINDING_WARNING, RUNTIME_DEFAULT,
			"install runc, or set BinaryName = \"crun\" in the runtime's options",
			"not in PATH, and it is what is run unless the options name another");
	look_at_criu(d);
}
