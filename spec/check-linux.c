/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of "linux" in config.json, without resources and the seccomp filter. */
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	UID_MAPPINGS,
	GID_MAPPINGS,
	SYSCTLS,
	SYSCTL,
	NAMESPACE,
	NAMESPACE_TYPE,
	NAMESPACE_PATH,
	DEVICE,
	DEVICE_PATH,
	DEVICE_TYPE,
	DEVICE_MAJOR,
	DEVICE_MINOR,
	FILE_MODE,
	NET_DEVICES,
	NET_DEVICE,
	NET_NAME,
	PROPAGATION,
	MASKED,
	READONLY,
	CLOS,
	L3,
	BANDWIDTH,
	POLICY_MODE,
	POLICY_NODES,
	POLICY_FLAG,
	DOMAIN,
	DOMAIN_FLAG,
	OFFSETS,
	OFFSET,
	NANOSECONDS,
	CGROUPS_PATH,
	LABEL,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "uidMappings", T_ARRAY, 0, UID_MAPPINGS },
	{ "uidMappings[]", T_TABLE, 0, TABLE_MAPPING },
	{ "gidMappings", T_ARRAY, 0, GID_MAPPINGS },
	{ "gidMappings[]", T_TABLE, 0, TABLE_MAPPING },
	{ "sysctl", T_MAP, 0, SYSCTLS },
	{ "sysctl.*", T_STRING, 0, SYSCTL },
	{ "resources", T_TABLE, 0, TABLE_RESOURCES },
	{ "cgroupsPath", T_STRING, 0, CGROUPS_PATH },
	{ "namespaces", T_ARRAY, 0, 0 },
	{ "namespaces[]", T_OBJECT, 0, NAMESPACE },
	{ "namespaces[].type", T_STRING, MUST, NAMESPACE_TYPE },
	{ "namespaces[].path", T_STRING, 0, NAMESPACE_PATH },
	{ "devices", T_ARRAY, 0, 0 },
	{ "devices[]", T_OBJECT, 0, DEVICE },
	{ "devices[].path", T_STRING, REQUIRED, DEVICE_PATH },
	{ "devices[].type", T_STRING, MUST, DEVICE_TYPE },
	{ "devices[].major", T_INT, 0, DEVICE_MAJOR },
	{ "devices[].minor", T_INT, 0, DEVICE_MINOR },
	{ "devices[].fileMode", T_UINT32, 0, FILE_MODE },
	{ "devices[].uid", T_UINT32, 0, 0 },
	{ "devices[].gid", T_UINT32, 0, 0 },
	{ "netDevices", T_MAP, NEWER, NET_DEVICES },
	{ "netDevices.*", T_OBJECT, NEWER, NET_DEVICE },
	{ "netDevices.*.name", T_STRING, 0, NET_NAME },
	{ "seccomp", T_TABLE, 0, TABLE_FILTER },
	{ "rootfsPropagation", T_STRING, 0, PROPAGATION },
	{ "maskedPaths", T_ARRAY, 0, 0 },
	{ "maskedPaths[]", T_STRING, 0, MASKED },
	{ "readonlyPaths", T_ARRAY, 0, 0 },
	{ "readonlyPaths[]", T_STRING, 0, READONLY },
	{ "mountLabel", T_STRING, 0, LABEL },
	{ "intelRdt", T_OBJECT, 0, 0 },
	{ "intelRdt.closID", T_STRING, 0, CLOS },
	{ "intelRdt.schemata", T_ARRAY, NEWER, 0 },
	{ "intelRdt.schemata[]", T_STRING, NEWER, 0 },
	{ "intelRdt.l3CacheSchema", T_STRING, 0, L3 },
	{ "intelRdt.memBwSchema", T_STRING, 0, BANDWIDTH },
	{ "intelRdt.enableCMT", T_BOOL, 0, 0 },
	{ "intelRdt.enableMBM", T_BOOL, 0, 0 },
	{ "intelRdt.enableMonitoring", T_BOOL, NEWER, 0 },
	{ "memoryPolicy", T_OBJECT, NEWER, 0 },
	{ "memoryPolicy.mode", T_STRING, REQUIRED, POLICY_MODE },
	{ "memoryPolicy.nodes", T_STRING, 0, POLICY_NODES },
	{ "memoryPolicy.flags", T_ARRAY, 0, 0 },
	{ "memoryPolicy.flags[]", T_STRING, 0, POLICY_FLAG },
	{ "personality", T_OBJECT, 0, 0 },
	{ "personality.domain", T_STRING, REQUIRED, DOMAIN },
	{ "personality.flags", T_ARRAY, 0, 0 },
	{ "personality.flags[]", T_STRING, 0, DOMAIN_FLAG },
	{ "timeOffsets", T_MAP, NEWER, OFFSETS },
	{ "timeOffsets.*", T_OBJECT, NEWER, OFFSET },
	{ "timeOffsets.*.secs", T_INT, 0, 0 },
	{ "timeOffsets.*.nanosecs", T_UINT32, 0, NANOSECONDS },
};

