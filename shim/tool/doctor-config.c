/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's configuration: which of its runtimes are brass, and whether what
 * they name is there. Reads what it imports, too.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/err.h"
#include "shim/tool/doctor.h"
#include "shim/util.h"

#define DEFAULT_CONFIG "/etc/containerd/config.toml"
#define BRASS_TYPE "io.containerd.brass.v2"
#define STOCK_TYPE "io.containerd.runc.v2"
#define MAX_RUNTIMES 64
#define MAX_IMPORTS 32

struct runtime_entry {
	char *name, *type, *path, *binary;
	bool systemd;
	bool options; /* others than those that containerd 1.6 passes on */
	size_t file; /* the number of the last one that has it */
};

/*
 * What containerd 1.x takes for the section of its CRI plugin: that of the last file
 * that has one, with nothing of those before it.
 */
struct cri_section {
	char *name;
	size_t file;
	bool runtimes, names_default;
	bool has_default; /* in a table of its own, as was done once */
};

struct config {
	struct doctor *doctor;
	const char *file;
	struct runtime_entry runtimes[MAX_RUNTIMES];
	size_t n_runtimes;
	char *default_runtime;
	char *imports[MAX_IMPORTS];
	size_t n_imports;
	bool no_cri;
	int64_t version;
	/* What is being read. */
	const char *shown;
	size_t n_files;
	struct cri_section cri;
	struct once once;
	/* Where we are: names with '/' between them; its length for each depth of a value. */
	char path[1024];
	size_t base[TOML_MAX_DEPTH + 3];
};

/* -------------------------------------------------------------- the reading */

static size_t append(struct config *c, size_t at, const struct toml_key *key)
{
	for (size_t i = 0; i < key->n; i++) {
		int n = snprintf(c->path + at, sizeof(c->path) - at, "/%.*s",
				 (int)key->parts[i].len, key->parts[i].s);

		at += (size_t)n;
		if (at >= sizeof(c->path))
			return sizeof(c->path) - 1;
	}
	return at;
}

/*
 * The entry of a runtime in whose table "…/containerd/runtimes/NAME/REST" is; *rest is
 * REST, "" for the table.
 */
static struct runtime_entry *entry_of(struct config *c, const char **rest)
{
	static const char mark[] = "/containerd/runtimes/";
	const char *name = strstr(c->path, mark);
	struct runtime_entry *e = c->runtimes;
	size_t len;

	name = name ? name + strlen(mark) : "";
	len = strcspn(name, "/");
	if (!len)
		return NULL;
	*rest = name + len + (name[len] == '/');
	while (e < c->runtimes + c->n_runtimes &&
	       (strlen(e->name) != len || memcmp(e->name, name, len) != 0))
		e++;
	if (e == c->runtimes + MAX_RUNTIMES)
		return NULL;
	if (e == c->runtimes + c->n_runtimes) {
		e->name = strndup(name, len);
		if (!e->name)
			return NULL;
		c->n_runtimes++;
	}
	e->file = c->n_files;
	return e;
}

static const char *cri_name(const struct config *c)
{
	return c->version < 2 ? "cri" : "io.containerd.grpc.v1.cri";
}

static void look_at_section(struct config *c)
{
	static const char plugins[] = "/plugins/", name[] = "/containerd/default_runtime";
	const char *cri = cri_name(c), *rest = c->path + strlen(plugins);

	if (strncmp(c->path, plugins, strlen(plugins)) != 0 ||
	    strncmp(rest, cri, strlen(cri)) != 0)
		return;
	rest += strlen(cri);
	if (*rest && *rest != '/')
		return;
	if (c->cri.file != c->n_files) {
		free(c->cri.name);
		c->cri = (struct cri_section){ strdup(c->shown), .file = c->n_files };
	}
	if (strcmp(rest, "/containerd/runtimes") == 0 ||
	    strncmp(rest, "/containerd/runtimes/", 21) == 0)
		c->cri.runtimes = true;
	else if (strcmp(rest, "/containerd/default_runtime_name") == 0)
		c->cri.names_default = true;
	else if (strncmp(rest, name, strlen(name)) == 0 && rest[strlen(name)] == '/')
		c->cri.has_default = true;
}

