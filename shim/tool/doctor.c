/* SPDX-License-Identifier: Apache-2.0 */
/* "brass doctor": runs the checks and tells what they found; see doctor.h. */
#include "shim/tool/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shim/reap.h"
#include "shim/spawn.h"
#include "shim/tool/tool.h"
#include "shim/tool/tree.h"
#include "shim/util.h"

#define FILE_MAX (8u << 20)
#define OUTPUT_MAX (1u << 20)
/* For a program to say its version: a Go program on a busy machine takes a second. */
#define RUN_MS 10000

extern char **environ;

/* ----------------------------------------------------------- for the checks */

void doctor_say(struct doctor *d, enum finding_level level, const char *check,
		const char *advice, const char *format, ...)
{
	struct finding *more = realloc(d->findings, (d->n_findings + 1) * sizeof(*more));
	char *text = NULL;
	va_list ap;

	if (!more)
		return;
	d->findings = more;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		d->findings[d->n_findings++] =
			(struct finding){ level, check, text, *advice ? advice : NULL };
}

char *doctor_at(const struct doctor *d, const char *path)
{
	return str_printf("%s%s", d->root, path);
}

char *doctor_read(const struct doctor *d, const char *path)
{
	_cleanup_free_ char *at = doctor_at(d, path);
	char *text = NULL;
	size_t len;
	int r = at ? file_read_followed(at, FILE_MAX, &text, &len) : -ENOMEM;

	errno = -r;
	return r < 0 ? NULL : text;
}

char *doctor_find(const struct doctor *d, const char *name)
{
	_cleanup_free_ char *copy = strdup(d->path);
	char *rest = copy, *dir;

	if (strchr(name, '/'))
		return str_printf("%s%s", d->root, name);
	while (rest && (dir = strsep(&rest, ":"))) {
		_cleanup_free_ char *at = NULL;

		if (*dir != '/')
			continue;
		at = str_printf("%s%s/%s", d->root, dir, name);
		if (at && access(at, X_OK) == 0)
			return TAKE(at);
	}
	return NULL;
}

char *doctor_run(const char *const argv[], bool both, int *status)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int out = memfd_open(argv[0]);
	const int fds[] = { null, out, both ? out : null };
	const struct spawn s = {
		.path = argv[0],
		.argv = (char *const *)(uintptr_t)argv,
		.envp = environ,
		.fds = fds,
		.n_fds = 3,
		.dies_with_us = true,
	};
	_cleanup_free_ char *text = malloc(OUTPUT_MAX);
	pid_t pid;

	if (null < 0 || out < 0 || !text || spawn_exec(&s, &pid) < 0)
		return NULL;
	*status = reap_wait(pid, RUN_MS);
	if (*status == -ETIME) {
		kill(pid, SIGKILL);
		reap_wait(pid, RUN_MS);
	}
	memfd_read(out, text, OUTPUT_MAX);
	return TAKE(text);
}

/* --------------------------------------------------------------- printing */

static const char *const levels[] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_WARNING] = "warning",
	[FINDING_ERROR] = "error",
};

static int worst(const struct doctor *d)
{
	enum finding_level level = FINDING_OK;

	for (size_t i = 0; i < d->n_findings; i++)
		if (d->findings[i].level > level)
			level = d->findings[i].level;
	return level == FINDING_ERROR	  ? TOOL_FAILED
	       : level == FINDING_WARNING ? TOOL_FOUND
					  : TOOL_OK;
}

static void print_text(const struct doctor *d)
{
	static const char *const ends[] = {
		"This host is ready for brass.",
		"brass works here; see the warnings.",
		"brass does not work here; see the errors.",
	};

	for (size_t i = 0; i < d->n_findings; i++) {
		const struct finding *f = &d->findings[i];

		printf("%-8s %-11s %s\n", levels[f->level], f->check, f->text);
		if (f->advice)
			printf("%-20s -> %s\n", "", f->advice);
	}
	printf("%s\n", ends[worst(d)]);
}

static void put_text(struct json_out *o, const char *key, const char *value)
{
	if (!value)
		return;
	json_out_key(o, key);
	json_out_string(o, value, strlen(value));
}

static int print_json(const struct doctor *d)
{
	struct json_out o = JSON_OUT_INIT;
	_cleanup_free_ char *text = NULL;
	size_t len;

	json_out_open(&o, '{');
	json_out_key(&o, "result");
	json_out_int(&o, worst(d));
	json_out_key(&o, "findings");
	json_out_open(&o, '[');
	for (size_t i = 0; i < d->n_findings; i++) {
		const struct finding *f = &d->findings[i];

		json_out_open(&o, '{');
		put_text(&o, "level", levels[f->level]);
		put_text(&o, "check", f->check);
		put_text(&o, "text", f->text);
		put_text(&o, "advice", f->advice);
		json_out_close(&o, '}');
	}
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	text = json_out_take(&o, &len);
	if (!text)
		return tool_fail("out of memory");
	tree_print(stdout, text, len);
	return 0;
}

/* ------------------------------------------------------------------- all */

static void print_help(void)
{
	fputs("Usage: brass doctor [OPTION]...\n"
	      "Says of this host whether brass will work: kernel, cgroups, runc and crun, criu,\n"
	      "containerd and whether its configuration knows brass, the shim itself, folders,\n"
	      "limits; and what to do where something is missing. Changes nothing. Without root\n"
	      "it tells less.\n\n"
	      "  -c, --config FILE   of containerd (default /etc/containerd/config.toml)\n"
	      "  -d, --address SOCK  of containerd (default /run/containerd/containerd.sock)\n"
	      "  -r, --root DIR      looks at the host whose files are below DIR\n"
	      "  -j, --json\n"
	      "  -h, --help\n\n"
	      "Exit code: 0 ready, 1 with warnings, 2 with errors.\n",
	      stdout);
}

static int parse(struct doctor *d, bool *json, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "address", required_argument, NULL, 'd' },
		{ "root", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:d:r:jh", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			d->config = optarg;
			break;
		case 'd':
			d->address = optarg;
			break;
		case 'r':
			d->root = str_is_set(optarg) && strcmp(optarg, "/") != 0 ? optarg
										 : "";
			break;
		case 'j':
			*json = true;
			break;
		case 'h':
			print_help();
			return tool_printed();
		default:
			return tool_misused();
		}
	}
	if (optind < argc) {
		tool_fail("\"%s\": no argument is needed", argv[optind]);
		return tool_misused();
	}
	return 0;
}

int tool_doctor(int argc, char **argv)
{
	static void (*const checks[])(struct doctor *) = {
		doctor_kernel, doctor_cgroup,	doctor_containerd, doctor_shim,
		doctor_config, doctor_runtimes, doctor_folders,	   doctor_limits,
	};
	struct doctor d = { .root = "" };
	const char *path = getenv("PATH");
	bool json = false;
	int r = parse(&d, &json, argc, argv);

	if (r != 0)
		return r < 0 ? TOOL_OK : r;
	d.path = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(checks) && d.path; i++)
		checks[i](&d);
	if (!d.path)
		r = tool_fail("out of memory");
	else if (json)
		r = print_json(&d);
	else
		print_text(&d);
	if (r == 0)
		r = tool_end(worst(&d));
	for (size_t i = 0; i < d.n_findings; i++)
		free(d.findings[i].text);
	free(d.findings);
	free(d.path);
	return r;
}
