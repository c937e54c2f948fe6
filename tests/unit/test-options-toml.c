/* SPDX-License-Identifier: Apache-2.0 */
/* Options in TOML: which keys are ours, what they may hold, what is only warned of. */
#include "spec-common.h"

static struct text warnings;

static void on_warning(void *data, const char *text)
{
	assert_ptr_equal(data, &warnings);
	add(&warnings, "%s\n", text);
}

static int parse(const char *toml, struct spec_options *o, struct spec_error *e)
{
	*o = (struct spec_options)SPEC_OPTIONS_INIT;
	e->text[0] = '\0';
	warnings.len = 0;
	add(&warnings, "%s", "");
	return spec_options_parse_toml("a.toml", toml, strlen(toml), o, on_warning,
				       &warnings, e);
}

/* The options of @toml as options.json has them, and the warnings. */
static void expect(const char *toml, const char *json, const char *warned)
{
	struct spec_options o;
	struct spec_error e;
	size_t len;
	char *s;

	if (parse(toml, &o, &e) != 0)
		fail_msg("%s: %s", toml, e.text);
	s = spec_options_write(&o, &len);
	assert_string_equal(s, json);
	assert_string_equal(warnings.s, warned);
	free(s);
	spec_options_release(&o);
}

static void expect_error(const char *toml, const char *text)
{
	struct spec_options o;
	struct spec_error e;

	if (parse(toml, &o, &e) != -EINVAL)
		fail_msg("accepted: %s", toml);
	assert_string_equal(e.text, text);
	spec_options_release(&o);
}

static void test_all_keys(void **state)
{
	static const char json[] =
		"{\"no_pivot_root\":true,\"no_new_keyring\":true,\"shim_cgroup\":\"/s\","
		"\"io_uid\":1000,\"io_gid\":4294967295,\"binary_name\":\"/usr/bin/crun\","
		"\"root\":\"/run/x\",\"criu_path\":\"/c\",\"systemd_cgroup\":true,"
		"\"criu_image_path\":\"/i\",\"criu_work_path\":\"/w\","
		"\"task_api_address\":\"unix:///a\",\"task_api_version\":3}";

	(void)state;
	/* As go-toml of containerd 1.7 marshals it. */
	expect("BinaryName = \"/usr/bin/crun\"\nCriuImagePath = \"/i\"\nCriuPath = \"/c\"\n"
	       "CriuWorkPath = \"/w\"\nIoGid = 4294967295\nIoUid = 1000\nNoNewKeyring = true\n"
	       "NoPivotRoot = true\nRoot = \"/run/x\"\nShimCgroup = \"/s\"\n"
	       "SystemdCgroup = true\nTaskApiAddress = \"unix:///a\"\nTaskApiVersion = 3\n",
	       json, "");
	/* As go-toml of containerd 2.x does. */
	expect("BinaryName = '/usr/bin/crun'\nCriuImagePath = '/i'\nCriuPath = '/c'\n"
	       "CriuWorkPath = '/w'\nIoGid = 4294967295\nIoUid = 1000\nNoNewKeyring = true\n"
	       "NoPivotRoot = true\nRoot = '/run/x'\nShimCgroup = '/s'\n"
	       "SystemdCgroup = true\nTaskApiAddress = 'unix:///a'\nTaskApiVersion = 3\n",
	       json, "");
	expect("binary_name = '/usr/bin/crun'\ncriu_image_path = '/i'\nCRIUPATH = '/c'\n"
	       "criu_work_path = '/w'\nio_gid = 0xffff_ffff\niouid = 1_000\n"
	       "\"no_new_keyring\" = true\nNO_PIVOT_ROOT = true\n'root' = '''\n/run/x'''\n"
	       "shim_cgroup = \"\\u002fs\"\nsystemd_cgroup = true\n"
	       "task_api_address = 'unix:///a'\nTask_Api_Version = 0b11\n",
	       json, "");
}

static void test_little(void **state)
{
	(void)state;
	expect("", "{}", "");
	expect("# nothing\n[options]\n", "{}", "");
	expect("BinaryName = ''\nIoUid = 0\nSystemdCgroup = false", "{}", "");
	expect("TypeUrl = 'runtimeoptions.v1.Options'\nConfigPath = ''\nconfig_body = [1]\n",
	       "{}", "");
}

