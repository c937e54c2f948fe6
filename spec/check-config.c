/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of config.json outside of "process" and "linux": the root, mounts, hooks;
 * and of the document as a whole, where one section decides about another.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	DOCUMENT,
	VERSION,
	HOSTNAME,
	DOMAINNAME,
	ROOT_PATH,
	MOUNT,
	DESTINATION,
	MOUNT_TYPE,
	SOURCE,
	OPTION,
	UID_MAPPINGS,
	GID_MAPPINGS,
	HOOK_PATH,
	HOOK_ENV,
	TIMEOUT,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, DOCUMENT },
	{ "ociVersion", T_STRING, REQUIRED, VERSION },
	{ "hostname", T_STRING, 0, HOSTNAME },
	{ "domainname", T_STRING, NEWER, DOMAINNAME },
	{ "root", T_OBJECT, MUST, 0 },
	{ "root.path", T_STRING, REQUIRED, ROOT_PATH },
	{ "root.readonly", T_BOOL, 0, 0 },
	{ "process", T_TABLE, 0, TABLE_PROCESS },
	{ "mounts", T_ARRAY, 0, 0 },
	{ "mounts[]", T_OBJECT, 0, MOUNT },
	{ "mounts[].destination", T_STRING, REQUIRED, DESTINATION },
	{ "mounts[].type", T_STRING, 0, MOUNT_TYPE },
	{ "mounts[].source", T_STRING, 0, SOURCE },
	{ "mounts[].options", T_ARRAY, 0, 0 },
	{ "mounts[].options[]", T_STRING, 0, OPTION },
	{ "mounts[].uidMappings", T_ARRAY, NEWER, UID_MAPPINGS },
	{ "mounts[].uidMappings[]", T_TABLE, NEWER, TABLE_MAPPING },
	{ "mounts[].gidMappings", T_ARRAY, NEWER, GID_MAPPINGS },
	{ "mounts[].gidMappings[]", T_TABLE, NEWER, TABLE_MAPPING },
	{ "hooks", T_OBJECT, 0, 0 },
	{ "hooks.prestart", T_ARRAY, DEPRECATED, 0 },
	{ "hooks.prestart[]", T_TABLE, 0, TABLE_HOOK },
	{ "hooks.createRuntime", T_ARRAY, 0, 0 },
	{ "hooks.createRuntime[]", T_TABLE, 0, TABLE_HOOK },
	{ "hooks.createContainer", T_ARRAY, 0, 0 },
	{ "hooks.createContainer[]", T_TABLE, 0, TABLE_HOOK },
	{ "hooks.startContainer", T_ARRAY, 0, 0 },
	{ "hooks.startContainer[]", T_TABLE, 0, TABLE_HOOK },
	{ "hooks.poststart", T_ARRAY, 0, 0 },
	{ "hooks.poststart[]", T_TABLE, 0, TABLE_HOOK },
	{ "hooks.poststop", T_ARRAY, 0, 0 },
	{ "hooks.poststop[]", T_TABLE, 0, TABLE_HOOK },
	{ "annotations", T_MAP, 0, 0 },
	{ "annotations.*", T_STRING, 0, 0 },
	{ "linux", T_TABLE, 0, TABLE_LINUX },
	{ "windows", T_OBJECT, FOREIGN, 0 },
	{ "solaris", T_OBJECT, FOREIGN, 0 },
	{ "vm", T_OBJECT, FOREIGN, 0 },
	{ "zos", T_OBJECT, FOREIGN | NEWER, 0 },
	{ "freebsd", T_OBJECT, FOREIGN | NEWER, 0 },
};

static const struct check_rule hook_rules[] = {
	{ "", T_OBJECT, 0, 0 },		  { "path", T_STRING, REQUIRED, HOOK_PATH },
	{ "args", T_ARRAY, 0, 0 },	  { "args[]", T_STRING, 0, 0 },
	{ "env", T_ARRAY, 0, 0 },	  { "env[]", T_STRING, 0, HOOK_ENV },
	{ "timeout", T_INT, 0, TIMEOUT },
};

/* ---------------------------------------------------------------- values */

