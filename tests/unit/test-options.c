/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

static int load(const char *json, struct spec_options *o, struct spec_error *e)
{
	return spec_options_load(temp_file("options.json", json, strlen(json)), o, e);
}

/* As the shims of containerd 1.6 and 2.x write it. */
static void test_load(void **state)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error e = { .text = "" };
	int fds = count_fds();

	(void)state;
	assert_int_equal(
		load("{\"io_uid\":1000,\"io_gid\":4294967295,\"binary_name\":\"/usr/bin/"
		     "crun\",\"root\":\"/run/x\",\"criu_path\":\"/c\",\"systemd_cgroup\":"
		     "true,\"no_pivot_root\":true,\"no_new_keyring\":true,"
		     "\"shim_cgroup\":"
		     "\"/s\",\"criu_image_path\":\"/i\",\"criu_work_path\":\"/w\","
		     "\"task_api_address\":\"unix:///a\",\"task_api_version\":3}",
		     &o, &e),
		0);
	assert_true(o.no_pivot_root);
	assert_true(o.no_new_keyring);
	assert_true(o.systemd_cgroup);
	assert_int_equal(o.io_uid, 1000);
	assert_int_equal(o.io_gid, UINT32_MAX);
	assert_string_equal(o.shim_cgroup, "/s");
	assert_string_equal(o.binary_name, "/usr/bin/crun");
	assert_string_equal(o.root, "/run/x");
	assert_string_equal(o.criu_path, "/c");
	assert_string_equal(o.criu_image_path, "/i");
	assert_string_equal(o.criu_work_path, "/w");
	assert_string_equal(o.task_api_address, "unix:///a");
	assert_int_equal(o.task_api_version, 3);
	spec_options_release(&o);
	assert_null(o.root);
	spec_options_release(&o);
	assert_int_equal(count_fds(), fds);
	temp_remove("options.json");
}

/* To the letter as the stock shim of containerd 1.6.20 wrote it. */
static void test_load_stock(void **state)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error e = { .text = "" };

	(void)state;
	assert_int_equal(
		load("{\"no_pivot_root\":true,\"no_new_keyring\":true,\"shim_cgroup\":"
		     "\"/s\\u003c\\u0026\\u003e\\\"\\\\ \xc3\xa9\\u2028\x7f\\u001f\\n\","
		     "\"io_uid\":1000,\"io_gid\":4294967295,\"binary_name\":\"my-runc\","
		     "\"root\":\"/run/e2e/root\\u003c\\u0026\\u003e'\",\"criu_path\":\"/c\","
		     "\"systemd_cgroup\":true,\"criu_image_path\":\"/i\","
		     "\"criu_work_path\":\"/w\"}",
		     &o, &e),
		0);
	assert_string_equal(o.shim_cgroup, "/s<&>\"\\ \xc3\xa9\xe2\x80\xa8\x7f\x1f\n");
	assert_string_equal(o.root, "/run/e2e/root<&>'");
	assert_string_equal(o.binary_name, "my-runc");
	assert_int_equal(o.io_gid, UINT32_MAX);
	assert_true(o.systemd_cgroup);
	assert_string_equal(o.criu_work_path, "/w");
	assert_int_equal(o.task_api_version, 0);
	spec_options_release(&o);
	temp_remove("options.json");
}

static void test_load_little(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"root\":null,\"io_uid\":null,\"systemd_cgroup\":null}",
		"{\"of_another_version\":[{\"root\":5}],\"x\":1e400}\n",
	};

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		struct spec_options o = SPEC_OPTIONS_INIT;
		struct spec_error e = { .text = "" };

		assert_int_equal(load(texts[i], &o, &e), 0);
		assert_null(o.root);
		assert_int_equal(o.io_uid, 0);
		assert_false(o.systemd_cgroup);
		spec_options_release(&o);
	}
	temp_remove("options.json");
}

