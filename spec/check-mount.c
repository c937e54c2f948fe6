/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of an entry of "mounts" in config.json, and of all of them together. */
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	MOUNT,
	DESTINATION,
	TYPE,
	SOURCE,
	OPTION,
	UID_MAPPINGS,
	GID_MAPPINGS,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, MOUNT },
	{ "destination", T_STRING, REQUIRED, DESTINATION },
	{ "type", T_STRING, 0, TYPE },
	{ "source", T_STRING, 0, SOURCE },
	{ "options", T_ARRAY, 0, 0 },
	{ "options[]", T_STRING, 0, OPTION },
	{ "uidMappings", T_ARRAY, NEWER, UID_MAPPINGS },
	{ "uidMappings[]", T_TABLE, NEWER, TABLE_MAPPING },
	{ "gidMappings", T_ARRAY, NEWER, GID_MAPPINGS },
	{ "gidMappings[]", T_TABLE, NEWER, TABLE_MAPPING },
};

/* Whether it is /proc or below it; then *@rest is what is behind "/proc/". */
static bool is_in_proc(const struct json_event *e, struct json_event *rest)
{
	const char *s = e->text, *end = s + e->len;

	while (s < end && *s == '/')
		s++;
	while (end > s && end[-1] == '/')
		end--;
	if (end - s < 4 || memcmp(s, "proc", 4) != 0 || (end - s > 4 && s[4] != '/'))
		return false;
	for (s += 4; s < end && *s == '/';)
		s++;
	*rest = (struct json_event){ .text = s, .len = (size_t)(end - s) };
	return true;
}

static void look_for_proc(struct checker *c, const struct json_event *e)
{
	static const char of_lxcfs[] =
		"cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev "
		"sys/kernel/ns_last_pid sys/crypto/fips_enabled";
	struct json_event rest;

	c->facts.mount.on_proc = c->facts.mount.in_proc = false;
	if (!is_in_proc(e, &rest))
		return;
	c->facts.mount.on_proc = !rest.len;
	c->facts.mount.in_proc = rest.len && check_word(&rest, of_lxcfs) < 0;
}

static void on_destination(struct checker *c, const struct json_event *e)
{
	if (check_nul(c, e))
		return;
	look_for_proc(c, e);
	if (!e->len)
		check_warn(c, e, "is empty");
	else if (e->text[0] != '/')
		check_warn(
			c, e,
			"\"%.*s\" is no absolute path: runc takes it from the root, and "
			"says that it will not for ever",
			check_shown(e), e->text);
}

/* gid=N, whose N has to be mapped. */
static void read_gid(struct checker *c, const struct json_event *e)
{
	struct check_id id = { .at = check_place(e) };

	for (size_t i = strlen("gid="); i < e->len; i++) {
		if (e->text[i] < '0' || e->text[i] > '9' || id.id > UINT32_MAX)
			return;
		id.id = id.id * 10 + (uint64_t)(e->text[i] - '0');
	}
	c->facts.mount.gid = id;
}