/* "1.2.3", and behind it anything that begins with '-' or '+'. */
static bool is_version(const struct json_event *e, unsigned *major, unsigned *minor)
{
	char text[32];
	unsigned patch;
	int n = 0;

	if (e->len >= sizeof(text))
		return false;
	memcpy(text, e->text, e->len);
	text[e->len] = '\0';
	if (!isdigit((unsigned char)text[0]) ||
	    sscanf(text, "%5u.%5u.%5u%n", major, minor, &patch, &n) != 3 || !n)
		return false;
	return !text[n] || text[n] == '-' || text[n] == '+';
}

static void on_version(struct checker *c, const struct json_event *e)
{
	unsigned major, minor;

	if (!is_version(e, &major, &minor))
		check_warn(c, e, "\"%.*s\" is no version like \"1.2.0\"", check_shown(e),
			   e->text);
	else if (major != 1)
		check_warn(
			c, e,
			"\"%.*s\": only versions 1.x of the specification are known here",
			check_shown(e), e->text);
	else if (minor > 3)
		check_note(c, e,
			   "\"%.*s\" is later than 1.3, which is what is checked here",
			   check_shown(e), e->text);
}

static void on_destination(struct checker *c, const struct json_event *e)
{
	if (check_nul(c, e))
		return;
	if (!e->len)
		check_warn(c, e, "is empty");
	else if (e->text[0] != '/')
		check_warn(
			c, e,
			"\"%.*s\" is no absolute path: runc takes it from the root, and "
			"says that it will not for ever",
			check_shown(e), e->text);
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

	if (check_word(e, "bind rbind") >= 0)
		c->facts.mount.bind = true;
	else if (check_word(e, "idmap ridmap") >= 0)
		c->facts.mount.idmap = true;
	else if (check_word(e, flags) < 0)
		c->facts.mount.data = true;
}

static void end_mount(struct checker *c, const struct json_event *e)
{
	const struct place at = c->frames[c->depth - 1].at;
	const char *path = json_path(c->json);
	char type[300];
	bool maps = c->facts.mount.uid_map || c->facts.mount.gid_map;

	(void)e;
	snprintf(type, sizeof(type), "%s.type", path);
	if (c->facts.mount.bind) /* whose type is not looked at */
		check_warn_at(c, &c->facts.mount.bad_type, type, "has a NUL character");
	else
		check_fail_at(c, &c->facts.mount.bad_type, type, "has a NUL character");
	if (!c->facts.mount.bind && !c->facts.mount.type)
		check_warn_at(c, &at, path,
			      "neither a type nor the option \"bind\": there is "
			      "nothing to mount");
	if (c->facts.mount.bind && c->facts.mount.data)
		check_warn_at(c, &at, path,
			      "a bind mount takes no options of a file system: runc "
			      "refuses them from 1.2 on");
	if (c->facts.mount.uid_map != c->facts.mount.gid_map)
		check_warn_at(c, &at, path, "uidMappings and gidMappings go together");
	if (maps && !c->facts.mount.bind)
		check_warn_at(c, &at, path, "ids can be mapped for a bind mount only");
}

static void on_mount(struct checker *c, const struct json_event *e)
{
	if (e->kind == JSON_OBJECT)
		memset(&c->facts.mount, 0, sizeof(c->facts.mount));
	else
		end_mount(c, e);
}

static void on_hook_env(struct checker *c, const struct json_event *e)
{
	const char *equals = memchr(e->text, '=', e->len);

	if (!equals || equals == e->text)
		check_warn(c, e, "\"%.*s\" is not NAME=value", check_shown(e), e->text);
}

static void hook_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == HOOK_PATH && (!e->len || e->text[0] != '/'))
		check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
	else if (fn == HOOK_ENV)
		on_hook_env(c, e);
	else if (fn == TIMEOUT && c->number.i <= 0)
		check_warn(c, e,
			   "has to be more than 0 seconds: such a hook fails at once");
}

/* -------------------------------------------------------------- document */

