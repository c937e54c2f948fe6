/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of "linux.resources" in config.json, which is also the whole document of
 * an update. Most of what is wrong here is for the kernel to refuse, and it
 * depends on its version and on the cgroups: a warning.
 */
#include <inttypes.h>
#include <string.h>

#include "spec/check-internal.h"

enum {
	NOTHING,
	DEVICE,
	DEVICE_TYPE,
	ACCESS,
	DEVICE_NUMBER,
	MEMORY,
	LIMIT,
	RESERVATION,
	SWAP,
	SWAPPINESS,
	CPU,
	SHARES,
	QUOTA,
	PERIOD,
	REALTIME,
	LIST,
	IDLE,
	WEIGHT,
	PAGE_SIZE,
	RDMA,
	UNIFIED,
};

static const struct check_rule rules[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "devices", T_ARRAY, 0, 0 },
	{ "devices[]", T_OBJECT, 0, DEVICE },
	{ "devices[].allow", T_BOOL, REQUIRED, 0 },
	{ "devices[].type", T_STRING, 0, DEVICE_TYPE },
	{ "devices[].major", T_INT, 0, DEVICE_NUMBER },
	{ "devices[].minor", T_INT, 0, DEVICE_NUMBER },
	{ "devices[].access", T_STRING, MUST, ACCESS },
	{ "memory", T_OBJECT, 0, MEMORY },
	{ "memory.limit", T_INT, 0, LIMIT },
	{ "memory.reservation", T_INT, 0, RESERVATION },
	{ "memory.swap", T_INT, 0, SWAP },
	{ "memory.kernel", T_INT, DEPRECATED, 0 },
	{ "memory.kernelTCP", T_INT, DEPRECATED, 0 },
	{ "memory.swappiness", T_UINT, 0, SWAPPINESS },
	{ "memory.disableOOMKiller", T_BOOL, 0, 0 },
	{ "memory.useHierarchy", T_BOOL, 0, 0 },
	{ "memory.checkBeforeUpdate", T_BOOL, NEWER, 0 },
	{ "cpu", T_OBJECT, 0, CPU },
	{ "cpu.shares", T_UINT, 0, SHARES },
	{ "cpu.quota", T_INT, 0, QUOTA },
	{ "cpu.burst", T_UINT, NEWER, 0 },
	{ "cpu.period", T_UINT, 0, PERIOD },
	{ "cpu.realtimeRuntime", T_INT, 0, REALTIME },
	{ "cpu.realtimePeriod", T_UINT, 0, 0 },
	{ "cpu.cpus", T_STRING, 0, LIST },
	{ "cpu.mems", T_STRING, 0, LIST },
	{ "cpu.idle", T_INT, NEWER, IDLE },
	{ "pids", T_OBJECT, 0, 0 },
	{ "pids.limit", T_INT, 0, 0 },
	{ "blockIO", T_OBJECT, 0, 0 },
	{ "blockIO.weight", T_UINT16, 0, WEIGHT },
	{ "blockIO.leafWeight", T_UINT16, 0, WEIGHT },
	{ "blockIO.weightDevice", T_ARRAY, 0, 0 },
	{ "blockIO.weightDevice[]", T_OBJECT, 0, 0 },
	{ "blockIO.weightDevice[].major", T_INT, REQUIRED, 0 },
	{ "blockIO.weightDevice[].minor", T_INT, REQUIRED, 0 },
	{ "blockIO.weightDevice[].weight", T_UINT16, 0, WEIGHT },
	{ "blockIO.weightDevice[].leafWeight", T_UINT16, 0, WEIGHT },
	{ "blockIO.throttleReadBpsDevice", T_ARRAY, 0, 0 },
	{ "blockIO.throttleReadBpsDevice[]", T_TABLE, 0, TABLE_THROTTLE },
	{ "blockIO.throttleWriteBpsDevice", T_ARRAY, 0, 0 },
	{ "blockIO.throttleWriteBpsDevice[]", T_TABLE, 0, TABLE_THROTTLE },
	{ "blockIO.throttleReadIOPSDevice", T_ARRAY, 0, 0 },
	{ "blockIO.throttleReadIOPSDevice[]", T_TABLE, 0, TABLE_THROTTLE },
	{ "blockIO.throttleWriteIOPSDevice", T_ARRAY, 0, 0 },
	{ "blockIO.throttleWriteIOPSDevice[]", T_TABLE, 0, TABLE_THROTTLE },
	{ "hugepageLimits", T_ARRAY, 0, 0 },
	{ "hugepageLimits[]", T_OBJECT, 0, 0 },
	{ "hugepageLimits[].pageSize", T_STRING, MUST, PAGE_SIZE },
	{ "hugepageLimits[].limit", T_UINT, REQUIRED, 0 },
	{ "network", T_OBJECT, 0, 0 },
	{ "network.classID", T_UINT32, 0, 0 },
	{ "network.priorities", T_ARRAY, 0, 0 },
	{ "network.priorities[]", T_OBJECT, 0, 0 },
	{ "network.priorities[].name", T_STRING, REQUIRED, 0 },
	{ "network.priorities[].priority", T_UINT32, REQUIRED, 0 },
	{ "rdma", T_MAP, 0, 0 },
	{ "rdma.*", T_OBJECT, 0, RDMA },
	{ "rdma.*.hcaHandles", T_UINT32, 0, 0 },
	{ "rdma.*.hcaObjects", T_UINT32, 0, 0 },
	{ "unified", T_MAP, 0, 0 },
	{ "unified.*", T_STRING, 0, UNIFIED },
};

