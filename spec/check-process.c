/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of "process" in config.json, which is also the whole document of an exec. */
#include <stdio.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	PROCESS,
	TERMINAL,
	BOX,
	BOX_SIDE,
	UID,
	GID,
	ID, /* those before included */
	UMASK,
	ARGS,
	ARG,
	ENV,
	CWD,
	CAPABILITIES,
	BOUNDING, /* the five sets in this order */
	EFFECTIVE,
	INHERITABLE,
	PERMITTED,
	AMBIENT,
	RLIMIT,
	RLIMIT_TYPE,
	RLIMIT_HARD,
	RLIMIT_SOFT,
	OOM_SCORE,
	IO_CLASS,
	IO_PRIORITY,
	SCHEDULER,
	POLICY,
	NICE,
	PRIORITY,
	SCHED_FLAG,
	DEADLINE,
	CPUS,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, PROCESS },
	{ "terminal", T_BOOL, 0, TERMINAL },
	{ "consoleSize", T_OBJECT, 0, BOX },
	{ "consoleSize.height", T_UINT, REQUIRED, BOX_SIDE },
	{ "consoleSize.width", T_UINT, REQUIRED, BOX_SIDE },
	{ "user", T_OBJECT, 0, 0 },
	{ "user.uid", T_UINT32, 0, UID },
	{ "user.gid", T_UINT32, 0, GID },
	{ "user.umask", T_UINT32, 0, UMASK },
	{ "user.additionalGids", T_ARRAY, 0, 0 },
	{ "user.additionalGids[]", T_UINT32, 0, ID },
	{ "user.username", T_STRING, FOREIGN, 0 },
	{ "args", T_ARRAY, MUST, ARGS },
	{ "args[]", T_STRING, 0, ARG },
	{ "commandLine", T_STRING, FOREIGN, 0 },
	{ "env", T_ARRAY, 0, 0 },
	{ "env[]", T_STRING, 0, ENV },
	{ "cwd", T_STRING, MUST, CWD },
	{ "capabilities", T_OBJECT, 0, CAPABILITIES },
	{ "capabilities.bounding", T_ARRAY, 0, 0 },
	{ "capabilities.bounding[]", T_STRING, 0, BOUNDING },
	{ "capabilities.effective", T_ARRAY, 0, 0 },
	{ "capabilities.effective[]", T_STRING, 0, EFFECTIVE },
	{ "capabilities.inheritable", T_ARRAY, 0, 0 },
	{ "capabilities.inheritable[]", T_STRING, 0, INHERITABLE },
	{ "capabilities.permitted", T_ARRAY, 0, 0 },
	{ "capabilities.permitted[]", T_STRING, 0, PERMITTED },
	{ "capabilities.ambient", T_ARRAY, 0, 0 },
	{ "capabilities.ambient[]", T_STRING, 0, AMBIENT },
	{ "rlimits", T_ARRAY, 0, 0 },
	{ "rlimits[]", T_OBJECT, 0, RLIMIT },
	{ "rlimits[].type", T_STRING, MUST, RLIMIT_TYPE },
	{ "rlimits[].hard", T_UINT, REQUIRED, RLIMIT_HARD },
	{ "rlimits[].soft", T_UINT, REQUIRED, RLIMIT_SOFT },
	{ "noNewPrivileges", T_BOOL, 0, 0 },
	{ "apparmorProfile", T_STRING, 0, 0 },
	{ "oomScoreAdj", T_INT, 0, OOM_SCORE },
	{ "selinuxLabel", T_STRING, 0, 0 },
	{ "ioPriority", T_OBJECT, NEWER, 0 },
	{ "ioPriority.class", T_STRING, REQUIRED, IO_CLASS },
	{ "ioPriority.priority", T_INT, 0, IO_PRIORITY },
	{ "scheduler", T_OBJECT, NEWER, SCHEDULER },
	{ "scheduler.policy", T_STRING, REQUIRED, POLICY },
	{ "scheduler.nice", T_INT32, 0, NICE },
	{ "scheduler.priority", T_INT32, 0, PRIORITY },
	{ "scheduler.flags", T_ARRAY, 0, 0 },
	{ "scheduler.flags[]", T_STRING, 0, SCHED_FLAG },
	{ "scheduler.runtime", T_UINT, 0, DEADLINE },
	{ "scheduler.deadline", T_UINT, 0, DEADLINE },
	{ "scheduler.period", T_UINT, 0, DEADLINE },
	{ "execCPUAffinity", T_OBJECT, NEWER, 0 },
	{ "execCPUAffinity.initial", T_STRING, 0, CPUS },
	{ "execCPUAffinity.final", T_STRING, 0, CPUS },
};

/* ---------------------------------------------------------- capabilities */

static const char capabilities[] =
	"CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL "
	"CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE "
	"CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE "
	"CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT "
	"CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE "
	"CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG "
	"CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF "
	"CAP_CHECKPOINT_RESTORE";

