/* SPDX-License-Identifier: Apache-2.0 */
/* Changes a document by its tokens; see mutate.h. */
#include "tests/mutate/mutate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/json.h"

#define MAX_VALUES 4000
#define MAX_DEPTH 40

/* A value, where it stands, and its key if it is a member. */
struct value {
	size_t begin, end, key_begin, key_end;
	bool object;
	char path[64]; /* cut */
};

struct tokens {
	struct value values[MAX_VALUES];
	size_t n;
	size_t open[MAX_DEPTH]; /* values that have not ended */
	size_t depth;
	size_t key_begin, key_end;
	char key[32];
};

static const char *const texts[] = {
	"null",
	"true",
	"false",
	"0",
	"-0",
	"1",
	"-1",
	"7",
	"1000",
	"1001",
	"-1001",
	"4096",
	"65535",
	"65536",
	"2147483648",
	"4294967295",
	"4294967296",
	"9223372036854775807",
	"9223372036854775808",
	"18446744073709551615",
	"18446744073709551616",
	"1.0",
	"1e3",
	"-1.5",
	"\"\"",
	"\"a\"",
	"\"/\"",
	"\"/a\"",
	"\"a/b\"",
	"\"..\"",
	"\"A=b\"",
	"\"=b\"",
	"\"a\\u0000b\"",
	"\"/a\\u0000\"",
	"\"\\ud800\"",
	"\"\xff\"",
	"\"pid\"",
	"\"user\"",
	"\"time\"",
	"\"network\"",
	"\"uts\"",
	"\"ipc\"",
	"\"mount\"",
	"\"cgroup\"",
	"\"PID\"",
	"\"rshared\"",
	"\"Private\"",
	"\"tmpfs\"",
	"\"bind\"",
	"\"ro\"",
	"\"size=1k\"",
	"\"c\"",
	"\"x\"",
	"\"rwm\"",
	"\"rx\"",
	"\"2MB\"",
	"\"64kB\"",
	"\"0-1\"",
	"\"CAP_KILL\"",
	"\"CAP_FOO\"",
	"\"RLIMIT_NOFILE\"",
	"\"RLIMIT_FOO\"",
	"\"SCMP_ACT_ERRNO\"",
	"\"SCMP_ACT_NOTIFY\"",
	"\"SCMP_ACT_FOO\"",
	"\"SCMP_ARCH_X86\"",
	"\"SCMP_ARCH_FOO\"",
	"\"SCMP_CMP_EQ\"",
	"\"SCMP_CMP_FOO\"",
	"\"1.9.0\"",
	"[]",
	"{}",
	"[null]",
	"[[]]",
	"[\"\"]",
	"[{}]",
	"{\"a\":\"b\"}",
	"[\"a\",\"a\"]",
};

