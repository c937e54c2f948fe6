/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of config.json as commands, in the order in which runc makes them in
 * the container's mount namespace, before it changes the root.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/tool/explain.h"
#include "shim/util.h"

/* What an option is for; others are data of the file system. */
enum use {
	USE_DATA,
	USE_BIND,
	USE_FLAG, /* of mount(2); a bind mount takes it in a second call */
	USE_PROPAGATION, /* a call of its own */
	USE_RECURSIVE, /* mount_setattr(2) for all below */
	USE_IDMAP,
	USE_RUNTIME, /* nothing of the kernel's */
};

static const struct {
	const char *name;
	enum use use;
} uses[] = {
	{ "bind", USE_BIND },
	{ "rbind", USE_BIND },
	{ "ro", USE_FLAG },
	{ "rw", USE_FLAG },
	{ "nosuid", USE_FLAG },
	{ "suid", USE_FLAG },
	{ "nodev", USE_FLAG },
	{ "dev", USE_FLAG },
	{ "noexec", USE_FLAG },
	{ "exec", USE_FLAG },
	{ "noatime", USE_FLAG },
	{ "atime", USE_FLAG },
	{ "nodiratime", USE_FLAG },
	{ "diratime", USE_FLAG },
	{ "relatime", USE_FLAG },
	{ "norelatime", USE_FLAG },
	{ "strictatime", USE_FLAG },
	{ "nostrictatime", USE_FLAG },
	{ "nosymfollow", USE_FLAG },
	{ "symfollow", USE_FLAG },
	{ "sync", USE_FLAG },
	{ "async", USE_FLAG },
	{ "dirsync", USE_FLAG },
	{ "mand", USE_FLAG },
	{ "nomand", USE_FLAG },
	{ "lazytime", USE_FLAG },
	{ "nolazytime", USE_FLAG },
	{ "iversion", USE_FLAG },
	{ "noiversion", USE_FLAG },
	{ "silent", USE_FLAG },
	{ "loud", USE_FLAG },
	{ "defaults", USE_FLAG },
	{ "remount", USE_FLAG },
	{ "private", USE_PROPAGATION },
	{ "rprivate", USE_PROPAGATION },
	{ "shared", USE_PROPAGATION },
	{ "rshared", USE_PROPAGATION },
	{ "slave", USE_PROPAGATION },
	{ "rslave", USE_PROPAGATION },
	{ "unbindable", USE_PROPAGATION },
	{ "runbindable", USE_PROPAGATION },
	{ "rro", USE_RECURSIVE },
	{ "rrw", USE_RECURSIVE },
	{ "rnosuid", USE_RECURSIVE },
	{ "rsuid", USE_RECURSIVE },
	{ "rnodev", USE_RECURSIVE },
	{ "rdev", USE_RECURSIVE },
	{ "rnoexec", USE_RECURSIVE },
	{ "rexec", USE_RECURSIVE },
	{ "rnoatime", USE_RECURSIVE },
	{ "ratime", USE_RECURSIVE },
	{ "rnodiratime", USE_RECURSIVE },
	{ "rdiratime", USE_RECURSIVE },
	{ "rrelatime", USE_RECURSIVE },
	{ "rnorelatime", USE_RECURSIVE },
	{ "rstrictatime", USE_RECURSIVE },
	{ "rnostrictatime", USE_RECURSIVE },
	{ "rnosymfollow", USE_RECURSIVE },
	{ "rsymfollow", USE_RECURSIVE },
	{ "idmap", USE_IDMAP },
	{ "ridmap", USE_IDMAP },
	{ "tmpcopyup", USE_RUNTIME },
	{ "copy-symlink", USE_RUNTIME },
};

static enum use use_of(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
		if (strcmp(option, uses[i].name) == 0)
			return uses[i].use;
	return USE_DATA;
}

struct entry {
	const struct explain *x;
	unsigned item;
	const struct map_value *v;
	const char *type, *source;
	char *target;
};

/* Its next option of a use, from @i on; NULL: there is no other. */
static const char *next_option(const struct entry *m, size_t *i, unsigned uses_wanted)
{
	const struct map_values *l = &m->x->values;

	while (*i < l->n) {
		const struct map_value *v = &l->v[(*i)++];

		if (v->item == m->item && v->text &&
		    strcmp(v->field->path, "mounts[].options[]") == 0 &&
		    uses_wanted & 1u << use_of(v->text))
			return v->text;
	}
	return NULL;
}

static const char *first_option(const struct entry *m, enum use use)
{
	size_t i = 0;

	return next_option(m, &i, 1u << use);
}

