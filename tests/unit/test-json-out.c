/* SPDX-License-Identifier: Apache-2.0 */
/* Writing documents. */
#include "spec-common.h"

#include "spec/utf8.h"

static void test_write(void **state)
{
	struct json_out o = JSON_OUT_INIT;
	size_t len = 0;
	char *s;

	(void)state;
	json_out_open(&o, '{');
	json_out_key(&o, "a\"");
	json_out_string(&o, "x\\\n\x01\x7f/\xc3\xa9\xff\xed\xa0\x80\0", 13);
	json_out_key(&o, "b");
	json_out_open(&o, '[');
	json_out_bool(&o, true);
	json_out_bool(&o, false);
	json_out_int(&o, INT64_MIN);
	json_out_open(&o, '{');
	json_out_close(&o, '}');
	json_out_open(&o, '[');
	json_out_close(&o, ']');
	json_out_close(&o, ']');
	json_out_key(&o, "");
	json_out_string(&o, "", 0);
	json_out_close(&o, '}');
	s = json_out_take(&o, &len);
	assert_non_null(s);
	assert_string_equal(
		s,
		"{\"a\\\"\":\"x\\\\\\u000a\\u0001\\u007f/\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
		"\xef\xbf\xbd\xef\xbf\xbd\\u0000\",\"b\":[true,false,"
		"-9223372036854775808,{},[]],"
		"\"\":\"\"}");
	assert_int_equal(len, strlen(s));
	free(s);
	/* Empty again. */
	json_out_int(&o, 7);
	s = json_out_take(&o, &len);
	assert_string_equal(s, "7");
	free(s);
}

static const struct json_rule rules[] = { { "s", JSON_STRING, json_put_string, 0 } };

/* Characters at the limits of what is UTF-8, and just beyond. */
static void test_write_utf8(void **state)
{
	static const char *const good[] = {
		"\x7e",		"\xc2\x80",	    "\xdf\xbf",
		"\xe0\xa0\x80", "\xed\x9f\xbf",	    "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	};
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc1\xbf",
		"\xc2",
		"\xe0\x9f\xbf",
		"\xe1\x80",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf1\x80\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xe1\x80\x7f",
		"\xf1\x80\x80\xc0",
		"\xc2\x7f",
	};

	(void)state;
	for (size_t i = 0; i < N(good); i++)
		assert_int_equal(utf8_len(good[i], strlen(good[i])), strlen(good[i]));
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(utf8_len(bad[i], strlen(bad[i])), 0);
	assert_int_equal(utf8_len("", 0), 0);
	assert_int_equal(utf8_len("", 1), 1);
}

/* What is no text to a terminal, in JSON and in a line. */
static void test_harmful(void **state)
{
	static const char text[] = "\xc2\x9b\xc3\xa9\xe2\x80\xae\xe2\x81\xa6"
				   "\xef\xbb\xbf\xf0\x9f\x98\x80\x7f";
	char line[] = "\n\xc2\x85\xc2\xa0\xe2\x80\xa8\xc3";
	struct json_out o = JSON_OUT_INIT;
	size_t len;
	char *s;

	(void)state;
	json_out_string(&o, text, strlen(text));
	s = json_out_take(&o, &len);
	assert_string_equal(s, "\"\\u009b\xc3\xa9\\u202e\\u2066\\ufeff\xf0\x9f\x98\x80"
			       "\\u007f\"");
	free(s);
	utf8_clean(line, strlen(line), true);
	assert_string_equal(line, "???\xc2\xa0????");
}

/* Every byte of every string comes back as it was. */
static void test_write_and_read(void **state)
{
	char text[1100];
	char *s, *again = NULL;
	struct json_doc doc = {
		.name = "doc", .rules = rules, .n_rules = 1, .data = &again, .error = NULL
	};
	struct json_out o = JSON_OUT_INIT;
	size_t len;

	(void)state;
	for (int i = 0; i < 1000; i++)
		text[i] = (char)(1 + i % 127);
	text[1000] = '\0';
	json_out_open(&o, '{');
	json_out_key(&o, "s");
	json_out_string(&o, text, 1000);
	json_out_close(&o, '}');
	s = json_out_take(&o, &len);
	assert_int_equal(json_parse(&doc, s, len), 0);
	assert_string_equal(again, text);
	free(again);
	free(s);
}

static void test_write_no_memory(void **state)
{
	char *s = NULL;
	size_t len;

	(void)state;
	each_alloc_failing(n)
	{
		struct json_out o = JSON_OUT_INIT;

		json_out_open(&o, '[');
		for (int i = 0; i < 1000; i++)
			json_out_int(&o, i);
		json_out_close(&o, ']');
		s = json_out_take(&o, &len);
		if (s) {
			assert_int_equal(strlen(s), 3891);
			free(s);
		} else {
			assert_true(n < 20);
		}
	}
	assert_non_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_utf8),
		cmocka_unit_test(test_harmful),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_write_no_memory),
	};

	return cmocka_run_group_tests_name("json-out", tests, NULL, NULL);
}
