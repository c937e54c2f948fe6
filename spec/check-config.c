/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of config.json outside of "process", "mounts" and "linux": the root, hooks;
 * and of the document as a whole, where one section decides about another.
 */
#include <ctype.h>
#include <limits.h>
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
	HOOK_PATH,
	HOOK_ARG,
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
	{ "mounts[]", T_TABLE, 0, TABLE_MOUNT },
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
	{ "windows", T_TABLE, FOREIGN, TABLE_WINDOWS },
	{ "solaris", T_TABLE, FOREIGN, TABLE_SOLARIS },
	{ "vm", T_TABLE, FOREIGN, TABLE_VM },
	{ "zos", T_OBJECT, FOREIGN | NEWER, 0 },
	{ "freebsd", T_OBJECT, FOREIGN | NEWER, 0 },
};

static const struct check_rule hook_rules[] = {
	{ "", T_OBJECT, 0, 0 },		  { "path", T_STRING, REQUIRED, HOOK_PATH },
	{ "args", T_ARRAY, 0, 0 },	  { "args[]", T_STRING, 0, HOOK_ARG },
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

static void on_hostname(struct checker *c, const struct json_event *e)
{
	if (e->len)
		check_mark(&c->facts.hostname, e);
	if (e->len > HOST_NAME_MAX)
		check_warn(c, e, "has %zu bytes: the kernel takes %d", e->len,
			   HOST_NAME_MAX);
}

static void on_hook_env(struct checker *c, const struct json_event *e)
{
	const char *equals = memchr(e->text, '=', e->len);

	if (!equals || equals == e->text)
		check_warn(c, e, "\"%.*s\" is not NAME=value", check_shown(e), e->text);
	else if (memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character, which no variable can have");
}

/* Hooks that "create" runs, and that the container is not without. */
static bool runs_at_create(struct checker *c)
{
	const char *path = c->rules[c->node - c->nodes].path;

	return !strncmp(path, "hooks.prestart[", 15) ||
	       !strncmp(path, "hooks.createRuntime[", 20) ||
	       !strncmp(path, "hooks.createContainer[", 22);
}

static void on_hook_path(struct checker *c, const struct json_event *e)
{
	if (runs_at_create(c) && check_nul(c, e))
		return;
	if (memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character, which no path can have");
	else if (!e->len || e->text[0] != '/')
		check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
}

static void hook_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == HOOK_PATH)
		on_hook_path(c, e);
	else if (fn == HOOK_ENV)
		on_hook_env(c, e);
	else if (fn == HOOK_ARG && memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character, which no argument can have");
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
	check_mappings(c);
	check_sysctls(c);
	check_proc(c);
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
		on_hostname(c, e);
		break;
	case DOMAINNAME:
		if (e->len)
			check_mark(&c->facts.domainname, e);
		break;
	case ROOT_PATH:
		if (!check_nul(c, e) && !e->len)
			check_warn(c, e, "is empty");
		break;
	}
}

const struct check_table check_config_table = { rules, sizeof(rules) / sizeof(rules[0]),
						config_value };
const struct check_table check_hook_table = { hook_rules,
					      sizeof(hook_rules) / sizeof(hook_rules[0]),
					      hook_value };