/* "A,B,C", to be free()d; NULL: none, or out of memory. */
static char *join_options(const struct entry *m, unsigned uses_wanted, const char *first)
{
	char *all = NULL, *more;
	size_t i = 0;

	if (first && !str_copy(&all, first))
		return NULL;
	for (const char *o; (o = next_option(m, &i, uses_wanted));) {
		more = all ? str_printf("%s,%s", all, o) : strdup(o);
		free(all);
		all = more;
		if (!all)
			return NULL;
	}
	return all;
}

static void put_mkdir(const struct entry *m)
{
	put_command((const char *const[]){ "mkdir", "-p", m->target, NULL }, "\n");
}

static void put_mount(const struct entry *m)
{
	_cleanup_free_ char *options =
		join_options(m, 1u << USE_DATA | 1u << USE_FLAG, NULL);
	const char *words[8] = { "mount", "-t", m->type };
	int n = 3;

	put_mkdir(m);
	if (options) {
		words[n++] = "-o";
		words[n++] = options;
	}
	words[n++] = m->source;
	words[n++] = m->target;
	put_command(words, "");
	put_origin(m->x, m->v, NULL);
}

/* "KEYWORD [ -d PATH ]; then ": only what is there, and as what it is. */
static void put_test(const char *keyword, const char *test, const char *path)
{
	printf("%s [ %s ", keyword, test);
	put_word(path);
	printf(" ]; then ");
}

/* The runtime makes what is missing: a file for a file. */
static void put_bind_target(const struct entry *m)
{
	_cleanup_free_ char *parent = strdup(m->target);
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (slash)
		*slash = 0;
	put_test("if", "-d", m->source);
	put_command((const char *const[]){ "mkdir", "-p", m->target, NULL }, "; else ");
	put_command((const char *const[]){ "mkdir", "-p", parent ? parent : "", NULL },
		    " && ");
	put_command((const char *const[]){ "touch", m->target, NULL }, "; fi\n");
}

static void put_bind(const struct entry *m, const char *bind)
{
	_cleanup_free_ char *flags = join_options(m, 1u << USE_FLAG, "remount,bind");

	put_bind_target(m);
	put_command((const char *const[]){ "mount",
					   strcmp(bind, "bind") ? "--rbind" : "--bind",
					   m->source, m->target, NULL },
		    "");
	put_origin(m->x, m->v, NULL);
	if (first_option(m, USE_FLAG) && flags)
		put_command((const char *const[]){ "mount", "-o", flags, m->target,
						   NULL },
			    "\n");
}

/* What is done to a mount that is there. */
static void put_changes(const struct entry *m)
{
	size_t i = 0;

	for (const char *o; (o = next_option(m, &i, 1u << USE_PROPAGATION));) {
		_cleanup_free_ char *flag = str_printf("--make-%s", o);

		if (flag)
			put_command((const char *const[]){ "mount", flag, m->target,
							   NULL },
				    "\n");
	}
	i = 0;
	for (const char *o; (o = next_option(m, &i, 1u << USE_RECURSIVE));) {
		_cleanup_free_ char *flags =
			str_printf("remount,bind,%s=recursive", o + 1);

		if (flags)
			put_command((const char *const[]){ "mount", "-o", flags,
							   m->target, NULL },
				    "\n");
	}
	if (first_option(m, USE_IDMAP) ||
	    map_find(&m->x->values, "mounts[].uidMappings", m->item))
		say("  and its ids are mapped (mount_setattr(2)): mounts[%u].uidMappings or those "
		    "of the user namespace",
		    m->item);
	if (first_option(m, USE_RUNTIME))
		say("  tmpcopyup: and filled with what was there");
}

static int put_entry(struct entry *m, struct spec_error *e)
{
	const struct map_values *l = &m->x->values;
	const char *destination = map_text(l, "mounts[].destination", m->item);
	const char *bind = first_option(m, USE_BIND);

	m->type = map_text(l, "mounts[].type", m->item);
	m->source = map_text(l, "mounts[].source", m->item);
	if (!destination) {
		say_origin(m->x, "refused: no destination", m->v, NULL);
		return 0;
	}
	if (!bind && m->type && strcmp(m->type, "bind") == 0)
		bind = "bind";
	m->type = m->type ? m->type : "none";
	m->source = m->source ? m->source : "none";
	m->target = str_printf("%s%s%s", m->x->rootfs, *destination == '/' ? "" : "/",
			       destination);
	if (!m->target)
		return json_error(e, ENOMEM, m->x->name, NULL);
	if (bind) {
		put_bind(m, bind);
	} else if (strcmp(m->type, "cgroup") == 0) {
		say_origin(
			m->x, "cgroup", m->v,
			"in v2 the one hierarchy; in v1 a tmpfs, and in it each of them");
		return 0;
	} else {
		put_mount(m);
	}
	put_changes(m);
	return 0;
}

