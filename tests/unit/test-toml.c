/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of TOML: what it hands over, what it refuses and with which words. */
#include "spec-common.h"

#include "spec/toml.h"

/* ------------------------------------------------------- what is handed over */

static void add_parts(struct text *t, const struct toml_key *key)
{
	for (size_t i = 0; i < key->n; i++)
		add(t, "%s<%.*s>", i ? "." : "", (int)key->parts[i].len, key->parts[i].s);
}

static int on_table(struct toml *t, const struct toml_key *key, bool list)
{
	struct text *out = toml_data(t);

	add(out, "%zu %s", key->line, list ? "list " : "table ");
	add_parts(out, key);
	add(out, "\n");
	return 0;
}

static int on_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	struct text *out = toml_data(t);

	add(out, "%zu %*s", key->line, (int)depth, "");
	add_parts(out, key);
	add(out, " %s", toml_kind_name(v->kind));
	if (v->kind == TOML_STRING)
		add(out, " \"%.*s\"", (int)v->string.len, v->string.s);
	else if (v->kind == TOML_INTEGER)
		add(out, " %lld", (long long)v->integer);
	else if (v->kind == TOML_BOOL)
		add(out, " %s", v->boolean ? "true" : "false");
	add(out, "\n");
	return 0;
}

static int parse(const char *toml, size_t len, struct text *out, struct spec_error *e)
{
	struct toml_doc doc = { .name = "a.toml",
				.table = on_table,
				.pair = on_pair,
				.data = out,
				.error = e };
	/* A copy of its own length, so that the sanitizer sees who reads too far. */
	char *copy = malloc(len ? len : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, toml, len);
	add(out, "%s", "");
	e->text[0] = '\0';
	r = toml_parse(&doc, copy, len);
	free(copy);
	return r;
}

static void expect(const char *toml, const char *events)
{
	struct text out = { 0 };
	struct spec_error e;

	if (parse(toml, strlen(toml), &out, &e) != 0)
		fail_msg("%s: %s", toml, e.text);
	assert_string_equal(out.s, events);
	free(out.s);
}

static void test_statements(void **state)
{
	(void)state;
	expect("", "");
	expect("\xef\xbb\xbf# only a comment, \xc3\xa9", "");
	expect("\n\r\n \t\r\n", "");
	expect("a=1\r\nb = 2 # x\r\n\tc\t=\t3\t",
	       "1 <a> an integer 1\n2 <b> an integer 2\n"
	       "3 <c> an integer 3\n");
	expect("A-b_9 = true\n007 = false",
	       "1 <A-b_9> a boolean true\n2 <007> a boolean false\n");
	expect("\"a b\" . 'c\\' . d = 1\n\"\" = 2\n\"\\u00e9\\\"\" = 3",
	       "1 <a b>.<c\\>.<d> an integer 1\n2 <> an integer 2\n3 <\xc3\xa9\"> an integer 3\n");
	expect("[a]\n[ b . \"c.d\" ] # x\n[[e]]\n[[ f.g ]]",
	       "1 table <a>\n2 table <b>.<c.d>\n3 list <e>\n4 list <f>.<g>\n");
	expect("true = true\ninf = 1\n1.2 = 3",
	       "1 <true> a boolean true\n2 <inf> an integer 1\n3 <1>.<2> an integer 3\n");
}

static void test_strings(void **state)
{
	(void)state;
	expect("a = \"\"\nb = ''", "1 <a> a string \"\"\n2 <b> a string \"\"\n");
	expect("a = \"x # \\b\\t\\n\\f\\r\\\"\\\\ \\u00e9\\uFFFD\\U0001f600\\u0041\tz\"",
	       "1 <a> a string \"x # \b\t\n\f\r\"\\ \xc3\xa9\xef\xbf\xbd\xf0\x9f\x98\x80"
	       "A\tz\"\n");
	expect("a = \"\\u007f\\u0080\\u07ff\\u0800\\U00010000\\U0010FFFF\"",
	       "1 <a> a string \"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xf0\x90\x80\x80"
	       "\xf4\x8f\xbf\xbf\"\n");
	expect("a = 'C:\\new \"x\" \xf0\x9f\x98\x80' # '",
	       "1 <a> a string \"C:\\new \"x\" \xf0\x9f\x98\x80\"\n");
}