/* Members that a document may not have yet. */
static const char *const members[] = {
	"\"x\":1",
	"\"\":{}",
	"\"hostname\":\"h\"",
	"\"domainname\":\"d\"",
	"\"terminal\":false",
	"\"oomScoreAdj\":1001",
	"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]",
	"\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]",
	"\"env\":[\"A\"]",
	"\"env\":[\"A=b\\u0000\"]",
	"\"args\":[\"\"]",
	"\"maskedPaths\":[\"/a\\u0000\"]",
	"\"readonlyPaths\":[\"/proc\\u0000\"]",
	"\"solaris\":{\"milestone\":5}",
	"\"vm\":{\"kernel\":{\"path\":5}}",
	"\"windows\":{\"layerFolders\":{}}",
	"\"scheduler\":{\"policy\":5}",
	"\"ioPriority\":{\"class\":\"x\",\"priority\":9}",
	"\"execCPUAffinity\":{\"initial\":\"x\"}",
	"\"personality\":{\"domain\":\"X\"}",
	"\"sysctl\":{\"kernel.brass\":\"1\"}",
	"\"sysctl\":{\"net.brass\":\"1\"}",
	"\"sysctl\":{\"kernel.msgmax\":\"8192\"}",
	"\"rootfsPropagation\":\"none\"",
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}]",
	"\"gidMappings\":[{\"containerID\":1,\"hostID\":1000,\"size\":10}]",
	"\"intelRdt\":{\"closID\":\"..\"}",
	"\"intelRdt\":{\"schemata\":5}",
	"\"devices\":[{\"path\":\"/dev/brass\",\"type\":\"x\",\"major\":1,\"minor\":3}]",
	"\"devices\":[{\"path\":\"/dev/brass\",\"type\":\"c\",\"major\":1,\"minor\":3}]",
	"\"devices\":[{\"allow\":true,\"type\":\"z\",\"access\":\"r\"}]",
	"\"hugepageLimits\":[{\"pageSize\":\"2kB\",\"limit\":1}]",
	"\"rdma\":{\"mlx\":{\"hcaHandles\":\"a\"}}",
	"\"unified\":{\"a\":5}",
	"\"seccomp\":{\"flags\":[\"X\"]}",
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_FOO\"}",
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],"
	"\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"x\"}]}]}",
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_FOO\"]}",
	"\"netDevices\":{\"eth0\":{\"name\":5}}",
	"\"timeOffsets\":{\"a\":5}",
	"\"memoryPolicy\":5",
	"\"annotations\":{\"a\":5}",
	"\"windows\":{}",
	"\"zos\":5",
	"\"maskedPaths\":[\"/proc/kcore\"]",
	"\"memory\":{\"limit\":-5,\"kernel\":1}",
	"\"cpu\":{\"burst\":-1,\"idle\":\"x\"}",
	"\"pids\":{\"limit\":\"5\"}",
};

uint64_t pick(uint64_t *state, uint64_t below)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x >> 11) % below;
}

static void add_value(struct tokens *t, const struct json_event *e)
{
	struct value *v = &t->values[t->n];
	const char *above = t->depth ? t->values[t->open[t->depth - 1]].path : "";

	assert(t->n < MAX_VALUES && t->depth < MAX_DEPTH);
	*v = (struct value){
		e->offset, e->end, t->key_begin, t->key_end, e->kind == JSON_OBJECT, ""
	};
	snprintf(v->path, sizeof(v->path), "%.40s.%.20s", above,
		 t->key_end ? t->key : "");
	t->key_begin = t->key_end = 0;
	if (e->kind & (JSON_OBJECT | JSON_ARRAY))
		t->open[t->depth++] = t->n;
	t->n++;
}

static int on_token(struct json *j, const struct json_event *e)
{
	struct tokens *t = json_data(j);

	if (e->kind == JSON_KEY) {
		t->key_begin = e->offset;
		t->key_end = e->end;
		snprintf(t->key, sizeof(t->key), "%.*s", (int)e->len, e->text);
	} else if (e->kind == JSON_END) {
		t->values[t->open[--t->depth]].end = e->end;
	} else {
		add_value(t, e);
	}
	return 0;
}

/* @json with what is between @begin and @end replaced. */
static char *splice(const char *json, size_t *len, size_t begin, size_t end,
		    const char *text, size_t text_len)
{
	char *out = malloc(*len - (end - begin) + text_len + 1);

	assert(out);
	memcpy(out, json, begin);
	memcpy(out + begin, text, text_len);
	memcpy(out + begin + text_len, json + end, *len - end);
	*len = *len - (end - begin) + text_len;
	out[*len] = '\0';
	return out;
}

/* The value without its key, and with one of the commas around it. */
static char *leave_out(const char *json, size_t *len, const struct value *v)
{
	size_t begin = v->key_end ? v->key_begin : v->begin, end = v->end;

	while (end < *len && strchr(" \t\r\n", json[end]))
		end++;
	if (end < *len && json[end] == ',') {
		end++;
	} else {
		end = v->end;
		while (begin > 0 && strchr(" \t\r\n", json[begin - 1]))
			begin--;
		begin -= begin > 0 && json[begin - 1] == ',';
	}
	return splice(json, len, begin, end, "", 0);
}

static char *replace(const char *json, size_t *len, const struct tokens *t,
		     const struct value *v, uint64_t *state)
{
	const struct value *other = &t->values[pick(state, t->n)];
	const char *text = texts[pick(state, sizeof(texts) / sizeof(texts[0]))];

	if (pick(state, 4) == 0)
		return splice(json, len, v->begin, v->end, json + other->begin,
			      other->end - other->begin);
	return splice(json, len, v->begin, v->end, text, strlen(text));
}