static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	struct config *c = toml_data(t);
	const char *rest;

	c->path[0] = 0;
	c->base[0] = append(c, 0, key);
	entry_of(c, &rest);
	look_at_section(c);
	return once_table(&c->once, t, key, list);
}

static void keep(char **out, const struct toml_value *v)
{
	if (v->kind != TOML_STRING)
		return;
	free(*out);
	*out = strndup(v->string.s, v->string.len);
}

/* Of an array the reader tells only where it is: its strings, as they stand. */
static void keep_imports(struct config *c, const char *text)
{
	for (const char *s = strchr(text, '['); s && *s && *s != ']'; s++) {
		size_t len = *s == '"' || *s == '\''
				     ? strcspn(s + 1, *s == '"' ? "\"" : "'")
				     : 0;

		if (*s != '"' && *s != '\'')
			continue;
		if (c->n_imports < MAX_IMPORTS &&
		    (c->imports[c->n_imports] = strndup(s + 1, len)))
			c->n_imports++;
		s += len + 1;
		if (!*s)
			return;
	}
}

static void look_for_cri(struct config *c, const char *text)
{
	size_t len = strcspn(text, "]");
	_cleanup_free_ char *list = strndup(text, len);

	c->no_cri = list && (strstr(list, "cri\"") || strstr(list, "cri'") ||
			     strstr(list, "cri.v1.runtime"));
}

static int on_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	struct config *c = toml_data(t);
	struct runtime_entry *e;
	const char *rest;
	size_t end;

	c->path[c->base[depth]] = 0;
	end = append(c, c->base[depth], key);
	c->base[depth + 1] = c->base[depth + 2] = end;
	e = entry_of(c, &rest);
	look_at_section(c);
	if (e && strncmp(rest, "options/", 8) == 0 &&
	    strcmp(rest + 8, "ConfigPath") != 0 && strcmp(rest + 8, "TypeUrl") != 0)
		e->options = true;
	if (e && strcmp(rest, "runtime_type") == 0)
		keep(&e->type, v);
	else if (e && strcmp(rest, "runtime_path") == 0)
		keep(&e->path, v);
	else if (e && strcmp(rest, "options/BinaryName") == 0)
		keep(&e->binary, v);
	else if (e && strcmp(rest, "options/SystemdCgroup") == 0)
		e->systemd = v->kind == TOML_BOOL && v->boolean;
	else if (strstr(c->path, "/containerd/default_runtime_name"))
		keep(&c->default_runtime, v);
	else if (strcmp(c->path, "/imports") == 0 && v->kind == TOML_ARRAY)
		keep_imports(c, key->raw.s);
	else if (strcmp(c->path, "/disabled_plugins") == 0 && v->kind == TOML_ARRAY)
		look_for_cri(c, key->raw.s);
	else if (strcmp(c->path, "/version") == 0 && v->kind == TOML_INTEGER)
		c->version = v->integer;
	return depth ? 0 : once_pair(&c->once, t, key);
}

/* False: it has said why not. */
static bool read_file(struct config *c, const char *at, const char *shown)
{
	struct spec_error se;
	const struct toml_doc doc = {
		.name = shown,
		.table = on_table,
		.pair = on_pair,
		.data = c,
		.error = &se,
	};
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read_followed(at, TOML_MAX_SIZE, &text, &len);

	if (r < 0) {
		doctor_say(c->doctor, r == -EACCES ? FINDING_NOTE : FINDING_WARNING,
			   "config", "", "%s: %s", shown, err_strerror(-r));
		return false;
	}
	c->path[0] = 0;
	c->base[0] = 0;
	c->shown = shown;
	c->n_files++;
	once_release(&c->once);
	if (toml_parse(&doc, text, len) == 0)
		return true;
	doctor_say(c->doctor, FINDING_ERROR, "config",
		   "mend it; containerd will not start with it", "%s", se.text);
	return false;
}