/* ----------------------------------------------------------------- root */

static void put_root(const struct explain *x)
{
	const struct map_value *v = map_find(&x->values, "linux.rootfsPropagation", 0);
	const char *how = v && v->text && *v->text ? v->text : "rslave";
	_cleanup_free_ char *flag = str_printf("--make-%s", how);

	if (flag)
		put_command((const char *const[]){ "mount", flag, "/", NULL }, "");
	put_origin(x, v, "the default of linux.rootfsPropagation");
	put_command((const char *const[]){ "mount", "--rbind", x->rootfs, x->rootfs,
					   NULL },
		    "");
	put_origin(x, map_find(&x->values, "root.path", 0), "root.path");
	/* Not shared, or the container's mounts would show outside. */
	put_command((const char *const[]){ "mount", "--make-private", x->rootfs, NULL },
		    "");
	put_origin(x, NULL, "always");
}

static void put_readonly(const struct explain *x, const char *path)
{
	(void)x;
	put_test("if", "-e", path);
	put_command((const char *const[]){ "mount", "--rbind", path, path, NULL },
		    " && ");
	put_command((const char *const[]){ "mount", "-o", "remount,bind,ro", path, NULL },
		    "; fi");
}

/* As the root: the device is the container's. */
static void put_masked(const struct explain *x, const char *path)
{
	_cleanup_free_ char *null = str_printf("%s/dev/null", x->rootfs);

	put_test("if", "-d", path);
	put_command((const char *const[]){ "mount", "-t", "tmpfs", "-o", "ro", "tmpfs",
					   path, NULL },
		    "; ");
	put_test("elif", "-e", path);
	put_command((const char *const[]){ "mount", "--bind", null ? null : "/dev/null",
					   path, NULL },
		    "; fi");
}

static void put_paths(const struct explain *x, const char *field,
		      void (*put)(const struct explain *x, const char *path))
{
	for (size_t i = 0; i < x->values.n; i++) {
		const struct map_value *v = &x->values.v[i];
		_cleanup_free_ char *path = NULL;

		if (strcmp(v->field->path, field) != 0)
			continue;
		path = str_printf("%s%s", x->rootfs, v->text);
		if (!path)
			continue;
		put(x, path);
		put_origin(x, v, NULL);
	}
}

/* A /dev that comes from outside is left as it is. */
static bool has_bound_dev(const struct explain *x)
{
	struct entry m = { .x = x };
	const char *path;

	for (; (m.v = map_find(&x->values, "mounts[]", m.item)); m.item++) {
		path = map_text(&x->values, "mounts[].destination", m.item);
		if (path && (strcmp(path, "/dev") == 0 || strcmp(path, "/dev/") == 0) &&
		    first_option(&m, USE_BIND))
			return true;
	}
	return false;
}

static void put_devices(const struct explain *x)
{
	const struct map_value *v = map_find(&x->values, "linux.devices", 0);

	if (has_bound_dev(x)) {
		say("no devices: /dev is a bind mount");
		return;
	}
	printf("for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do "
	       "IFS=: read -r n a b <<<\"$d\"; mknod -m 666 ");
	put_word(x->rootfs);
	printf("\"/dev/$n\" c \"$a\" \"$b\" || :; done");
	put_origin(x, NULL, "always");
	if (v)
		say_origin(x, "more devices", v, NULL);
	say("links in /dev");
}

int explain_mounts(const struct explain *x, struct spec_error *e)
{
	const struct map_value *readonly = map_find(&x->values, "root.readonly", 0);
	int r = 0;

	say_title("mounts, in the container's mount namespace");
	say("Only in one of its own, or they change the host: unshare --mount --pid --ipc --net");
	say("--fork. Before, the shim has mounted what containerd sent with Create on the rootfs.");
	put_root(x);
	for (size_t i = 0; r == 0 && i < x->values.n; i++) {
		struct entry m = { .x = x, .v = &x->values.v[i] };

		if (strcmp(m.v->field->path, "mounts[]") != 0)
			continue;
		m.item = m.v->item;
		r = put_entry(&m, e);
		free(m.target);
	}
	put_devices(x);
	say("the hooks prestart, createRuntime and createContainer; the root is changed (%s)",
	    x->options.no_pivot_root ? "by moving it over /: NoPivotRoot"
				     : "pivot_root(2)");
	if (readonly && readonly->text && strcmp(readonly->text, "true") == 0) {
		put_command((const char *const[]){ "mount", "-o", "remount,bind,ro",
						   x->rootfs, NULL },
			    "");
		put_origin(x, readonly, NULL);
	}
	put_paths(x, "linux.readonlyPaths[]", put_readonly);
	put_paths(x, "linux.maskedPaths[]", put_masked);
	return r;
}
