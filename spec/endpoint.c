/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.json: containerd 2 writes it, for itself; see spec.h. */
#include "spec/json.h"

#include <stdlib.h>

#define AT(field) offsetof(struct spec_endpoint, field)

static const struct json_rule endpoint_rules[] = {
	{ "address", JSON_STRING, json_put_string, AT(address) },
	{ "version", JSON_NUMBER, json_put_u32, AT(version) },
};

int spec_endpoint_load(const char *path, struct spec_endpoint *out, struct spec_error *e)
{
	struct json_doc doc = {
		.name = "bootstrap.json",
		.rules = endpoint_rules,
		.n_rules = sizeof(endpoint_rules) / sizeof(endpoint_rules[0]),
		.data = out,
		.error = e,
	};

	return json_parse_file(&doc, path);
}

void spec_endpoint_release(struct spec_endpoint *p)
{
	free(p->address);
	p->address = NULL;
}
