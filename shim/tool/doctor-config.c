/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the runtimes of containerd's configuration; see doctor-config.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* In whose section we are; malloc()ed. */
static char *plugin_of(const struct config *c)
{
	static const char mark[] = "/plugins/";
	const char *name = c->path + strlen(mark);

	if (strncmp(c->path, mark, strlen(mark)) != 0)
		return NULL;
	return strndup(name, strcspn(name, "/"));
}

static bool is_entry(const struct runtime_entry *e, const char *name, size_t len,
		     bool unread)
{
	return strlen(e->name) == len && memcmp(e->name, name, len) == 0 &&
	       (e->unread != NULL) == unread;
}

static void forget_settings(struct runtime_entry *e)
{
	free(TAKE(e->type));
	free(TAKE(e->path));
	free(TAKE(e->binary));
	e->systemd = e->options = false;
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
	_cleanup_free_ char *plugin = NULL;
	bool unread;
	size_t len;

	name = name ? name + strlen(mark) : "";
	len = strcspn(name, "/");
	if (!len)
		return NULL;
	*rest = name + len + (name[len] == '/');
	plugin = plugin_of(c);
	unread = plugin && !config_reads(c, plugin);
	while (e < c->runtimes + c->n_runtimes && !is_entry(e, name, len, unread))
		e++;
	if (e == c->runtimes + MAX_RUNTIMES)
		return NULL;
	if (e == c->runtimes + c->n_runtimes) {
		e->name = strndup(name, len);
		if (!e->name)
			return NULL;
		e->unread = unread ? TAKE(plugin) : NULL;
		c->n_runtimes++;
	}
	/* There a later file replaces all of it. */
	if (c->doctor->major == 1 && e->file != c->at)
		forget_settings(e);
	e->file = c->at;
	return e;
}

static void look_at_section(struct config *c)
{
	static const char plugins[] = "/plugins/", name[] = "/containerd/default_runtime";
	const char *cri = config_cri_name(c), *rest = c->path + strlen(plugins);
	_cleanup_free_ char *plugin = plugin_of(c);

	if (plugin && *plugin)
		config_judge_plugin(c, plugin, false);
	if (strncmp(c->path, plugins, strlen(plugins)) != 0 ||
	    strncmp(rest, cri, strlen(cri)) != 0)
		return;
	rest += strlen(cri);
	if (*rest && *rest != '/')
		return;
	if (!c->cri.any || c->cri.file != c->at)
		c->cri = (struct cri_section){ .any = true, .file = c->at };
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

/* CRI by any of its names. */
static bool is_cri(const char *plugin)
{
	return strcmp(plugin, "cri") == 0 || strcmp(plugin, CRI_OF_1) == 0 ||
	       strcmp(plugin, CRI_OF_2) == 0;
}

static int on_item(struct toml *t, const struct toml_value *v, size_t depth)
{
	struct config *c = toml_data(t);
	_cleanup_free_ char *plugin = NULL;

	if (depth != 1 || v->kind != TOML_STRING ||
	    (c->list != LIST_DISABLED && c->list != LIST_REQUIRED))
		return 0;
	plugin = strndup(v->string.s, v->string.len);
	if (!plugin)
		return 0;
	if (c->list == LIST_DISABLED && is_cri(plugin))
		c->no_cri = true;
	config_judge_plugin(c, plugin, true);
	return 0;
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
	if (!depth)
		c->list = c->base[0] ? LIST_OTHER : config_list_of(key, v);
	return depth ? 0 : once_pair(&c->once, t, key);
}

/* Once more, and now by what the versions of all the files say. */
static void read_file(struct config *c)
{
	const struct config_file *f = &c->files[c->at];
	struct spec_error se;
	const struct toml_doc doc = {
		.name = f->path,
		.table = on_table,
		.pair = on_pair,
		.item = on_item,
		.data = c,
		.error = &se,
	};

	c->path[0] = 0;
	c->base[0] = 0;
	c->list = LIST_OTHER;
	once_release(&c->once);
	if (f->text && toml_parse(&doc, f->text, f->len) < 0)
		doctor_say(c->doctor, FINDING_ERROR, "config",
			   "mend it; containerd will not start with it", "%s", se.text);
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
	if (config_find_files(c, file)) {
		config_judge_versions(c);
		for (c->at = 0; c->at < c->n_files; c->at++)
			read_file(c);
		config_judge(c);
	}
	for (size_t i = 0; i < c->n_runtimes; i++) {
		free(c->runtimes[i].name);
		free(c->runtimes[i].type);
		free(c->runtimes[i].path);
		free(c->runtimes[i].binary);
		free(c->runtimes[i].unread);
	}
	config_release_files(c);
	free(c->default_runtime);
	once_release(&c->once);
}
