/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of the runtimes in containerd's configuration; see doctor-config.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/err.h"
#include "shim/tool/doctor-config.h"
#include "shim/util.h"

#define BRASS_TYPE "io.containerd.brass.v2"
#define STOCK_TYPE "io.containerd.runc.v2"

static bool has_type(const struct runtime_entry *e, const char *type)
{
	return e->type && strcmp(e->type, type) == 0;
}

/* The stock shim's name, where that is brass. */
static bool is_drop_in(const struct doctor *d, const struct runtime_entry *e)
{
	return d->drop_in && has_type(e, STOCK_TYPE) && (!e->path || d->ignores_path);
}

static bool is_brass(const struct doctor *d, const struct runtime_entry *e)
{
	return has_type(e, BRASS_TYPE) || is_drop_in(d, e) ||
	       (e->path && strstr(e->path, "brass"));
}

/* It would be by its runtime_path, of which containerd takes no notice. */
static bool is_ignored(const struct doctor *d, const struct runtime_entry *e)
{
	return e->path && d->ignores_path && !has_type(e, BRASS_TYPE) &&
	       !is_drop_in(d, e);
}

/* Why containerd cannot run it: an errno; 0: it can. */
static int program_error(const struct doctor *d, const char *path)
{
	_cleanup_free_ char *at = doctor_at(d, path);
	struct stat st;

	if (!at)
		return ENOMEM;
	if (stat(at, &st) < 0 || access(at, X_OK) < 0)
		return errno;
	return S_ISREG(st.st_mode) ? 0 : EACCES;
}

/* False: it is not to be run; that has been said. */
static bool has_program(struct doctor *d, const struct runtime_entry *e)
{
	int error = e->path ? program_error(d, e->path) : 0;

	if (error)
		doctor_say(d, FINDING_ERROR, "config",
			   "install it there, or correct runtime_path",
			   "runtime \"%s\": %s: %s", e->name, e->path,
			   err_strerror(error));
	return error == 0;
}

static void look_at_program(struct doctor *d, const struct runtime_entry *e)
{
	if (!has_program(d, e))
		return;
	if (is_ignored(d, e))
		doctor_say(
			d, FINDING_WARNING, "config",
			"ln -s $(command -v containerd-shim-brass-v2) "
			"/usr/local/bin/containerd-shim-runc-v2, and restart containerd",
			"runtime \"%s\" is not brass: this containerd does not heed runtime_path",
			e->name);
	else if (!e->path && !d->shim_in_path && !is_drop_in(d, e))
		doctor_say(d, FINDING_ERROR, "config",
			   "install the shim, or set runtime_path",
			   "runtime \"%s\" is brass, which containerd does not find",
			   e->name);
	else
		doctor_say(d, FINDING_OK, "config", "", "runtime \"%s\" is brass (%s)",
			   e->name, e->path ? e->path : e->type);
}

/* containerd 1.6 has a message for the options of runc's types; of others it sends ConfigPath. */
static bool passes_options(const struct doctor *d, const struct runtime_entry *e)
{
	return d->major != 1 || d->minor > 6 || !e->type || has_type(e, STOCK_TYPE) ||
	       has_type(e, "io.containerd.runc.v1");
}

static void look_at_options(struct doctor *d, const struct runtime_entry *e)
{
	_cleanup_free_ char *binary = e->binary ? doctor_find(d, e->binary) : NULL;

	if (!passes_options(d, e)) {
		if (e->options)
			doctor_say(
				d, FINDING_WARNING, "config",
				"put them into a file and set ConfigPath = to it, or use containerd 1.7",
				"runtime \"%s\": containerd 1.6 takes no notice of its options",
				e->name);
		return;
	}
	if (e->binary && (!binary || access(binary, X_OK) < 0))
		doctor_say(d, FINDING_ERROR, "config",
			   "install it, or correct BinaryName",
			   "runtime \"%s\": BinaryName %s is not there", e->name,
			   e->binary);
	if (d->systemd != e->systemd)
		doctor_say(
			d, FINDING_WARNING, "config",
			d->systemd ? "SystemdCgroup = true in its options; the kubelet's "
				     "cgroupDriver must be the same"
				   : "SystemdCgroup = false in its options",
			"runtime \"%s\": SystemdCgroup is %s, and this host is %srun by systemd",
			e->name, e->systemd ? "true" : "false", d->systemd ? "" : "not ");
}

