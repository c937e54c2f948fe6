/* SPDX-License-Identifier: Apache-2.0 */
/* The way of events to rules, and what rules do with values. */
#include "spec-common.h"

/* -------------------------------------------------------------- rules */

static int on_rule(struct json *j, const struct json_event *e)
{
	struct record *r = json_data(j);
	char line[64];

	note(r, line,
	     (size_t)snprintf(line, sizeof(line), "%s %s%s,", e->rule->path,
			      kind_name(e->kind),
			      e->kind == JSON_KEY && !e->member ? "?" : ""));
	return 0;
}

static const struct json_rule some_rules[] = {
	{ "KIND", JSON_STRING, on_rule, 0 },
	{ "kind", JSON_STRING, on_rule, 0 },
	{ "linux", JSON_OBJECT | JSON_KEY, on_rule, 0 },
	{ "linux.ids[]", JSON_NUMBER, on_rule, 0 },
	{ "linux.idsMore", JSON_NUMBER | JSON_STRING | JSON_BOOL, on_rule, 0 },
	{ "linux.list[]", JSON_OBJECT | JSON_END, on_rule, 0 },
	{ "linux.list[].name", JSON_STRING | JSON_NULL, on_rule, 0 },
	{ "map.*", JSON_STRING, on_rule, 0 },
	{ "map.*.x", JSON_STRING, on_rule, 0 },
	{ "map.known", JSON_STRING, on_rule, 0 },
	{ "task.x", JSON_NUMBER, on_rule, 0 },
	{ "tasks", JSON_NUMBER, on_rule, 0 },
};

static void expect_rules(const char *json, const char *calls)
{
	struct record r = { 0 };
	struct spec_error e = { .text = "" };
	struct json_doc doc = { .name = "doc",
				.rules = some_rules,
				.n_rules = N(some_rules),
				.data = &r,
				.error = &e };
	int result = json_parse(&doc, json, strlen(json));

	note(&r, "", 1);
	if (result) {
		assert_int_equal(result, -EINVAL);
		assert_string_equal(e.text, calls);
	} else {
		assert_string_equal(r.text, calls);
	}
	free(r.text);
}

static void test_rules(void **state)
{
	(void)state;
	expect_rules("{}", "");
	/* The exact name first, then any case of it, in the order of the rules. */
	expect_rules("{\"kind\":\"\",\"KIND\":\"\",\"Kind\":\"\"}",
		     "kind str,KIND str,KIND str,");
	expect_rules("{\"\\u006bind\":\"\"}", "kind str,");
	/* Kelvin sign and long s fold to k and s. */
	expect_rules("{\"\\u212aind\":\"\",\"ta\\u017fKs\":1,\"ta\xc5\xbf\":1}",
		     "KIND str,tasks num,");
	expect_rules("{\"kin\":1,\"kinds\":1,\"kin\\u00e4\":1}", "");
	expect_rules("{\"linux\":{\"ids\":[1,2],\"nope\":[{}],\"idsmore\":true}}",
		     "linux {,linux key,linux.ids[] num,linux.ids[] num,linux key?,"
		     "linux key,linux.idsMore bool,");
	expect_rules(
		"{\"linux\":{\"list\":[{\"name\":null},null,{\"x\":{\"name\":5}},{}]}}",
		"linux {,linux key,linux.list[] {,linux.list[].name null,"
		"linux.list[] end,linux.list[] {,linux.list[] end,linux.list[] {,"
		"linux.list[] end,");
	expect_rules("{\"map\":{\"known\":\"\",\"Known\":\"\",\"other\":{\"X\":\"\"}}}",
		     "map.known str,map.known str,map.*.x str,");
	/* Deeper names, and those of other places, are nobody's. */
	expect_rules("{\"x\":{\"kind\":1,\"linux\":{\"ids\":[\"\"]}},\"[]\":[[1]]}", "");
	/* One name's beginning is not another name. */
	expect_rules("{\"task\":{\"s\":\"\",\"x\":1}}", "task.x num,");
	/* Null is as if absent. */
	expect_rules("{\"linux\":null,\"map\":null,\"kind\":null}", "");
	expect_rules("{\"linux\":{\"ids\":[null],\"list\":null}}",
		     "linux {,linux key,linux key,");
}