static void test_multi_line_strings(void **state)
{
	(void)state;
	expect("a = \"\"\"\nx\r\n\ny\"\"\"\nb = 1",
	       "1 <a> a string \"x\n\ny\"\n5 <b> an integer 1\n");
	expect("a = \"\"\"x \\  \n\n  \t y \\\r\n\"\"\"\nb = 1",
	       "1 <a> a string \"x y \"\n5 <b> an integer 1\n");
	expect("a = \"\"\"\"\"\"\nb = ''''''\nc = \"\"\"\\\"\"\"\"",
	       "1 <a> a string \"\"\n2 <b> a string \"\"\n3 <c> a string \"\"\"\n");
	expect("a = \"\"\"x\"y\"\"z\"\"\"\"\"\nb = ''''''''",
	       "1 <a> a string \"x\"y\"\"z\"\"\"\n2 <b> a string \"''\"\n");
	expect("a = '''\n\\u0041\\\n'x''y''''", "1 <a> a string \"\\u0041\\\n'x''y'\"\n");
	expect("a = \"\"\"\\u0041\\n\"\"\"", "1 <a> a string \"A\n\"\n");
}

static void test_integers(void **state)
{
	(void)state;
	expect("a=[0]\nb=+0\nc=-0\nd=-17\ne=+99",
	       "1 <a> an array\n2 <b> an integer 0\n3 <c> an integer 0\n"
	       "4 <d> an integer -17\n5 <e> an integer 99\n");
	expect("a=1_000\nb=1_2_3\nc=0xDead_beef\nd=0o01567\ne=0b1101_0110\nf=0x0_0",
	       "1 <a> an integer 1000\n2 <b> an integer 123\n3 <c> an integer 3735928559\n"
	       "4 <d> an integer 887\n5 <e> an integer 214\n6 <f> an integer 0\n");
	expect("a=9223372036854775807\nb=-9223372036854775808\nc=0x7fffffffffffffff",
	       "1 <a> an integer 9223372036854775807\n2 <b> an integer -9223372036854775808\n"
	       "3 <c> an integer 9223372036854775807\n");
}

static void test_other_scalars(void **state)
{
	static const char *const floats[] = {
		"1.0",	 "+1.5",    "-0.01",
		"5e+22", "1e06",    "-2E-2",
		"0e0",	 "6.6e-34", "224_617.445_991_228",
		"inf",	 "+inf",    "-inf",
		"nan",	 "-nan",
	};
	static const char *const times[] = {
		"1979-05-27T07:32:00Z",
		"1979-05-27T00:32:00-07:00",
		"1979-05-27t00:32:00.999999+00:30",
		"1979-05-27 07:32:00z",
		"1979-05-27T07:32:00",
		"1979-05-27 00:32:00.5",
		"1979-05-27",
		"07:32:00",
		"00:32:00.999",
		"2000-02-29",
		"2024-02-29",
		"23:59:60",
	};
	char toml[100];

	(void)state;
	for (size_t i = 0; i < N(floats); i++) {
		snprintf(toml, sizeof(toml), "a = %s # x", floats[i]);
		expect(toml, "1 <a> a float\n");
	}
	for (size_t i = 0; i < N(times); i++) {
		snprintf(toml, sizeof(toml), "a = %s # x", times[i]);
		expect(toml, "1 <a> a time\n");
	}
}

static void test_nested(void **state)
{
	(void)state;
	expect("a = [ 1, [ 'x', \"\"\"\n]\"\"\" ],\n # ],\n\n 07:32:00 ,\r\n]\nb = []\nc=[[],[[]]]",
	       "1 <a> an array\n7 <b> an array\n8 <c> an array\n");
	expect("a = { }\nb = {c=1,d.e = { f = [\n{ g = 'x' }, 2 ] } , h = true}\ni = 1",
	       "1 <a> a table\n2 <b> a table\n2  <c> an integer 1\n2  <d>.<e> a table\n"
	       "2   <f> an array\n3     <g> a string \"x\"\n3  <h> a boolean true\n"
	       "4 <i> an integer 1\n");
}

/* -------------------------------------------------------------- what is wrong */

