/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OCI runtime prints: its log, its state, its list of processes. All
 * of it is a stranger's: nothing here may depend on its being well-formed.
 */
#include "spec/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spec/utf8.h"

/* ---------------------------------------------------------------- log */

struct log_reading {
	char *message; /* of the entry at hand, cut to size */
	size_t len, size;
	bool is_error;
	/* The last one of an error. */
	char *out;
	size_t out_len;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int on_entry(struct json *j, const struct json_event *e)
{
	struct log_reading *l = json_data(j);

	if (e->kind == JSON_OBJECT) {
		l->len = 0;
		l->is_error = false;
	} else if (l->is_error) {
		memcpy(l->out, l->message, l->len);
		l->out_len = l->len;
	}
	return 0;
}

static int on_level(struct json *j, const struct json_event *e)
{
	struct log_reading *l = json_data(j);

	l->is_error = e->len == 5 && !memcmp(e->text, "error", 5);
	return 0;
}

static int on_message(struct json *j, const struct json_event *e)
{
	struct log_reading *l = json_data(j);
	const char *s = e->text, *end = s + e->len;

	while (s < end && is_space(*s))
		s++;
	while (s < end && is_space(end[-1]))
		end--;
	l->len = (size_t)(end - s);
	if (l->len > l->size) {
		l->len = l->size;
		/* Not in the midst of a character. */
		while (l->len > 0 && ((unsigned char)s[l->len] & 0xc0) == 0x80)
			l->len--;
	}
	memcpy(l->message, s, l->len);
	return 0;
}

static const struct json_rule log_rules[] = {
	{ "", JSON_OBJECT | JSON_END, on_entry, 0 },
	{ "level", JSON_STRING, on_level, 0 },
	{ "msg", JSON_STRING, on_message, 0 },
};

/*
 * Reads on. A line may hold any number of entries, and an entry may go over several
 * lines (crun's do, of late). What is open when a line begins with '{' was cut short;
 * of what fails, the rest of the line is passed over.
 */
static void read_lines(struct json *j, const char *s, size_t len, bool *begins)
{
	while (len > 0) {
		const char *newline = memchr(s, '\n', len);
		size_t n = newline ? (size_t)(newline - s) + 1 : len;

		if (*begins && *s == '{' && !json_is_idle(j))
			json_reset(j);
		if (json_feed(j, s, n) < 0 && newline)
			json_reset(j);
		*begins = newline;
		s += n;
		len -= n;
	}
}

static void read_log(struct json *j, int fd, char *chunk, size_t size)
{
	struct stat st;
	off_t at = 0, end;
	ssize_t n;
	bool partial; /* at is in the midst of a line */
	bool begins = true;

	if (fstat(fd, &st) < 0)
		return;
	if (st.st_size > (off_t)SPEC_MAX_LOG)
		at = st.st_size - (off_t)SPEC_MAX_LOG;
	/* A log may grow meanwhile, but not keep us here. */
	end = at + (off_t)SPEC_MAX_LOG;
	for (partial = at > 0; at < end; at += n) {
		char *s = chunk, *newline;

		do
			n = pread(fd, chunk, size, at);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return;
		if (partial) {
			newline = memchr(chunk, '\n', (size_t)n);
			if (!newline)
				continue;
			s = newline + 1;
			partial = false;
		}
		read_lines(j, s, (size_t)(chunk + n - s), &begins);
	}
}

size_t spec_log_error(int fd, char *buf, size_t size)
{
	struct log_reading l = { .size = size - 1, .out = buf };
	struct json_doc doc = {
		.name = "log",
		.rules = log_rules,
		.n_rules = sizeof(log_rules) / sizeof(log_rules[0]),
		.data = &l,
		.many = true,
	};
	struct json *j = NULL;
	char *chunk;

	if (size == 0)
		return 0;
	chunk = json_realloc(NULL, 4096);
	l.message = json_realloc(NULL, size);
	if (chunk && l.message)
		j = json_new(&doc);
	if (j)
		read_log(j, fd, chunk, 4096);
	json_free(j);
	free(l.message);
	free(chunk);
	utf8_clean(buf, l.out_len, false);
	buf[l.out_len] = '\0';
	return l.out_len;
}

/* -------------------------------------------------------------- state */

static int on_pid(struct json *j, const struct json_event *e)
{
	struct spec_state *s = json_data(j);

	return json_int(j, e, 0, INT32_MAX, &s->pid);
}

static const struct json_rule state_rules[] = {
	{ "pid", JSON_NUMBER, on_pid, 0 },
	{ "status", JSON_STRING, json_put_string, offsetof(struct spec_state, status) },
};

int spec_state_parse(const char *json, size_t len, struct spec_state *out,
		     struct spec_error *e)
{
	struct json_doc doc = {
		.name = "state",
		.rules = state_rules,
		.n_rules = sizeof(state_rules) / sizeof(state_rules[0]),
		.data = out,
		.error = e,
	};
	int r = json_parse(&doc, json, len);

	if (!r && !out->status)
		r = json_error(e, EINVAL, "state", "has no status");
	return r;
}

void spec_state_release(struct spec_state *s)
{
	free(s->status);
	s->status = NULL;
}

/* ----------------------------------------------------------------- ps */

struct pids {
	int *pids;
	size_t n, size;
};

static int on_ps_pid(struct json *j, const struct json_event *e)
{
	struct pids *p = json_data(j);
	size_t size = p->size ? 2 * p->size : 16;
	int64_t pid;
	int *pids;
	int r;

	r = json_int(j, e, 0, INT32_MAX, &pid);
	if (r)
		return r;
	if (p->n == p->size) {
		pids = json_realloc(p->pids, size * sizeof(*pids));
		if (!pids)
			return json_fail(j, e, ENOMEM, "out of memory");
		p->pids = pids;
		p->size = size;
	}
	p->pids[p->n++] = (int)pid;
	return 0;
}

static int on_ps(struct json *j, const struct json_event *e)
{
	(void)j;
	(void)e;
	return 0;
}

static const struct json_rule ps_rules[] = {
	{ "", JSON_ARRAY | JSON_NULL, on_ps, 0 },
	{ "[]", JSON_NUMBER, on_ps_pid, 0 },
};

int spec_ps_parse(const char *json, size_t len, int **pids, size_t *n,
		  struct spec_error *e)
{
	struct pids p = { 0 };
	struct json_doc doc = {
		.name = "ps",
		.rules = ps_rules,
		.n_rules = sizeof(ps_rules) / sizeof(ps_rules[0]),
		.data = &p,
		.error = e,
	};
	int r = json_parse(&doc, json, len);

	if (r) {
		free(p.pids);
		return r;
	}
	*pids = p.pids;
	*n = p.n;
	return 0;
}
