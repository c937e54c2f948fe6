/* SPDX-License-Identifier: Apache-2.0 */
/* spec/map.c and map-read.c: the tables fit together, and documents are read along them. */
#include "tests/unit/spec-common.h"

#include "spec/map.h"

static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < map_n_fields; i++) {
		const struct map_field *f = &map_fields[i];
		const char *command = map_command(f);
		const struct map_flag *flag;

		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(map_fields[k].path, f->path);
		/* A flag, or one of the ways without one. */
		assert_int_equal(f->flag != NULL,
				 f->form != MAP_NONE && f->form != MAP_WORDS);
		if (!f->flag)
			continue;
		assert_non_null(command);
		flag = map_flag_find(command, f->flag);
		if (!flag)
			fail_msg("%s: no flag %s --%s", f->path, command, f->flag);
		/* Who has the flag heeds the field. */
		if (flag->runtimes & ~f->readers)
			fail_msg("%s: %x, but --%s: %x", f->path, f->readers, f->flag,
				 flag->runtimes);
	}
	assert_null(map_flag_find("exec", "memory"));
	assert_null(map_flag_find("update", "no-such"));
}

/* A flag is for a field, or says what else it is for. */
static void test_no_orphans(void **state)
{
	(void)state;
	for (size_t i = 0; i < map_n_flags; i++) {
		const struct map_flag *flag = &map_flags[i];
		bool used = false;

		assert_int_not_equal(flag->runtimes & MAP_ALL, 0);
		for (size_t k = 0; k < map_n_fields && !used; k++) {
			const char *command = map_command(&map_fields[k]);

			used = map_fields[k].flag &&
			       strcmp(command, flag->command) == 0 &&
			       strcmp(map_fields[k].flag, flag->name) == 0;
		}
		if (used == (flag->note != NULL))
			fail_msg("%s --%s", flag->command, flag->name);
	}
}

