/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec and Update: the runtime's command line with the document, as the shim calls
 * it, and what of the document flags could carry as well, by the map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/tool/explain.h"
#include "shim/util.h"

void explain_say_log(void)
{
	printf("LOG=/dev/stderr  # in the shim: a file in memory, /proc/PID/fd/N, for each call\n");
}

bool explain_is_terminal(const struct explain *x)
{
	const struct map_value *v = map_find(&x->values, "process.terminal", 0);

	return v && v->text && strcmp(v->text, "true") == 0;
}

const char *explain_console_socket(const struct explain *x)
{
	if (!explain_is_terminal(x))
		return NULL;
	printf("CONSOLE=");
	put_word(x->bundle);
	printf("/console.sock  # in the shim: one in the bundle, /proc/PID/fd/N/pty-PID-1.sock\n");
	return explain_console;
}

/* The bytes of the value at @path of config.json. */
struct slice {
	size_t begin, end;
};

static int on_slice(struct json *j, const struct json_event *e)
{
	struct slice *s = json_data(j);

	if (e->kind == JSON_OBJECT)
		s->begin = e->offset;
	else
		s->end = e->end;
	return 0;
}

static int find_slice(const struct explain *x, const char *path, struct slice *s,
		      struct spec_error *e)
{
	const struct json_rule rule = { path, JSON_OBJECT | JSON_END, on_slice, 0 };
	struct json_doc doc = {
		.name = x->name, .rules = &rule, .n_rules = 1, .data = s, .error = e
	};

	*s = (struct slice){ 0, x->len };
	if (x->kind != MAP_CONFIG)
		return 0;
	s->end = 0;
	return json_parse(&doc, x->text, x->len);
}

struct flag_words {
	const char **words;
	size_t n, size;
};

static void add(struct flag_words *f, const char *word)
{
	if (f->n + 1 < f->size)
		f->words[f->n++] = word;
	f->words[f->n] = NULL;
}

/* The flag, if this runtime has it. */
static bool has_flag(const struct explain *x, const struct map_field *f)
{
	const char *command = map_command(f);
	const struct map_flag *flag = command && f->flag ? map_flag_find(command, f->flag)
							 : NULL;

	return flag && flag->runtimes & x->runtime;
}

static void add_flag(const struct explain *x, struct flag_words *f,
		     const struct map_value *v, char **dashed)
{
	bool is_true = v->text && strcmp(v->text, "true") == 0;

	if (!has_flag(x, v->field) || !v->text ||
	    (v->field->form == MAP_TRUE && !is_true))
		return;
	*dashed = str_printf("--%s", v->field->flag);
	if (!*dashed)
		return;
	add(f, *dashed);
	if (v->field->form == MAP_VALUE || v->field->form == MAP_EACH)
		add(f, v->text);
}

/* --user takes two fields. */
static char *user_of(const struct explain *x)
{
	const char *uid = map_text(&x->values, "process.user.uid", 0);
	const char *gid = map_text(&x->values, "process.user.gid", 0);

	return uid || gid ? str_printf("%s:%s", uid ? uid : "0", gid ? gid : "0") : NULL;
}

/* How each field goes; what is to be said about it only once. */
static void say_fields(const struct explain *x, const char *command)
{
	const char *last = NULL;

	for (size_t i = 0; i < x->values.n; i++) {
		const struct map_value *v = &x->values.v[i];
		const struct map_field *f = v->field;
		const char *of = map_command(f), *note = last == f->path ? NULL : f->note;
		char what[64] = "no flag";

		if (!of || strcmp(of, command) != 0)
			continue;
		if (has_flag(x, f))
			snprintf(what, sizeof(what), "--%s", f->flag);
		else if (f->form == MAP_WORDS)
			snprintf(what, sizeof(what), "words");
		else if (!f->note)
			continue;
		say_origin(x, what, v, note);
		last = f->path;
	}
}

/* RUNTIME … COMMAND [@before]... FLAGS ID [WORDS]; false: out of memory. */
static bool put_by_flags(const struct explain *x, const char *command,
			 const char *const *before)
{
	size_t n = x->values.n, size = 2 * n + 16;
	_cleanup_free_ const char **words = calloc(size, sizeof(*words));
	_cleanup_free_ char **dashed = calloc(n + 1, sizeof(*dashed));
	_cleanup_free_ char *user = user_of(x);
	struct flag_words f = { words, 0, size };

	if (!words || !dashed)
		return false;
	add(&f, command);
	for (; *before; before++)
		add(&f, *before);
	if (strcmp(command, "exec") == 0 && user) {
		add(&f, "--user");
		add(&f, user);
	}
	for (size_t i = 0; i < n; i++) {
		const struct map_value *v = &x->values.v[i];
		const char *of = map_command(v->field);

		if (of && strcmp(of, command) == 0 && v->field->form != MAP_USER)
			add_flag(x, &f, v, &dashed[i]);
	}
	add(&f, x->id);
	for (size_t i = 0; i < n; i++)
		if (strcmp(command, "exec") == 0 &&
		    x->values.v[i].field->form == MAP_WORDS)
			add(&f, x->values.v[i].text);
	put_runtime(x, words, "\n");
	for (size_t i = 0; i < n; i++)
		free(dashed[i]);
	return true;
}

int explain_exec(const struct explain *x, struct spec_error *e)
{
	_cleanup_free_ char *pid_file = str_printf("%s/exec-e1.pid", x->bundle),
			    *json = NULL;
	const char *args[ARGS_MAX], *before[6], *socket;
	struct slice s;
	size_t len;
	int r = find_slice(x, "process", &s, e), n = 0;

	if (r < 0)
		return r;
	say_title("exec: the method Start of an exec, here with the id e1");
	if (s.end <= s.begin) {
		say("%s has no process",
		    x->kind == MAP_CONFIG ? "config.json" : "the document");
		return 0;
	}
	r = spec_process_set_terminal(x->text + s.begin, s.end - s.begin,
				      explain_is_terminal(x), &json, &len, e);
	if (r < 0)
		return r;
	explain_say_log();
	printf("PROCESS=$(mktemp)  # in the shim: a file in memory, /proc/PID/fd/N\n"
	       "cat >\"$PROCESS\" ");
	put_document(json, len);
	socket = explain_console_socket(x);
	args_exec(args, x->id, explain_process, pid_file, socket);
	put_runtime(x, args, "\n");
	say("The same by flags, as far as they go:");
	if (socket) {
		before[n++] = "--console-socket";
		before[n++] = socket;
	}
	before[n++] = "--detach";
	before[n++] = "--pid-file";
	before[n++] = pid_file;
	before[n] = NULL;
	if (!put_by_flags(x, "exec", before))
		return json_error(e, ENOMEM, x->name, NULL);
	say_fields(x, "exec");
	return 0;
}

int explain_update(const struct explain *x, struct spec_error *e)
{
	const char *args[ARGS_MAX], *before[] = { NULL };
	struct slice s;
	int r = find_slice(x, "linux.resources", &s, e);

	if (r < 0)
		return r;
	say_title("update: the method Update");
	if (s.end <= s.begin) {
		say("%s has no resources",
		    x->kind == MAP_CONFIG ? "config.json" : "the document");
		return 0;
	}
	explain_say_log();
	args_update(args, x->id);
	put_runtime(x, args, " ");
	put_document(x->text + s.begin, s.end - s.begin);
	say("The same by flags, as far as they go:");
	if (!put_by_flags(x, "update", before))
		return json_error(e, ENOMEM, x->name, NULL);
	say_fields(x, "update");
	return 0;
}
