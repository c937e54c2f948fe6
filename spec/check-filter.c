/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of "linux.seccomp". Without an action and without calls it is as if it
 * were not there: then nothing in it is an error.
 */
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

#define MAX_ERRNO 4095

enum {
	NOTHING,
	FILTER,
	DEFAULT_ACTION,
	ERRNO,
	ARCHITECTURE,
	FLAG,
	LISTENER,
	CALL,
	NAMES,
	NAME,
	ACTION,
	INDEX,
	OPERATOR,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, FILTER },
	{ "defaultAction", T_STRING, REQUIRED, DEFAULT_ACTION },
	{ "defaultErrnoRet", T_UINT, 0, ERRNO },
	{ "architectures", T_ARRAY, 0, 0 },
	{ "architectures[]", T_STRING, 0, ARCHITECTURE },
	{ "flags", T_ARRAY, 0, 0 },
	{ "flags[]", T_STRING, 0, FLAG },
	{ "listenerPath", T_STRING, 0, LISTENER },
	{ "listenerMetadata", T_STRING, 0, 0 },
	{ "syscalls", T_ARRAY, 0, 0 },
	{ "syscalls[]", T_OBJECT, 0, CALL },
	{ "syscalls[].names", T_ARRAY, REQUIRED, NAMES },
	{ "syscalls[].names[]", T_STRING, 0, NAME },
	{ "syscalls[].action", T_STRING, MUST, ACTION },
	{ "syscalls[].errnoRet", T_UINT, 0, ERRNO },
	{ "syscalls[].args", T_ARRAY, 0, 0 },
	{ "syscalls[].args[]", T_OBJECT, 0, 0 },
	{ "syscalls[].args[].index", T_UINT, REQUIRED, INDEX },
	{ "syscalls[].args[].value", T_UINT, REQUIRED, 0 },
	{ "syscalls[].args[].valueTwo", T_UINT, 0, 0 },
	{ "syscalls[].args[].op", T_STRING, REQUIRED, OPERATOR },
};

/* Remembers what is an error if the filter, or the rule, is one at all: the first. */
static void suspect(struct checker *c, struct check_suspect *s,
		    const struct json_event *e, const char *what)
{
	if (s->at.line) {
		check_warn(c, e, "\"%.*s\" is no %s of seccomp", check_shown(e), e->text,
			   what);
		return;
	}
	s->at = check_place(e);
	snprintf(s->path, sizeof(s->path), "%s", json_path(c->json));
	snprintf(s->text, sizeof(s->text), "\"%.*s\" is no %s of seccomp", check_shown(e),
		 e->text, what);
}

static void convict(struct checker *c, struct check_suspect *s, bool guilty)
{
	if (guilty)
		check_fail_at(c, &s->at, s->path, "%s", s->text);
	else
		check_warn_at(c, &s->at, s->path, "%s", s->text);
	s->at.line = 0;
}

static void on_filter(struct checker *c, const struct json_event *e)
{
	struct place *no_action = &c->facts.filter.no_action;
	bool is_filter = c->facts.filter.action || c->facts.filter.calls;

	if (e->kind == JSON_OBJECT) {
		memset(&c->facts.filter, 0, sizeof(c->facts.filter));
		return;
	}
	convict(c, &c->facts.filter.architecture, is_filter);
	convict(c, &c->facts.filter.flag, is_filter);
	if (!c->facts.filter.listener)
		check_warn_at(c, &c->facts.filter.notify, "linux.seccomp",
			      "SCMP_ACT_NOTIFY needs \"listenerPath\": runc refuses it "
			      "without");
	if (!c->facts.filter.action && c->facts.filter.calls)
		check_fail_at(c,
			      no_action->line ? no_action : &c->frames[c->depth - 1].at,
			      "linux.seccomp.defaultAction",
			      "is needed where there are syscalls");
}

static void on_action(struct checker *c, const struct json_event *e)
{
	static const char names[] =
		"SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP "
		"SCMP_ACT_ERRNO SCMP_ACT_TRACE SCMP_ACT_ALLOW SCMP_ACT_LOG SCMP_ACT_NOTIFY";

	if (check_word(e, names) < 0)
		check_fail(c, e, "\"%.*s\" is no action of seccomp", check_shown(e),
			   e->text);
	else
		check_library(c, CHECK_ACTION, e);
}

static void on_default_action(struct checker *c, const struct json_event *e)
{
	if (!e->len) {
		c->facts.filter.no_action = check_place(e);
		return;
	}
	c->facts.filter.action = true;
	on_action(c, e);
	if (check_is(e, "SCMP_ACT_NOTIFY")) {
		check_mark(&c->facts.filter.notify, e);
		check_warn(c, e, "cannot be the default: runc refuses that");
	}
}