static void on_option(struct checker *c, const struct json_event *e)
{
	static const char flags[] =
		"acl async atime defaults dev diratime dirsync exec iversion lazytime loud mand "
		"noacl noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime "
		"nostrictatime nosuid nosymfollow relatime remount ro rw silent strictatime suid "
		"sync symfollow rprivate private rslave slave rshared shared runbindable "
		"unbindable rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime "
		"rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime rnosymfollow "
		"rsymfollow tmpcopyup";

	if (check_starts(e, "gid="))
		read_gid(c, e);
	if (memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character: runc refuses it");
	if (check_word(e, "bind rbind") >= 0)
		c->facts.mount.bind = true;
	else if (check_word(e, "idmap ridmap") >= 0)
		c->facts.mount.idmap = true;
	else if (check_word(e, flags) < 0)
		c->facts.mount.data = true;
}

static void end_in_proc(struct checker *c, const struct place *at, const char *path)
{
	bool proc = c->facts.mount.proc_type || c->facts.mount.bind;

	c->facts.proc |= c->facts.mount.on_proc;
	if (c->facts.mount.on_proc && !proc)
		check_warn_at(c, at, path,
			      "hides /proc, which runc needs: it refuses that");
	if (c->facts.mount.in_proc && !c->facts.mount.proc_type)
		check_warn_at(c, at, path,
			      "is inside of /proc: runc mounts nothing there but the "
			      "files of lxcfs");
}

static void on_terminals(struct checker *c, const char *path)
{
	c->facts.pts_gid = c->facts.mount.gid;
	snprintf(c->facts.pts_path, sizeof(c->facts.pts_path), "%s", path);
}

static void end_mount(struct checker *c)
{
	const struct place at = c->frames[c->depth - 1].at;
	const char *path = json_path(c->json);
	char type[300];
	bool maps = c->facts.mount.uid_map || c->facts.mount.gid_map;

	snprintf(type, sizeof(type), "%s.type", path);
	if (c->facts.mount.bind) /* whose type is not looked at */
		check_warn_at(c, &c->facts.mount.bad_type, type, "has a NUL character");
	else
		check_fail_at(c, &c->facts.mount.bad_type, type, "has a NUL character");
	if (!c->facts.mount.bind && !c->facts.mount.type)
		check_warn_at(c, &at, path,
			      "neither a type nor the option \"bind\": there is "
			      "nothing to mount");
	if (!c->facts.mount.bind && c->facts.mount.bind_type)
		check_warn_at(c, &at, path,
			      "the type \"bind\" needs the option \"bind\" or "
			      "\"rbind\": the kernel refuses it without");
	if (c->facts.mount.bind && c->facts.mount.data)
		check_warn_at(c, &at, path,
			      "a bind mount takes no options of a file system: runc "
			      "refuses them from 1.2 on");
	if (c->facts.mount.uid_map != c->facts.mount.gid_map)
		check_warn_at(c, &at, path, "uidMappings and gidMappings go together");
	if (maps && !c->facts.mount.bind)
		check_warn_at(c, &at, path, "ids can be mapped for a bind mount only");
	end_in_proc(c, &at, path);
	if (c->facts.mount.pts_type && !c->facts.mount.bind && c->facts.mount.gid.at.line)
		on_terminals(c, path);
}

static void on_mount(struct checker *c, const struct json_event *e)
{
	if (e->kind == JSON_OBJECT)
		memset(&c->facts.mount, 0, sizeof(c->facts.mount));
	else
		end_mount(c);
}

static void on_type(struct checker *c, const struct json_event *e)
{
	c->facts.mount.type |= e->len > 0;
	c->facts.mount.bind_type = check_is(e, "bind");
	c->facts.mount.proc_type = check_word(e, "proc sysfs") >= 0;
	c->facts.mount.pts_type = check_is(e, "devpts");
	if (memchr(e->text, '\0', e->len))
		c->facts.mount.bad_type = check_place(e);
}

static void mount_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case MOUNT:
		on_mount(c, e);
		break;
	case DESTINATION:
		on_destination(c, e);
		break;
	case TYPE:
		on_type(c, e);
		break;
	case SOURCE:
		check_nul(c, e);
		break;
	case OPTION:
		on_option(c, e);
		break;
	case UID_MAPPINGS:
		c->facts.mount.uid_map = true;
		break;
	case GID_MAPPINGS:
		c->facts.mount.gid_map = true;
		break;
	}
}

void check_proc(struct checker *c)
{
	const struct check_facts *f = &c->facts;

	/* In a mount namespace that is joined the runtime mounts nothing. */
	if ((f->namespaces & NS_MOUNT) && !(f->joined & NS_MOUNT) && !f->proc)
		check_warn_at(c, &c->frames[0].at, "mounts",
			      "nothing is mounted on /proc: runc refuses that, since it "
			      "needs it itself");
}

const struct check_table check_mount_table = { rules, sizeof(rules) / sizeof(rules[0]),
					       mount_value };
