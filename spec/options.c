/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.json: how a shim tells its own `delete` command, which may be of
 * another version or another make, what the runtime's options were.
 */
#include "spec/json.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define STRING(name) { "" #name, JSON_STRING, json_put_string, offsetof(struct spec_options, name) }
#define BOOL(name) { "" #name, JSON_BOOL, json_put_bool, offsetof(struct spec_options, name) }
#define U32(name) { "" #name, JSON_NUMBER, json_put_u32, offsetof(struct spec_options, name) }
/* clang-format on */

/* Both for reading and writing; in the order of the message's fields. */
static const struct json_rule rules[] = {
	BOOL(no_pivot_root),
	BOOL(no_new_keyring),
	STRING(shim_cgroup),
	U32(io_uid),
	U32(io_gid),
	STRING(binary_name),
	STRING(root),
	STRING(criu_path),
	BOOL(systemd_cgroup),
	STRING(criu_image_path),
	STRING(criu_work_path),
	STRING(task_api_address),
	U32(task_api_version),
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