/* ------------------------------------------------------------ namespaces */

static void on_namespace(struct checker *c, const struct json_event *e)
{
	if (e->kind == JSON_OBJECT) {
		memset(&c->facts.ns, 0, sizeof(c->facts.ns));
		return;
	}
	if (c->facts.ns.path)
		c->facts.joined |= c->facts.ns.type;
	if (c->facts.ns.type == NS_USER && !c->facts.user_ns.line)
		c->facts.user_ns = c->frames[c->depth - 1].at;
}

static void on_namespace_type(struct checker *c, const struct json_event *e)
{
	const struct place at = check_place(e);
	int type = check_word(e, "pid network mount ipc uts user cgroup time");
	unsigned bit;

	if (type < 0) {
		check_fail(c, e, "\"%.*s\" is no type of namespace", check_shown(e),
			   e->text);
		return;
	}
	bit = 1u << type;
	if (c->facts.namespaces & bit)
		check_fail_at(c, &at, json_path(c->json),
			      "there are two namespaces of type \"%.*s\"", check_shown(e),
			      e->text);
	if (bit == NS_TIME)
		check_note(c, e, "time namespaces are known to runc from 1.2 on");
	c->facts.namespaces |= bit;
	c->facts.ns.type = bit;
}

static void on_namespace_path(struct checker *c, const struct json_event *e)
{
	c->facts.ns.path = e->len > 0;
	if (!check_nul(c, e) && e->len && e->text[0] != '/')
		check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
}

/* --------------------------------------------------------------- sysctls */

/*
 * The key at hand: the last name of the path, which is cut if it is long. The
 * map's own name may stand there in any case.
 */
static const char *key_of(struct checker *c, const char *map)
{
	const char *at = strcasestr(json_path(c->json), map);

	return at ? at + strlen(map) : "";
}

/* As sysctl(8) has it: where the first separator is a slash, the two change places. */
static void to_dots(char *s)
{
	char *first = strpbrk(s, "./");

	if (!first || *first == '.')
		return;
	for (; *s; s++)
		*s = (char)(*s == '.' ? '/' : *s == '/' ? '.' : *s);
}

static void on_sysctl(struct checker *c, const struct json_event *e)
{
	static const char ipc[] = "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem "
				  "kernel.shmall kernel.shmmax kernel.shmmni "
				  "kernel.shm_rmid_forced";
	struct check_facts *f = &c->facts;
	struct json_event key = { .kind = JSON_STRING };
	char name[256];

	snprintf(name, sizeof(name), "%s", key_of(c, "sysctl."));
	if (!*name)
		return;
	to_dots(name);
	key.text = name;
	key.len = strlen(name);
	if (check_word(&key, ipc) >= 0 || check_starts(&key, "fs.mqueue."))
		check_mark(&f->sysctl_ipc, e);
	else if (check_starts(&key, "net."))
		check_mark(&f->sysctl_net, e);
	else if (check_starts(&key, "user."))
		check_mark(&f->sysctl_user, e);
	else if (check_is(&key, "kernel.domainname"))
		check_mark(&f->sysctl_domain, e);
	else if (check_is(&key, "kernel.hostname"))
		check_fail(c, e, "is what \"hostname\" is for: runc refuses it");
	else
		check_mark(&f->sysctl_host, e);
}

