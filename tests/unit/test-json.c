/* SPDX-License-Identifier: Apache-2.0 */
/* The push parser: what it sees, where, and what it refuses. */
#include "spec-common.h"

/* ---------------------------------------------------- a parse, recorded */

/* "LINE:COL+LENGTH kind text\n" for each event. */
static int on_any(struct json *j, const struct json_event *e)
{
	struct record *r = json_data(j);
	char line[128];
	int n;

	n = snprintf(line, sizeof(line), "%zu:%zu+%zu %s%s ", e->line, e->column,
		     e->end - e->offset, kind_name(e->kind),
		     e->kind == JSON_BOOL ? (e->boolean ? " true" : " false") : "");
	note(r, line, (size_t)n);
	note(r, e->text ? e->text : "", e->len);
	note(r, "\n", 1);
	return 0;
}

#define ALL (JSON_ANY | JSON_KEY | JSON_END)

static const struct json_rule any_rules[] = {
	{ "", ALL, on_any, 0 },
	{ "*", ALL, on_any, 0 },
	{ "*.*", ALL, on_any, 0 },
	{ "*.*.*", ALL, on_any, 0 },
};

static const struct json_rule array_rules[] = {
	{ "", ALL, on_any, 0 },
	{ "[]", ALL, on_any, 0 },
	{ "[].*", ALL, on_any, 0 },
	{ "[].*[]", ALL, on_any, 0 },
};

struct outcome {
	struct record record;
	struct spec_error error;
	int result;
};

/* Parses @json in pieces of @step bytes. */
static struct outcome run(const char *json, size_t len, size_t step)
{
	struct outcome o = { .error = { .text = "" } };
	bool is_array = len && memchr("[", json[strspn(json, " \n\t\r")], 1);
	struct json_doc doc = {
		.name = "doc",
		.rules = is_array ? array_rules : any_rules,
		.n_rules = is_array ? N(array_rules) : N(any_rules),
		.data = &o.record,
		.error = &o.error,
	};
	struct json *j = json_new(&doc);

	assert_non_null(j);
	for (size_t at = 0; at < len; at += step)
		json_feed(j, json + at, len - at < step ? len - at : step);
	o.result = json_finish(j);
	json_free(j);
	note(&o.record, "", 1);
	return o;
}

static void expect_events(const char *json, const char *events)
{
	struct outcome o = run(json, strlen(json), 1 << 20);

	assert_string_equal(o.error.text, "");
	assert_int_equal(o.result, 0);
	assert_string_equal(o.record.text, events);
	free(o.record.text);
}

static void test_events(void **state)
{
	(void)state;
	expect_events("{}", "1:1+1 { \n1:2+1 end \n");
	expect_events(" 17 ", "1:2+2 num 17\n");
	expect_events("-1.5e3", "1:1+6 num -1.5e3\n");
	expect_events("\n\n \"a\\nb\"", "3:2+6 str a\nb\n");
	expect_events("{\"a\": [],\n\t\"b\" :true }",
		      "1:1+1 { \n1:2+3 key a\n1:7+1 [ \n1:8+1 end \n"
		      "2:2+3 key b\n2:7+4 bool true \n2:12+1 end \n");
	expect_events("[null,false,\r\n18446744073709551616]",
		      "1:1+1 [ \n1:2+4 null \n1:7+5 bool false \n2:1+20 num "
		      "18446744073709551616\n2:21+1 end \n");
	expect_events("{\"a\":{\"b\":{\"c\":{\"d\":[{}]}}},\"\":0}",
		      "1:1+1 { \n1:2+3 key a\n1:6+1 { \n1:7+3 key b\n1:11+1 { \n"
		      "1:12+3 key c\n1:16+1 { \n1:17+3 key d\n1:25+1 end \n1:26+1 end \n"
		      "1:27+1 end \n1:29+2 key \n1:32+1 num 0\n1:33+1 end \n");
}

