/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of an id mapping, and of the two that make a user namespace. What the
 * kernel refuses of them is a warning: it has changed its mind before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	MAPPING,
	CONTAINER,
	HOST,
	SIZE,
};

enum { UID, GID };

/* The kernel reads a mapping in one piece, of less than a page. */
#define MAX_TEXT 4095

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, MAPPING },
	{ "containerID", T_UINT32, REQUIRED, CONTAINER },
	{ "hostID", T_UINT32, REQUIRED, HOST },
	{ "size", T_UINT32, REQUIRED, SIZE },
};

/* Keeps those of the user namespace; mounts have their own. */
static void keep(struct checker *c)
{
	const char *path = c->rules[c->node - c->nodes].path;
	int which = !strncmp(path, "linux.gid", 9) ? GID : UID;
	size_t *n = &c->facts.n_maps[which];

	if (!strncmp(path, "linux.", 6) && *n < CHECK_MAX_MAPPINGS)
		c->facts.maps[which][(*n)++] = c->facts.mapping;
}

static void mapping_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	const struct place at = c->frames[c->depth - 1].at;

	if (fn == CONTAINER) {
		c->facts.mapping.container = c->number.u;
	} else if (fn == HOST) {
		c->facts.mapping.host = c->number.u;
	} else if (fn == SIZE) {
		c->facts.mapping.size = c->number.u;
	} else if (e->kind == JSON_OBJECT) {
		memset(&c->facts.mapping, 0, sizeof(c->facts.mapping));
	} else {
		keep(c);
		if (!c->facts.mapping.size)
			check_warn_at(c, &at, json_path(c->json),
				      "maps nothing: its size is 0");
	}
}

/* ------------------------------------------------------- the user namespace */

static bool is_mapped(const struct checker *c, int which, uint64_t id)
{
	for (size_t i = 0; i < c->facts.n_maps[which]; i++) {
		const struct check_mapping *m = &c->facts.maps[which][i];

		if (id >= m->container && id - m->container < m->size)
			return true;
	}
	return false;
}

static bool overlap(const struct check_mapping *a, const struct check_mapping *b)
{
	return (a->container < b->container + b->size &&
		b->container < a->container + a->size) ||
	       (a->host < b->host + b->size && b->host < a->host + a->size);
}

static bool any_overlap(const struct check_mapping *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (overlap(&maps[i], &maps[k]))
				return true;
	return false;
}

/* The bytes that a runtime writes to /proc/PID/uid_map. */
static size_t text_size(const struct check_mapping *maps, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += (size_t)snprintf(NULL, 0, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
					 maps[i].container, maps[i].host, maps[i].size);
	return size;
}

/* 2^32-1 stands for no id: a range ends before it. */
static bool any_invalid(const struct check_mapping *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].container + maps[i].size > UINT32_MAX ||
		    maps[i].host + maps[i].size > UINT32_MAX)
			return true;
	return false;
}

static void check_map(struct checker *c, int which)
{
	static const char *const paths[] = { "linux.uidMappings", "linux.gidMappings" };
	const struct check_facts *f = &c->facts;
	const struct place *at = which == GID ? &f->gid_map : &f->uid_map;
	const char *path = paths[which];
	size_t n = f->n_maps[which];

	if (!at->line)
		check_fail_at(c, &f->user_ns, path,
			      "a user namespace without a path needs %s", path + 6);
	else if (n < CHECK_MAX_MAPPINGS && !is_mapped(c, which, 0))
		check_fail_at(c, at, path,
			      "container id 0 is not mapped, and runc needs it");
	if (any_overlap(f->maps[which], n))
		check_warn_at(c, at, path,
			      "two of them overlap: the kernel refuses that");
	if (any_invalid(f->maps[which], n))
		check_warn_at(
			c, at, path,
			"one of them reaches 2^32-1, which is no id: the kernel refuses that");
	if (n == CHECK_MAX_MAPPINGS)
		check_warn_at(c, at, path,
			      "there are more than %d: the kernel refuses that",
			      CHECK_MAX_MAPPINGS - 1);
	else if (text_size(f->maps[which], n) > MAX_TEXT)
		check_warn_at(
			c, at, path,
			"are written in more than %d bytes, which the kernel refuses",
			MAX_TEXT);
}

static void check_id(struct checker *c, int which, const struct check_id *id,
		     const char *path)
{
	/* That id 0 is not is an error of its own. */
	if (id->id && !is_mapped(c, which, id->id))
		check_warn_at(c, &id->at, path,
			      "%" PRIu64
			      " is not mapped in the user namespace: runc refuses it",
			      id->id);
}

void check_mappings(struct checker *c)
{
	static const char ignored[] =
		"without a namespace of type \"user\" runc passes over them";
	const struct check_facts *f = &c->facts;

	if (!(f->namespaces & NS_USER)) {
		check_warn_at(c, &f->uid_map, "linux.uidMappings", ignored);
		check_warn_at(c, &f->gid_map, "linux.gidMappings", ignored);
		return;
	}
	if (f->joined & NS_USER)
		return;
	check_map(c, UID);
	check_map(c, GID);
	if (!f->uid_map.line || !f->gid_map.line)
		return;
	check_id(c, UID, &f->ids[UID], "process.user.uid");
	check_id(c, GID, &f->ids[GID], "process.user.gid");
	check_id(c, GID, &f->pts_gid, f->pts_path);
}

const struct check_table check_mapping_table = { rules, sizeof(rules) / sizeof(rules[0]),
						 mapping_value };
