/* SPDX-License-Identifier: Apache-2.0 */
/* Reads containerd's configuration, and what it imports; see doctor-config.h. */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "shim/err.h"
#include "shim/tool/doctor-config.h"
#include "shim/util.h"

#define DEFAULT_CONFIG "/etc/containerd/config.toml"

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

const char *config_cri_name(const struct config *c)
{
	return c->version < 2 ? "cri" : "io.containerd.grpc.v1.cri";
}

static void look_at_section(struct config *c)
{
	static const char plugins[] = "/plugins/", name[] = "/containerd/default_runtime";
	const char *cri = config_cri_name(c), *rest = c->path + strlen(plugins);

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
		config_judge(c);
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
