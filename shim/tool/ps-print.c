/* SPDX-License-Identifier: Apache-2.0 */
/* What "brass ps" shows: a table, ids, or JSON; see ps.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/tool/ps.h"
#include "shim/tool/tool.h"
#include "shim/util.h"
#include "spec/utf8.h"

static const char *number(int64_t v, char buf[static 24])
{
	if (v < 0)
		return "-";
	snprintf(buf, 24, "%" PRId64, v);
	return buf;
}

static void print_row(FILE *out, const struct report *r, const struct row *row,
		      bool first, int ns_width, int id_width)
{
	char pid[24], init[24], execs[24], pss[24], dirty[24], calls[24], events[24],
		ops[24];

	fprintf(out, "%7s  %-*s  %-*s  %-8s  %7s  %5s  ",
		first ? number(r->seen->pid, pid) : "", ns_width, r->seen->ns, id_width,
		row ? row->id : "-", row ? row->state : "-",
		row && row->pid ? number(row->pid, init) : "-",
		row ? number(row->execs, execs) : "-");
	if (first)
		fprintf(out, "%6s  %6s  %5s  %6s  ", number(r->usage.pss, pss),
			number(r->usage.private_dirty, dirty), number(r->calls, calls),
			number(r->events, events));
	else
		fprintf(out, "%6s  %6s  %5s  %6s  ", "", "", "", "");
	fprintf(out, "%4s%s%s\n", row ? number(row->ops, ops) : "-", first ? "  " : "",
		first ? r->seen->program : "");
}

static int max_int(size_t a, int b)
{
	return (int)a > b ? (int)a : b;
}

static void write_table(FILE *out, const struct ps *ps)
{
	int ns_width = 9, id_width = 9;

	for (size_t i = 0; i < ps->n; i++) {
		ns_width = max_int(strlen(ps->reports[i].seen->ns), ns_width);
		for (size_t k = 0; k < ps->reports[i].n_rows; k++)
			id_width = max_int(strlen(ps->reports[i].rows[k].id), id_width);
	}
	fprintf(out, "%7s  %-*s  %-*s  %-8s  %7s  %5s  %6s  %6s  %5s  %6s  %4s  %s\n",
		"SHIM", ns_width, "NAMESPACE", id_width, "CONTAINER", "STATE", "PID",
		"EXECS", "PSS", "DIRTY", "CALLS", "EVENTS", "OPS", "PROGRAM");
	for (size_t i = 0; i < ps->n; i++) {
		const struct report *r = &ps->reports[i];

		if (r->n_rows == 0)
			print_row(out, r, NULL, true, ns_width, id_width);
		for (size_t k = 0; k < r->n_rows; k++)
			print_row(out, r, &r->rows[k], k == 0, ns_width, id_width);
	}
	for (size_t i = 0; i < ps->n; i++)
		if (ps->reports[i].why[0])
			fprintf(out, "shim %d (%s) does not answer: %s\n",
				ps->reports[i].seen->pid, ps->reports[i].seen->id,
				ps->reports[i].why);
	for (size_t i = 0; i < ps->n_stale; i++)
		fprintf(out, "dead socket: %s\n", ps->stale[i]);
}

/* Names come from strangers' command lines and folders. */
void ps_print_table(const struct ps *ps)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out)
		write_table(out, ps);
	if (!out || fclose(out) != 0) {
		tool_fail("out of memory");
		return;
	}
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		utf8_clean(line, (size_t)(end - line), true);
	}
	fwrite(text, 1, len, stdout);
}

/* For scripts, so what is no id, and no container's, is left out. */
void ps_print_ids(const struct ps *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		for (size_t k = 0; k < ps->reports[i].n_rows; k++)
			if (is_identifier(ps->reports[i].rows[k].id))
				printf("%s\n", ps->reports[i].rows[k].id);
}

static void put_text(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	if (value)
		json_out_string(o, value, strlen(value));
	else
		json_out_raw(o, "null", 4);
}

static void put_number(struct json_out *o, const char *key, int64_t value)
{
	json_out_key(o, key);
	if (value < 0)
		json_out_raw(o, "null", 4);
	else
		json_out_int(o, value);
}

static void write_report(struct json_out *o, const struct report *r)
{
	json_out_open(o, '{');
	put_number(o, "shim", r->seen->pid);
	put_text(o, "program", r->seen->program);
	put_text(o, "namespace", r->seen->ns);
	put_text(o, "id", r->seen->id);
	put_text(o, "socket", r->seen->socket);
	json_out_key(o, "brass");
	json_out_bool(o, r->ours);
	put_text(o, "error", r->why[0] ? r->why : NULL);
	usage_write(&r->usage, o);
	put_number(o, "calls", r->calls);
	put_number(o, "events", r->events);
	put_number(o, "ops", r->ops);
	json_out_key(o, "containers");
	json_out_open(o, '[');
	for (size_t i = 0; i < r->n_rows; i++) {
		json_out_open(o, '{');
		put_text(o, "id", r->rows[i].id);
		put_text(o, "state", r->rows[i].state);
		put_number(o, "pid", r->rows[i].pid);
		put_number(o, "execs", r->rows[i].execs);
		put_number(o, "ops", r->rows[i].ops);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
	json_out_close(o, '}');
}

int ps_print_json(const struct ps *ps)
{
	struct json_out o = JSON_OUT_INIT;
	_cleanup_free_ char *text = NULL;
	size_t len;

	json_out_open(&o, '{');
	json_out_key(&o, "shims");
	json_out_open(&o, '[');
	for (size_t i = 0; i < ps->n; i++)
		write_report(&o, &ps->reports[i]);
	json_out_close(&o, ']');
	json_out_key(&o, "stale_sockets");
	json_out_open(&o, '[');
	for (size_t i = 0; i < ps->n_stale; i++)
		json_out_string(&o, ps->stale[i], strlen(ps->stale[i]));
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	text = json_out_take(&o, &len);
	if (!text)
		return tool_fail("out of memory");
	tree_print(stdout, text, len);
	return 0;
}