static const char *const texts[] = {
	"{\"a\":1,\"b\":[true,false,null,\"x\",-0.5E+10],\"c\":{\"d\":\"\"}}",
	" \n{ \"linux\" :\r\n\t{ \"cgroupsPath\" : \"/a\" }\n, "
	"\"\\u0061\":\"\\\"\\\\\\/\\b\" }\n",
	"[[],{},[{}],\"\\ud83d\\ude00\",\"\\u00e9\",\"\xc3\xa9\xff\",0,1e1]",
	"[\"\\ud83dx\",\"\\udc00\",\"\\ud83d\\u0041\",\"\\ud83d\\n\",\"\\ud83d\\\\u\"]",
	"[\"\\\\ud83d\"]",
	"[\"\\ud83d\\ud83d\\ude00\"]",
	"[\"\\u0000\",\"\x7f\"]",
	"12345",
	"true",
	"\"\"",
	"{\"a\" \"b\"}",
	"{\"a\",1}",
	"{\"a\":1,}",
	"{,}",
	"[,1]",
	"[1,,2]",
	"[1 2]",
	"[1:2]",
	"{\"a\":1:2}",
	"{\"a\":1 \"b\"}",
	"{1:2}",
	"[1}",
	"{]",
	"nul",
	"tru ",
	"[falsy]",
	"-",
	"-x",
	"1.",
	"1.x",
	"1e",
	"1e+",
	"1ex",
	"01",
	"+1",
	".5",
	"\"abc",
	"\"a\nb\"",
	"\"\\x\"",
	"\"\\u12g4\"",
	"\"\\u12\n\"",
	"\"\\",
	"\"\\u",
	"\"\\ud8",
	"\"\\ud83d",
	"\"\\ud83d\\",
	"\"\\ud83d\\u",
	"\"\\ud83d\\ude0",
	"\"\\ud83d\\ude0z\"",
	"\\",
	"\\u",
	"\\ud83d",
	"[\\ud83d]",
	"/",
	"// x\n{}",
	"{}/*",
	"{} x",
	"{}{}",
	"{}\n\n ,",
	"\v{}",
	"{\f}",
	"{}\v",
	"[1,\n\v 2]",
	"\v",
	"\v,",
	"{\"a\"\v:\"\\x\"}",
	"",
	" ",
	"\n\n",
	"[",
	"{",
	"{\"a\"",
	"{\"a\":",
	"{\"a\":\n",
	"[[[[[",
	"\xef\xbb\xbf{}",
	"\f\xef",
	"'a'",
	"NaN",
	"[Infinity]",
	"\xff",
	"]",
	"}",
	",",
	":",
	"{\"a\":}",
	"[\"a\",\n\"b\"\n\"c\"]",
};

/* Whatever the pieces, the events, their places and the error are the same. */
static void test_chunks(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16 };

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		size_t len = strlen(texts[i]);
		struct outcome whole = run(texts[i], len, 1 << 20);

		for (size_t s = 0; s < N(steps); s++) {
			struct outcome o = run(texts[i], len, steps[s]);

			assert_string_equal(o.error.text, whole.error.text);
			assert_int_equal(o.result, whole.result);
			assert_int_equal(o.record.len, whole.record.len);
			assert_memory_equal(o.record.text, whole.record.text,
					    o.record.len);
			free(o.record.text);
		}
		free(whole.record.text);
	}
}

/* The same for a large one, and every place for the one cut that is made. */
static void test_cuts(void **state)
{
	struct text t = cri_config(3);
	struct outcome whole = run(t.s, t.len, 1 << 20);

	(void)state;
	assert_int_equal(whole.result, 0);
	for (size_t cut = 1; cut < t.len; cut++) {
		struct record record = { 0 };
		struct spec_error e = { .text = "" };
		struct json_doc doc = { .name = "doc",
					.rules = any_rules,
					.n_rules = N(any_rules),
					.data = &record,
					.error = &e };
		struct json *j = json_new(&doc);

		json_feed(j, t.s, cut);
		json_feed(j, t.s + cut, t.len - cut);
		assert_int_equal(json_finish(j), 0);
		json_free(j);
		note(&record, "", 1);
		assert_int_equal(record.len, whole.record.len);
		assert_memory_equal(record.text, whole.record.text, record.len);
		free(record.text);
	}
	free(whole.record.text);
	free(t.s);
}

/* ------------------------------------------------------------- errors */

static void expect_error(const char *json, size_t len, int result, const char *text)
{
	struct outcome o = run(json, len, 1 << 20);

	assert_string_equal(o.error.text, text);
	assert_int_equal(o.result, result);
	free(o.record.text);
}

