/* SPDX-License-Identifier: Apache-2.0 */
/* What "brass explain" prints with: words for a shell, and where they come from. */
#include <stdarg.h>
#include <string.h>

#include "shim/tool/explain.h"
#include "shim/util.h"
#include "spec/utf8.h"

const char explain_log[] = "\"$LOG\"";
const char explain_console[] = "\"$CONSOLE\"";
const char explain_process[] = "\"$PROCESS\"";

#define WHAT_WIDTH 34

void say_title(const char *title)
{
	printf("\n# ---- %s\n", title);
}

void say(const char *format, ...)
{
	va_list ap;

	fputs("# ", stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

/* ------------------------------------------------------------- quoting */

static bool is_plain(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	/* "A=b" at the beginning of a command would be an assignment; none of ours is there. */
	return *s && strspn(s, plain) == strlen(s);
}

static bool is_printable(const char *s, size_t n)
{
	return n > 1 || (n == 1 && (unsigned char)*s >= ' ' && *s != 0x7f);
}

static size_t shown(const char *s, size_t len)
{
	size_t n = utf8_len(s, len);

	return is_printable(s, n) && !utf8_is_harmful(s, n) ? n : 0;
}

static bool is_clean(const char *s)
{
	size_t len = strlen(s), n;

	for (; len > 0; s += n, len -= n) {
		n = shown(s, len);
		if (n == 0)
			return false;
	}
	return true;
}

/* $'...', as bash has it: for what must not reach a terminal as it is. */
static void put_escaped(const char *s)
{
	size_t len = strlen(s), n;

	fputs("$'", stdout);
	for (; len > 0; s += n, len -= n) {
		n = shown(s, len);
		if (n == 0) {
			printf("\\x%02x", (unsigned char)*s);
			n = 1;
		} else if (*s == '\'' || *s == '\\') {
			printf("\\%c", *s);
		} else {
			printf("%.*s", (int)n, s);
		}
	}
	putchar('\'');
}

void put_word(const char *word)
{
	if (word == explain_log || word == explain_console || word == explain_process ||
	    is_plain(word)) {
		fputs(word, stdout);
	} else if (!is_clean(word)) {
		put_escaped(word);
	} else {
		putchar('\'');
		for (const char *s = word; *s; s++)
			if (*s == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*s);
		putchar('\'');
	}
}

void put_document(const char *json, size_t len)
{
	size_t n;

	puts("<<'END'");
	for (; len > 0; json += n, len -= n) {
		n = utf8_len(json, len);
		if (n == 0 || *json == 0x7f) {
			fputs(n ? "\\u007f" : "\\ufffd", stdout);
			n = 1;
		} else if (utf8_is_harmful(json, n)) {
			printf("\\u%04x", utf8_value(json, n));
		} else {
			printf("%.*s", (int)n, json);
		}
	}
	puts("\nEND");
}

void put_command(const char *const *words, const char *end)
{
	for (; *words; words++) {
		put_word(*words);
		if (words[1])
			putchar(' ');
	}
	fputs(end, stdout);
}

void put_runtime(const struct explain *x, const char *const *args, const char *end)
{
	const char *global[ARGS_GLOBAL_MAX];
	int n = args_global(global, x->program, x->root, explain_log, x->systemd_cgroup);

	for (int i = 0; i < n; i++) {
		put_word(global[i]);
		putchar(' ');
	}
	put_command(args, end);
}

/* -------------------------------------------------------------- origins */

/* The path with the number of the item: "mounts[2].type". */
static void put_path(const struct map_value *v)
{
	const char *path = v->field->path, *item = strstr(path, "[]");

	if (item && (item[2] || v->kind == JSON_OBJECT))
		printf("%.*s[%u]%s", (int)(item - path), path, v->item, item + 2);
	else
		fputs(path, stdout);
}

static void put_place(const struct explain *x, const struct map_value *v)
{
	put_path(v);
	fputs(" (", stdout);
	put_word(x->name);
	printf(":%zu)", v->line);
}

void put_origin(const struct explain *x, const struct map_value *v, const char *otherwise)
{
	fputs("  # ", stdout);
	if (v)
		put_place(x, v);
	else
		fputs(otherwise, stdout);
	putchar('\n');
}

void say_origin(const struct explain *x, const char *what, const struct map_value *v,
		const char *note)
{
	fputs("#   ", stdout);
	if (what)
		printf("%-*s ", WHAT_WIDTH, what);
	put_place(x, v);
	if (note)
		printf(": %s", note);
	putchar('\n');
}
