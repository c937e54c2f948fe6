/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.json: how a shim tells its own `delete` command, which may be of
 * another version or another make, what the runtime's options were.
 */
#include "spec/options.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct spec_options, field)

/* Both for reading and writing; in the order of the message's fields. */
const struct json_rule spec_option_rules[SPEC_N_OPTIONS] = {
	{ "no_pivot_root", JSON_BOOL, json_put_bool, AT(no_pivot_root) },
	{ "no_new_keyring", JSON_BOOL, json_put_bool, AT(no_new_keyring) },
	{ "shim_cgroup", JSON_STRING, json_put_string, AT(shim_cgroup) },
	{ "io_uid", JSON_NUMBER, json_put_u32, AT(io_uid) },
	{ "io_gid", JSON_NUMBER, json_put_u32, AT(io_gid) },
	{ "binary_name", JSON_STRING, json_put_string, AT(binary_name) },
	{ "root", JSON_STRING, json_put_string, AT(root) },
	{ "criu_path", JSON_STRING, json_put_string, AT(criu_path) },
	{ "systemd_cgroup", JSON_BOOL, json_put_bool, AT(systemd_cgroup) },
	{ "criu_image_path", JSON_STRING, json_put_string, AT(criu_image_path) },
	{ "criu_work_path", JSON_STRING, json_put_string, AT(criu_work_path) },
	{ "task_api_address", JSON_STRING, json_put_string, AT(task_api_address) },
	{ "task_api_version", JSON_NUMBER, json_put_u32, AT(task_api_version) },
};

static struct json_doc document(const char *name, struct spec_options *out,
				struct spec_error *e)
{
	return (struct json_doc){
		.name = name,
		.rules = spec_option_rules,
		.n_rules = SPEC_N_OPTIONS,
		.data = out,
		.error = e,
	};
}

int spec_options_load(const char *path, struct spec_options *out, struct spec_error *e)
{
	const char *slash = strrchr(path, '/');
	struct json_doc doc = document(slash ? slash + 1 : path, out, e);

	return json_parse_file(&doc, path);
}

int spec_options_parse(const char *name, const char *json, size_t len,
		       struct spec_options *out, struct spec_error *e)
{
	struct json_doc doc = document(name, out, e);

	return json_parse(&doc, json, len);
}

char *spec_options_write(const struct spec_options *o, size_t *len)
{
	struct json_out doc = JSON_OUT_INIT;

	json_out_open(&doc, '{');
	for (size_t i = 0; i < SPEC_N_OPTIONS; i++) {
		const struct json_rule *rule = &spec_option_rules[i];
		const void *field = (const char *)o + rule->arg;

		if (rule->want == JSON_STRING) {
			const char *s = *(char *const *)field;

			if (!s || !*s)
				continue;
			json_out_key(&doc, rule->path);
			json_out_string(&doc, s, strlen(s));
		} else if (rule->want == JSON_BOOL) {
			if (!*(const bool *)field)
				continue;
			json_out_key(&doc, rule->path);
			json_out_bool(&doc, true);
		} else {
			if (!*(const uint32_t *)field)
				continue;
			json_out_key(&doc, rule->path);
			json_out_int(&doc, *(const uint32_t *)field);
		}
	}
	json_out_close(&doc, '}');
	return json_out_take(&doc, len);
}

void spec_options_release(struct spec_options *o)
{
	for (size_t i = 0; i < SPEC_N_OPTIONS; i++) {
		const struct json_rule *rule = &spec_option_rules[i];
		char **s = (char **)(void *)((char *)o + rule->arg);

		if (rule->want != JSON_STRING)
			continue;
		free(*s);
		*s = NULL;
	}
}