static void test_error_places(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "", "doc:1:1: premature EOF" },
		{ "\n \n", "doc:3:1: premature EOF" },
		{ "{\"a\":\n  [1,", "doc:2:6: premature EOF" },
		{ "[\n\"abc", "doc:2:1: premature EOF" },
		{ "[1,,2]", "doc:1:4: unallowed token at this point in JSON text" },
		{ "[1,\n ]", "doc:2:2: unallowed token at this point in JSON text" },
		{ "[1}", "doc:1:3: after array element, I expect ',' or ']'" },
		{ "[1\n: 2]", "doc:2:1: after array element, I expect ',' or ']'" },
		{ "[01]", "doc:1:3: after array element, I expect ',' or ']'" },
		{ "{\"a\": 1\n\t\"b\": 2}",
		  "doc:2:2: after key and value, inside map, I expect ',' or '}'" },
		{ "{\"a\" 1}",
		  "doc:1:6: object key and value must be separated by a colon (':')" },
		{ "{\"a\":1,}", "doc:1:8: invalid object key (must be a string)" },
		{ "{\"a\":1,\n17:2}", "doc:2:1: invalid object key (must be a string)" },
		{ "[truE]", "doc:1:5: invalid string in json text" },
		{ "[12,\n1.x]",
		  "doc:2:3: malformed number, a digit is required after the "
		  "decimal point" },
		{ "-",
		  "doc:1:2: malformed number, a digit is required after the minus sign" },
		{ "[\"ab\\x\"]",
		  "doc:1:6: inside a string, '\\' occurs before a character "
		  "which it may not" },
		{ "[\"\\u00zz\"]",
		  "doc:1:7: invalid (non-hex) character occurs after '\\u' "
		  "inside string" },
		{ "[\"a\nb\"]", "doc:1:4: invalid character inside string" },
		{ "[\n  'a']", "doc:2:3: invalid char in json text" },
		{ "[1] ]", "doc:1:5: trailing garbage" },
		{ "{}\n{}", "doc:2:1: trailing garbage" },
		{ "{ // x\n}",
		  "doc:1:3: probable comment found in input text, comments are "
		  "not enabled" },
		{ "{}\n/**/", "doc:2:1: trailing garbage" },
		{ "{\v}", "doc:1:2: invalid character" },
		{ "{}\n \f", "doc:2:2: invalid character" },
		{ "\xef\xbb\xbf{}",
		  "doc:1:1: begins as with a byte order mark (U+FEFF), which no runtime takes" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		expect_error(cases[i].json, strlen(cases[i].json), -EINVAL,
			     cases[i].text);
	expect_error("{\"a\"\0:1}", 8, -EINVAL, "doc:1:5: invalid char in json text");
	expect_error("\0", 1, -EINVAL, "doc:1:1: invalid char in json text");
	expect_error("[\"a\0b\"]", 7, -EINVAL,
		     "doc:1:4: invalid character inside string");
	expect_error("{}\0", 3, -EINVAL, "doc:1:3: trailing garbage");
	/* The beginning of an escape waits for more of it, but not for ever. */
	expect_error("{}\\", 3, -EINVAL, "doc:1:3: trailing garbage");
	expect_error("[\\ud83d", 7, -EINVAL, "doc:1:2: invalid char in json text");
}

/* A failure stays, whatever comes next. */
static void test_error_stays(void **state)
{
	struct spec_error e = { .text = "" };
	struct json_doc doc = { .name = "doc",
				.rules = any_rules,
				.n_rules = N(any_rules),
				.data = NULL,
				.error = &e };
	struct record record = { 0 };
	struct json *j;

	(void)state;
	doc.data = &record;
	j = json_new(&doc);
	assert_int_equal(json_feed(j, "[x", 2), -EINVAL);
	assert_int_equal(json_feed(j, "{}", 2), -EINVAL);
	assert_int_equal(json_finish(j), -EINVAL);
	assert_string_equal(e.text, "doc:1:2: invalid char in json text");
	assert_false(json_is_idle(j));
	json_reset(j);
	assert_true(json_is_idle(j));
	assert_int_equal(json_feed(j, "\n{}", 3), 0);
	assert_int_equal(json_finish(j), 0);
	json_free(j);
	free(record.text);
}

static void test_many(void **state)
{
	struct record record = { 0 };
	struct json_doc doc = { .name = "doc",
				.rules = any_rules,
				.n_rules = N(any_rules),
				.data = &record,
				.error = NULL,
				.many = true };
	struct json *j = json_new(&doc);

	(void)state;
	assert_int_equal(json_feed(j, "{}{}\n1", 6), 0);
	assert_false(json_is_idle(j));
	assert_int_equal(json_feed(j, "\n ", 2), 0);
	assert_true(json_is_idle(j));
	assert_int_equal(json_finish(j), 0);
	assert_int_equal(json_feed(j, "\\", 1), 0);
	assert_false(json_is_idle(j));
	json_free(j);
	note(&record, "", 1);
	assert_string_equal(record.text, "1:1+1 { \n1:2+1 end \n1:3+1 { \n1:4+1 end \n"
					 "2:1+1 num 1\n");
	free(record.text);
}