static void test_wrong(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "", "options.json:1:1: premature EOF" },
		{ "[]", "options.json:1:1: an object is needed, found an array" },
		{ "{\"root\":5}",
		  "options.json:1:9: root: a string is needed, found a number" },
		{ "{\"systemd_cgroup\":\"\"}",
		  "options.json:1:19: systemd_cgroup: a boolean is needed, found a "
		  "string" },
		{ "{\"io_uid\":-1}",
		  "options.json:1:11: io_uid: not from 0 to 4294967295" },
		{ "{\"root\":\"a\",\"Root\":\"b\"}x",
		  "options.json:1:24: trailing garbage" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct spec_options o = SPEC_OPTIONS_INIT;
		struct spec_error e = { .text = "" };

		assert_int_equal(load(cases[i].json, &o, &e), -EINVAL);
		assert_string_equal(e.text, cases[i].text);
		spec_options_release(&o);
	}
	temp_remove("options.json");
}

static void test_missing(void **state)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error e = { .text = "" };
	char text[300];

	(void)state;
	snprintf(text, sizeof(text), "%s: No such file or directory", temp_path("none"));
	assert_int_equal(spec_options_load(temp_path("none"), &o, &e), -ENOENT);
	assert_string_equal(e.text, text);
	temp_remove("none");
}

static char text_a[] = "/usr/bin/run \"c\"\n", text_b[] = "/run/\xc3\xa9", empty[] = "";

static void test_write(void **state)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	size_t len;
	char *s;

	(void)state;
	s = spec_options_write(&o, &len);
	assert_string_equal(s, "{}");
	assert_int_equal(len, 2);
	free(s);
	o.binary_name = text_a;
	o.root = text_b;
	o.shim_cgroup = empty;
	o.systemd_cgroup = o.no_pivot_root = true;
	o.io_gid = UINT32_MAX;
	s = spec_options_write(&o, &len);
	assert_string_equal(
		s, "{\"no_pivot_root\":true,\"io_gid\":4294967295,\"binary_name\":"
		   "\"/usr/bin/run \\\"c\\\"\\u000a\",\"root\":\"/run/\xc3\xa9\","
		   "\"systemd_cgroup\":true}");
	assert_int_equal(len, strlen(s));
	free(s);
}

/* All fields survive the way through a file. */
static void test_write_and_load(void **state)
{
	struct spec_options o = {
		.no_pivot_root = true,
		.no_new_keyring = true,
		.systemd_cgroup = true,
		.io_uid = 1,
		.io_gid = 2,
		.shim_cgroup = text_a,
		.binary_name = text_b,
		.root = text_a,
		.criu_path = text_b,
		.criu_image_path = text_a,
		.criu_work_path = text_b,
		.task_api_address = text_a,
		.task_api_version = 3,
	}, p = SPEC_OPTIONS_INIT;
	struct spec_error e = { .text = "" };
	size_t len, len2;
	char *s = spec_options_write(&o, &len), *s2;

	(void)state;
	assert_int_equal(load(s, &p, &e), 0);
	assert_string_equal(p.criu_work_path, text_b);
	assert_string_equal(p.task_api_address, text_a);
	s2 = spec_options_write(&p, &len2);
	assert_string_equal(s, s2);
	spec_options_release(&p);
	free(s);
	free(s2);
	temp_remove("options.json");
}

static void test_no_memory(void **state)
{
	struct spec_options o = { .root = text_a, .binary_name = text_b };
	int r = -1;
	char *s = NULL;
	size_t len;

	(void)state;
	each_alloc_failing(n)
	{
		s = spec_options_write(&o, &len);
		if (!s)
			continue;
		assert_int_equal(len, strlen(s));
		free(s);
	}
	assert_non_null(s);
	temp_file("options.json", "{\"root\":\"a\",\"binary_name\":\"b\"}", 30);
	each_alloc_failing(n)
	{
		struct spec_options p = SPEC_OPTIONS_INIT;
		struct spec_error e = { .text = "" };

		r = spec_options_load(temp_path("options.json"), &p, &e);
		if (r)
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(r != 0, strlen(e.text) > 0);
		spec_options_release(&p);
	}
	assert_int_equal(r, 0);
	temp_remove("options.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),	       cmocka_unit_test(test_load_little),
		cmocka_unit_test(test_load_stock),     cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_missing),	       cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_and_load), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
