/* SPDX-License-Identifier: Apache-2.0 */
/* Which document is this? Its outermost keys say so. */
#include <stddef.h>
#include <string.h>

#include "spec/check.h"
#include "spec/json.h"

/* Keys that only one kind has; how many of them are enough is no question. */
static const struct {
	char key[16];
	uint8_t document;
} marks[] = {
	{ "root", CHECK_CONFIG },
	{ "process", CHECK_CONFIG },
	{ "mounts", CHECK_CONFIG },
	{ "linux", CHECK_CONFIG },
	{ "ociVersion", CHECK_CONFIG },
	{ "args", CHECK_PROCESS },
	{ "cwd", CHECK_PROCESS },
	{ "env", CHECK_PROCESS },
	{ "rlimits", CHECK_PROCESS },
	{ "memory", CHECK_RESOURCES },
	{ "cpu", CHECK_RESOURCES },
	{ "pids", CHECK_RESOURCES },
	{ "blockIO", CHECK_RESOURCES },
	{ "unified", CHECK_RESOURCES },
	{ "hugepageLimits", CHECK_RESOURCES },
	{ "rdma", CHECK_RESOURCES },
	{ "devices", CHECK_RESOURCES },
	{ "ociVersionMin", CHECK_FEATURES },
	{ "ociVersionMax", CHECK_FEATURES },
	{ "mountOptions", CHECK_FEATURES },
	{ "status", CHECK_STATE },
	{ "bundle", CHECK_STATE },
};

static int on_key(struct json *j, const struct json_event *e)
{
	unsigned *seen = json_data(j);

	if (e->kind != JSON_KEY)
		return 0;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (json_name_is(e->text, e->len, marks[i].key, strlen(marks[i].key)))
			*seen |= 1u << marks[i].document;
	return 0;
}

static const struct json_rule rule = { "", JSON_ANY | JSON_KEY, on_key, 0 };

enum check_document check_guess(const char *json, size_t len)
{
	/* The surest first: a state has "ociVersion" too, features have "linux". */
	static const uint8_t order[] = {
		CHECK_FEATURES, CHECK_STATE, CHECK_CONFIG, CHECK_PROCESS, CHECK_RESOURCES,
	};
	unsigned seen = 0;
	struct spec_error e;
	struct json_doc doc = {
		.name = "",
		.rules = &rule,
		.n_rules = 1,
		.data = &seen,
		.error = &e,
		.first_only = true,
	};

	/* What came before an error counts as well. */
	json_parse(&doc, json, len);
	for (size_t i = 0; i < sizeof(order); i++)
		if (seen & 1u << order[i])
			return order[i];
	return CHECK_CONFIG;
}
