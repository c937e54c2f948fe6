/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a stdout: plain paths, files, loggers and their arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shim/uri.h"
#include "shim/util.h"

static void plain_paths(void **st)
{
	static const char *const names[] = { "", "/run/fifo", "relative", "/a:b", "./a:b" };
	struct err e;
	struct uri u;

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(uri_parse(&u, names[i], &e), 0);
		assert_string_equal(u.scheme, "");
		assert_null(u.path);
		uri_release(&u);
	}
}

static void parts(void **st)
{
	static const struct {
		const char *name, *scheme, *path, *args; /* joined by '|' */
	} cases[] = {
		{ "file:///var/log/x.log", "file", "/var/log/x.log", "" },
		{ "FILE:///x", "file", "/x", "" },
		{ "fifo:///p", "fifo", "/p", "" },
		{ "binary:///bin/logger", "binary", "/bin/logger", "" },
		{ "binary:///bin/l?b=2&a=1", "binary", "/bin/l", "b|2|a|1|" },
		{ "binary:///bin/l?k", "binary", "/bin/l", "k||" },
		{ "binary:///bin/l?k=", "binary", "/bin/l", "k||" },
		{ "binary:///bin/l?a=1&a=2&b=3", "binary", "/bin/l", "a|1|b|3|" },
		{ "binary:///bin/l?a=x+y%20z&&c=%2B", "binary", "/bin/l", "a|x y z|c|+|" },
		{ "binary:///bin/l?bad=%zz&ok=1", "binary", "/bin/l", "ok|1|" },
		{ "binary:///bin/l?cut=%2", "binary", "/bin/l", "" },
		{ "binary:///bin/l?a=%00b", "binary", "/bin/l", "" },
		{ "binary-v2:///bin/a%20b?x=1#frag", "binary-v2", "/bin/a b", "x|1|" },
		{ "file://host/path", "file", "/path", "" },
		{ "file:/path", "file", "/path", "" },
		{ "file:///a+b", "file", "/a+b", "" },
		{ "ttrpc+unix://ADDR?streaming_id=1", "ttrpc+unix", "", "streaming_id|1|" },
	};
	struct err e;
	struct uri u;

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char args[256] = "";

		assert_int_equal(uri_parse(&u, cases[i].name, &e), 0);
		for (size_t k = 0; k < u.n_args; k++)
			snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s|",
				 u.args[k]);
		assert_string_equal(u.scheme, cases[i].scheme);
		assert_string_equal(u.path, cases[i].path);
		assert_string_equal(args, cases[i].args);
		uri_release(&u);
	}
}

static void refused(void **st)
{
	char many[8192] = "binary:///l?";
	struct err e = ERR_INIT;
	struct uri u;

	(void)st;
	assert_true(uri_parse(&u, "file:///a%00b", &e) < 0);
	assert_non_null(strstr(e.text, "unable to parse stdout uri: file:///a%00b"));
	uri_release(&u);
	assert_true(uri_parse(&u, "file:///a%2", &e) < 0);
	uri_release(&u);
	assert_true(uri_parse(&u, ":x", &e) < 0);
	assert_true(uri_parse(&u, "%zz://x", &e) < 0);
	assert_true(uri_parse(&u, "a-scheme-that-is-longer-than-any-other-one://x", &e) < 0);
	uri_release(&u);
	for (int i = 0; i < 200; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "k%d=v&", i);
	assert_true(uri_parse(&u, many, &e) < 0);
	uri_release(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_paths),
		cmocka_unit_test(parts),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
