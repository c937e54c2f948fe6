/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

/* @group and @cgroups_path may be NULL: absent. */
static void expect_spec(const char *json, size_t len, const char *group,
			const char *cgroups_path, bool private_pid_ns)
{
	struct spec s = SPEC_INIT;
	struct spec_error e = { .text = "" };

	assert_int_equal(spec_parse("config.json", json, len, &s, &e), 0);
	assert_string_equal(e.text, "");
	if (group) {
		assert_non_null(s.group);
		assert_string_equal(s.group, group);
	} else {
		assert_null(s.group);
	}
	if (cgroups_path) {
		assert_non_null(s.cgroups_path);
		assert_string_equal(s.cgroups_path, cgroups_path);
	} else {
		assert_null(s.cgroups_path);
	}
	assert_int_equal(s.private_pid_ns, private_pid_ns);
	spec_release(&s);
	assert_null(s.group);
	spec_release(&s);
}

static void expect(const char *json, const char *group, const char *cgroups_path,
		   bool private_pid_ns)
{
	expect_spec(json, strlen(json), group, cgroups_path, private_pid_ns);
}

/* What "runc spec" prints. */
static void test_runc_spec(void **state)
{
	size_t len;
	char *s = read_whole("tests/fuzz/corpus/spec/runc-spec.json", &len);

	(void)state;
	expect_spec(s, len, NULL, NULL, true);
	free(s);
}

static void test_cri(void **state)
{
	(void)state;
	for (int n = 1; n < 2000; n *= 5) {
		struct text t = cri_config(n);

		expect_spec(t.s, t.len, "0123456789abcdef0123456789abcdef",
			    "kubepods-besteffort.slice:cri-containerd:0123abcd", true);
		free(t.s);
	}
}

#define SANDBOX "\"io.kubernetes.cri.sandbox-id\""
#define GROUP "\"io.containerd.runc.v2.group\""
#define NOTES(text) "{\"annotations\":{" text "}}"

static void test_group(void **state)
{
	(void)state;
	expect("{}", NULL, NULL, false);
	expect(NOTES(""), NULL, NULL, false);
	expect(NOTES("\"x\":\"y\""), NULL, NULL, false);
	expect(NOTES(SANDBOX ":\"s\""), "s", NULL, false);
	expect(NOTES(GROUP ":\"g\""), "g", NULL, false);
	/* The order in the document does not matter, nor whether it is empty. */
	expect(NOTES(GROUP ":\"g\"," SANDBOX ":\"s\""), "g", NULL, false);
	expect(NOTES(SANDBOX ":\"s\"," GROUP ":\"g\""), "g", NULL, false);
	expect(NOTES(SANDBOX ":\"s\"," GROUP ":\"\""), "", NULL, false);
	expect(NOTES(SANDBOX ":\"\""), "", NULL, false);
	/* They are a map: keys have one case, and null is an empty string. */
	expect(NOTES("\"io.kubernetes.cri.Sandbox-id\":\"s\""), NULL, NULL, false);
	expect(NOTES(SANDBOX ":\"s\"," GROUP ":null"), "", NULL, false);
	/* A name may be spelled with escapes. */
	expect("{\"\\u0061nnotations\":{\"io.kubernetes.cri.sandbox\\u002did\":"
	       "\"\\u0073\\t\"}}",
	       "s\t", NULL, false);
	/* Elsewhere it means nothing. */
	expect("{\"linux\":{\"annotations\":{" SANDBOX ":\"s\"}}," SANDBOX ":\"s\"}",
	       NULL, NULL, false);
}