/* ------------------------------------------------------------- bounds */

static void test_depth(void **state)
{
	size_t n = SPEC_MAX_DEPTH + 1;
	char *s = malloc(2 * n);
	char text[64];

	(void)state;
	assert_non_null(s);
	memset(s, '[', n);
	memset(s + n, ']', n);
	/* Not one too many. */
	for (size_t step = 1; step < 2 * n; step += 4000) {
		struct outcome o = run(s + 1, 2 * n - 2, step);

		assert_int_equal(o.result, 0);
		free(o.record.text);
	}
	snprintf(text, sizeof(text), "doc:1:%zu: [0]: nested deeper than 10000", n);
	expect_error(s, 2 * n, -EFBIG, text);
	free(s);
}

static void test_size(void **state)
{
	size_t len = SPEC_MAX_SIZE;
	char *s = malloc(len + 1);

	(void)state;
	assert_non_null(s);
	memset(s, ' ', len + 1);
	memcpy(s + len - 2, "{}", 2);
	for (size_t step = 4095; step < 4097; step++) {
		struct outcome o = run(s, len, step);

		assert_int_equal(o.result, 0);
		free(o.record.text);
	}
	expect_error(s, len + 1, -EFBIG, "doc: larger than 10 MiB");
	free(s);
}

/*
 * One string that fills the document. Were it read anew with each piece, the small
 * ones would take hours.
 */
static void test_long_token(void **state)
{
	static const size_t steps[] = { 100, JSON_CHUNK - 1, JSON_CHUNK, SPEC_MAX_SIZE };
	size_t len = SPEC_MAX_SIZE;
	char *s = malloc(len + 1);

	(void)state;
	assert_non_null(s);
	memset(s, 'x', len + 1);
	s[0] = s[len - 1] = '"';
	for (size_t i = 0; i < N(steps); i++) {
		struct outcome o = run(s, len, steps[i]);

		assert_int_equal(o.result, 0);
		free(o.record.text);
	}
	/* An escape that straddles the pieces, and half a surrogate pair. */
	for (size_t at = JSON_CHUNK * 4 - 6; at < JSON_CHUNK * 4 + 2; at++) {
		memcpy(s + at, "\\ud800", 6);
		struct outcome o = run(s, len, JSON_CHUNK);
		assert_int_equal(o.result, 0);
		assert_non_null(strstr(o.record.text, "\xef\xbf\xbd"));
		free(o.record.text);
		memset(s + at, 'x', 6);
	}
	s[len - 1] = 'x';
	expect_error(s, len, -EINVAL, "doc:1:1: premature EOF");
	expect_error(s, len + 1, -EFBIG, "doc: larger than 10 MiB");
	free(s);
}

/* Text behind the first value: looked at for its place only. */
static void test_first_only(void **state)
{
	static const struct {
		const char *json, *rest;
	} cases[] = {
		{ "{}", "" },	     { "{}\n \t\n", "" },
		{ "{} x", "1:4" },   { "{}\n\n  {\"a\"", "3:3" },
		{ "12 13", "1:4" },  { "{},", "1:3" },
		{ "{}\v", "1:3" },   { "\"a\"\"b\"", "1:4" },
		{ "[1]\n]", "2:1" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		for (size_t step = 1; step < 10; step++) {
			struct spec_error e;
			struct json_doc doc = { .name = "doc",
						.error = &e,
						.first_only = true };
			struct json *j = json_new(&doc);
			const char *json = cases[i].json;
			char place[64] = "";
			size_t line, column;

			for (size_t at = 0, len = strlen(json); at < len; at += step)
				json_feed(j, json + at,
					  len - at < step ? len - at : step);
			assert_int_equal(json_finish(j), 0);
			if (json_rest(j, &line, &column))
				snprintf(place, sizeof(place), "%zu:%zu", line, column);
			assert_string_equal(place, cases[i].rest);
			json_free(j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),	    cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_cuts),	    cmocka_unit_test(test_error_places),
		cmocka_unit_test(test_error_stays), cmocka_unit_test(test_many),
		cmocka_unit_test(test_depth),	    cmocka_unit_test(test_size),
		cmocka_unit_test(test_long_token),  cmocka_unit_test(test_first_only),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
