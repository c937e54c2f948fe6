/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.json: how a shim tells its own `delete` command, which may be of
 * another version or another make, what the runtime's options were.
 */
#include "spec/json.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct spec_options, field)

/* Both for reading and writing; in the order of the message's fields. */
static const struct json_rule rules[] = {
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

static const size_t n_rules = sizeof(rules) / sizeof(rules[0]);

int spec_options_load(const char *path, struct spec_options *out, struct spec_error *e)
{
	const char *slash = strrchr(path, '/');
	struct json_doc doc = {
		.name = slash ? slash + 1 : path,
		.rules = rules,
		.n_rules = n_rules,
		.data = out,
		.error = e,
	};

	return json_parse_file(&doc, path);
}

char *spec_options_write(const struct spec_options *o, size_t *len)
{
	struct json_out doc = JSON_OUT_INIT;

	json_out_open(&doc, '{');
	for (size_t i = 0; i < n_rules; i++) {
		const void *field = (const char *)o + rules[i].arg;

		if (rules[i].want == JSON_STRING) {
			const char *s = *(char *const *)field;

			if (!s || !*s)
				continue;
			json_out_key(&doc, rules[i].path);
			json_out_string(&doc, s, strlen(s));
		} else if (rules[i].want == JSON_BOOL) {
			if (!*(const bool *)field)
				continue;
			json_out_key(&doc, rules[i].path);
			json_out_bool(&doc, true);
		} else {
			if (!*(const uint32_t *)field)
				continue;
			json_out_key(&doc, rules[i].path);
			json_out_int(&doc, *(const uint32_t *)field);
		}
	}
	json_out_close(&doc, '}');
	return json_out_take(&doc, len);
}

void spec_options_release(struct spec_options *o)
{
	for (size_t i = 0; i < n_rules; i++) {
		char **s = (char **)(void *)((char *)o + rules[i].arg);

		if (rules[i].want != JSON_STRING)
			continue;
		free(*s);
		*s = NULL;
	}
}