static void on_architecture(struct checker *c, const struct json_event *e)
{
	static const char known[] =
		"SCMP_ARCH_X86 SCMP_ARCH_X86_64 SCMP_ARCH_X32 SCMP_ARCH_ARM SCMP_ARCH_AARCH64 "
		"SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32 SCMP_ARCH_MIPSEL "
		"SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL64N32 SCMP_ARCH_PPC SCMP_ARCH_PPC64 "
		"SCMP_ARCH_PPC64LE SCMP_ARCH_S390 SCMP_ARCH_S390X";
	static const char newer[] =
		"SCMP_ARCH_RISCV64 SCMP_ARCH_LOONGARCH64 SCMP_ARCH_PARISC SCMP_ARCH_PARISC64 "
		"SCMP_ARCH_M68K SCMP_ARCH_SH SCMP_ARCH_SHEB";

	if (check_word(e, known) >= 0)
		check_library(c, CHECK_ARCHITECTURE, e);
	else if (check_word(e, newer) >= 0)
		check_warn(c, e, "%.*s is not known to every runc", check_shown(e),
			   e->text);
	else
		suspect(c, &c->facts.filter.architecture, e, "architecture");
}

static void on_known_flag(struct checker *c, const struct json_event *e)
{
	if (!c->facts.filter.flagged)
		check_note(c, e, "runc takes flags of seccomp from 1.2 on only");
	c->facts.filter.flagged = true;
	check_library(c, CHECK_FLAG, e);
}

static void on_flag(struct checker *c, const struct json_event *e)
{
	static const char names[] = "SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG "
				    "SECCOMP_FILTER_FLAG_SPEC_ALLOW "
				    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

	if (check_word(e, names) < 0)
		suspect(c, &c->facts.filter.flag, e, "flag");
	else
		on_known_flag(c, e);
}

static void on_operator(struct checker *c, const struct json_event *e)
{
	static const char names[] = "SCMP_CMP_NE SCMP_CMP_LT SCMP_CMP_LE SCMP_CMP_EQ "
				    "SCMP_CMP_GE SCMP_CMP_GT SCMP_CMP_MASKED_EQ";

	if (check_word(e, names) < 0)
		suspect(c, &c->facts.filter.operator, e, "operator");
}

static void end_names(struct checker *c, const struct json_event *e)
{
	c->facts.filter.names = c->frames[c->depth - 1].seen;
	if (!c->facts.filter.names)
		check_warn(c, e, "is empty: the rule is for no call");
}

static void on_call(struct checker *c, const struct json_event *e)
{
	c->facts.filter.calls = true;
	if (e->kind != JSON_END) {
		c->facts.filter.names = c->facts.filter.notifies = false;
		c->facts.filter.write.line = 0;
		return;
	}
	convict(c, &c->facts.filter.operator, c->facts.filter.names);
	if (c->facts.filter.notifies)
		check_warn_at(
			c, &c->facts.filter.write, json_path(c->json),
			"SCMP_ACT_NOTIFY cannot be for \"write\": runc refuses that");
}

static void filter_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case FILTER:
		on_filter(c, e);
		break;
	case DEFAULT_ACTION:
		on_default_action(c, e);
		break;
	case ERRNO:
		if (c->number.u > MAX_ERRNO)
			check_warn(c, e, "%.*s is no errno: there are %d", check_shown(e),
				   e->text, MAX_ERRNO);
		break;
	case ARCHITECTURE:
		on_architecture(c, e);
		break;
	case FLAG:
		on_flag(c, e);
		break;
	case LISTENER:
		c->facts.filter.listener = e->len > 0;
		if (e->len && e->text[0] != '/')
			check_warn(c, e, "\"%.*s\" is no absolute path", check_shown(e),
				   e->text);
		break;
	case CALL:
		on_call(c, e);
		break;
	case NAMES:
		if (e->kind == JSON_END)
			end_names(c, e);
		break;
	case NAME:
		if (check_is(e, "write"))
			check_mark(&c->facts.filter.write, e);
		check_library(c, CHECK_SYSCALL, e);
		break;
	case ACTION:
		c->facts.filter.notifies = check_is(e, "SCMP_ACT_NOTIFY");
		if (c->facts.filter.notifies)
			check_mark(&c->facts.filter.notify, e);
		on_action(c, e);
		break;
	case INDEX:
		if (c->number.u > 5)
			check_warn(c, e, "%.*s: a call has the arguments 0 to 5",
				   check_shown(e), e->text);
		break;
	case OPERATOR:
		on_operator(c, e);
		break;
	}
}

const struct check_table check_filter_table = { rules, sizeof(rules) / sizeof(rules[0]),
						filter_value };
