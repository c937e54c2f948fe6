/* SPDX-License-Identifier: Apache-2.0 */
/* The files of containerd's configuration, and their versions; see doctor-config.h. */
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "shim/err.h"
#include "shim/tool/doctor-config.h"
#include "shim/util.h"

static bool has_file(const struct config *c, const char *path)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (strcmp(c->files[i].path, path) == 0)
			return true;
	return false;
}

/* What two import is read once, as containerd does it. */
static void add_file(struct config *c, const char *path)
{
	char *copy = has_file(c, path) ? NULL : strdup(path);

	if (!copy)
		return;
	if (c->n_files == MAX_FILES) {
		doctor_say(c->doctor, FINDING_NOTE, "config", "",
			   "%s is not looked at: more than %d files", path, MAX_FILES);
		free(copy);
		return;
	}
	c->files[c->n_files++] = (struct config_file){ .path = copy };
}

static void add_import(struct config *c, const struct toml_text *name)
{
	_cleanup_free_ char *import = strndup(name->s, name->len);
	_cleanup_free_ char *pattern = import ? doctor_at(c->doctor, import) : NULL;
	glob_t found = { 0 };

	if (import && *import != '/')
		doctor_say(c->doctor, FINDING_NOTE, "config", "",
			   "imports \"%s\", which is not looked at (no absolute path)",
			   import);
	else if (pattern && glob(pattern, 0, NULL, &found) == 0)
		for (size_t k = 0; k < found.gl_pathc; k++)
			add_file(c, found.gl_pathv[k]);
	globfree(&found);
}

enum config_list config_list_of(const struct toml_key *key, const struct toml_value *v)
{
	static const struct {
		const char *name;
		enum config_list list;
	} lists[] = {
		{ "imports", LIST_IMPORTS },
		{ "disabled_plugins", LIST_DISABLED },
		{ "required_plugins", LIST_REQUIRED },
	};

	if (key->n != 1 || v->kind != TOML_ARRAY)
		return LIST_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (key->parts[0].len == strlen(lists[i].name) &&
		    memcmp(key->parts[0].s, lists[i].name, key->parts[0].len) == 0)
			return lists[i].list;
	return LIST_OTHER;
}

/* What is asked for stands before the first table. */
static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	struct config *c = toml_data(t);

	(void)key;
	(void)list;
	c->in_table = true;
	return 0;
}

static int on_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	struct config *c = toml_data(t);

	if (c->in_table || depth)
		return 0;
	c->list = config_list_of(key, v);
	if (key->n == 1 && v->kind == TOML_INTEGER && key->parts[0].len == 7 &&
	    memcmp(key->parts[0].s, "version", 7) == 0)
		c->files[c->at].version = v->integer;
	return 0;
}

static int on_item(struct toml *t, const struct toml_value *v, size_t depth)
{
	struct config *c = toml_data(t);

	if (!c->in_table && c->list == LIST_IMPORTS && depth == 1 &&
	    v->kind == TOML_STRING)
		add_import(c, &v->string);
	return 0;
}

/* False: there is no more to say; it has said why. An import that we may not read is passed over. */
static bool look_at_file(struct config *c)
{
	struct config_file *f = &c->files[c->at];
	struct spec_error se;
	const struct toml_doc doc = {
		.name = f->path,
		.table = on_table,
		.pair = on_pair,
		.item = on_item,
		.data = c,
		.error = &se,
	};
	int r = file_read_followed(f->path, TOML_MAX_SIZE, &f->text, &f->len);

	if (r < 0) {
		doctor_say(c->doctor, r == -EACCES ? FINDING_NOTE : FINDING_WARNING,
			   "config", "", "%s: %s", f->path, err_strerror(-r));
		return c->at > 0;
	}
	c->in_table = false;
	c->list = LIST_OTHER;
	if (toml_parse(&doc, f->text, f->len) == 0)
		return true;
	doctor_say(c->doctor, FINDING_ERROR, "config",
		   "mend it; containerd will not start with it", "%s", se.text);
	return false;
}

bool config_find_files(struct config *c, const char *file)
{
	bool good = true;

	add_file(c, file);
	for (c->at = 0; c->at < c->n_files; c->at++)
		good = look_at_file(c) && good;
	return c->n_files && good;
}

void config_release_files(struct config *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		free(c->files[i].path);
		free(c->files[i].text);
	}
}