static void test_rule_errors(void **state)
{
	(void)state;
	expect_rules("5", "doc:1:1: an object is needed, found a number");
	expect_rules("null", "doc:1:1: an object is needed, found null");
	expect_rules("{\"kind\": 5}",
		     "doc:1:10: kind: a string is needed, found a number");
	expect_rules("{\"linux\":{\n\"ids\":{}}}",
		     "doc:2:7: linux.ids: an array is needed, found an object");
	expect_rules("{\"linux\":{\"ids\":[1,2,\"\"]}}",
		     "doc:1:22: linux.ids[2]: a number is needed, found a string");
	expect_rules(
		"{\"linux\":{\"idsMore\":[]}}",
		"doc:1:21: linux.idsMore: a boolean or a number or a string is needed, "
		"found an array");
	expect_rules("{\"linux\":{\"list\":[{},{\"Name\":true}]}}",
		     "doc:1:30: linux.list[1].Name: a string is needed, found a boolean");
	/* What a name holds cannot break the line, nor what is in it. */
	expect_rules(
		"{\"map\":{\"a\\nb\xff\xc3\xa9\":5}}",
		"doc:1:19: map.a?b?\xc3\xa9: a string or an object is needed, found a "
		"number");
	expect_rules("{\"map\":{\"a\\u0000b\":5}}",
		     "doc:1:20: map.a: a string or an object is needed, found a number");
}

/* A long key is cut in texts, and is still compared as a whole. */
static void test_long_key(void **state)
{
	char json[1000], text[600];

	(void)state;
	snprintf(json, sizeof(json), "{\"map\":{\"%0500d\":5}}", 7);
	snprintf(text, sizeof(text),
		 "doc:1:512: map.%0251d: a string or an object is needed, "
		 "found a number",
		 0);
	expect_rules(json, text);
}

static int on_star(struct json *j, const struct json_event *e)
{
	struct record *r = json_data(j);

	note(r, json_key_is(j, "a.b") ? "y" : "n", 1);
	return e->len > 3 ? json_fail(j, e, ERANGE, "%zu is too long", e->len) : 0;
}

static void test_key_is(void **state)
{
	static const struct json_rule rules[] = { { "*", JSON_STRING, on_star, 0 } };
	static const char json[] =
		"{\"a.b\":\"\",\"a\":\"\",\"a.bc\":\"\",\"a.\\u0062\":\"abcd\"}";
	struct record r = { 0 };
	struct spec_error e = { .text = "" };
	struct json_doc doc = {
		.name = "doc", .rules = rules, .n_rules = 1, .data = &r, .error = &e
	};

	(void)state;
	assert_int_equal(json_parse(&doc, json, strlen(json)), -ERANGE);
	assert_int_equal(r.len, 4);
	assert_memory_equal(r.text, "ynny", 4);
	assert_string_equal(e.text, "doc:1:39: a.b: 4 is too long");
	free(r.text);
}

static int refuse(struct json *j, const struct json_event *e)
{
	return json_fail(j, e, EPERM, "no");
}

/* The path is that of the value which the rule is about, also behind its members. */
static void test_end_path(void **state)
{
	static const struct json_rule rules[] = {
		{ "a[]", JSON_OBJECT | JSON_END, on_rule, 0 },
		{ "a[].b.c", JSON_NUMBER, on_rule, 0 },
		{ "d", JSON_END, refuse, 0 },
		{ "d.e", JSON_NUMBER, on_rule, 0 },
	};
	static const char json[] = "{\"a\":[{},{\"b\":{\"c\":1}}],\"d\":{\"e\":1,"
				   "\"f\":[]}}";
	struct record r = { 0 };
	struct spec_error e = { .text = "" };
	struct json_doc doc = { .name = "doc",
				.rules = rules,
				.n_rules = N(rules),
				.data = &r,
				.error = &e };

	(void)state;
	assert_int_equal(json_parse(&doc, json, strlen(json)), -EPERM);
	assert_string_equal(e.text, "doc:1:42: d: no");
	free(r.text);
}

/* ------------------------------------------------------------- values */

struct values {
	char *s;
	bool b;
	uint32_t u;
	int64_t i;
};

static int on_int(struct json *j, const struct json_event *e)
{
	struct values *v = json_data(j);

	return json_int(j, e, INT64_MIN, INT64_MAX, &v->i);
}