static void on_capability(struct checker *c, unsigned set, const struct json_event *e)
{
	int cap = check_word(e, capabilities);

	if (cap >= 0)
		c->facts.process.caps[set] |= UINT64_C(1) << cap;
	if (set == EFFECTIVE - BOUNDING)
		check_mark(&c->facts.process.effective, e);
	if (set == INHERITABLE - BOUNDING)
		check_mark(&c->facts.process.inheritable, e);
	if (set == AMBIENT - BOUNDING)
		check_mark(&c->facts.process.ambient, e);
	if (c->request->cap || cap >= 0)
		check_library(c, CHECK_CAPABILITY, e);
	else
		check_warn(c, e, "\"%.*s\": no such capability, which runc passes over",
			   check_shown(e), e->text);
}

static void end_capabilities(struct checker *c, const struct json_event *e)
{
	const uint64_t *caps = c->facts.process.caps;
	const uint64_t bounding = caps[0], permitted = caps[PERMITTED - BOUNDING];
	char path[300];

	(void)e;
	snprintf(path, sizeof(path), "%s.effective", json_path(c->json));
	if (caps[EFFECTIVE - BOUNDING] & ~permitted)
		check_warn_at(c, &c->facts.process.effective, path,
			      "has what \"permitted\" has not: the kernel refuses that");
	snprintf(path, sizeof(path), "%s.inheritable", json_path(c->json));
	if (caps[INHERITABLE - BOUNDING] & ~bounding)
		check_warn_at(c, &c->facts.process.inheritable, path,
			      "has what \"bounding\" has not: the kernel refuses that, "
			      "unless the runtime has inherited it");
	snprintf(path, sizeof(path), "%s.ambient", json_path(c->json));
	if (caps[AMBIENT - BOUNDING] & ~(permitted & caps[INHERITABLE - BOUNDING]))
		check_note_at(
			c, &c->facts.process.ambient, path,
			"has what \"permitted\" or \"inheritable\" has not: that has no effect");
}

/* --------------------------------------------------------------- rlimits */

static void on_rlimit_type(struct checker *c, const struct json_event *e)
{
	static const char names[] =
		"RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS "
		"RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS "
		"RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME";
	int type = check_word(e, names);

	if (type < 0) {
		check_fail(c, e, "\"%.*s\" is no resource limit", check_shown(e),
			   e->text);
		return;
	}
	if (c->facts.rlimits & 1u << type)
		check_warn(c, e, "%.*s is limited twice: runc takes the last one",
			   check_shown(e), e->text);
	c->facts.rlimits |= 1u << type;
}

static void on_rlimit(struct checker *c, const struct json_event *e)
{
	const struct place at = c->frames[c->depth - 1].at;

	if (e->kind == JSON_OBJECT)
		memset(&c->facts.rlimit, 0, sizeof(c->facts.rlimit));
	else if (c->facts.rlimit.soft > c->facts.rlimit.hard)
		check_fail_at(
			c, &at, json_path(c->json),
			"the soft limit is above the hard one: the kernel refuses that");
}

/* ------------------------------------------------------------- scheduler */

static void on_policy(struct checker *c, const struct json_event *e)
{
	static const char names[] =
		"SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO "
		"SCHED_IDLE SCHED_DEADLINE";

	c->facts.process.policy = check_word(e, names);
	if (c->facts.process.policy < 0)
		check_fail(c, e, "\"%.*s\" is no scheduling policy", check_shown(e),
			   e->text);
}

static void on_scheduler(struct checker *c, const struct json_event *e)
{
	enum { FIFO = 1, RR = 2, EARLIEST = 6 };
	const struct place at = c->frames[c->depth - 1].at;
	int policy = c->facts.process.policy;

	if (e->kind == JSON_OBJECT) {
		c->facts.process.policy = -1;
		return;
	}
	if (policy < 0)
		return;
	if (c->facts.process.priority && policy != FIFO && policy != RR)
		check_warn_at(
			c, &at, json_path(c->json),
			"a priority is for SCHED_FIFO and SCHED_RR only: runc refuses it");
	if (c->facts.process.deadline && policy != EARLIEST)
		check_warn_at(
			c, &at, json_path(c->json),
			"runtime, deadline and period are for SCHED_DEADLINE only: runc "
			"refuses them");
}

static void on_sched_flag(struct checker *c, const struct json_event *e)
{
	static const char names[] =
		"SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN "
		"SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN "
		"SCHED_FLAG_UTIL_CLAMP_MAX";

	if (check_word(e, names) < 0)
		check_fail(c, e, "\"%.*s\" is no scheduling flag", check_shown(e),
			   e->text);
}

/* --------------------------------------------------------------- process */

static void on_cwd(struct checker *c, const struct json_event *e)
{
	if (check_nul(c, e))
		return;
	if (!e->len)
		check_fail(c, e, "is empty");
	else if (e->text[0] != '/')
		check_fail(c, e, "\"%.*s\" is no absolute path", check_shown(e), e->text);
}

