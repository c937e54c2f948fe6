/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts of shim/: identifiers, files, flags, the socket's name, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shim/bundle.h"
#include "shim/err.h"
#include "shim/flags.h"
#include "shim/sha256.h"
#include "shim/socket.h"
#include "shim/util.h"

static char dir[64];

static int make_dir(void **st)
{
	(void)st;
	snprintf(dir, sizeof(dir), "/tmp/brass-util-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **st)
{
	(void)st;
	return rmdir(dir);
}

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static int i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void identifiers(void **st)
{
	static const char *const good[] = { "a", "0", "a-b", "a.b_c-d", "A1" };
	static const char *const bad[] = { "", "-a", "a-", "a--b", "a/b", ".", "a..b", "a b",
					   "a\n", "\xc3\xa9" };
	char name[79];

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(is_identifier(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(is_identifier(bad[i]));
	memset(name, 'x', sizeof(name));
	name[76] = 0;
	assert_true(is_identifier(name));
	name[76] = 'x';
	name[77] = 0;
	assert_false(is_identifier(name));
}

static void numbers(void **st)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1x", "0x1", "256",
					   "99999999999999999999999" };
	uint64_t v;

	(void)st;
	assert_int_equal(parse_uint("255", 255, &v), 0);
	assert_int_equal(v, 255);
	assert_int_equal(parse_uint("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_uint(bad[i], 255, &v), -EINVAL);
}

static void files(void **st)
{
	const char *path = in_dir("f"), *link = in_dir("l");
	char *text;
	size_t len;

	(void)st;
	assert_int_equal(file_write(path, "hello", 5, 0640), 0);
	assert_int_equal(file_read(path, 5, &text, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(file_read(path, 4, &text, &len), -EFBIG);
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &text, &len), 0);
	assert_true(len > 100);
	free(text);
	/* Neither followed nor written through. */
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(file_read(link, 100, &text, &len), -ELOOP);
	assert_int_equal(file_write(link, "other", 5, 0600), 0);
	assert_int_equal(file_read(path, 5, &text, &len), 0);
	assert_string_equal(text, "hello");
	free(text);
	unlink(link);
	unlink(path);
	/* A FIFO does not block. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, 100, &text, &len), -EINVAL);
	unlink(path);
}

static void pid_files(void **st)
{
	static const struct {
		const char *text;
		int pid;
	} cases[] = {
		{ "1234", 1234 }, { "1234\n", 1234 }, { "2", 2 }, { "", 0 }, { "1", 0 },
		{ "0", 0 }, { "-5", 0 }, { "12x", 0 }, { "12\n\n", 0 }, { "4294967298", 0 },
	};
	const char *path = in_dir("pid");
	struct err e;
	pid_t pid;

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(file_write(path, cases[i].text, strlen(cases[i].text), 0600), 0);
		pid = 0;
		assert_int_equal(bundle_read_pid(path, &pid, &e) == 0, cases[i].pid != 0);
		assert_int_equal(pid, cases[i].pid);
	}
	/* A NUL hides nothing. */
	assert_int_equal(file_write(path, "12\0004", 4, 0600), 0);
	assert_true(bundle_read_pid(path, &pid, &e) < 0);
	unlink(path);
}

static void exit_records(void **st)
{
	struct exit_record r = { 77, 143, { 1700000000, 999999999 } }, back = { 0 };

	(void)st;
	assert_true(bundle_read_exit(dir, &back) < 0);
	bundle_write_exit(dir, &r);
	assert_int_equal(bundle_read_exit(dir, &back), 0);
	assert_int_equal(back.pid, r.pid);
	assert_int_equal(back.status, r.status);
	assert_int_equal(back.at.tv_sec, r.at.tv_sec);
	assert_int_equal(back.at.tv_nsec, r.at.tv_nsec);
	assert_int_equal(file_write(in_dir("exit"), "7 seven", 7, 0600), 0);
	assert_int_equal(bundle_read_exit(dir, &back), -EINVAL);
	unlink(in_dir("exit"));
}

/* The order in which containerd writes them, and the forms that Go's flag takes. */
static void command_lines(void **st)
{
	const char *const start[] = { "shim", "-namespace", "ns", "-address=/a", "--publish-binary",
				"exe", "--id=c1", "-debug", "start", "-not-a-flag", NULL };
	const char *const off[] = { "shim", "-debug=false", "-namespace", "n", "--", "delete", NULL };
	const char *const bare[] = { "shim", NULL };
	struct flags f;

	(void)st;
	assert_int_equal(flags_parse(&f, 10, (char *const *)start), 0);
	assert_string_equal(f.ns, "ns");
	assert_string_equal(f.address, "/a");
	assert_string_equal(f.publish_binary, "exe");
	assert_string_equal(f.id, "c1");
	assert_true(f.debug);
	assert_string_equal(f.action, "start");
	assert_string_equal(f.bundle, "");
	assert_int_equal(flags_parse(&f, 6, (char *const *)off), 0);
	assert_false(f.debug);
	assert_string_equal(f.action, "delete");
	assert_int_equal(flags_parse(&f, 1, (char *const *)bare), 0);
	assert_string_equal(f.action, "");
}

static void socket_names(void **st)
{
	char path[SOCKET_PATH_MAX + 1], again[SOCKET_PATH_MAX + 1], hex[SHA256_HEX], ns[77];
	struct err e;

	(void)st;
	sha256_hex("/run/containerd/containerd.sock/k8s.io/abc", 42, hex);
	assert_string_equal(hex,
		"a99a1752d3a0fadfb1f869026f16760475df03a572e20f4ccea9e6c1e5470b72");
	assert_int_equal(socket_path("/run/containerd/s", "/run/containerd/containerd.sock",
				     "k8s.io", "abc", path, &e), 0);
	assert_memory_equal(path, "/run/containerd/s/", 18);
	assert_string_equal(path + 18, hex);
	/* Joined as Go's filepath.Join does. */
	assert_int_equal(socket_path("/run/containerd/s", "/run//containerd/./x/../containerd.sock",
				     "k8s.io", "abc", again, &e), 0);
	assert_string_equal(again, path);
	memset(ns, 'n', 76);
	ns[76] = 0;
	assert_int_equal(socket_path("/run/containerd/s", "/a", ns, ns, path, &e), 0);
	/* The longest folder that containerd takes, and a longer one. */
	assert_int_equal(socket_path("/a/long/socket/directory/of/just/42/bytes/", "/a", "n", "g",
				     path, &e), 0);
	assert_int_equal(strlen(path), 107);
	assert_true(socket_path("/a/long/socket/directory/of/all/of/43/bytes", "/a", "n", "g",
				path, &e) < 0);
	assert_non_null(strstr(e.text, "is too long: 43 bytes, at most 42 leave room"));
}

static void errors(void **st)
{
	char big[4096];
	struct err e = ERR_INIT;

	(void)st;
	assert_int_equal(err_sys(&e, ENOENT, "open %s", "/x"), -TTRPC_UNKNOWN);
	assert_string_equal(e.text, "open /x: no such file or directory");
	assert_int_equal(err_prefix(&e, "create"), -TTRPC_UNKNOWN);
	assert_string_equal(e.text, "create: open /x: no such file or directory");
	assert_int_equal(err_set(&e, TTRPC_NOT_FOUND, "gone"), -TTRPC_NOT_FOUND);
	assert_string_equal(err_class(e.code), ": not found");
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	err_set(&e, TTRPC_UNKNOWN, "%s", big);
	err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifiers),
		cmocka_unit_test(numbers),
		cmocka_unit_test_setup_teardown(files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(pid_files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(exit_records, make_dir, remove_dir),
		cmocka_unit_test(command_lines),
		cmocka_unit_test(socket_names),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