/* Only TOML tells false from nothing. */
static void test_said(void **state)
{
	struct spec_options o;
	struct spec_error e;

	(void)state;
	assert_int_equal(parse("NoPivotRoot = true", &o, &e), 0);
	assert_false(o.systemd_cgroup_said);
	assert_int_equal(parse("SystemdCgroup = false", &o, &e), 0);
	assert_true(o.systemd_cgroup_said);
	assert_false(o.systemd_cgroup);
	assert_int_equal(parse("SystemdCgroup = true", &o, &e), 0);
	assert_true(o.systemd_cgroup_said);
}

static void test_tables_that_count(void **state)
{
	static const char json[] = "{\"root\":\"/r\",\"systemd_cgroup\":true}";

	(void)state;
	expect("[options]\nRoot = '/r'\nSystemdCgroup = true", json, "");
	expect("Root = '/r'\n[Options]\nSystemdCgroup = true", json, "");
	expect("[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brass]\n"
	       "  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.brass.options]\n"
	       "    Root = '/r'\n    SystemdCgroup = true\n",
	       json, "");
	expect("options = { Root = '/r', SystemdCgroup = true }", json, "");
	expect("options.Root = '/r'\noptions . SystemdCgroup = true", json, "");
	expect("Root = '/r'\n[a]\nb.options = { SystemdCgroup = true }\n", json, "");
	expect("[a]\noptions.Root = '/r'\n\"options\".SystemdCgroup = true\n", json, "");
}

static void test_what_is_ignored(void **state)
{
	(void)state;
	expect("Root = '/r'\nrunc = 'x'\n\"a b\".Root = 5\nbinary-name = 'x'\n",
	       "{\"root\":\"/r\"}",
	       "a.toml:2: the unknown key runc is ignored\n"
	       "a.toml:3: the unknown key \"a b\".Root is ignored\n"
	       "a.toml:4: the unknown key binary-name is ignored\n");
	expect("version = 2\nx = { Root = 5, options = { Root = 6 }, y = [ { Root = 7 } ] }\n"
	       "z = [ { options = { Root = 8 } },\n 1.5, 1979-05-27 ]\nRoot = '/r'",
	       "{\"root\":\"/r\"}",
	       "a.toml:1: the unknown key version is ignored\n"
	       "a.toml:2: the unknown key x is ignored\n"
	       "a.toml:3: the unknown key z is ignored\n");
	expect("[grpc]\n[debug]\nRoot = 5\nRoot = 6\n\n[options]\nRoot = '/r'\n[options.x]\n"
	       "[[x.options]]\nRoot = 7\n",
	       "{\"root\":\"/r\"}",
	       "a.toml:2: the table debug is ignored: it is not of options\n"
	       "a.toml:9: the table x.options is ignored: it is not of options\n");
	expect("options = { Root = '/r', x.Root = 5, y = { Root = 6 }, NoPivotRoot = true }\n"
	       "z = { Root = 7 }\n",
	       "{\"no_pivot_root\":true,\"root\":\"/r\"}",
	       "a.toml:1: the unknown key x.Root is ignored\n"
	       "a.toml:1: the unknown key y is ignored\n"
	       "a.toml:2: the unknown key z is ignored\n");
	/* A table under an ignored key ends where the key does. */
	expect("[a]\nb = 1\noptions = { Root = '/r' }\nc = { NoPivotRoot = true }",
	       "{\"root\":\"/r\"}",
	       "a.toml:1: the table a is ignored: it is not of options\n");
}