static void look_at_entry(struct doctor *d, const struct runtime_entry *e)
{
	look_at_program(d, e);
	if (!e->type)
		doctor_say(d, FINDING_ERROR, "config",
			   "add runtime_type = \"io.containerd.runc.v2\"",
			   "runtime \"%s\" has no runtime_type", e->name);
	look_at_options(d, e);
}

/* A table of runtimes replaces the one that is built in, and with it the default one. */
static void judge_default(struct config *c)
{
	const char *name = c->cri.names_default && c->default_runtime ? c->default_runtime
								      : "runc";
	const char *quote;

	c->at = c->cri.file;
	if (c->doctor->major != 1 || c->no_cri || !c->cri.any || !c->cri.runtimes ||
	    c->cri.has_default || c->n_runtimes == MAX_RUNTIMES)
		return;
	for (size_t i = 0; i < c->n_runtimes; i++)
		if (!c->runtimes[i].unread && c->runtimes[i].file == c->cri.file &&
		    strcmp(c->runtimes[i].name, name) == 0)
			return;
	quote = config_version(c) < 2 ? "" : "\"";
	doctor_say(c->doctor, FINDING_ERROR, "config",
		   "add it with runtime_type = \"io.containerd.runc.v2\", or set "
		   "default_runtime_name to one that is there",
		   "%s: no table [plugins.%s%s%s.containerd.runtimes.%s], the default "
		   "runtime: containerd 1.x does not load CRI",
		   c->files[c->cri.file].path, quote, config_cri_name(c), quote, name);
}

/* The same runtime may stand for another containerd, in another section. */
static void judge_unread(struct config *c, const struct runtime_entry *e)
{
	for (size_t i = 0; i < c->n_runtimes; i++)
		if (!c->runtimes[i].unread && strcmp(c->runtimes[i].name, e->name) == 0)
			return;
	if (is_brass(c->doctor, e))
		config_say_unread(c, e);
}

/* containerd 1.x has CRI's section from the last file that has one. */
static bool is_hidden(const struct config *c, const struct runtime_entry *e)
{
	return c->doctor->major == 1 && c->cri.any && e->file != c->cri.file;
}

static void judge_hidden(const struct config *c, const struct runtime_entry *e)
{
	if (is_brass(c->doctor, e))
		doctor_say(
			c->doctor, FINDING_ERROR, "config",
			"put all of the section into one file",
			"runtime \"%s\" of %s is not read: the section of the CRI plugin in "
			"%s replaces it whole",
			e->name, c->files[e->file].path, c->files[c->cri.file].path);
}

/* False: it is not brass, or not for containerd. */
static bool judge_entry(struct config *c, const struct runtime_entry *e)
{
	struct doctor *d = c->doctor;

	if (e->unread) {
		judge_unread(c, e);
		return false;
	}
	if (is_hidden(c, e)) {
		judge_hidden(c, e);
		return false;
	}
	if (!is_brass(d, e)) {
		if (!d->ignores_path)
			has_program(d, e);
		return false;
	}
	look_at_entry(d, e);
	if (c->default_runtime && strcmp(c->default_runtime, e->name) == 0)
		doctor_say(d, FINDING_OK, "config", "",
			   "runtime \"%s\" is the default one", c->default_runtime);
	return true;
}

void config_judge(struct config *c)
{
	struct doctor *d = c->doctor;
	bool any = false;

	for (size_t i = 0; i < c->n_runtimes; i++)
		any = judge_entry(c, &c->runtimes[i]) || any;
	judge_default(c);
	if (!any && !d->drop_in)
		doctor_say(
			d, FINDING_WARNING, "config",
			"see contrib/containerd/config.toml (\"Use\" in the README)",
			"no runtime for Kubernetes is brass in %s; ctr and Docker need no entry",
			c->file);
	if (c->no_cri)
		doctor_say(d, FINDING_NOTE, "config",
			   "take \"cri\" out of disabled_plugins",
			   "%s disables CRI: no Kubernetes on this containerd", c->file);
}
