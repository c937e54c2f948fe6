/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

static void expect(const char *json, bool terminal, const char *want)
{
	struct spec_error e = { .text = "" };
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(spec_process_set_terminal(json, strlen(json), terminal, &out,
						   &len, &e),
			 0);
	assert_string_equal(e.text, "");
	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
	free(out);
}

static void test_added(void **state)
{
	(void)state;
	expect("{}", true, "{\"terminal\":true}");
	expect(" { } \n", false, " {\"terminal\":false } \n");
	expect("{\"cwd\":\"/\"}", true, "{\"cwd\":\"/\",\"terminal\":true}");
	expect("{\n\t\"cwd\": [1, {}]\n}", false,
	       "{\n\t\"cwd\": [1, {}],\"terminal\":false\n}");
	/* Only the process's own. */
	expect("{\"a\":{\"terminal\":1},\"terminals\":2}", true,
	       "{\"a\":{\"terminal\":1},\"terminals\":2,\"terminal\":true}");
}

static void test_replaced(void **state)
{
	(void)state;
	expect("{\"terminal\":false}", true, "{\"terminal\":true}");
	expect("{\"terminal\" : true , \"cwd\":\"/\"}", false,
	       "{\"terminal\" : false , \"cwd\":\"/\"}");
	expect("{\"cwd\":\"/\",\"terminal\":null}", true,
	       "{\"cwd\":\"/\",\"terminal\":true}");
	/* What it was before does not matter. */
	expect("{\"terminal\":{\"a\":[{}]},\"b\":1}", true,
	       "{\"terminal\":true,\"b\":1}");
	expect("{\"terminal\":[[],[]]}", true, "{\"terminal\":true}");
	expect("{\"terminal\":1e99}", true, "{\"terminal\":true}");
	expect("{\"terminal\":\"\"}", true, "{\"terminal\":true}");
	/* Nor how it is spelled. */
	expect("{\"Terminal\":false}", true, "{\"terminal\":true}");
	expect("{\"\\u0074erminal\":false}", true, "{\"terminal\":true}");
}

static void test_duplicates(void **state)
{
	(void)state;
	expect("{\"terminal\":1,\"terminal\":2}", true, "{\"terminal\":true}");
	expect("{\"a\":0 , \"TERMINAL\":{} ,\n\"b\":[] , \"terminal\":[1]\n, "
	       "\"Terminal\":2,"
	       "\"c\":3}",
	       false, "{\"a\":0 , \"terminal\":false ,\n\"b\":[],\"c\":3}");
	/* Those of other keys are not ours to judge. */
	expect("{\"a\":1,\"a\":2}", true, "{\"a\":1,\"a\":2,\"terminal\":true}");
}

/* What is not replaced stays as it was written. */
static void test_verbatim(void **state)
{
	static const char *const members[] = {
		"\"n\":18446744073709551616", "\"n\":-0.10E+05",
		"\"\\u0061\":\"\\ud800\\/\"", "\"\xff\":\"\xc3\x28\"",
		"\"x\":[ 1 ,\t2 ]",	      "\"\":\"\\u0000\"",
	};
	char json[200], want[200];

	(void)state;
	for (size_t i = 0; i < N(members); i++) {
		snprintf(json, sizeof(json), "{%s}", members[i]);
		snprintf(want, sizeof(want), "{%s,\"terminal\":true}", members[i]);
		expect(json, true, want);
		snprintf(json, sizeof(json), "{\"terminal\":0, %s}", members[i]);
		snprintf(want, sizeof(want), "{\"terminal\":true, %s}", members[i]);
		expect(json, true, want);
	}
}

static void test_large(void **state)
{
	struct text in = { 0 }, want = { 0 };

	(void)state;
	add_process(&in, 5000);
	add(&want, "%.*s,\"terminal\":true}", (int)in.len - 1, in.s);
	expect(in.s, true, want.s);
	/* What was written is read again. */
	expect(want.s, true, want.s);
	free(in.s);
	free(want.s);
}

static void test_depth(void **state)
{
	size_t n = SPEC_MAX_DEPTH - 1;
	char *json = malloc(2 * n + 6), *want = malloc(2 * n + 30);
	struct spec_error e;
	char *out;
	size_t len;

	(void)state;
	snprintf(json, 6, "{\"a\":");
	memset(json + 5, '[', n);
	memset(json + 5 + n, ']', n);
	memcpy(json + 5 + 2 * n, "}", 1);
	len = 6 + 2 * n;
	memcpy(want, json, len - 1);
	assert_int_equal(spec_process_set_terminal(json, len, true, &out, &len, &e), 0);
	snprintf(want + 5 + 2 * n, 25, ",\"terminal\":true}");
	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
	free(out);
	json[5 + n] = '[';
	assert_int_equal(spec_process_set_terminal(json, 6 + 2 * n, true, &out, &len, &e),
			 -EFBIG);
	free(json);
	free(want);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "", "process:1:1: premature EOF" },
		{ "null", "process:1:1: an object is needed, found null" },
		{ "[{}]", "process:1:1: an object is needed, found an array" },
		{ "{} {}", "process:1:4: trailing garbage" },
		{ "{\"terminal\":}",
		  "process:1:13: unallowed token at this point in JSON text" },
		{ "{\"terminal\":true", "process:1:17: premature EOF" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct spec_error e = { .text = "" };
		char *out;
		size_t len;

		assert_int_equal(spec_process_set_terminal(cases[i].json,
							   strlen(cases[i].json), true,
							   &out, &len, &e),
				 -EINVAL);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void test_size(void **state)
{
	size_t size = SPEC_MAX_SIZE + 1, len;
	char *json = malloc(size), *out;
	struct spec_error e;

	(void)state;
	memset(json, ' ', size);
	memcpy(json, "{}", 2);
	assert_int_equal(spec_process_set_terminal(json, size - 1, true, &out, &len, &e),
			 0);
	assert_int_equal(len, size - 1 + 15);
	free(out);
	assert_int_equal(spec_process_set_terminal(json, size, true, &out, &len, &e),
			 -EFBIG);
	assert_string_equal(e.text, "process: larger than 10 MiB");
	free(json);
}

static void test_no_memory(void **state)
{
	struct text t = { 0 };
	int r = -1;

	(void)state;
	add_process(&t, 1000);
	each_alloc_failing(n)
	{
		struct spec_error e = { .text = "" };
		char *out = NULL;
		size_t len;

		r = spec_process_set_terminal(t.s, t.len, true, &out, &len, &e);
		if (r)
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(r != 0, strlen(e.text) > 0);
		free(out);
	}
	assert_int_equal(r, 0);
	free(t.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added),	   cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_duplicates), cmocka_unit_test(test_verbatim),
		cmocka_unit_test(test_large),	   cmocka_unit_test(test_depth),
		cmocka_unit_test(test_wrong),	   cmocka_unit_test(test_size),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