/* --------------------------------------------------------------- devices */

static void on_device(struct checker *c, const struct json_event *e)
{
	const struct place at = c->frames[c->depth - 1].at;

	if (e->kind == JSON_OBJECT)
		memset(&c->facts.device, 0, sizeof(c->facts.device));
	else if (c->facts.device.type != 'p' &&
		 !(c->facts.device.major && c->facts.device.minor))
		check_warn_at(c, &at, json_path(c->json),
			      "a device needs \"major\" and \"minor\": runc takes 0");
}

static void on_device_path(struct checker *c, const struct json_event *e)
{
	if (!e->len)
		check_warn(c, e, "is empty: there will be no such device");
	else if (e->text[0] != '/')
		check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
}

static void on_device_number(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == DEVICE_MAJOR)
		c->facts.device.major = true;
	else
		c->facts.device.minor = true;
	if (c->number.i < 0)
		check_warn(c, e, "%.*s: no device has such a number", check_shown(e),
			   e->text);
}

/* What the kernel takes as the name of an interface. */
static void check_interface(struct checker *c, const struct json_event *at,
			    const char *name, size_t len)
{
	bool dots = (len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2));

	if (!len || len > 15 || dots || memchr(name, '/', len) ||
	    memchr(name, ':', len) || memchr(name, ' ', len))
		check_warn(c, at, "\"%.*s\" is no name of a network interface",
			   (int)(len < 60 ? len : 60), name);
}

/* ------------------------------------------------------------------ rest */

static void on_cgroups_path(struct checker *c, const struct json_event *e)
{
	const char *first = memchr(e->text, ':', e->len);

	if (memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character, which no path can have");
	else if (!first && e->len && e->text[0] != '/')
		check_note(
			c, e,
			"\"%.*s\" is relative: runc takes it from its own cgroup's root",
			check_shown(e), e->text);
}

/* runc takes a relative one from the root of the container. */
static void on_hidden_path(struct checker *c, const struct json_event *e)
{
	if (!check_nul(c, e) && (!e->len || e->text[0] != '/'))
		check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
}

static void on_clos(struct checker *c, const struct json_event *e)
{
	if (check_is(e, ".") || check_is(e, "..") ||
	    (e->len > 1 && memchr(e->text, '/', e->len)))
		check_fail(c, e, "\"%.*s\" is no name of a folder", check_shown(e),
			   e->text);
	else if (check_is(e, "/"))
		check_warn(c, e,
			   "\"/\" is known to newer runtimes only: runc 1.1 refuses it");
}

static void on_policy_mode(struct checker *c, const struct json_event *e)
{
	static const char modes[] = "MPOL_DEFAULT MPOL_BIND MPOL_INTERLEAVE "
				    "MPOL_WEIGHTED_INTERLEAVE MPOL_PREFERRED "
				    "MPOL_PREFERRED_MANY MPOL_LOCAL";

	if (check_word(e, modes) < 0)
		check_fail(c, e, "\"%.*s\" is no mode of a memory policy", check_shown(e),
			   e->text);
}

static void on_policy_flag(struct checker *c, const struct json_event *e)
{
	if (check_word(
		    e,
		    "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES") <
	    0)
		check_fail(c, e, "\"%.*s\" is no flag of a memory policy", check_shown(e),
			   e->text);
}

static void on_propagation(struct checker *c, const struct json_event *e)
{
	static const char names[] =
		"private rprivate slave rslave shared rshared unbindable "
		"runbindable";

	if (e->len && check_word(e, names) < 0)
		check_fail(c, e, "\"%.*s\" is none of %s", check_shown(e), e->text,
			   names);
	else if (check_word(e, "unbindable runbindable") >= 0)
		check_warn(
			c, e,
			"\"%.*s\": the runtime cannot bind anything from the host's mounts then",
			check_shown(e), e->text);
}

static void on_intel_rdt(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case CLOS:
		on_clos(c, e);
		break;
	case L3:
		if (e->len && !check_starts(e, "L3:") && !check_starts(e, "L3CODE:") &&
		    !check_starts(e, "L3DATA:"))
			check_warn(c, e, "does not begin with \"L3:\"");
		break;
	case BANDWIDTH:
		if (e->len && !check_starts(e, "MB:"))
			check_warn(c, e, "does not begin with \"MB:\"");
		break;
	}
}

