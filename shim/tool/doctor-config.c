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

#include "shim/err.h"
#include "shim/tool/doctor.h"
#include "shim/util.h"
#include "spec/toml.h"

#define DEFAULT_CONFIG "/etc/containerd/config.toml"
#define BRASS_TYPE "io.containerd.brass.v2"
#define STOCK_TYPE "io.containerd.runc.v2"
#define MAX_RUNTIMES 64
#define MAX_IMPORTS 32

struct runtime_entry {
	char *name, *type, *path, *binary;
	bool systemd;
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

static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	struct config *c = toml_data(t);

	(void)list;
	c->path[0] = 0;
	c->base[0] = append(c, 0, key);
	return 0;
}

/* The entry of a runtime in whose table "…/containerd/runtimes/NAME/REST" is; *rest is REST. */
static struct runtime_entry *entry_of(struct config *c, const char **rest)
{
	static const char mark[] = "/containerd/runtimes/";
	const char *name = strstr(c->path, mark), *slash;
	struct runtime_entry *e;

	name = name ? name + strlen(mark) : NULL;
	slash = name ? strchr(name, '/') : NULL;
	if (!slash)
		return NULL;
	*rest = slash + 1;
	for (size_t i = 0; i < c->n_runtimes; i++)
		if (strlen(c->runtimes[i].name) == (size_t)(slash - name) &&
		    memcmp(c->runtimes[i].name, name, (size_t)(slash - name)) == 0)
			return &c->runtimes[i];
	if (c->n_runtimes == MAX_RUNTIMES)
		return NULL;
	e = &c->runtimes[c->n_runtimes];
	e->name = strndup(name, (size_t)(slash - name));
	c->n_runtimes += e->name != NULL;
	return e->name ? e : NULL;
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
	return 0;
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

static void look_at_entry(struct doctor *d, const struct runtime_entry *e)
{
	_cleanup_free_ char *at = e->path ? doctor_at(d, e->path) : NULL;
	_cleanup_free_ char *binary = e->binary ? doctor_find(d, e->binary) : NULL;

	if (e->path && (!at || access(at, X_OK) < 0))
		doctor_say(d, FINDING_ERROR, "config",
			   "install it there, or correct runtime_path",
			   "runtime \"%s\": %s: %s", e->name, e->path,
			   err_strerror(errno));
	else if (is_ignored(d, e))
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
	if (!e->type)
		doctor_say(d, FINDING_ERROR, "config",
			   "add runtime_type = \"io.containerd.runc.v2\"",
			   "runtime \"%s\" has no runtime_type", e->name);
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

static void judge(struct config *c)
{
	struct doctor *d = c->doctor;
	bool any = false;

	for (size_t i = 0; i < c->n_runtimes; i++) {
		if (!is_brass(d, &c->runtimes[i]))
			continue;
		any = true;
		look_at_entry(d, &c->runtimes[i]);
		if (c->default_runtime &&
		    strcmp(c->default_runtime, c->runtimes[i].name) == 0)
			doctor_say(d, FINDING_OK, "config", "",
				   "runtime \"%s\" is the default one",
				   c->default_runtime);
	}
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
}
