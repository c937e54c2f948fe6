/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim keeps of config.json. The table below says where it stands;
 * whether the rest of the document makes sense is for the runtime to say.
 */
#include "spec/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct spec *spec;
	/* The annotations that may name the group. */
	char *group, *sandbox;
	/* Of the namespace at hand. */
	bool is_pid, has_path;
};

static void forget(char **s)
{
	free(*s);
	*s = NULL;
}

/* The annotations are gone: only null comes here, the last one counts. */
static int on_annotations(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	(void)e;
	forget(&r->group);
	forget(&r->sandbox);
	forget(&r->spec->log_policy);
	forget(&r->spec->log_rate);
	forget(&r->spec->stdio);
	return 0;
}

static int on_annotation(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);
	/* In a Go map of strings, null stands for the empty string. */
	struct json_event empty = { .kind = JSON_STRING, .text = "" };
	const struct json_event *value = e->kind == JSON_NULL ? &empty : e;

	if (json_key_is(j, "io.containerd.runc.v2.group"))
		return json_copy(j, value, &r->group);
	if (json_key_is(j, "io.kubernetes.cri.sandbox-id"))
		return json_copy(j, value, &r->sandbox);
	if (json_key_is(j, "io.brass.log.policy"))
		return json_copy(j, value, &r->spec->log_policy);
	if (json_key_is(j, "io.brass.log.rate"))
		return json_copy(j, value, &r->spec->log_rate);
	if (json_key_is(j, "io.brass.stdio"))
		return json_copy(j, value, &r->spec->stdio);
	return 0;
}

static int on_linux(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	(void)e;
	forget(&r->spec->cgroups_path);
	r->spec->private_pid_ns = false;
	return 0;
}

static int on_cgroups_path(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	return json_copy(j, e, &r->spec->cgroups_path);
}

static int on_namespaces(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	(void)e;
	r->spec->private_pid_ns = false;
	return 0;
}

static int on_namespace(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	if (e->kind == JSON_OBJECT)
		r->is_pid = r->has_path = false;
	else if (r->is_pid && !r->has_path)
		r->spec->private_pid_ns = true;
	return 0;
}

static int on_namespace_path(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	r->has_path = e->len > 0;
	return 0;
}

static int on_namespace_type(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	r->is_pid = e->len == 3 && !memcmp(e->text, "pid", 3);
	return 0;
}

static int on_label(struct json *j, const struct json_event *e)
{
	struct reading *r = json_data(j);

	r->spec->labelled |= e->len > 0;
	return 0;
}

static const struct json_rule rules[] = {
	{ "annotations", JSON_NULL, on_annotations, 0 },
	{ "annotations.*", JSON_STRING | JSON_NULL, on_annotation, 0 },
	{ "linux", JSON_NULL, on_linux, 0 },
	{ "linux.cgroupsPath", JSON_STRING, on_cgroups_path, 0 },
	{ "linux.namespaces", JSON_ARRAY | JSON_NULL, on_namespaces, 0 },
	{ "linux.namespaces[]", JSON_OBJECT | JSON_END, on_namespace, 0 },
	{ "linux.namespaces[].path", JSON_STRING, on_namespace_path, 0 },
	{ "linux.namespaces[].type", JSON_STRING, on_namespace_type, 0 },
	{ "process.apparmorProfile", JSON_STRING, on_label, 0 },
	{ "process.selinuxLabel", JSON_STRING, on_label, 0 },
};

/* Reads the file @path, or if that is NULL, @json. */
static int read_spec(const char *path, const char *name, const char *json, size_t len,
		     struct spec *out, struct spec_error *e)
{
	struct reading r = { .spec = out };
	struct json_doc doc = {
		.name = name,
		.rules = rules,
		.n_rules = sizeof(rules) / sizeof(rules[0]),
		.data = &r,
		.error = e,
		.first_only = true, /* as runc and containerd read it */
	};
	int result;

	result = path ? json_parse_file(&doc, path) : json_parse(&doc, json, len);
	if (r.group) {
		out->group = r.group;
		free(r.sandbox);
	} else {
		out->group = r.sandbox;
	}
	return result;
}

int spec_parse(const char *name, const char *json, size_t len, struct spec *out,
	       struct spec_error *e)
{
	return read_spec(NULL, name, json, len, out, e);
}

int spec_load(const char *bundle, struct spec *out, struct spec_error *e)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/config.json", bundle);

	if (n < 0 || (size_t)n >= sizeof(path))
		return json_error(e, ENAMETOOLONG, bundle, NULL);
	return read_spec(path, "config.json", NULL, 0, out, e);
}

void spec_release(struct spec *s)
{
	forget(&s->group);
	forget(&s->cgroups_path);
	forget(&s->log_policy);
	forget(&s->log_rate);
	forget(&s->stdio);
}