static void check_namespaced(struct checker *c)
{
	const struct check_facts *f = &c->facts;

	if (!(f->namespaces & NS_UTS)) {
		check_fail_at(c, &f->hostname, "hostname",
			      "needs a namespace of type \"uts\" in linux.namespaces");
		check_warn_at(c, &f->domainname, "domainname",
			      "needs a namespace of type \"uts\" in linux.namespaces");
	}
	if (!(f->namespaces & NS_MOUNT)) {
		check_fail_at(c, &f->masked, "linux.maskedPaths",
			      "needs a namespace of type \"mount\"");
		check_fail_at(c, &f->readonly, "linux.readonlyPaths",
			      "needs a namespace of type \"mount\"");
	}
	if (!(f->namespaces & NS_NETWORK))
		check_warn_at(c, &f->net_devices, "linux.netDevices",
			      "needs a namespace of type \"network\"");
	if (!(f->namespaces & NS_TIME))
		check_warn_at(c, &f->offsets, "linux.timeOffsets",
			      "needs a namespace of type \"time\"");
	else if (f->joined & NS_TIME)
		check_warn_at(c, &f->offsets, "linux.timeOffsets",
			      "a time namespace that is joined has its offsets already");
}

static void check_user_namespace(struct checker *c)
{
	static const char *const no_map = "a user namespace without a path needs %s";
	const struct check_facts *f = &c->facts;

	if (!(f->namespaces & NS_USER)) {
		check_warn_at(
			c, &f->uid_map, "linux.uidMappings",
			"without a namespace of type \"user\" runc passes over them");
		check_warn_at(
			c, &f->gid_map, "linux.gidMappings",
			"without a namespace of type \"user\" runc passes over them");
		return;
	}
	if (f->joined & NS_USER)
		return;
	if (!f->uid_map.line)
		check_fail_at(c, &f->user_ns, "linux.uidMappings", no_map, "uidMappings");
	else if (!f->root_uid_mapped)
		check_fail_at(c, &f->uid_map, "linux.uidMappings",
			      "container id 0 is not mapped, and runc needs it");
	if (!f->gid_map.line)
		check_fail_at(c, &f->user_ns, "linux.gidMappings", no_map, "gidMappings");
	else if (!f->root_gid_mapped)
		check_fail_at(c, &f->gid_map, "linux.gidMappings",
			      "container id 0 is not mapped, and runc needs it");
}

static void check_sysctls(struct checker *c)
{
	static const char path[] = "linux.sysctl";
	const struct check_facts *f = &c->facts;

	check_fail_at(c, &f->sysctl_host, path,
		      "is in no namespace: it would be the host's");
	if (!(f->namespaces & NS_IPC))
		check_fail_at(c, &f->sysctl_ipc, path,
			      "needs a namespace of type \"ipc\"");
	if (!(f->namespaces & NS_NETWORK))
		check_fail_at(c, &f->sysctl_net, path,
			      "needs a namespace of type \"network\"");
	if (!(f->namespaces & NS_UTS))
		check_fail_at(c, &f->sysctl_domain, path,
			      "needs a namespace of type \"uts\"");
	if (!(f->namespaces & NS_USER))
		check_fail_at(c, &f->sysctl_user, path,
			      "needs a namespace of type \"user\"");
}

static void on_document(struct checker *c, const struct json_event *e)
{
	if (e->kind != JSON_END)
		return;
	if (!c->facts.process_at.line)
		check_warn_at(
			c, &c->frames[0].at, "process",
			"is missing: there is nothing to start, and runc refuses that");
	/* Written for another platform, which has no namespaces. */
	if (c->facts.foreign && !c->facts.for_linux)
		return;
	check_namespaced(c);
	check_user_namespace(c);
	check_sysctls(c);
}

static void config_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case DOCUMENT:
		on_document(c, e);
		break;
	case VERSION:
		on_version(c, e);
		break;
	case HOSTNAME:
		if (e->len)
			check_mark(&c->facts.hostname, e);
		break;
	case DOMAINNAME:
		if (e->len)
			check_mark(&c->facts.domainname, e);
		break;
	case ROOT_PATH:
		if (!check_nul(c, e) && !e->len)
			check_warn(c, e, "is empty");
		break;
	case MOUNT:
		on_mount(c, e);
		break;
	case DESTINATION:
		on_destination(c, e);
		break;
	case MOUNT_TYPE:
		c->facts.mount.type |= e->len > 0;
		c->facts.mount.bind |= check_is(e, "bind");
		if (memchr(e->text, '\0', e->len))
			c->facts.mount.bad_type = check_place(e);
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

const struct check_table check_config_table = { rules, sizeof(rules) / sizeof(rules[0]),
						config_value };
const struct check_table check_hook_table = { hook_rules,
					      sizeof(hook_rules) / sizeof(hook_rules[0]),
					      hook_value };
