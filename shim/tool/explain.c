/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "brass explain": what containerd, the shim and the runtime do with a bundle. Here
 * are the command line and the reading; the sections are in explain-*.c.
 */
#include "shim/tool/explain.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/err.h"
#include "shim/tool/document.h"
#include "shim/tool/tool.h"
#include "shim/util.h"

#define TASKS "io.containerd.runtime.v2.task"
#define ADDRESS "/run/containerd/containerd.sock"
#define OPTIONS_MAX (1u << 20)

static const char help[] =
	"Usage: brass explain [OPTION]... [BUNDLE|FILE|-]\n"
	"Prints, as a shell script with comments, what containerd, the shim and the OCI\n"
	"runtime do with a bundle (default: the current directory), and of which field of\n"
	"the documents each line comes. Nothing is run. - is standard input.\n\n"
	"  -a, --as PART        only create, exec, update or mounts; with exec a FILE may\n"
	"                       also be a process document, with update one of resources\n"
	"  -f, --for RUNTIME    for another than the newest runc: runc-1.1, runc-1.3,\n"
	"                       crun-1.8, crun-1.28\n"
	"  -i, --id ID          the container (default: the name of the bundle)\n"
	"  -n, --namespace NS   containerd's namespace (default: of the path, or default)\n"
	"  -b, --bundle DIR     where the bundle of FILE is\n"
	"  -o, --options FILE   the runtime's options, as in containerd's config.toml, or\n"
	"                       an options.json (default: that of the bundle)\n"
	"  -d, --address SOCK   containerd's (default: " ADDRESS ")\n"
	"  -m, --map            prints the map instead: which field reaches which runtime\n"
	"                       how, and all flags; fields separated by tabs\n";

struct request {
	const char *as, *runtime, *id, *ns, *bundle, *options, *address, *operand;
	bool map;
};

static bool is_part(const char *as, const char *part)
{
	return !as || strcmp(as, part) == 0;
}