static void read_imports(struct config *c)
{
	for (size_t i = 0; i < c->n_imports; i++) {
		_cleanup_free_ char *pattern = doctor_at(c->doctor, c->imports[i]);
		glob_t found = { 0 };

		if (c->imports[i][0] != '/') {
			doctor_say(
				c->doctor, FINDING_NOTE, "config", "",
				"imports \"%s\", which is not looked at (no absolute path)",
				c->imports[i]);
			continue;
		}
		if (pattern && glob(pattern, 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				read_file(c, found.gl_pathv[k], found.gl_pathv[k]);
		globfree(&found);
	}
}

/* ----------------------------------------------------------- the judgement */

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
			"ln -s containerd-shim-brass-v2 /usr/local/bin/containerd-shim-runc-v2, "
			"and restart containerd",
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
static void judge_default(const struct config *c)
{
	const char *name = c->cri.names_default && c->default_runtime ? c->default_runtime
								      : "runc";

	if (c->doctor->major != 1 || c->version > 2 || c->no_cri || !c->cri.name ||
	    !c->cri.runtimes || c->cri.has_default || c->n_runtimes == MAX_RUNTIMES)
		return;
	for (size_t i = 0; i < c->n_runtimes; i++)
		if (c->runtimes[i].file == c->cri.file &&
		    strcmp(c->runtimes[i].name, name) == 0)
			return;
	doctor_say(c->doctor, FINDING_ERROR, "config",
		   "add it with runtime_type = \"io.containerd.runc.v2\", or set "
		   "default_runtime_name to one that is there",
		   "%s: no table [plugins.%s%s%s.containerd.runtimes.%s], the default "
		   "runtime: containerd 1.x does not load CRI",
		   c->cri.name, c->version < 2 ? "" : "\"", cri_name(c),
		   c->version < 2 ? "" : "\"", name);
}

static void judge(struct config *c)
{
	struct doctor *d = c->doctor;
	bool any = false;

	for (size_t i = 0; i < c->n_runtimes; i++) {
		if (!is_brass(d, &c->runtimes[i])) {
			if (!d->ignores_path)
				has_program(d, &c->runtimes[i]);
			continue;
		}
		any = true;
		look_at_entry(d, &c->runtimes[i]);
		if (c->default_runtime &&
		    strcmp(c->default_runtime, c->runtimes[i].name) == 0)
			doctor_say(d, FINDING_OK, "config", "",
				   "runtime \"%s\" is the default one",
				   c->default_runtime);
	}
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

void doctor_config(struct doctor *d)
{
	_cleanup_free_ char *usual = doctor_at(d, DEFAULT_CONFIG);
	_cleanup_free_ struct config *c = calloc(1, sizeof(*c));
	const char *file = d->config ? d->config : usual;

	if (!c || !file)
		return;
	c->doctor = d;
	c->file = file;
	if (!d->config && access(file, F_OK) < 0 && errno == ENOENT) {
		if (d->drop_in)
			return;
		doctor_say(
			d, FINDING_NOTE, "config",
			"containerd config default, and contrib/containerd/config.toml",
			"%s is not there: ctr finds brass, Kubernetes does not", file);
		return;
	}
	if (read_file(c, file, file)) {
		read_imports(c);
		judge(c);
	}
	for (size_t i = 0; i < c->n_runtimes; i++) {
		free(c->runtimes[i].name);
		free(c->runtimes[i].type);
		free(c->runtimes[i].path);
		free(c->runtimes[i].binary);
	}
	for (size_t i = 0; i < c->n_imports; i++)
		free(c->imports[i]);
	free(c->default_runtime);
	free(c->cri.name);
	once_release(&c->once);
}
