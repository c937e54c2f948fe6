/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option words of a mount: which are flags of mount(2), which ask for more
 * than mount(2) does, and what is left for the file system (contract 6.1).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "shim/mount-internal.h"
#include "shim/util.h"

struct word {
	const char *name;
	bool clear;
	unsigned long flag;
};

/* "defaults" is not among them: as with the stock shim, the file system gets it. */
static const struct word words[] = {
	{ "async", true, MS_SYNCHRONOUS },
	{ "atime", true, MS_NOATIME },
	{ "bind", false, MS_BIND },
	{ "dev", true, MS_NODEV },
	{ "diratime", true, MS_NODIRATIME },
	{ "dirsync", false, MS_DIRSYNC },
	{ "exec", true, MS_NOEXEC },
	{ "mand", false, MS_MANDLOCK },
	{ "noatime", false, MS_NOATIME },
	{ "nodev", false, MS_NODEV },
	{ "nodiratime", false, MS_NODIRATIME },
	{ "noexec", false, MS_NOEXEC },
	{ "nomand", true, MS_MANDLOCK },
	{ "norelatime", true, MS_RELATIME },
	{ "nostrictatime", true, MS_STRICTATIME },
	{ "nosuid", false, MS_NOSUID },
	{ "rbind", false, MS_BIND | MS_REC },
	{ "relatime", false, MS_RELATIME },
	{ "remount", false, MS_REMOUNT },
	{ "ro", false, MS_RDONLY },
	{ "rw", true, MS_RDONLY },
	{ "strictatime", false, MS_STRICTATIME },
	{ "suid", true, MS_NOSUID },
	{ "sync", false, MS_SYNCHRONOUS },
};

int mount_fail(const char *format, ...)
{
	static bool said;
	va_list ap;

	/* What goes wrong while a failure is undone comes behind it. */
	if (said)
		dprintf(2, "; ");
	said = true;
	va_start(ap, format);
	vdprintf(2, format, ap);
	va_end(ap);
	return MOUNT_FAILED;
}

static const struct word *find_word(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, option) == 0)
			return &words[i];
	return NULL;
}

static bool has_option(const struct mount *m, const char *option)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (strcmp(m->options[i], option) == 0)
			return true;
	return false;
}

/* The rest of @option behind @prefix, or NULL. */
static const char *after(const char *option, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(option, prefix, n) == 0 ? option + n : NULL;
}

int mount_options_parse(const struct mount *m, struct mount_options *o)
{
	*o = (struct mount_options){ .loop = has_option(m, "loop") };
	o->direct_io = o->loop && has_option(m, "direct-io");
	o->data = calloc(m->n_options + 1, sizeof(*o->data));
	if (!o->data)
		return mount_fail("out of memory");
	for (size_t i = 0; i < m->n_options; i++) {
		const char *option = m->options[i], *ids;
		const struct word *w = find_word(option);

		if (w)
			o->flags = w->clear ? o->flags & ~w->flag : o->flags | w->flag;
		else if (after(option, "X-containerd."))
			return mount_fail(
				"internal mount option \"%s\" was not consumed by the "
				"mount manager",
				option);
		else if ((ids = after(option, "uidmap=")))
			o->uidmap = ids;
		else if ((ids = after(option, "gidmap=")))
			o->gidmap = ids;
		else if (strcmp(option, "loop") &&
			 !(o->loop && strcmp(option, "direct-io") == 0))
			o->data[o->n_data++] = option;
	}
	/* One alone cannot be obeyed; to ignore it would hand files to the wrong user. */
	if (str_is_set(o->uidmap) != str_is_set(o->gidmap))
		return mount_fail("mount option \"%s\" without \"%s\"",
				  str_is_set(o->uidmap) ? "uidmap=" : "gidmap=",
				  str_is_set(o->uidmap) ? "gidmap=" : "uidmap=");
	if (!str_is_set(o->uidmap))
		o->uidmap = o->gidmap = NULL;
	return 0;
}

void mount_options_release(struct mount_options *o)
{
	freep(&o->data);
	o->data = NULL;
}

size_t mount_options_size(const struct mount_options *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_data; i++)
		n += strlen(o->data[i]) + (i > 0);
	return n;
}

char *mount_options_join(const struct mount_options *o)
{
	char *all = malloc(mount_options_size(o) + 1), *p = all;

	for (size_t i = 0; all && i < o->n_data; i++) {
		if (i > 0)
			*p++ = ',';
		p = stpcpy(p, o->data[i]);
	}
	if (all)
		*p = 0;
	return all;
}
