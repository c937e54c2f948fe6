/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the checker share: documents, and how its findings are compared. */
#pragma once

#include "tests/unit/spec-common.h"

#include "spec/check.h"

#define PROCESS_WITH(more) \
	"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],\"cwd\":\"/\"" more "}"
#define CONFIG_WITH(process, linux, more)                                                                                        \
	"{\"ociVersion\":\"1.0.2\",\"process\":" PROCESS_WITH(                                                                   \
		process) ",\"root\":{\"path\":"                                                                                  \
			 "\"rootfs\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"/m\"},{\"type\":\"pid\"}]" linux \
			 "}" more "}"
#define TOP(more) CONFIG_WITH("", "", "," more)
#define PROC(more) CONFIG_WITH("," more, "", "")
#define LINUX(more) CONFIG_WITH("", "," more, "")
#define RES(more) LINUX("\"resources\":{" more "}")
#define FILTER(more) LINUX("\"seccomp\":{" more "}")
#define ALLOW "\"defaultAction\":\"SCMP_ACT_ALLOW\","
#define MOUNT(more) TOP("\"mounts\":[{" more "}]")
#define NAMESPACES(list, more)                                 \
	"{\"ociVersion\":\"1.0.2\",\"process\":" PROCESS_WITH( \
		"") ",\"root\":{\"path\":\"r\"},"              \
		    "\"linux\":{\"namespaces\":[" list "]" more "}}"

struct finding_case {
	const char *json;
	const char *found; /* a line for each finding: "error PATH: TEXT" */
};

static inline void on_found(void *data, const struct check_finding *f)
{
	static const char *const names[] = { "note", "warning", "error" };
	struct record *r = data;
	char line[1024];

	assert_true(f->severity == CHECK_ERROR || !f->undecodable);
	note(r, names[f->severity], strlen(names[f->severity]));
	note(r, f->undecodable ? "! " : " ", f->undecodable ? 2 : 1);
	check_format("", f, line, sizeof(line));
	note(r, strchr(line, ' ') + 1, strlen(strchr(line, ' ') + 1));
	note(r, "\n", 1);
}

static inline char *findings(enum check_document document, const char *json, size_t len,
			     const struct check_names *names)
{
	struct record r = { 0 };
	struct spec_error e;
	const struct check c = {
		.document = document,
		.name = "doc",
		.cap = names,
		.seccomp = names,
		.found = on_found,
		.data = &r,
	};

	assert_int_equal(check_parse(&c, json, len, &e), 0);
	note(&r, "", 1);
	return r.text;
}

static inline void expect_all(enum check_document document,
			      const struct finding_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text =
			findings(document, cases[i].json, strlen(cases[i].json), NULL);

		if (strcmp(text, cases[i].found) != 0)
			fail_msg("%s\nfound:\n%swanted:\n%s", cases[i].json, text,
				 cases[i].found);
		free(text);
	}
}

#define ARE(document, cases) expect_all(document, cases, N(cases))