/* The same member once more, with another value, here or in other letters. */
static char *repeat(const char *json, size_t *len, const struct value *v, uint64_t *state)
{
	const char *text = texts[pick(state, sizeof(texts) / sizeof(texts[0]))];
	char more[512];
	int n = snprintf(more, sizeof(more), ",%.*s:%s", (int)(v->key_end - v->key_begin),
			 json + v->key_begin, text);

	if (pick(state, 3) == 0 && more[2] >= 'a' && more[2] <= 'z')
		more[2] -= 'a' - 'A';
	return splice(json, len, v->end, v->end, more, (size_t)n);
}

static char *rename_key(const char *json, size_t *len, const struct value *v,
			uint64_t *state)
{
	char *out = splice(json, len, v->key_begin, v->key_end, json + v->key_begin,
			   v->key_end - v->key_begin);
	char *letter = out + v->key_begin + 1;

	if (pick(state, 2) && *letter >= 'a' && *letter <= 'z')
		*letter -= 'a' - 'A';
	else if (*letter != '"')
		*letter = '_';
	return out;
}

static char *add_member(const char *json, size_t *len, const struct value *v,
			uint64_t *state)
{
	char more[512];
	bool empty = v->end - v->begin == 2;
	int n = snprintf(more, sizeof(more), "%s%s",
			 members[pick(state, sizeof(members) / sizeof(members[0]))],
			 empty ? "" : ",");

	return splice(json, len, v->begin + 1, v->begin + 1, more, (size_t)n);
}

static char *change(const char *json, size_t *len, const struct tokens *t,
		    uint64_t *state, const struct value **target)
{
	const struct value *v = &t->values[pick(state, t->n)];
	uint64_t how = pick(state, 12);

	/* Half of the values of a document are names of system calls. */
	while (strstr(v->path, ".syscalls.") && pick(state, 8))
		v = &t->values[pick(state, t->n)];
	/* Objects are few, and new members need one; there may be none. */
	for (int i = 0; how >= 9 && !v->object && i < 1000; i++)
		v = &t->values[pick(state, t->n)];
	if (!v->object && how >= 9)
		how = 0;
	*target = v;
	if (how >= 9)
		return add_member(json, len, v, state);
	if (how < 5 || !v->begin)
		return replace(json, len, t, v, state);
	if (how == 5 || !v->key_end)
		return leave_out(json, len, v);
	return how == 6 ? rename_key(json, len, v, state) : repeat(json, len, v, state);
}

/* Whether a runtime that takes it might reach for what is not the container's. */
static bool is_harmless(const struct value *v)
{
	static const char *const own[] = { ".root", ".hooks", ".linux.cgroupsPath" };

	if (!v->begin)
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strncmp(v->path, own[i], strlen(own[i])))
			return false;
	/* Replaced as a whole, "linux" has no namespaces, and no cgroup of its own. */
	return strcmp(v->path, ".linux") != 0 || v->object;
}

static char *change_once(const char *json, size_t *len, uint64_t *state, bool *may_run)
{
	static struct tokens t;
	struct json_doc doc = {
		.name = "", .data = &t, .every = on_token, .first_only = true
	};
	const struct value *target;
	char *out;

	t.n = t.depth = t.key_end = 0;
	if (json_parse(&doc, json, *len) < 0 || !t.n)
		return NULL;
	out = change(json, len, &t, state, &target);
	*may_run = *may_run && is_harmless(target);
	return out;
}

char *mutate(const char *json, size_t len, uint64_t *state, size_t *out_len,
	     bool *may_run)
{
	int n = pick(state, 4) ? 1 : 2 + (int)pick(state, 2);
	char *now = NULL, *next;

	*may_run = true;
	*out_len = len;
	for (int i = 0; i < n; i++) {
		next = change_once(now ? now : json, out_len, state, may_run);
		if (!next)
			break;
		free(now);
		now = next;
	}
	assert(now);
	return now;
}