static const struct json_rule value_rules[] = {
	{ "b", JSON_BOOL, json_put_bool, offsetof(struct values, b) },
	{ "i", JSON_NUMBER, on_int, 0 },
	{ "s", JSON_STRING, json_put_string, offsetof(struct values, s) },
	{ "u", JSON_NUMBER, json_put_u32, offsetof(struct values, u) },
};

static int parse_values(const char *json, struct values *v, struct spec_error *e)
{
	struct json_doc doc = { .name = "doc",
				.rules = value_rules,
				.n_rules = N(value_rules),
				.data = v,
				.error = e };

	return json_parse(&doc, json, strlen(json));
}

static void test_values(void **state)
{
	struct values v = { 0 };
	struct spec_error e = { .text = "" };

	(void)state;
	assert_int_equal(parse_values("{\"s\":\"a\",\"b\":true,\"u\":4294967295,"
				      "\"i\":-9223372036854775808,\"s\":\"bc\"}",
				      &v, &e),
			 0);
	assert_string_equal(v.s, "bc");
	assert_true(v.b);
	assert_int_equal(v.u, UINT32_MAX);
	assert_true(v.i == INT64_MIN);
	assert_int_equal(parse_values("{\"i\":9223372036854775807,\"u\":-0}", &v, &e), 0);
	assert_true(v.i == INT64_MAX);
	assert_int_equal(v.u, 0);
	free(v.s);
}

static void test_value_errors(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "{\"u\":4294967296}", "doc:1:6: u: not from 0 to 4294967295" },
		{ "{\"u\":-1}", "doc:1:6: u: not from 0 to 4294967295" },
		{ "{\"u\":1.0}", "doc:1:6: u: not an integer" },
		{ "{\"u\":1e3}", "doc:1:6: u: not an integer" },
		{ "{\"i\":9223372036854775808}",
		  "doc:1:6: i: not from -9223372036854775808 to "
		  "9223372036854775807" },
		{ "{\"i\":-9223372036854775809}",
		  "doc:1:6: i: not from -9223372036854775808 to "
		  "9223372036854775807" },
		{ "{\"i\":18446744073709551617}",
		  "doc:1:6: i: not from -9223372036854775808 to "
		  "9223372036854775807" },
		{ "{\"s\":\"a\\u0000b\"}", "doc:1:6: s: has a NUL character" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct values v = { 0 };
		struct spec_error e = { .text = "" };

		assert_int_equal(parse_values(cases[i].json, &v, &e), -EINVAL);
		assert_string_equal(e.text, cases[i].text);
		assert_null(v.s);
	}
}

static int keep_text(struct json *j, const struct json_event *e)
{
	note(json_data(j), e->text, e->len);
	note(json_data(j), "|", 1);
	return 0;
}

/* Half a pair is U+FFFD, and takes nothing with it. */
static void test_surrogates(void **state)
{
	static const struct json_rule rules[] = { { "[]", JSON_STRING, keep_text, 0 } };
	static const char want[] = "\xef\xbf\xbdx|\xef\xbf\xbd|\xef\xbf\xbd"
				   "A|\xef\xbf\xbd\n|\xef\xbf\xbd\\u|"
				   "\\ud83d|\xef\xbf\xbd\xf0\x9f\x98\x80|\xef\xbf\xbd|";
	static const char json[] =
		"[\"\\ud83dx\",\"\\udc00\",\"\\uD83D\\u0041\",\"\\ud83d\\n\","
		"\"\\ud83d\\\\u\","
		"\"\\\\ud83d\",\"\\ud83d\\ud83d\\ude00\",\"\\udbff\"]";

	(void)state;
	for (size_t step = 1; step < 20; step++) {
		struct record r = { 0 };
		struct json_doc doc = { .name = "doc",
					.rules = rules,
					.n_rules = 1,
					.data = &r,
					.error = NULL };
		struct json *j = json_new(&doc);

		for (size_t at = 0; at < strlen(json); at += step)
			json_feed(j, json + at,
				  strlen(json) - at < step ? strlen(json) - at : step);
		assert_int_equal(json_finish(j), 0);
		json_free(j);
		assert_int_equal(r.len, strlen(want));
		assert_memory_equal(r.text, want, r.len);
		free(r.text);
	}
}

/* ------------------------------------------------------------- memory */