static void test_wrong(void **state)
{
	static const struct {
		const char *toml, *text;
	} cases[] = {
		{ "a", "1: a: '=' is needed, found the end of the text" },
		{ "a\n= 1", "1: a: '=' is needed, found the end of the line" },
		{ "\n\n= 1", "3: a key is needed, found '='" },
		{ "a. = 1", "1: a key is needed, found '='" },
		{ "a b = 1", "1: a: '=' is needed, found 'b'" },
		{ "\"\"\"a\"\"\" = 1", "1: a key cannot be a string of many lines" },
		{ "\xc3\xa9 = 1", "1: a key is needed, found the byte 0xc3" },
		{ "\xef\xbb", "1: a key is needed, found the byte 0xef" },
		{ "a =", "1: a: a value is needed, found the end of the text" },
		{ "a = # x\n1", "1: a: a value is needed, found '#'" },
		{ "a = 1 b = 2", "1: a: the end of the line is needed, found 'b'" },
		{ "a = 1\rb = 2",
		  "1: a: the end of the line is needed, found the byte 0x0d" },
		{ "\ra = 1", "1: the end of the line is needed, found the byte 0x0d" },
		{ "[a]b = 1", "1: the end of the line is needed, found 'b'" },
		{ "[a\n]", "1: ']' is needed, found the end of the line" },
		{ "[]", "1: a key is needed, found ']'" },
		{ "[[a]", "1: ']]' is needed, found the end of the text" },
		{ "[[a] ]", "1: ']]' is needed, found ' '" },
		{ "[ [a]]", "1: a key is needed, found '['" },
		{ "# \x01", "1: the control character 0x01 is not allowed" },
		{ "# \xff", "1: the byte 0xff is no UTF-8" },
		{ "# \r", "1: the control character 0x0d is not allowed" },

		{ "a = \"x\n\"", "1: a: the string has no closing quote" },
		{ "a = \"x\r\n\"", "1: a: the string has no closing quote" },
		{ "a = 'x", "1: a: the string has no closing quote" },
		{ "a = \"\\",
		  "1: a: one of b t n f r \" \\ u U behind a backslash is needed, "
		  "found the end of the text" },
		{ "a = \"\\e\"", "1: a: one of b t n f r \" \\ u U behind a backslash is "
				 "needed, found 'e'" },
		{ "a = \"\\u12g4\"", "1: a: a hexadecimal digit is needed, found 'g'" },
		{ "a = \"\\u12",
		  "1: a: a hexadecimal digit is needed, found the end of the text" },
		{ "a = \"\\ud800\"", "1: a: U+D800 is no character" },
		{ "a = \"\\U00110000\"", "1: a: U+110000 is no character" },
		{ "a = \"\\UFFFFFFFF\"", "1: a: U+FFFFFFFF is no character" },
		{ "a = \"\x7f\"", "1: a: the control character 0x7f is not allowed" },
		{ "a = '\x1f'", "1: a: the control character 0x1f is not allowed" },
		{ "a = 'x\ry'", "1: a: the control character 0x0d is not allowed" },
		{ "a = '\xed\xa0\x80'", "1: a: the byte 0xed is no UTF-8" },
		{ "a = '\xc3", "1: a: the byte 0xc3 is no UTF-8" },
		{ "a = '''\nx\n\"\"\"",
		  "3: a: the string that begins in line 1 has no end" },
		{ "a = '''x''''''", "1: a: the end of the line is needed, found '''" },
		{ "a = \"\"\"\\ x\"\"\"",
		  "1: a: one of b t n f r \" \\ u U behind a backslash "
		  "is needed, found ' '" },

		{ "a = crun", "1: a: \"crun\" is no value; a string needs quotes" },
		{ "BinaryName = /usr/bin/crun",
		  "1: BinaryName: a value is needed, found '/'" },
		{ "a = True", "1: a: \"True\" is no value; a string needs quotes" },
		{ "a = [ 1, x ]", "1: a: \"x\" is no value; a string needs quotes" },
		{ "a = 9223372036854775808",
		  "1: a: 9223372036854775808 does not fit 64 bits" },
		{ "a = -9223372036854775809",
		  "1: a: -9223372036854775809 does not fit 64 bits" },
		{ "a = 0x8000000000000000",
		  "1: a: 0x8000000000000000 does not fit 64 bits" },

		{ "a = [", "1: a: a value is needed, found the end of the text" },
		{ "a = [1 2]", "1: a: ',' or ']' is needed, found '2'" },
		{ "a = [,]", "1: a: a value is needed, found ','" },
		{ "a = [1,,]", "1: a: a value is needed, found ','" },
		{ "a = [\n1", "2: a: ',' or ']' is needed, found the end of the text" },
		{ "a = {b = 1,}", "1: a key is needed, found '}'" },
		{ "a = {b = 1 c = 2}", "1: b: ',' or '}' is needed, found 'c'" },
		{ "a = {\nb = 1}", "1: a key is needed, found the end of the line" },
		{ "a = {b = 1\n}",
		  "1: b: ',' or '}' is needed, found the end of the line" },
		{ "a = {b}", "1: b: '=' is needed, found '}'" },
		{ "a = {b = 1]", "1: b: ',' or '}' is needed, found ']'" },
		{ "a = [1}", "1: a: ',' or ']' is needed, found '}'" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct text out = { 0 };
		struct spec_error e;
		char text[300];

		snprintf(text, sizeof(text), "a.toml:%s", cases[i].text);
		if (parse(cases[i].toml, strlen(cases[i].toml), &out, &e) != -EINVAL)
			fail_msg("accepted: %s", cases[i].toml);
		assert_string_equal(e.text, text);
		free(out.s);
	}
}

static void test_wrong_scalars(void **state)
{
	static const char *const scalars[] = {
		"00",
		"01",
		"+01",
		"-",
		"+",
		"1_",
		"_1",
		"1__0",
		"0x",
		"0x_1",
		"0x1_",
		"0xg",
		"0o8",
		"0b2",
		"+0x1",
		"0X1",
		"--1",
		"1.",
		".1",
		"1.e1",
		"1e",
		"1e+",
		"1_.0",
		"1._0",
		"01.0",
		"1.0_",
		"1e1.0",
		"infinity",
		"Inf",
		"+true",
		"nan1",
		"1979-05-27T",
		"1979-5-27",
		"1979-13-01",
		"1979-00-01",
		"1979-01-00",
		"1979-04-31",
		"1979-02-29",
		"1900-02-29",
		"24:00:00",
		"07:60:00",
		"07:32:61",
		"07:32",
		"07:32:00.",
		"07:32:00Z",
		"7:32:00",
		"1979-05-27T07:32:00+0100",
		"1979-05-27T07:32:00+01:0",
		"1979-05-27T07:32:00+24:00",
		"1979-05-27T07:32:00ZZ",
		"1979-05-27T07:32",
		"1979-05-27Z",
	};
	struct toml_value v;

	(void)state;
	assert_int_equal(toml_scalar("", 0, &v), -EINVAL);
	for (size_t i = 0; i < N(scalars); i++)
		if (toml_scalar(scalars[i], strlen(scalars[i]), &v) != -EINVAL)
			fail_msg("accepted: %s", scalars[i]);
}

/* A NUL is a character like other control characters. */
static void test_nul(void **state)
{
	struct text out = { 0 };
	struct spec_error e;

	(void)state;
	assert_int_equal(parse("a=1\0", 4, &out, &e), -EINVAL);
	assert_string_equal(e.text,
			    "a.toml:1: a: the end of the line is needed, found the byte "
			    "0x00");
	assert_int_equal(parse("a='\0'", 5, &out, &e), -EINVAL);
	assert_string_equal(e.text,
			    "a.toml:1: a: the control character 0x00 is not allowed");
	assert_int_equal(parse("a=\"\\\0\"", 6, &out, &e), -EINVAL);
	assert_int_equal(parse("a=1:\0", 5, &out, &e), -EINVAL);
	free(out.s);
	out = (struct text){ 0 };
	assert_int_equal(parse("a='x'\nb=\"\\u0000\"", 16, &out, &e), 0);
	free(out.s);
}

/* --------------------------------------------------------------------- bounds */

static void test_size(void **state)
{
	struct text out = { 0 };
	struct spec_error e;
	char *toml = malloc(TOML_MAX_SIZE + 1);

	(void)state;
	assert_non_null(toml);
	memset(toml, 'x', TOML_MAX_SIZE + 1);
	memcpy(toml, "a = \"", 5);
	toml[TOML_MAX_SIZE - 1] = '"';
	assert_int_equal(parse(toml, TOML_MAX_SIZE, &out, &e), 0);
	toml[TOML_MAX_SIZE] = '\n';
	assert_int_equal(parse(toml, TOML_MAX_SIZE + 1, &out, &e), -EFBIG);
	assert_string_equal(e.text, "a.toml:1: larger than 1048576 bytes");
	free(toml);
	free(out.s);
}

static void test_depth(void **state)
{
	struct text toml = { 0 }, out = { 0 };
	struct spec_error e;

	(void)state;
	add(&toml, "a = ");
	for (int i = 0; i < TOML_MAX_DEPTH; i++)
		add(&toml, i % 2 ? "{ b = " : "[");
	add(&toml, "1");
	for (int i = TOML_MAX_DEPTH; i-- > 0;)
		add(&toml, i % 2 ? "}" : "]");
	if (parse(toml.s, toml.len, &out, &e) != 0)
		fail_msg("%s", e.text);
	memset(toml.s + toml.len / 2, '[', toml.len / 2);
	memset(toml.s + 4, '[', toml.len - 4);
	assert_int_equal(parse(toml.s, toml.len, &out, &e), -EFBIG);
	assert_string_equal(e.text, "a.toml:1: nested deeper than 64 levels");
	free(toml.s);
	free(out.s);
}

static void test_parts(void **state)
{
	struct text toml = { 0 }, out = { 0 };
	struct spec_error e;

	(void)state;
	for (int i = 1; i < TOML_MAX_PARTS; i++)
		add(&toml, "a.");
	add(&toml, "a=1\n");
	assert_int_equal(parse(toml.s, toml.len, &out, &e), 0);
	toml.len -= 3;
	add(&toml, ".a=1\n");
	assert_int_equal(parse(toml.s, toml.len, &out, &e), -EFBIG);
	assert_string_equal(e.text, "a.toml:1: a key of more than 32 parts");
	free(toml.s);
	free(out.s);
}

static int refuse_table(struct toml *t, const struct toml_key *key, bool list)
{
	(void)list;
	return toml_fail(t, key->line, key, EINVAL, "%d\n\xff", 7);
}

static int add_item(struct toml *t, const struct toml_value *v, size_t depth)
{
	struct text *out = toml_data(t);

	add(out, "%zu %s", depth, toml_kind_name(v->kind));
	if (v->kind == TOML_STRING)
		add(out, " \"%.*s\"", (int)v->string.len, v->string.s);
	add(out, "\n");
	return v->kind == TOML_INTEGER && v->integer == 13 ? -ERANGE : 0;
}

static int no_pair(struct toml *t, const struct toml_key *key, const struct toml_value *v,
		   size_t depth)
{
	(void)t, (void)key, (void)v, (void)depth;
	return 0;
}

static void test_items(void **state)
{
	static const char toml[] =
		"a = [ # it's [\"no\"]\n\"x\\ty\", 'z',\n[ 1, 'in' ],\n"
		"{ b = 'pair', c = ['deep'] } ]\nd = 'one'\n";
	struct spec_error e = { .text = "" };
	struct text out = { 0 };
	struct toml_doc doc = { .name = "a.toml",
				.table = on_table,
				.pair = no_pair,
				.item = add_item,
				.data = &out,
				.error = &e };

	(void)state;
	add(&out, "%s", "");
	assert_int_equal(toml_parse(&doc, toml, strlen(toml)), 0);
	assert_string_equal(out.s, "1 a string \"x\ty\"\n1 a string \"z\"\n1 an array\n"
				   "2 an integer\n2 a string \"in\"\n1 a table\n"
				   "3 a string \"deep\"\n");
	assert_int_equal(toml_parse(&doc, "a = [13, ?]", 11), -ERANGE);
	free(out.s);
}

/* Whatever a document holds, an error is one line of UTF-8; a function's error ends the reading. */
static void test_error_text(void **state)
{
	struct spec_error e = { .text = "" };
	struct text out = { 0 };
	struct toml_doc doc = { .name = "a\nb\xff",
				.table = refuse_table,
				.pair = on_pair,
				.data = &out,
				.error = &e };
	char toml[800] = "\n[\"a\tb";

	(void)state;
	add(&out, "%s", "");
	memset(toml + 6, 'x', 700);
	strncat(toml, "\"]\nb = 1", sizeof(toml) - strlen(toml) - 1);
	assert_int_equal(toml_parse(&doc, toml, strlen(toml)), -EINVAL);
	assert_int_equal(strncmp(e.text, "a?b?:2: \"a?bxxx", 15), 0);
	assert_string_equal(e.text + strlen(e.text) - 7, "xx: 7??");
	assert_string_equal(out.s, "");
	free(out.s);
}

static void test_no_memory(void **state)
{
	struct text out = { 0 };
	struct spec_error e;
	int r = -1;

	(void)state;
	each_alloc_failing(n)
	{
		r = parse("a = 'b'\n", 8, &out, &e);
		assert_int_equal(r, n ? 0 : -ENOMEM);
		assert_int_equal(r != 0, strlen(e.text) > 0);
	}
	assert_int_equal(r, 0);
	free(out.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_multi_line_strings),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_other_scalars),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_wrong_scalars),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_error_text),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