static const struct check_rule throttle_rules[] = {
	{ "", T_OBJECT, 0, 0 },
	{ "major", T_INT, REQUIRED, 0 },
	{ "minor", T_INT, REQUIRED, 0 },
	{ "rate", T_UINT, REQUIRED, 0 },
};

/* Ranges like "0-3,7"; the empty list stands for "as it is". */
void check_cpu_list(struct checker *c, const struct json_event *e)
{
	char last = ',';
	bool range = false;

	for (size_t i = 0; i < e->len; i++) {
		char ch = e->text[i];
		bool digit = ch >= '0' && ch <= '9', after = last >= '0' && last <= '9';

		if (!digit && !((ch == ',' || (ch == '-' && !range)) && after) &&
		    ch != '\n' && ch != ' ')
			goto wrong;
		if (ch == '-')
			range = true;
		if (ch == ',')
			range = false;
		if (ch != '\n' && ch != ' ')
			last = ch;
	}
	if (!e->len || (last >= '0' && last <= '9'))
		return;
wrong:
	check_warn(c, e, "\"%.*s\" is no list like \"0-3,7\"", check_shown(e), e->text);
}

static void on_memory(struct checker *c, const struct json_event *e)
{
	const struct place at = c->frames[c->depth - 1].at;
	const int64_t limit = c->facts.memory.limit, swap = c->facts.memory.swap;
	const char *path = json_path(c->json);

	if (e->kind == JSON_OBJECT) {
		memset(&c->facts.memory, 0, sizeof(c->facts.memory));
		return;
	}
	if (limit > 0 && swap > 0 && swap < limit)
		check_warn_at(c, &at, path,
			      "swap is memory and swap together, %" PRId64
			      ", and cannot be below the limit, %" PRId64,
			      swap, limit);
	if (swap > 0 && limit <= 0)
		check_warn_at(c, &at, path, "swap needs a limit");
	if (limit > 0 && c->facts.memory.reservation > limit)
		check_warn_at(c, &at, path, "the reservation is above the limit");
}

static void on_memory_number(struct checker *c, unsigned fn, const struct json_event *e)
{
	const int64_t i = c->number.i;

	if (fn == LIMIT)
		c->facts.memory.limit = i;
	else if (fn == RESERVATION)
		c->facts.memory.reservation = i;
	else
		c->facts.memory.swap = i;
	if (i < -1)
		check_warn(c, e,
			   "%.*s is below -1, which stands for no limit: the kernel "
			   "refuses it",
			   check_shown(e), e->text);
}