static void test_warnings_are_bounded(void **state)
{
	struct text toml = { 0 };
	struct spec_options o;
	struct spec_error e;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		add(&toml, "x%d = 1\n", i);
	assert_int_equal(parse(toml.s, &o, &e), 0);
	for (const char *s = warnings.s; (s = strchr(s, '\n')); s++)
		n++;
	assert_int_equal(n, SPEC_MAX_WARNINGS);
	assert_non_null(strstr(warnings.s, "a.toml:15: the unknown key x14 is ignored\n"
					   "a.toml: there is more that is ignored\n"));
	assert_int_equal(spec_options_parse_toml("a.toml", toml.s, toml.len, &o, NULL,
						 NULL, &e),
			 0);
	toml.len = 0;
	add(&toml, "\"\ty");
	for (int i = 0; i < 1000; i++)
		add(&toml, "\xc3\xa9");
	add(&toml, "\" = 1");
	assert_int_equal(parse(toml.s, &o, &e), 0);
	assert_non_null(strstr(warnings.s, "key \"?y\xc3\xa9"));
	assert_true(strlen(warnings.s) < 300);
	free(toml.s);
}

static void test_wrong_values(void **state)
{
	static const struct {
		const char *toml, *text;
	} cases[] = {
		{ "\nBinaryName = 5",
		  "2: BinaryName: a string is needed, found an integer" },
		{ "root = true", "1: root: a string is needed, found a boolean" },
		{ "\"Root\" = [ '/r' ]",
		  "1: \"Root\": a string is needed, found an array" },
		{ "Root = {}", "1: Root: a string is needed, found a table" },
		{ "CriuPath = 1979-05-27",
		  "1: CriuPath: a string is needed, found a time" },
		{ "SystemdCgroup = 'true'",
		  "1: SystemdCgroup: a boolean is needed, found a string" },
		{ "[options]\nSystemdCgroup = 1",
		  "2: SystemdCgroup: a boolean is needed, found an integer" },
		{ "options.IoUid = 1.0",
		  "1: options.IoUid: an integer is needed, found a float" },
		{ "IoUid = -1", "1: IoUid: not from 0 to 4294967295" },
		{ "IoGid = 4294967296", "1: IoGid: not from 0 to 4294967295" },
		{ "Root = \"a\\u0000b\"", "1: Root: the string has a NUL character" },
		{ "Root = '/a'\n# x\nroot = '/b'",
		  "3: root: set twice, the first time in line 1" },
		{ "Root = '/a'\n[options]\nRoot = '/a'",
		  "3: Root: set twice, the first time in line 1" },
		{ "Root = '''\n\n'''\nIoUid = x",
		  "4: IoUid: \"x\" is no value; a string needs quotes" },
		{ "[a]\nx = [\n", "3: x: a value is needed, found the end of the text" },
		{ "[a.options]\n[b.options]",
		  "2: b.options: a second table of options; the first one is in line 1" },
		{ "[options]\n[options]",
		  "2: options: a second table of options; the first one is in line 1" },
		{ "options.Root = ''\n[options]",
		  "2: options: a second table of options; the first one is in line 1" },
		{ "options = {}\noptions.Root = ''",
		  "2: options.Root: a second table of options; the first one is in line 1" },
		{ "options.Root = ''\na.options.IoUid = 1",
		  "2: a.options.IoUid: a second table of options; the first one is in line 1" },
		{ "[a]\noptions.Root = ''\n[b]\noptions.IoUid = 1",
		  "4: options.IoUid: a second table of options; the first one is in line 2" },
		{ "[a.options]\n[a]\noptions.Root = ''",
		  "3: options.Root: a second table of options; the first one is in line 1" },
		{ "options = { options = { Root = '' } }",
		  "1: options: a second table of options; the first one is in line 1" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char text[200];

		snprintf(text, sizeof(text), "a.toml:%s", cases[i].text);
		expect_error(cases[i].toml, text);
	}
}

static void test_no_memory(void **state)
{
	struct spec_options o;
	struct spec_error e;
	int r = -1;

	(void)state;
	each_alloc_failing(n)
	{
		r = parse("BinaryName = 'crun'\nRoot = '/r'\n", &o, &e);
		if (r)
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(r != 0, strlen(e.text) > 0);
		spec_options_release(&o);
	}
	assert_int_equal(r, 0);
}

static int forget_warnings(void **state)
{
	(void)state;
	free(warnings.s);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_tables_that_count),
		cmocka_unit_test(test_what_is_ignored),
		cmocka_unit_test(test_warnings_are_bounded),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("options-toml", tests, NULL, forget_warnings);
}
