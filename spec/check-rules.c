/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the rules of a document together from the tables: which table stands
 * where, what a rule inherits, and what the parser has to know. It is done anew
 * for each document, since that costs less than memory that stays.
 */
#include <assert.h>
#include <string.h>

#include "spec/check-internal.h"

static const struct check_table *const tables[TABLES] = {
	[TABLE_CONFIG] = &check_config_table,
	[TABLE_MOUNT] = &check_mount_table,
	[TABLE_HOOK] = &check_hook_table,
	[TABLE_MAPPING] = &check_mapping_table,
	[TABLE_PROCESS] = &check_process_table,
	[TABLE_LINUX] = &check_linux_table,
	[TABLE_RESOURCES] = &check_resources_table,
	[TABLE_THROTTLE] = &check_throttle_table,
	[TABLE_FILTER] = &check_filter_table,
	[TABLE_FEATURES] = &check_features_table,
	[TABLE_STATE] = &check_state_table,
	[TABLE_WINDOWS] = &check_windows_table,
	[TABLE_SOLARIS] = &check_solaris_table,
	[TABLE_VM] = &check_vm_table,
};

static const unsigned wants[] = {
	[T_OBJECT] = JSON_OBJECT | JSON_KEY | JSON_END,
	[T_MAP] = JSON_OBJECT | JSON_KEY | JSON_END,
	[T_ARRAY] = JSON_ARRAY | JSON_END,
	[T_STRING] = JSON_STRING,
	[T_BOOL] = JSON_BOOL,
	[T_INT] = JSON_NUMBER,
	[T_INT32] = JSON_NUMBER,
	[T_UINT] = JSON_NUMBER,
	[T_UINT32] = JSON_NUMBER,
	[T_UINT16] = JSON_NUMBER,
};

const struct check_table *check_table(unsigned id)
{
	assert(id < TABLES);
	return tables[id];
}

/* The node that @path, without its last name, stands for; NULL: it is the document. */
static struct check_node *parent_of(struct checker *c, const char *path)
{
	size_t len = strlen(path), at;

	if (!len)
		return NULL;
	if (len >= 2 && path[len - 1] == ']')
		len -= 2;
	else
		while (len > 0 && path[len - 1] != '.')
			len--;
	if (len > 0 && path[len - 1] == '.')
		len--;
	/* What begins alike stands together: it is the last rule, or one around that. */
	assert(c->n_rules);
	at = c->n_rules - 1;
	while (strncmp(c->rules[at].path, path, len) != 0 || c->rules[at].path[len]) {
		assert(at && "each rule's object has a rule");
		at = c->nodes[at].parent;
	}
	return &c->nodes[at];
}

/* PREFIX.PATH, where either may be empty and PATH may begin with "[]". */
static const char *join(struct checker *c, const char *prefix, const char *path)
{
	char *out = c->paths + c->paths_len, *end;
	size_t before = strlen(prefix), len = strlen(path);

	/* Not by printf(3): there are hundreds of them for each document. */
	assert(before + len + 2 <= sizeof(c->paths) - c->paths_len);
	end = mempcpy(out, prefix, before);
	if (before && len && *path != '[')
		*end++ = '.';
	end = mempcpy(end, path, len);
	*end++ = 0;
	c->paths_len += (size_t)(end - out);
	return out;
}

struct building {
	struct checker *c;
	int (*fn)(struct json *j, const struct json_event *e);
};

static void add_rule(const struct building *b, unsigned table, const char *prefix,
		     const struct check_rule *rule, unsigned flags)
{
	struct checker *c = b->c;
	const char *path = join(c, prefix, rule->path);
	struct check_node *parent = parent_of(c, path);
	unsigned inherited = parent ? parent->flags & (NEWER | FOREIGN) : 0;

	assert(c->n_rules < CHECK_MAX_RULES);
	c->rules[c->n_rules] = (struct json_rule){
		.path = path,
		/* Null passes for absent, but not as the document. */
		.want = wants[rule->type] | (*path ? JSON_NULL : 0),
		.fn = b->fn,
		.arg = c->n_rules,
	};
	c->nodes[c->n_rules] = (struct check_node){
		.rule = rule,
		.table = (uint8_t)table,
		.parent = parent ? (uint16_t)(parent - c->nodes) : 0,
		.ordinal = parent ? parent->children++ : 0,
		.flags = (uint8_t)(rule->flags | flags | inherited),
	};
	assert(!parent || parent->children <= 32);
	c->n_rules++;
}

/* Tables are in tables three levels deep, no more. */
static void add_table(const struct building *b, unsigned id, const char *prefix,
		      unsigned flags)
{
	const struct check_table *t = check_table(id);

	for (size_t i = 0; i < t->n; i++) {
		const struct check_rule *r = &t->rules[i];
		const char *path;

		if (r->type != T_TABLE) {
			add_rule(b, id, prefix, r, i == 0 ? flags : 0);
			continue;
		}
		path = join(b->c, prefix, r->path);
		add_table(b, r->fn, path, r->flags);
	}
}

void check_build(struct checker *c, enum check_table_id table,
		 int (*fn)(struct json *j, const struct json_event *e))
{
	const struct building b = { c, fn };

	c->n_rules = c->paths_len = 0;
	add_table(&b, table, "", 0);
}