/* It stands in comments of the script as it is. */
static bool is_address(const char *s)
{
	if (*s != '/')
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {
		{ "as", required_argument, NULL, 'a' },
		{ "for", required_argument, NULL, 'f' },
		{ "id", required_argument, NULL, 'i' },
		{ "namespace", required_argument, NULL, 'n' },
		{ "bundle", required_argument, NULL, 'b' },
		{ "options", required_argument, NULL, 'o' },
		{ "address", required_argument, NULL, 'd' },
		{ "map", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char **to[] = {
		['a'] = &r->as,	    ['f'] = &r->runtime, ['i'] = &r->id,
		['n'] = &r->ns,	    ['b'] = &r->bundle,	 ['o'] = &r->options,
		['d'] = &r->address
	};

	for (int o;
	     (o = getopt_long(argc, argv, "a:f:i:n:b:o:d:mh", options, NULL)) != -1;) {
		if (o == 'h') {
			fputs(help, stdout);
			exit(tool_end(TOOL_OK));
		}
		if (o == '?')
			return tool_misused();
		if (o == 'm')
			r->map = true;
		else
			*to[o] = optarg;
	}
	if (argc - optind > 1) {
		tool_fail("one bundle at a time");
		return tool_misused();
	}
	r->operand = argc > optind ? argv[optind] : ".";
	if (r->as && strcmp(r->as, "create") && strcmp(r->as, "exec") &&
	    strcmp(r->as, "update") && strcmp(r->as, "mounts")) {
		tool_fail("--as is create, exec, update or mounts");
		return tool_misused();
	}
	if ((r->id && !is_identifier(r->id)) || (r->ns && !is_identifier(r->ns)))
		return tool_fail("\"%s\" is no identifier of containerd",
				 r->id && !is_identifier(r->id) ? r->id : r->ns);
	if (!is_address(r->address))
		return tool_fail("\"%s\" is no path of a socket", r->address);
	return TOOL_OK;
}

/* ------------------------------------------------------------- reading */

/* The document; if it is a config.json, the directory that it is in is @dir's. */
static int read_document(struct explain *x, const char *operand, char *dir)
{
	struct document d = { NULL };
	int r = document_read(&d, operand);

	*dir = 0;
	x->name = d.name;
	x->text = TAKE(d.text);
	x->len = d.len;
	if (!r && d.path && strcmp(d.name, "config.json") == 0 && realpath(d.path, dir))
		*strrchr(dir, '/') = 0;
	document_release(&d);
	return r;
}

/* Names that the path of containerd's bundles has: TASKS/NAMESPACE/ID. */
static bool set_names(struct explain *x, const struct request *r, char *dir)
{
	char *ns = NULL, *tasks = NULL;
	char *id = strrchr(dir, '/');
	const char *name = r->id, *space = r->ns;

	if (id) {
		*id++ = 0;
		ns = strrchr(dir, '/');
	}
	if (ns) {
		*ns++ = 0;
		tasks = strrchr(dir, '/');
	}
	if (!name)
		name = id && is_identifier(id) ? id : "container";
	if (!space)
		space = tasks && strcmp(tasks + 1, TASKS) == 0 && is_identifier(ns)
				? ns
				: "default";
	x->id = strdup(name);
	x->ns = strdup(space);
	return x->id && x->ns;
}

static bool set_bundle(struct explain *x, const struct request *r, const char *dir)
{
	char given[PATH_MAX], copy[PATH_MAX] = "";

	if (r->bundle)
		dir = realpath(r->bundle, given) ? given : r->bundle;
	snprintf(copy, sizeof(copy), "%s", dir);
	if (!set_names(x, r, copy))
		return false;
	x->bundle = *dir ? strdup(dir)
			 : str_printf("/run/containerd/" TASKS "/%s/%s", x->ns, x->id);
	return x->bundle;
}

static int read_given_options(struct explain *x, const char *path)
{
	struct spec_options *o = &x->options;
	struct spec_error e = { .text = "" };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int code;

	code = file_read_followed(path, OPTIONS_MAX, &text, &len);
	if (code < 0)
		return tool_fail("%s: %s", path, err_strerror(-code));
	if (text[strspn(text, " \t\r\n")] == '{')
		code = spec_options_parse(path, text, len, o, &e);
	else
		code = spec_options_parse_toml(path, text, len, o, NULL, NULL, &e);
	return code < 0 ? tool_fail("%s", e.text) : TOOL_OK;
}

static int read_options(struct explain *x, const struct request *r)
{
	_cleanup_free_ char *path = NULL;
	struct spec_error e = { .text = "" };
	int code;

	if (r->options)
		return read_given_options(x, r->options);
	path = str_printf("%s/options.json", x->bundle);
	code = path ? spec_options_load(path, &x->options, &e) : -ENOMEM;
	return code < 0 && code != -ENOENT && code != -EACCES ? tool_fail("%s", e.text)
							      : TOOL_OK;
}

static bool set_rootfs(struct explain *x)
{
	const char *path = map_text(&x->values, "root.path", 0);

	path = path ? path : "rootfs";
	x->rootfs = *path == '/' ? strdup(path) : str_printf("%s/%s", x->bundle, path);
	return x->rootfs;
}

static int read_all(struct explain *x, const struct request *r)
{
	char dir[PATH_MAX];
	struct spec_error e = { .text = "" };
	int code = read_document(x, r->operand, dir);

	if (code)
		return code;
	if (!is_part(r->as, "create") && !is_part(r->as, "mounts"))
		x->kind = map_guess(x->text, x->len,
				    is_part(r->as, "exec") ? MAP_PROCESS : MAP_RESOURCES);
	if (map_read(x->name, x->kind, x->text, x->len, &x->values, &e) < 0 ||
	    (x->kind == MAP_CONFIG &&
	     spec_parse(x->name, x->text, x->len, &x->spec, &e) < 0))
		return tool_fail("%s", e.text);
	if (!set_bundle(x, r, dir))
		return tool_fail("out of memory");
	code = read_options(x, r);
	if (code)
		return code;
	if (!args_choose(&x->options, x->spec.cgroups_path, x->ns, &x->program, &x->root,
			 &x->systemd_cgroup) ||
	    !set_rootfs(x))
		return tool_fail("out of memory");
	x->runtime = map_runtime(r->runtime ? r->runtime : x->program);
	return TOOL_OK;
}

static void release(struct explain *x)
{
	map_release(&x->values);
	spec_release(&x->spec);
	spec_options_release(&x->options);
	free(x->id);
	free(x->bundle);
	free(x->program);
	free(x->root);
	free(x->ns);
	free(x->rootfs);
	free(x->text);
}

static int print(const struct explain *x, const char *as)
{
	struct spec_error e = { .text = "" };
	int r = 0;

	printf("# Container %s in namespace %s, for %s, bundle ", x->id, x->ns,
	       map_runtimes[__builtin_ctz(x->runtime)]);
	put_word(x->bundle);
	putchar('\n');
	if (is_part(as, "create"))
		explain_create(x);
	if (is_part(as, "mounts"))
		r = explain_mounts(x, &e);
	if (r == 0 && is_part(as, "exec"))
		r = explain_exec(x, &e);
	if (r == 0 && is_part(as, "update"))
		r = explain_update(x, &e);
	return r < 0 ? tool_fail("%s", e.text) : tool_end(TOOL_OK);
}

int tool_explain(int argc, char **argv)
{
	struct request r = { .address = ADDRESS };
	struct explain x = { .kind = MAP_CONFIG };
	int code = parse(argc, argv, &r);

	if (code)
		return code;
	if (r.map) {
		explain_map();
		return tool_end(TOOL_OK);
	}
	x.address = r.address;
	code = read_all(&x, &r);
	if (code == TOOL_OK)
		code = print(&x, r.as);
	release(&x);
	return code;
}
