/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass validate": the findings of the checker, each with the line that it is
 * about and a mark below the place. It looks at nothing but the document and at
 * what the libraries know of names.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/tool/document.h"
#include "shim/tool/excerpt.h"
#include "shim/tool/tool.h"
#include "shim/util.h"
#include "spec/check.h"
#include "spec/json.h"

static const char help[] =
	"Usage: brass validate [OPTION]... [FILE|BUNDLE|-]\n"
	"Checks a document against the OCI runtime specification (1.0 to 1.3, Linux):\n"
	"what runc would refuse, and what it would take, but not as it was meant. The\n"
	"default is config.json in the current directory; - is standard input. Nothing is\n"
	"run.\n\n"
	"  -a, --as KIND   config, process (of an exec), resources (of an update),\n"
	"                  features or state (what a runtime prints); default: what it\n"
	"                  seems to be\n"
	"  -j, --json      for programs: one object with the list of findings\n\n"
	"Exit code: 0 nothing to say (notes are nothing), 1 warnings, 2 errors, or it\n"
	"could not be read.\n";

static const char *const kinds[CHECK_DOCUMENTS] = {
	"config", "process", "resources", "features", "state",
};

static const char *const severities[] = { "note", "warning", "error" };

struct validation {
	struct document document;
	enum check_document kind;
	bool as, json, colour;
	int width; /* of what it is printed to */
	const char *operand;
	struct json_out out;
	unsigned n[3]; /* findings, by severity */
};

/* ------------------------------------------------------------ command line */

static int set_kind(struct validation *v, const char *name)
{
	for (int i = 0; i < CHECK_DOCUMENTS; i++)
		if (strcmp(name, kinds[i]) == 0) {
			v->kind = (enum check_document)i;
			v->as = true;
			return TOOL_OK;
		}
	tool_fail("\"%s\" is no kind of document", name);
	return tool_misused();
}

static int parse(int argc, char **argv, struct validation *v)
{
	static const struct option options[] = {
		{ "as", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "a:jh", options, NULL)) >= 0) {
		switch (c) {
		case 'a':
			if (set_kind(v, optarg))
				return TOOL_FAILED;
			break;
		case 'j':
			v->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(tool_end(TOOL_OK));
		default:
			return tool_misused();
		}
	}
	if (argc - optind > 1) {
		tool_fail("one document at a time");
		return tool_misused();
	}
	v->operand = optind < argc ? argv[optind] : ".";
	return TOOL_OK;
}

static void look_at_terminal(struct validation *v)
{
	struct winsize size;

	v->width = 100;
	if (!isatty(1))
		return;
	v->colour = !getenv("NO_COLOR");
	if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		v->width = size.ws_col;
}

/* ----------------------------------------------------------------- output */

static void print_json(struct validation *v, const struct check_finding *f)
{
	struct json_out *o = &v->out;

	json_out_open(o, '{');
	json_out_key(o, "severity");
	json_out_string(o, severities[f->severity], strlen(severities[f->severity]));
	json_out_key(o, "line");
	json_out_int(o, (int64_t)f->line);
	json_out_key(o, "column");
	json_out_int(o, (int64_t)f->column);
	json_out_key(o, "path");
	json_out_string(o, f->path, strlen(f->path));
	json_out_key(o, "text");
	json_out_string(o, f->text, strlen(f->text));
	json_out_close(o, '}');
}

static void print_text(struct validation *v, const struct check_finding *f)
{
	static const char *const colours[] = { "\033[1;36m", "\033[1;35m", "\033[1;31m" };
	const char *colour = v->colour ? colours[f->severity] : "";
	const char *plain = v->colour ? "\033[0m" : "";

	printf("%s", v->document.name);
	if (f->line)
		printf(":%zu:%zu", f->line, f->column);
	printf(": %s%s:%s %s%s%s\n", colour, severities[f->severity], plain, f->path,
	       *f->path ? ": " : "", f->text);
	if (f->line)
		excerpt_print(v->document.text, v->document.len, f->line, f->column,
			      v->width, colour, plain);
}

static void on_found(void *data, const struct check_finding *f)
{
	struct validation *v = data;

	v->n[f->severity]++;
	if (v->json)
		print_json(v, f);
	else
		print_text(v, f);
}

static int end_json(struct validation *v)
{
	struct json_out *o = &v->out;
	_cleanup_free_ char *text = NULL;
	size_t len;

	json_out_close(o, ']');
	json_out_key(o, "errors");
	json_out_int(o, v->n[CHECK_ERROR]);
	json_out_key(o, "warnings");
	json_out_int(o, v->n[CHECK_WARNING]);
	json_out_key(o, "notes");
	json_out_int(o, v->n[CHECK_NOTE]);
	json_out_close(o, '}');
	text = json_out_take(o, &len);
	if (!text)
		return tool_fail("out of memory");
	puts(text);
	return TOOL_OK;
}

static void end_text(const struct validation *v)
{
	const char *comma = "";

	printf("%s (%s): ", v->document.name, kinds[v->kind]);
	for (int i = CHECK_ERROR; i >= CHECK_NOTE; i--) {
		if (!v->n[i])
			continue;
		printf("%s%u %s%s", comma, v->n[i], severities[i],
		       v->n[i] > 1 ? "s" : "");
		comma = ", ";
	}
	printf("%s\n", *comma ? "" : "nothing to say against it");
}

static int validate(struct validation *v)
{
	const struct check request = {
		.document = v->kind,
		.name = v->document.name,
		.cap = &check_cap,
		.seccomp = &check_seccomp,
		.found = on_found,
		.data = v,
	};
	struct spec_error e;
	int r;

	if (v->json) {
		json_out_open(&v->out, '{');
		json_out_key(&v->out, "document");
		json_out_string(&v->out, kinds[v->kind], strlen(kinds[v->kind]));
		json_out_key(&v->out, "findings");
		json_out_open(&v->out, '[');
	}
	r = check_parse(&request, v->document.text, v->document.len, &e);
	if (r < 0)
		return tool_fail("%s", e.text);
	if (!v->json)
		end_text(v);
	else if (end_json(v))
		return TOOL_FAILED;
	return tool_end(v->n[CHECK_ERROR]     ? TOOL_FAILED
			: v->n[CHECK_WARNING] ? TOOL_FOUND
					      : TOOL_OK);
}

/* For programs there is an answer too when there is no document. */
static void print_unread(struct validation *v)
{
	struct json_out *o = &v->out;

	json_out_open(o, '{');
	json_out_key(o, "document");
	json_out_raw(o, "null", 4);
	json_out_key(o, "error");
	json_out_string(o, v->document.why, strlen(v->document.why));
	json_out_key(o, "findings");
	json_out_open(o, '[');
	end_json(v);
}

int tool_validate(int argc, char **argv)
{
	struct validation v = { .kind = CHECK_CONFIG };
	int code = parse(argc, argv, &v);

	if (code)
		return code;
	look_at_terminal(&v);
	code = document_read(&v.document, v.operand);
	if (!code) {
		if (!v.as)
			v.kind = check_guess(v.document.text, v.document.len);
		code = validate(&v);
	} else if (v.json) {
		print_unread(&v);
	}
	free(v.out.text);
	document_release(&v.document);
	return code;
}