static void test_duplicates(void **state)
{
	(void)state;
	expect(NOTES(SANDBOX ":\"1\"," SANDBOX ":\"2\""), "2", NULL, false);
	expect("{\"annotations\":{" SANDBOX ":\"1\"},\"Annotations\":{\"x\":\"\"}}", "1",
	       NULL, false);
	expect("{\"annotations\":{" SANDBOX ":\"1\"},\"annotations\":null}", NULL, NULL,
	       false);
	expect("{\"linux\":{\"cgroupsPath\":\"a\",\"CGROUPSPATH\":\"b\"}}", NULL, "b",
	       false);
	expect("{\"linux\":{\"cgroupsPath\":\"a\"},\"LINUX\":{\"x\":1}}", NULL, "a",
	       false);
	expect("{\"linux\":{\"cgroupsPath\":\"a\",\"cgroupsPath\":null}}", NULL, "a",
	       false);
	expect("{\"linux\":{\"cgroupsPath\":\"a\"},\"linux\":null}", NULL, NULL, false);
	expect("{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}],\"namespaces\":[]}}",
	       NULL, NULL, false);
	expect("{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}],\"namespaces\":null}}",
	       NULL, NULL, false);
	expect("{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]},\"linux\":null}", NULL,
	       NULL, false);
}

#define SPACES(text) "{\"linux\":{\"namespaces\":[" text "]}}"

static void test_namespaces(void **state)
{
	(void)state;
	expect(SPACES("{\"type\":\"pid\"}"), NULL, NULL, true);
	expect(SPACES("{\"type\":\"pid\",\"path\":\"\"}"), NULL, NULL, true);
	expect(SPACES("{\"type\":\"pid\",\"path\":null}"), NULL, NULL, true);
	expect(SPACES("{\"TYPE\":\"pid\"}"), NULL, NULL, true);
	expect(SPACES("{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}"), NULL, NULL,
	       false);
	expect(SPACES("{\"path\":\"/proc/1/ns/pid\",\"type\":\"pid\"}"), NULL, NULL,
	       false);
	expect(SPACES("{\"type\":\"ipc\"},{},null"), NULL, NULL, false);
	expect(SPACES("{\"type\":\"PID\"}"), NULL, NULL, false);
	expect(SPACES("{\"type\":\"pids\"},{\"path\":\"/x\"}"), NULL, NULL, false);
	/* One entry's path is not another's. */
	expect(SPACES("{\"type\":\"net\",\"path\":\"/x\"},{\"type\":\"pid\"}"), NULL,
	       NULL, true);
	expect(SPACES("{\"type\":\"pid\"},{\"type\":\"ipc\",\"path\":\"/x\"}"), NULL,
	       NULL, true);
	expect("{\"linux\":null,\"annotations\":null}", NULL, NULL, false);
	expect("{\"linux\":{\"namespaces\":null,\"cgroupsPath\":null}}", NULL, NULL,
	       false);
}

/* As runc and containerd, which read the first value only. */
static void test_trailing(void **state)
{
	static const char json[] = "{\"linux\":{\"cgroupsPath\":\"/a\"}} {} x";
	struct spec spec = SPEC_INIT;
	struct spec_error e;

	(void)state;
	assert_int_equal(spec_parse("config.json", json, strlen(json), &spec, &e), 0);
	assert_string_equal(spec.cgroups_path, "/a");
	spec_release(&spec);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "", "config.json:1:1: premature EOF" },
		{ "[]", "config.json:1:1: an object is needed, found an array" },
		{ "null", "config.json:1:1: an object is needed, found null" },
		{ "\"\"", "config.json:1:1: an object is needed, found a string" },
		{ "{\n  \"linux\":\n  {\"cgroupsPath\": 5}\n}",
		  "config.json:3:19: linux.cgroupsPath: a string is needed, found a "
		  "number" },
		{ "{\"linux\":[]}",
		  "config.json:1:10: linux: an object is needed, found an array" },
		{ SPACES("5"),
		  "config.json:1:25: linux.namespaces[0]: an object is needed, found a "
		  "number" },
		{ SPACES("{},{\"type\":true}"),
		  "config.json:1:36: linux.namespaces[1].type: "
		  "a string is needed, found a boolean" },
		{ "{\"linux\":{\"namespaces\":{}}}",
		  "config.json:1:24: linux.namespaces: an array is needed, found an "
		  "object" },
		{ NOTES("\"x\":5"),
		  "config.json:1:21: annotations.x: a string is needed, found a number" },
		{ "{\"annotations\":\"\"}",
		  "config.json:1:16: annotations: an object is needed, found a string" },
		{ NOTES(SANDBOX ":\"a\\u0000\""),
		  "config.json:1:48: annotations.io.kubernetes."
		  "cri.sandbox-id: has a NUL character" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct spec s = SPEC_INIT;
		struct spec_error e = { .text = "" };

		assert_int_equal(spec_parse("config.json", cases[i].json,
					    strlen(cases[i].json), &s, &e),
				 -EINVAL);
		assert_string_equal(e.text, cases[i].text);
		spec_release(&s);
	}
}