static void on_text(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case SYSCTL:
		on_sysctl(c, e);
		break;
	case NAMESPACE_TYPE:
		on_namespace_type(c, e);
		break;
	case NAMESPACE_PATH:
		on_namespace_path(c, e);
		break;
	case DEVICE_PATH:
		on_device_path(c, e);
		break;
	case DEVICE_TYPE:
		c->facts.device.type = e->len == 1 ? e->text[0] : 0;
		if (check_word(e, "c b u p") < 0)
			check_fail(c, e, "\"%.*s\" is none of c, b, u, p", check_shown(e),
				   e->text);
		break;
	case NET_NAME:
		if (e->len)
			check_interface(c, e, e->text, e->len);
		break;
	case PROPAGATION:
		on_propagation(c, e);
		break;
	case MASKED:
		check_mark(&c->facts.masked, e);
		on_hidden_path(c, e);
		break;
	case READONLY:
		check_mark(&c->facts.readonly, e);
		on_hidden_path(c, e);
		break;
	case LABEL:
		if (memchr(e->text, '\0', e->len))
			check_warn(c, e,
				   "has a NUL character, which no mount option can have");
		break;
	case CLOS:
	case L3:
	case BANDWIDTH:
		on_intel_rdt(c, fn, e);
		break;
	case POLICY_MODE:
		on_policy_mode(c, e);
		break;
	case POLICY_NODES:
		check_cpu_list(c, e);
		break;
	case POLICY_FLAG:
		on_policy_flag(c, e);
		break;
	case DOMAIN:
		if (check_word(e, "LINUX LINUX32") < 0)
			check_warn(
				c, e,
				"\"%.*s\" is neither LINUX nor LINUX32: runc refuses it "
				"from 1.2 on",
				check_shown(e), e->text);
		break;
	case DOMAIN_FLAG:
		check_warn(c, e,
			   "there are no flags of a personality: runc passes over them");
		break;
	case CGROUPS_PATH:
		on_cgroups_path(c, e);
		break;
	}
}

static void on_begin(struct checker *c, unsigned fn, const struct json_event *e)
{
	const char *key;

	switch (fn) {
	case UID_MAPPINGS:
		check_mark(&c->facts.uid_map, e);
		break;
	case GID_MAPPINGS:
		check_mark(&c->facts.gid_map, e);
		break;
	case NET_DEVICES:
		check_mark(&c->facts.net_devices, e);
		break;
	case NET_DEVICE:
		key = key_of(c, "netDevices.");
		check_interface(c, e, key, strlen(key));
		break;
	case OFFSETS:
		check_mark(&c->facts.offsets, e);
		break;
	case OFFSET:
		key = key_of(c, "timeOffsets.");
		if (strcmp(key, "monotonic") != 0 && strcmp(key, "boottime") != 0)
			check_warn(c, e, "\"%.60s\" is neither monotonic nor boottime",
				   key);
		break;
	}
}

static void linux_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == NAMESPACE) {
		on_namespace(c, e);
	} else if (fn == DEVICE) {
		on_device(c, e);
	} else if (fn == DEVICE_MAJOR || fn == DEVICE_MINOR) {
		on_device_number(c, fn, e);
	} else if (fn == FILE_MODE && c->number.u & ~07777u) {
		check_note(c, e, "only the permission bits of %.*s count", check_shown(e),
			   e->text);
	} else if (fn == NANOSECONDS && c->number.u > 999999999) {
		check_warn(c, e, "%.*s is a second or more", check_shown(e), e->text);
	} else if (e->kind == JSON_STRING) {
		on_text(c, fn, e);
	} else if (e->kind == JSON_OBJECT || e->kind == JSON_ARRAY) {
		on_begin(c, fn, e);
	}
}

const struct check_table check_linux_table = { rules, sizeof(rules) / sizeof(rules[0]),
					       linux_value };
