/* SPDX-License-Identifier: Apache-2.0 */
/* Options as clients pack them: which message, from where, and what is refused. */
#include "spec-common.h"

#include "google/protobuf/any.pb-c.h"
#include "linux_runc.pb-c.h"
#include "runc_options.pb-c.h"
#include "runtimeoptions.pb-c.h"
#include "shim/log.h"
#include "shim/options.h"

#define RUNC "containerd.runc.v1.Options"
#define LINUX "containerd.linux.runc.CreateOptions"
#define RUNTIME "runtimeoptions.v1.Options"

/* Decodes a packed copy of @m, which the sanitizer sees the end of. */
static int decode(const char *type_url, const ProtobufCMessage *m, struct spec_options *o,
		  struct err *e)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *packed = malloc(len ? len : 1);
	int r;

	assert_non_null(packed);
	protobuf_c_message_pack(m, packed);
	*e = (struct err)ERR_INIT;
	r = options_decode(type_url, packed, len, o, e);
	free(packed);
	assert_int_equal(r, -e->code);
	return r;
}

static void expect(const char *type_url, const ProtobufCMessage *m, const char *json)
{
	struct spec_options o;
	struct err e;
	size_t len;
	char *s;

	if (decode(type_url, m, &o, &e) < 0)
		fail_msg("%s", e.text);
	s = spec_options_write(&o, &len);
	assert_string_equal(s, json);
	free(s);
	spec_options_release(&o);
}

static void expect_error(const char *type_url, const ProtobufCMessage *m,
			 const char *text)
{
	struct spec_options o;
	struct err e;

	assert_int_equal(decode(type_url, m, &o, &e), -TTRPC_INVALID_ARGUMENT);
	assert_string_equal(e.text, text);
	spec_options_release(&o);
}

/* protobuf-c has no const strings. */
static char *str(const char *s)
{
	return (char *)(uintptr_t)s;
}

static Runtimeoptions__Options from_body(const char *toml)
{
	Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;

	m.config_body.data = (uint8_t *)str(toml);
	m.config_body.len = strlen(toml);
	return m;
}

static Runtimeoptions__Options from_path(const char *path)
{
	Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;

	m.config_path = str(path);
	return m;
}

/* --------------------------------------------------------- typed messages */

static void test_nothing(void **state)
{
	struct spec_options o;
	struct err e = ERR_INIT;
	Runc__Options m = RUNC__OPTIONS__INIT;

	(void)state;
	assert_int_equal(options_decode(NULL, NULL, 0, &o, &e), 0);
	assert_int_equal(options_decode("", (const uint8_t *)"x", 1, &o, &e), 0);
	assert_int_equal(options_decode("who.knows", NULL, 0, &o, &e), 0);
	assert_null(o.root);
	/* As ctr sends it when no flag was given. */
	expect(RUNC, &m.base, "{}");
}

static void test_runc(void **state)
{
	static const char json[] =
		"{\"no_pivot_root\":true,\"no_new_keyring\":true,\"shim_cgroup\":\"/s\","
		"\"io_uid\":1000,\"io_gid\":4294967295,\"binary_name\":\"/usr/bin/crun\","
		"\"root\":\"/run/x\",\"criu_path\":\"/c\",\"systemd_cgroup\":true,"
		"\"criu_image_path\":\"/i\",\"criu_work_path\":\"/w\","
		"\"task_api_address\":\"unix:///a\",\"task_api_version\":3}";
	Runc__Options m = RUNC__OPTIONS__INIT;

	(void)state;
	m.no_pivot_root = m.no_new_keyring = m.systemd_cgroup = true;
	m.shim_cgroup = str("/s");
	m.io_uid = 1000;
	m.io_gid = UINT32_MAX;
	m.binary_name = str("/usr/bin/crun");
	m.root = str("/run/x");
	m.criu_path = str("/c");
	m.criu_image_path = str("/i");
	m.criu_work_path = str("/w");
	m.task_api_address = str("unix:///a");
	m.task_api_version = 3;
	expect(RUNC, &m.base, json);
	expect("type.googleapis.com/" RUNC, &m.base, json);
}

static void test_linux(void **state)
{
	LinuxRunc__CreateOptions m = LINUX_RUNC__CREATE_OPTIONS__INIT;

	(void)state;
	m.no_pivot_root = m.no_new_keyring = true;
	/* Of checkpoints, which have a message of their own. */
	m.open_tcp = m.terminal = true;
	m.cgroups_mode = str("soft");
	m.shim_cgroup = str("/s");
	m.io_uid = 1000;
	m.io_gid = UINT32_MAX;
	m.criu_work_path = str("/w");
	m.criu_image_path = str("/i");
	expect(LINUX, &m.base,
	       "{\"no_pivot_root\":true,\"no_new_keyring\":true,\"shim_cgroup\":\"/s\","
	       "\"io_uid\":1000,\"io_gid\":4294967295,\"criu_image_path\":\"/i\","
	       "\"criu_work_path\":\"/w\"}");
}

static void test_unknown(void **state)
{
	Runc__Options m = RUNC__OPTIONS__INIT;
	struct spec_options o;
	struct err e = ERR_INIT;

	(void)state;
	m.root = str("/r");
	expect_error("containerd.runc.v1.Option", &m.base,
		     "options of the unknown type \"containerd.runc.v1.Option\"");
	expect_error("x" RUNC, &m.base,
		     "options of the unknown type \"xcontainerd.runc.v1.Options\"");
	assert_int_equal(options_decode(RUNC, (const uint8_t *)"\x3a\x09/r", 4, &o, &e),
			 -TTRPC_INVALID_ARGUMENT);
	assert_string_equal(e.text, "the options are no valid " RUNC);
}

