/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of what a runtime prints: "features" and "state". Here a finding is the
 * runtime's fault, and not its caller's.
 */
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	STATUS,
	STATE,
	PID,
	BUNDLE,
	ID,
};

static const struct check_rule features[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "ociVersionMin", T_STRING, MUST, 0 },
	{ "ociVersionMax", T_STRING, MUST, 0 },
	{ "hooks", T_ARRAY, 0, 0 },
	{ "hooks[]", T_STRING, 0, 0 },
	{ "mountOptions", T_ARRAY, 0, 0 },
	{ "mountOptions[]", T_STRING, 0, 0 },
	{ "annotations", T_MAP, 0, 0 },
	{ "annotations.*", T_STRING, 0, 0 },
	{ "potentiallyUnsafeConfigAnnotations", T_ARRAY, 0, 0 },
	{ "potentiallyUnsafeConfigAnnotations[]", T_STRING, 0, 0 },
	{ "linux", T_OBJECT, 0, 0 },
	{ "linux.namespaces", T_ARRAY, 0, 0 },
	{ "linux.namespaces[]", T_STRING, 0, 0 },
	{ "linux.capabilities", T_ARRAY, 0, 0 },
	{ "linux.capabilities[]", T_STRING, 0, 0 },
	{ "linux.cgroup", T_OBJECT, 0, 0 },
	{ "linux.cgroup.v1", T_BOOL, 0, 0 },
	{ "linux.cgroup.v2", T_BOOL, 0, 0 },
	{ "linux.cgroup.systemd", T_BOOL, 0, 0 },
	{ "linux.cgroup.systemdUser", T_BOOL, 0, 0 },
	{ "linux.cgroup.rdma", T_BOOL, 0, 0 },
	{ "linux.seccomp", T_OBJECT, 0, 0 },
	{ "linux.seccomp.enabled", T_BOOL, 0, 0 },
	{ "linux.seccomp.actions", T_ARRAY, 0, 0 },
	{ "linux.seccomp.actions[]", T_STRING, 0, 0 },
	{ "linux.seccomp.operators", T_ARRAY, 0, 0 },
	{ "linux.seccomp.operators[]", T_STRING, 0, 0 },
	{ "linux.seccomp.archs", T_ARRAY, 0, 0 },
	{ "linux.seccomp.archs[]", T_STRING, 0, 0 },
	{ "linux.seccomp.knownFlags", T_ARRAY, 0, 0 },
	{ "linux.seccomp.knownFlags[]", T_STRING, 0, 0 },
	{ "linux.seccomp.supportedFlags", T_ARRAY, 0, 0 },
	{ "linux.seccomp.supportedFlags[]", T_STRING, 0, 0 },
	{ "linux.apparmor", T_OBJECT, 0, 0 },
	{ "linux.apparmor.enabled", T_BOOL, 0, 0 },
	{ "linux.selinux", T_OBJECT, 0, 0 },
	{ "linux.selinux.enabled", T_BOOL, 0, 0 },
	{ "linux.intelRdt", T_OBJECT, 0, 0 },
	{ "linux.intelRdt.enabled", T_BOOL, 0, 0 },
	{ "linux.intelRdt.schemata", T_BOOL, 0, 0 },
	{ "linux.intelRdt.monitoring", T_BOOL, 0, 0 },
	{ "linux.memoryPolicy", T_OBJECT, 0, 0 },
	{ "linux.memoryPolicy.modes", T_ARRAY, 0, 0 },
	{ "linux.memoryPolicy.modes[]", T_STRING, 0, 0 },
	{ "linux.memoryPolicy.flags", T_ARRAY, 0, 0 },
	{ "linux.memoryPolicy.flags[]", T_STRING, 0, 0 },
	{ "linux.mountExtensions", T_OBJECT, 0, 0 },
	{ "linux.mountExtensions.idmap", T_OBJECT, 0, 0 },
	{ "linux.mountExtensions.idmap.enabled", T_BOOL, 0, 0 },
	{ "linux.netDevices", T_OBJECT, 0, 0 },
	{ "linux.netDevices.enabled", T_BOOL, 0, 0 },
};

static const struct check_rule state[] = {
	{ "", T_OBJECT, 0, STATE },
	{ "ociVersion", T_STRING, MUST, 0 },
	{ "id", T_STRING, MUST, ID },
	{ "status", T_STRING, MUST, STATUS },
	{ "pid", T_INT, 0, PID },
	{ "bundle", T_STRING, MUST, BUNDLE },
	{ "annotations", T_MAP, 0, 0 },
	{ "annotations.*", T_STRING, 0, 0 },
	/* Of runc's own. */
	{ "rootfs", T_STRING, 0, 0 },
	{ "created", T_STRING, 0, 0 },
	{ "owner", T_STRING, 0, 0 },
};

static void on_status(struct checker *c, const struct json_event *e)
{
	int status = check_word(e, "created running creating stopped paused");

	c->facts.needs_pid = status == 0 || status == 1;
	if (status < 0)
		check_warn(c, e,
			   "\"%.*s\" is none of creating, created, running, stopped",
			   check_shown(e), e->text);
	else if (status == 4)
		check_note(c, e, "\"paused\" is runc's own");
}

static void state_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	const struct place at = c->frames[0].at;

	if (fn == STATUS)
		on_status(c, e);
	else if (fn == PID)
		c->facts.has_pid = c->number.i > 0;
	else if (fn == BUNDLE && (!e->len || e->text[0] != '/'))
		check_fail(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
	else if (fn == ID && !e->len)
		check_fail(c, e, "is empty");
	else if (fn == STATE && e->kind == JSON_END && c->facts.needs_pid &&
		 !c->facts.has_pid)
		check_fail_at(c, &at, "pid", "is needed in this status");
}

const struct check_table check_features_table = { features,
						  sizeof(features) / sizeof(features[0]),
						  NULL };
const struct check_table check_state_table = { state, sizeof(state) / sizeof(state[0]),
					       state_value };