static void test_runtimes(void **state)
{
	static const struct {
		const char *name;
		unsigned bit;
	} cases[] = {
		{ "runc", MAP_RUNC_1_3 },
		{ "crun", MAP_CRUN_1_28 },
		{ "/usr/sbin/runc", MAP_RUNC_1_3 },
		{ "/opt/crun-1.8/crun", MAP_CRUN_1_28 },
		{ "runc-1.1", MAP_RUNC_1_1 },
		{ "runc-1.1.5+ds1", MAP_RUNC_1_1 },
		{ "runc-1.2.9", MAP_RUNC_1_1 },
		{ "runc-1.10", MAP_RUNC_1_3 },
		{ "runc-2.0", MAP_RUNC_1_3 },
		{ "crun-1.8.1", MAP_CRUN_1_8 },
		{ "crun-1.27", MAP_CRUN_1_8 },
		{ "crun-1.29.1", MAP_CRUN_1_28 },
		{ "youki", MAP_RUNC_1_3 },
		{ "my-runc", MAP_RUNC_1_3 },
		{ "", MAP_RUNC_1_3 },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (map_runtime(cases[i].name) != cases[i].bit)
			fail_msg("%s: %x", cases[i].name, map_runtime(cases[i].name));
}

/* ------------------------------------------------------------- reading */

/* "PATH[ITEM]=TEXT@LINE;" for each value. */
static void expect_values(enum map_document kind, const char *json, const char *expected)
{
	struct map_values l = { 0 };
	struct spec_error e = { .text = "" };
	struct text t = { 0 };

	add(&t, "%s", "");
	if (map_read("doc", kind, json, strlen(json), &l, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < l.n; i++)
		add(&t, "%s%s%s@%zu.%u;", l.v[i].field->path, l.v[i].text ? "=" : "",
		    l.v[i].text ? l.v[i].text : "", l.v[i].line, l.v[i].item);
	assert_string_equal(t.s, expected);
	free(t.s);
	map_release(&l);
}

static void test_read(void **state)
{
	(void)state;
	expect_values(MAP_CONFIG,
		      "{\"process\":{\"terminal\":true,\n\"args\":[\"a\",\"b\"]}}",
		      "process@1.0;process.terminal=true@1.0;process.args@2.0;"
		      "process.args[]=a@2.0;process.args[]=b@2.0;");
	expect_values(MAP_PROCESS,
		      "{\"Cwd\":\"/\",\"unknown\":[{}],\"user\":{\"uid\":7}}",
		      "process.cwd=/@1.0;process.user@1.0;process.user.uid=7@1.0;");
	expect_values(MAP_RESOURCES, "{\"memory\":{\"limit\":18446744073709551615}}",
		      "linux.resources.memory@1.0;"
		      "linux.resources.memory.limit=18446744073709551615@1.0;");
	expect_values(MAP_CONFIG,
		      "{\"mounts\":[{\"type\":\"a\"},{\"options\":[\"x\",\"y\"],"
		      "\"type\":\"b\"}]}",
		      "mounts@1.0;mounts[]@1.0;mounts[].type=a@1.0;mounts[]@1.1;"
		      "mounts[].options@1.1;mounts[].options[]=x@1.1;"
		      "mounts[].options[]=y@1.1;mounts[].type=b@1.1;");
	expect_values(MAP_CONFIG, "{}", "");
	expect_values(MAP_CONFIG, "{\"process\":null,\"mounts\":[]}", "mounts@1.0;");
}

/* The last one counts, of an array with all that was in the first. */
static void test_duplicates(void **state)
{
	(void)state;
	expect_values(MAP_PROCESS, "{\"cwd\":\"/a\",\"cwd\":\"/b\"}",
		      "process.cwd=/b@1.0;");
	expect_values(MAP_PROCESS,
		      "{\"env\":[\"A=1\",\"B=2\"],\"cwd\":\"/\",\"env\":[\"C=3\"]}",
		      "process.cwd=/@1.0;process.env@1.0;process.env[]=C=3@1.0;");
	expect_values(MAP_CONFIG,
		      "{\"mounts\":[{\"type\":\"a\"},{\"type\":\"b\"}],"
		      "\"mounts\":[{\"type\":\"c\"}]}",
		      "mounts@1.0;mounts[]@1.0;mounts[].type=c@1.0;");
}

static void test_wrong(void **state)
{
	static const struct {
		enum map_document kind;
		const char *json, *text;
	} cases[] = {
		{ MAP_PROCESS, "{\n \"args\": \"sh\"}",
		  "doc:2:10: args: an array is needed, found a string" },
		{ MAP_CONFIG, "{\"process\":{\"env\":[5]}}",
		  "doc:1:20: process.env[0]: a string is needed, found a number" },
		{ MAP_PROCESS, "{\"cwd\":\"a\\u0000\"}",
		  "doc:1:8: cwd: has a NUL character" },
		{ MAP_RESOURCES, "[]", "doc:1:1: an object is needed, found an array" },
		{ MAP_CONFIG, "", "doc:1:1: premature EOF" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct map_values l = { 0 };
		struct spec_error e = { .text = "" };

		assert_int_equal(map_read("doc", cases[i].kind, cases[i].json,
					  strlen(cases[i].json), &l, &e),
				 -EINVAL);
		assert_string_equal(e.text, cases[i].text);
		map_release(&l);
	}
}

static void test_guess(void **state)
{
	static const struct {
		const char *json;
		enum map_document kind;
	} cases[] = {
		{ "{\"ociVersion\":\"1.0.0\"}", MAP_CONFIG },
		{ "{\"LINUX\":{}}", MAP_CONFIG },
		{ "{\"args\":[],\"user\":{\"process\":1}}", MAP_PROCESS },
		{ "{}", MAP_PROCESS },
		{ "[", MAP_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(map_guess(cases[i].json, strlen(cases[i].json),
					   MAP_PROCESS),
				 cases[i].kind);
}

static void test_find(void **state)
{
	struct text t = cri_config(40);
	struct map_values l = { 0 };
	struct spec_error e = { .text = "" };

	(void)state;
	assert_int_equal(map_read("doc", MAP_CONFIG, t.s, t.len, &l, &e), 0);
	assert_string_equal(map_text(&l, "process.cwd", 0), "/");
	assert_string_equal(map_text(&l, "mounts[].destination", 2), "/var/lib/volume-1");
	assert_string_equal(map_text(&l, "linux.namespaces[].type", 4), "network");
	assert_null(map_find(&l, "linux.namespaces[].path", 3));
	assert_non_null(map_find(&l, "linux.seccomp", 0));
	assert_null(map_text(&l, "linux.seccomp", 0));
	assert_null(map_find(&l, "mounts[].type", 11));
	map_release(&l);
	free(t.s);
}

static void test_no_memory(void **state)
{
	struct text t = cri_config(20);
	int r = -1, failed = 0;

	(void)state;
	each_alloc_failing(n)
	{
		struct map_values l = { 0 };
		struct spec_error e = { .text = "" };

		r = map_read("doc", MAP_CONFIG, t.s, t.len, &l, &e);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			failed++;
		}
		map_release(&l);
	}
	assert_int_equal(r, 0);
	assert_true(failed > 50);
	free(t.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	   cmocka_unit_test(test_no_orphans),
		cmocka_unit_test(test_runtimes),   cmocka_unit_test(test_read),
		cmocka_unit_test(test_duplicates), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_guess),	   cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