static int parse_bytewise(const char *json, struct values *v, struct spec_error *e)
{
	struct json_doc doc = { .name = "doc",
				.rules = value_rules,
				.n_rules = N(value_rules),
				.data = v,
				.error = e };
	struct json *j = json_new(&doc);
	int r;

	if (!j)
		return -ENOMEM;
	for (size_t i = 0; json[i]; i++)
		json_feed(j, json + i, 1);
	r = json_finish(j);
	json_free(j);
	return r;
}

/* yajl itself would write through the NULL; what it had then must not leak. */
static void test_no_memory(void **state)
{
	static char json[8192];
	int r = -1, last = 0;

	(void)state;
	/* Long enough for yajl's buffers to grow: a string with escapes, cut. */
	snprintf(json, sizeof(json), "{\"x\":%0200d%0200d,\"s\":\"\\n%04500d\"}", 1, 0,
		 7);
	memset(json + 5, '[', 200);
	memset(json + 205, ']', 200);
	each_alloc_failing(n)
	{
		struct values v = { 0 };
		struct spec_error e = { .text = "" };

		r = parse_bytewise(json, &v, &e);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_non_null(strstr(e.text, "memory"));
		} else {
			assert_int_equal(strlen(v.s), 4501);
		}
		free(v.s);
		last = n;
	}
	assert_int_equal(r, 0);
	assert_true(last > 8);
}

/* Nor does the text of an error need any. */
static void test_no_memory_for_error(void **state)
{
	(void)state;
	each_alloc_failing(n)
	{
		struct values v = { 0 };
		struct spec_error e = { .text = "" };
		int r = parse_bytewise("{\"s\":\"\\n\" x", &v, &e);

		if (r != -ENOMEM)
			assert_int_equal(r, -EINVAL);
		assert_true(strlen(e.text) > 0);
		free(v.s);
	}
}

/* -------------------------------------------------------------- files */

static int parse_path(const char *path, struct values *v, struct spec_error *e)
{
	struct json_doc doc = { .name = "doc",
				.rules = value_rules,
				.n_rules = N(value_rules),
				.data = v,
				.error = e };

	return json_parse_file(&doc, path);
}

static void test_file(void **state)
{
	struct values v = { 0 };
	struct spec_error e = { .text = "" };
	int fds = count_fds();
	size_t len = 3 * JSON_CHUNK + 100;
	char *s = malloc(len + 1);
	const char *path;
	char text[300];

	(void)state;
	assert_non_null(s);
	memset(s, '\n', len);
	snprintf(s + len - 30, 30, "{\"s\":\"x\"}");
	path = temp_file("f", s, len - 30 + 9);
	assert_int_equal(parse_path(path, &v, &e), 0);
	assert_string_equal(v.s, "x");
	free(v.s);
	v.s = NULL;

	memcpy(s + len - 30, "{\"s\":\"x\"?}", 10);
	path = temp_file("f", s, len);
	assert_int_equal(parse_path(path, &v, &e), -EINVAL);
	snprintf(text, sizeof(text), "doc:%zu:9: invalid char in json text", len - 29);
	assert_string_equal(e.text, text);
	free(v.s);
	free(s);
	assert_int_equal(count_fds(), fds);
	temp_remove("f");
}

static void expect_no_file(const char *path, int result, const char *reason)
{
	struct values v = { 0 };
	struct spec_error e = { .text = "" };
	int fds = count_fds();
	char text[300];

	assert_int_equal(parse_path(path, &v, &e), result);
	snprintf(text, sizeof(text), "%s: %s", path, reason);
	assert_string_equal(e.text, text);
	assert_int_equal(count_fds(), fds);
}

static void test_no_file(void **state)
{
	const char *path = temp_path("f");

	(void)state;
	expect_no_file(path, -ENOENT, "No such file or directory");
	expect_no_file("/", -EINVAL, "not a regular file");
	expect_no_file("/dev/null", -EINVAL, "not a regular file");
	/* Nobody writes: opening it must not wait. */
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_no_file(path, -EINVAL, "not a regular file");
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	expect_no_file(path, -ELOOP, "Too many levels of symbolic links");
	temp_remove("f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rule_errors),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_key_is),
		cmocka_unit_test(test_end_path),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_value_errors),
		cmocka_unit_test(test_surrogates),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_for_error),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests_name("json-rules", tests, NULL, NULL);
}