static void on_number(struct checker *c, unsigned fn, const struct json_event *e)
{
	const uint64_t u = c->number.u;
	const int64_t i = c->number.i;

	switch (fn) {
	case LIMIT ... SWAP:
		on_memory_number(c, fn, e);
		break;
	case REALTIME:
		if (i < 0)
			check_warn(c, e,
				   "%.*s stands for no limit: the kernel refuses that, "
				   "unless it has none itself",
				   check_shown(e), e->text);
		break;
	case DEVICE_NUMBER:
		if (i < -1)
			check_warn(c, e, "%.*s: no device has such a number",
				   check_shown(e), e->text);
		break;
	case SWAPPINESS:
		/* runc has always taken 2^64-1 for "as it is". */
		if (u > 100 && u != UINT64_MAX)
			check_warn(c, e, "%.*s is not from 0 to 100", check_shown(e),
				   e->text);
		break;
	case SHARES:
		if (u == 1 || u > 262144)
			check_warn(c, e, "%.*s is not from 2 to 262144", check_shown(e),
				   e->text);
		break;
	case QUOTA:
		if (i > 0 && i < 1000)
			check_warn(c, e,
				   "%.*s is below 1000 microseconds, the least there is",
				   check_shown(e), e->text);
		break;
	case PERIOD:
		if (u && (u < 1000 || u > 1000000))
			check_warn(c, e, "%.*s is not from 1000 to 1000000 microseconds",
				   check_shown(e), e->text);
		break;
	case IDLE:
		if (i != 0 && i != 1)
			check_warn(c, e, "%.*s is neither 0 nor 1", check_shown(e),
				   e->text);
		break;
	case WEIGHT:
		if (u && (u < 10 || u > 1000))
			check_warn(c, e, "%.*s is not from 10 to 1000", check_shown(e),
				   e->text);
		break;
	}
}

static void on_device(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == DEVICE_TYPE) {
		if (e->len && check_word(e, "a b c") < 0)
			check_fail(c, e, "\"%.*s\" is none of a, b, c", check_shown(e),
				   e->text);
	} else if (!e->len) {
		check_fail(c, e, "is empty");
	} else {
		for (size_t i = 0; i < e->len; i++)
			if (!strchr("rwm", e->text[i]) || !e->text[i]) {
				check_warn(c, e, "\"%.*s\" has more than r, w and m",
					   check_shown(e), e->text);
				return;
			}
	}
}

/* Digits that do not begin with 0, and KB, MB or GB. */
static void on_page_size(struct checker *c, const struct json_event *e)
{
	size_t n = 0;

	while (n < e->len && e->text[n] >= (n ? '0' : '1') && e->text[n] <= '9')
		n++;
	if (!n || e->len != n + 2 || !memchr("KMG", e->text[n], 3) ||
	    e->text[n + 1] != 'B')
		check_fail(c, e, "\"%.*s\" is no size like \"2MB\"", check_shown(e),
			   e->text);
}

static void resources_value(struct checker *c, unsigned fn, const struct json_event *e)
{
	if (fn == MEMORY)
		on_memory(c, e);
	else if (fn == LIST)
		check_cpu_list(c, e);
	else if (fn == DEVICE_TYPE || fn == ACCESS)
		on_device(c, fn, e);
	else if (fn == PAGE_SIZE)
		on_page_size(c, e);
	else if (e->kind == JSON_NUMBER)
		on_number(c, fn, e);
	else if (fn == RDMA && e->kind == JSON_END && !c->frames[c->depth - 1].seen)
		check_warn(c, e, "limits nothing: neither hcaHandles nor hcaObjects");
}

const struct check_table check_resources_table = { rules,
						   sizeof(rules) / sizeof(rules[0]),
						   resources_value };
const struct check_table check_throttle_table = { throttle_rules,
						  sizeof(throttle_rules) /
							  sizeof(throttle_rules[0]),
						  resources_value };
