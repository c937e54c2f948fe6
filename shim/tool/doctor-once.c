/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That no table and no key of a TOML document is there twice, after which
 * containerd does not read it; the reader does not look after that. What is in
 * inline tables is not looked at.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/tool/doctor.h"
#include "shim/util.h"

/* A name that no other key has, whatever its parts hold; NULL: no memory. */
static char *name_of(const char *table, const struct toml_key *key)
{
	char *name = strdup(table);

	for (size_t i = 0; i < key->n && name; i++) {
		char *longer = str_printf("%s%zu:%.*s/", name, key->parts[i].len,
					  (int)key->parts[i].len, key->parts[i].s);

		free(name);
		name = longer;
	}
	return name;
}

/* Takes @name. */
static int add(struct once *o, struct toml *t, const struct toml_key *key, char *name)
{
	_cleanup_free_ char *taken = name;

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->names[i], name) == 0)
			return toml_fail(t, key->line, key, EINVAL, "is there twice");
	if (o->n < ARRAY_SIZE(o->names))
		o->names[o->n++] = TAKE(taken);
	return 0;
}

/* What is in one element of a list may be in the next one, too. */
static void forget_below(struct once *o, const char *table)
{
	size_t left = 0;

	for (size_t i = 0; i < o->n; i++)
		if (strncmp(o->names[i], table, strlen(table)) == 0)
			free(o->names[i]);
		else
			o->names[left++] = o->names[i];
	o->n = left;
}

int once_table(struct once *o, struct toml *t, const struct toml_key *key, bool list)
{
	char *name = name_of("", key);

	free(o->table);
	o->table = name;
	if (name && list)
		forget_below(o, name);
	name = name && !list ? strdup(name) : NULL;
	return name ? add(o, t, key, name) : 0;
}

int once_pair(struct once *o, struct toml *t, const struct toml_key *key)
{
	char *name = name_of(o->table ? o->table : "", key);

	return name ? add(o, t, key, name) : 0;
}

void once_release(struct once *o)
{
	forget_below(o, "");
	free(o->table);
	o->table = NULL;
}
