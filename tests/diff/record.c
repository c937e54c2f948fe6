/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transcript of one side, and what makes two of them comparable: names in
 * place of pids and times. Does not know what is done.
 */
#include "tests/diff/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_NAMES 256

static struct {
	FILE *file;
	int64_t pids[MAX_NAMES];
	struct {
		int64_t seconds;
		int32_t nanos;
	} times[MAX_NAMES];
	size_t n_pids, n_times;
	time_t begin;
} rec;

void record_open(const char *path)
{
	rec.file = fopen(path, "ae");
	if (!rec.file) {
		perror(path);
		_exit(99);
	}
	setvbuf(rec.file, NULL, _IOLBF, 0);
}

void record_begin(const char *scenario)
{
	rec.n_pids = rec.n_times = 0;
	rec.begin = time(NULL);
	fprintf(rec.file, "== %s\n", scenario);
}

void record_end(void)
{
	say(THE_END, "of the script");
}

const char *pid_name(int64_t pid)
{
	size_t i;

	if (pid == 0)
		return "0";
	if (pid == UINT32_MAX)
		return "-1";
	for (i = 0; i < rec.n_pids && rec.pids[i] != pid; i++)
		;
	if (i == rec.n_pids && i < MAX_NAMES)
		rec.pids[rec.n_pids++] = pid;
	return text("P%zu", i + 1);
}

static const char *time_name(const Google__Protobuf__Timestamp *t)
{
	size_t i;

	if (t->seconds == ZERO_TIME && !t->nanos)
		return "zero";
	if (t->seconds < rec.begin - 1 || t->seconds > time(NULL) + 1)
		return "not-now";
	for (i = 0; i < rec.n_times; i++)
		if (rec.times[i].seconds == t->seconds && rec.times[i].nanos == t->nanos)
			break;
	if (i == rec.n_times && i < MAX_NAMES) {
		rec.times[i].seconds = t->seconds;
		rec.times[rec.n_times++].nanos = t->nanos;
	}
	return text("T%zu", i + 1);
}

/* ------------------------------------------------------------ normalising */

static char *replaced(const char *s, const char *from, const char *to)
{
	const char *at = strstr(s, from);

	if (!at)
		return text("%s", s);
	return text("%.*s%s%s", (int)(at - s), s, to,
		    replaced(at + strlen(from), from, to));
}

/* Digits behind @word become "N": random names of files, pids in texts. */
static char *without_digits(const char *s, const char *word)
{
	const char *at = strstr(s, word);
	size_t n;

	if (!at)
		return text("%s", s);
	at += strlen(word);
	n = strspn(at, "0123456789");
	return text("%.*s%s%s", (int)(at - s), s, n ? "N" : "",
		    without_digits(at + n, word));
}

static char *normal(const char *s)
{
	static const char *const words[] = { "runc-process",	"/tmp/pty",
					     "/proc/",		"pid: ",
					     "current usage: ", "peak usage: " };
	char *out = replaced(s, cgroup_name(), "/CGROUP");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		out = without_digits(out, words[i]);
	for (char *c = out; *c; c++)
		*c = *c == '\n' ? '|' : *c == '\r' ? '^' : *c;
	return out;
}

void say(const char *label, const char *format, ...)
{
	char *value = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&value, format, ap) < 0)
		abort();
	va_end(ap);
	fprintf(rec.file, "%s: %s\n", normal(label), normal(forget_later(value)));
}

/* -------------------------------------------------------------- rendering */

static void render_message(FILE *f, const ProtobufCMessage *m);

static bool is_pid(const ProtobufCFieldDescriptor *d)
{
	return !strcmp(d->name, "pid") || !strcmp(d->name, "task_pid") ||
	       !strcmp(d->name, "shim_pid");
}

static void render_any(FILE *f, const Google__Protobuf__Any *any)
{
	size_t len = any->value.len;

	fprintf(f, "%s", any->type_url);
	/* ProcessDetails: one string, field 1. */
	if (strstr(any->type_url, "ProcessDetails") && len > 2)
		fprintf(f, "(%.*s)", (int)len - 2, (const char *)any->value.data + 2);
	else
		fprintf(f, "(%zu bytes)", len);
}

static void render_value(FILE *f, const ProtobufCFieldDescriptor *d, const void *at)
{
	const ProtobufCMessage *m;
	const ProtobufCEnumValue *e;

	switch (d->type) {
	case PROTOBUF_C_TYPE_STRING:
		fprintf(f, "%s", *(char *const *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT32:
		if (is_pid(d))
			fprintf(f, "%s", pid_name(*(const uint32_t *)at));
		else
			fprintf(f, "%" PRIu32, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		fprintf(f, "%d", *(const protobuf_c_boolean *)at);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		e = protobuf_c_enum_descriptor_get_value(d->descriptor, *(const int *)at);
		fprintf(f, "%s", e ? e->name : "?");
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		m = *(ProtobufCMessage *const *)at;
		if (m->descriptor == &google__protobuf__timestamp__descriptor)
			fprintf(f, "%s", time_name((const void *)m));
		else if (m->descriptor == &google__protobuf__any__descriptor)
			render_any(f, (const void *)m);
		else
			render_message(f, m);
		break;
	default:
		fprintf(f, "?");
	}
}

static bool is_unset(const ProtobufCFieldDescriptor *d, const void *at)
{
	switch (d->type) {
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)at || !**(char *const *)at;
	case PROTOBUF_C_TYPE_MESSAGE:
		return !*(ProtobufCMessage *const *)at;
	case PROTOBUF_C_TYPE_BOOL:
		return !*(const protobuf_c_boolean *)at;
	default:
		return !*(const uint32_t *)at;
	}
}

static void render_message(FILE *f, const ProtobufCMessage *m)
{
	const char *sep = "";

	fprintf(f, "{");
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
		const char *at = (const char *)m + d->offset;

		if (d->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)(const void *)((const char *)m +
								   d->quantifier_offset);
			const void *const *array =
				*(const void *const *const *)(const void *)at;

			for (size_t k = 0; k < n; k++, sep = " ") {
				fprintf(f, "%s%s=", sep, d->name);
				render_value(f, d, &array[k]);
			}
			continue;
		}
		if (is_unset(d, at))
			continue;
		fprintf(f, "%s%s=", sep, d->name);
		render_value(f, d, at);
		sep = " ";
	}
	fprintf(f, "}");
}

char *rendered(const ProtobufCMessage *m)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	if (!f)
		abort();
	render_message(f, m);
	fclose(f);
	return forget_later(buf);
}