static void test_any(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__Options m = RUNC__OPTIONS__INIT;
	uint8_t value[64], packed[128];
	struct spec_options o;
	struct err e = ERR_INIT;

	(void)state;
	m.root = str("/r");
	any.type_url = str(RUNC);
	any.value.data = value;
	any.value.len = protobuf_c_message_pack(&m.base, value);
	assert_int_equal(options_decode_any(packed,
					    protobuf_c_message_pack(&any.base, packed),
					    &o, &e),
			 0);
	assert_string_equal(o.root, "/r");
	spec_options_release(&o);
	assert_int_equal(options_decode_any(packed, 0, &o, &e), 0);
	assert_null(o.root);
	assert_true(options_decode_any((const uint8_t *)"\xff", 1, &o, &e) < 0);
}

/* -------------------------------------------------------------------- TOML */

static void test_body(void **state)
{
	Runtimeoptions__Options m = from_body("SystemdCgroup = true\nRoot = '/r'\n");

	(void)state;
	expect(RUNTIME, &m.base, "{\"root\":\"/r\",\"systemd_cgroup\":true}");
	m.type_url = str("anything at all");
	expect("x/" RUNTIME, &m.base, "{\"root\":\"/r\",\"systemd_cgroup\":true}");
	m.config_body.len = 0;
	expect(RUNTIME, &m.base, "{}");
	m = from_body("\nRoot = 5");
	expect_error(
		RUNTIME, &m.base,
		"options: config_body:2: Root: a string is needed, found an integer");
}

static void test_path(void **state)
{
	static const char toml[] = "BinaryName = 'crun'\n";
	char path[256], link[256], text[400];
	Runtimeoptions__Options m = from_body("BinaryName = 5\n");
	int fds = count_fds();

	(void)state;
	snprintf(path, sizeof(path), "%s", temp_file("a.toml", toml, strlen(toml)));
	snprintf(link, sizeof(link), "%s", temp_path("link.toml"));
	/* It wins over the body. */
	m.config_path = path;
	expect(RUNTIME, &m.base, "{\"binary_name\":\"crun\"}");
	assert_int_equal(symlink("a.toml", link), 0);
	m.config_path = link;
	expect(RUNTIME, &m.base, "{\"binary_name\":\"crun\"}");
	temp_file("a.toml", "x = [\n", 6);
	snprintf(text, sizeof(text),
		 "options: %s:2: x: a value is needed, found the end of the text", link);
	expect_error(RUNTIME, &m.base, text);
	assert_int_equal(truncate(path, (1 << 20) + 1), 0);
	snprintf(text, sizeof(text), "options: config_path %s: file too large", link);
	expect_error(RUNTIME, &m.base, text);
	unlink(path);
	snprintf(text, sizeof(text), "options: config_path %s: no such file or directory",
		 link);
	expect_error(RUNTIME, &m.base, text);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(text, sizeof(text), "options: config_path %s: not a regular file", link);
	expect_error(RUNTIME, &m.base, text);
	m = from_path("a.toml");
	expect_error(RUNTIME, &m.base,
		     "options: config_path \"a.toml\" is no absolute path");
	m = from_path("/");
	expect_error(RUNTIME, &m.base, "options: config_path /: not a regular file");
	assert_int_equal(count_fds(), fds);
	unlink(link);
	temp_remove("a.toml");
}

static void test_said(void **state)
{
	Runtimeoptions__Options m = from_body("SystemdCgroup = false");
	Runc__Options runc = RUNC__OPTIONS__INIT;
	struct spec_options o;
	struct err e;

	(void)state;
	assert_int_equal(decode(RUNTIME, &m.base, &o, &e), 0);
	assert_true(o.systemd_cgroup_said);
	runc.no_pivot_root = true;
	assert_int_equal(decode(RUNC, &runc.base, &o, &e), 0);
	assert_false(o.systemd_cgroup_said);
	/* What is empty costs nothing. */
	assert_null(o.root);
}

/* To the log where there is one; "start" has none. */
static void test_warnings(void **state)
{
	Runtimeoptions__Options m = from_body("Root = '/r'\nrunc_root = \"x\\\"\"\n");
	char line[512];
	int fds[2];
	ssize_t n;

	(void)state;
	expect(RUNTIME, &m.base, "{\"root\":\"/r\"}");
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_open(fds[1], "io.containerd.brass.v2", "ns", false);
	expect(RUNTIME, &m.base, "{\"root\":\"/r\"}");
	log_open(-1, NULL, NULL, false);
	n = read(fds[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line,
			       " level=warning msg=\"options: config_body:2: the unknown "
			       "key runc_root is ignored\" "));
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	 cmocka_unit_test(test_runc),
		cmocka_unit_test(test_linux),	 cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_any),	 cmocka_unit_test(test_body),
		cmocka_unit_test(test_path),	 cmocka_unit_test(test_said),
		cmocka_unit_test(test_warnings),
	};

	return cmocka_run_group_tests_name("options-any", tests, NULL, NULL);
}