static void on_env(struct checker *c, const struct json_event *e)
{
	const char *equals = memchr(e->text, '=', e->len);

	if (!equals)
		check_fail(c, e, "\"%.*s\" is not NAME=value", check_shown(e), e->text);
	else if (equals == e->text)
		check_fail(c, e, "\"%.*s\" has no name", check_shown(e), e->text);
	else if (memchr(e->text, '\0', e->len))
		check_fail(c, e, "has a NUL character, which no variable can have");
}

/* The first one is the program, whose path is opened. */
static void on_arg(struct checker *c, const struct json_event *e)
{
	bool first = !c->facts.process.args++;

	if (first && check_nul(c, e))
		return;
	if (first && !e->len)
		check_fail(c, e, "is empty: there is no program");
	else if (memchr(e->text, '\0', e->len))
		check_warn(c, e, "has a NUL character, which no argument can have");
}

static void on_process(struct checker *c, const struct json_event *e)
{
	const char *object = json_path(c->json);
	char path[300];

	if (e->kind == JSON_OBJECT) {
		memset(&c->facts.process, 0, sizeof(c->facts.process));
		c->facts.rlimits = 0;
		check_mark(&c->facts.process_at, e);
		return;
	}
	snprintf(path, sizeof(path), "%s%sconsoleSize", object, *object ? "." : "");
	if (!c->facts.process.terminal)
		check_warn_at(c, &c->facts.process.box, path,
			      "is without effect where \"terminal\" is not true");
}

/* Whether it is mapped is known at the end of the document. */
static void on_id(struct checker *c, unsigned fn, const struct json_event *e)
{
	struct check_id *id = &c->facts.ids[fn == GID];

	*id = (struct check_id){ .at = check_place(e), .id = c->number.u };
}

static void on_number(struct checker *c, unsigned fn, const struct json_event *e)
{
	const int64_t i = c->number.i;
	const uint64_t u = c->number.u;

	if (fn == UID || fn == GID)
		on_id(c, fn, e);
	if (fn >= UID && fn <= ID && u > INT32_MAX)
		check_warn(c, e, "%.*s is above 2147483647: runc refuses it before 1.3",
			   check_shown(e), e->text);
	else if (fn == UMASK && u > 0777)
		check_warn(c, e, "%.*s is above 511, which is octal 777", check_shown(e),
			   e->text);
	else if (fn == BOX_SIDE && u > UINT16_MAX)
		check_warn(c, e, "%.*s is more than a terminal can have", check_shown(e),
			   e->text);
	else if (fn == OOM_SCORE && (i < -1000 || i > 1000) &&
		 c->request->document == CHECK_CONFIG)
		check_fail(c, e, "%.*s is not from -1000 to 1000", check_shown(e),
			   e->text);
	else if (fn == IO_PRIORITY && (i < 0 || i > 7))
		check_fail(c, e, "%.*s is not from 0 to 7", check_shown(e), e->text);
	else if (fn == NICE && (i < -20 || i > 19))
		check_fail(c, e, "%.*s is not from -20 to 19", check_shown(e), e->text);
}

static void on_string(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case ARG:
		on_arg(c, e);
		break;
	case ENV:
		on_env(c, e);
		break;
	case CWD:
		on_cwd(c, e);
		break;
	case RLIMIT_TYPE:
		on_rlimit_type(c, e);
		break;
	case IO_CLASS:
		if (check_word(e, "IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE") <
		    0)
			check_fail(c, e, "\"%.*s\" is no class of I/O priority",
				   check_shown(e), e->text);
		break;
	case POLICY:
		on_policy(c, e);
		break;
	case SCHED_FLAG:
		on_sched_flag(c, e);
		break;
	case CPUS:
		check_cpu_list(c, e);
		break;
	}
}

static void process_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	switch (fn) {
	case PROCESS:
		on_process(c, e);
		break;
	case TERMINAL:
		c->facts.process.terminal = e->boolean;
		break;
	case BOX:
		if (e->kind == JSON_OBJECT)
			check_mark(&c->facts.process.box, e);
		break;
	case ARGS:
		if (e->kind == JSON_ARRAY)
			c->facts.process.args = 0;
		else if (!c->frames[c->depth - 1].seen)
			check_fail(c, e, "is empty: there is no program");
		break;
	case CAPABILITIES:
		if (e->kind == JSON_END)
			end_capabilities(c, e);
		break;
	case BOUNDING ... AMBIENT:
		on_capability(c, fn - BOUNDING, e);
		break;
	case RLIMIT:
		on_rlimit(c, e);
		break;
	case RLIMIT_HARD:
		c->facts.rlimit.hard = c->number.u;
		break;
	case RLIMIT_SOFT:
		c->facts.rlimit.soft = c->number.u;
		break;
	case SCHEDULER:
		on_scheduler(c, e);
		break;
	case PRIORITY:
		c->facts.process.priority = c->number.i != 0;
		break;
	case DEADLINE:
		c->facts.process.deadline |= c->number.u != 0;
		break;
	default:
		if (e->kind == JSON_NUMBER)
			on_number(c, fn, e);
		else
			on_string(c, fn, e);
	}
}

const struct check_table check_process_table = { rules, sizeof(rules) / sizeof(rules[0]),
						 process_value };