/* Every beginning of a document is an error, none crashes or leaks. */
static void test_truncated(void **state)
{
	struct text t = cri_config(3);

	(void)state;
	for (size_t len = 0; len < t.len; len++) {
		struct spec s = SPEC_INIT;
		struct spec_error e = { .text = "" };

		assert_int_equal(spec_parse("config.json", t.s, len, &s, &e), -EINVAL);
		assert_memory_equal(e.text, "config.json:1:", 14);
		spec_release(&s);
	}
	free(t.s);
}

static void test_no_memory(void **state)
{
	struct text t = cri_config(200);
	int r = -1, n_failed = 0;

	(void)state;
	each_alloc_failing(n)
	{
		struct spec s = SPEC_INIT;
		struct spec_error e = { .text = "" };

		r = spec_parse("config.json", t.s, t.len, &s, &e);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_non_null(strstr(e.text, "memory"));
			n_failed++;
		}
		spec_release(&s);
	}
	assert_int_equal(r, 0);
	assert_true(n_failed > 5);
	free(t.s);
}

static void test_load(void **state)
{
	struct text t = cri_config(400);
	struct spec s = SPEC_INIT;
	struct spec_error e = { .text = "" };
	int fds = count_fds();
	char text[300];

	(void)state;
	assert_true(t.len > 2 * JSON_CHUNK);
	temp_file("config.json", t.s, t.len);
	assert_int_equal(spec_load(temp_dir, &s, &e), 0);
	assert_string_equal(s.group, "0123456789abcdef0123456789abcdef");
	assert_true(s.private_pid_ns);
	spec_release(&s);

	t.s[t.len - 1] = '\n';
	temp_file("config.json", t.s, t.len);
	assert_int_equal(spec_load(temp_dir, &s, &e), -EINVAL);
	assert_string_equal(e.text, "config.json:2:1: premature EOF");
	spec_release(&s);
	free(t.s);

	unlink(temp_path("config.json"));
	assert_int_equal(spec_load(temp_dir, &s, &e), -ENOENT);
	snprintf(text, sizeof(text), "%s/config.json: No such file or directory",
		 temp_dir);
	assert_string_equal(e.text, text);

	assert_int_equal(symlink("/proc/self/status", temp_path("config.json")), 0);
	assert_int_equal(spec_load(temp_dir, &s, &e), -ELOOP);
	unlink(temp_path("config.json"));
	assert_int_equal(mkdir(temp_path("config.json"), 0700), 0);
	assert_int_equal(spec_load(temp_dir, &s, &e), -EINVAL);
	snprintf(text, sizeof(text), "%s/config.json: not a regular file", temp_dir);
	assert_string_equal(e.text, text);
	rmdir(temp_path("config.json"));
	temp_remove("config.json");
	assert_int_equal(count_fds(), fds);
}

static void test_load_long_path(void **state)
{
	struct spec s = SPEC_INIT;
	struct spec_error e = { .text = "" };
	char path[5000];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(spec_load(path, &s, &e), -ENAMETOOLONG);
	assert_true(strlen(e.text) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runc_spec),      cmocka_unit_test(test_cri),
		cmocka_unit_test(test_group),	       cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_namespaces),     cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_wrong),	       cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_no_memory),      cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_long_path),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
