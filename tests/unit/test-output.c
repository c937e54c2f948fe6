/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

/* ---------------------------------------------------------------- log */

static int memory_file(const char *text, size_t len)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static void expect_log_of(const char *text, size_t len, const char *want)
{
	char buf[300] = "unwritten";
	int fd = memory_file(text, len);

	assert_int_equal(spec_log_error(fd, buf, sizeof(buf)), strlen(want));
	assert_string_equal(buf, want);
	close(fd);
}

static void expect_log(const char *text, const char *want)
{
	expect_log_of(text, strlen(text), want);
}

#define TIME ",\"time\":\"2026-11-23T12:22:46Z\"}\n"
#define ERROR(text) "{\"level\":\"error\",\"msg\":\"" text "\"" TIME

/* Lines of runc 1.1.5 and crun 1.8.1, as they came. */
static void test_log_real(void **state)
{
	(void)state;
	expect_log(ERROR("container does not exist"), "container does not exist");
	expect_log("{\"level\":\"error\",\"msg\":\"runc run failed: unable to start "
		   "container "
		   "process: exec: \\\"sh\\\": executable file not found in $PATH\"" TIME,
		   "runc run failed: unable to start container process: exec: \"sh\": "
		   "executable "
		   "file not found in $PATH");
	expect_log(
		"{\"msg\":\"error opening file `/run/crun/nope/status`: No such file or "
		"directory\",\"level\":\"error\","
		"\"time\":\"2026-11-23T12:22:46.124643Z\"}\n",
		"error opening file `/run/crun/nope/status`: No such file or directory");
	expect_log(
		"{\"level\":\"debug\",\"msg\":\"nsexec-0[10163]: -\\u003e stage-1\"" TIME
		"{\"file\":\"github.com/opencontainers/runc/utils.go:61\",\"func\":"
		"\"main.fatalWithCode\",\"level\":\"error\",\"msg\":\"runc create "
		"failed: cannot "
		"allocate tty\"" TIME "{\"level\":\"debug\",\"msg\":\"later\"" TIME,
		"runc create failed: cannot allocate tty");
}

static void test_log_last(void **state)
{
	(void)state;
	expect_log("", "");
	expect_log("\n\n", "");
	expect_log(ERROR("a") ERROR("b"), "b");
	expect_log(ERROR("a") "{\"level\":\"warning\",\"msg\":\"w\"" TIME, "a");
	expect_log("{\"level\":\"fatal\",\"msg\":\"f\"}", "");
	/* The last one counts, even if it says nothing. */
	expect_log(ERROR("a") ERROR(""), "");
	expect_log(ERROR("a") "{\"level\":\"error\"}", "");
	expect_log(ERROR("a") "{\"msg\":\"b\"}\n", "a");
	/* One entry's level is not another's. */
	expect_log("{\"level\":\"error\"}\n{\"msg\":\"m\"}\n", "");
	expect_log("{\"LEVEL\":\"error\",\"Msg\":\"m\"}", "m");
	expect_log(ERROR(" \\n\\t two  words\\r\\n"), "two  words");
	expect_log(ERROR("line\\nline"), "line\nline");
}

static void test_log_no_json(void **state)
{
	(void)state;
	expect_log("time=\"2026\" level=error msg=\"no\"\n" ERROR(
			   "a") "panic: {\"level\"}\n",
		   "a");
	expect_log("5\n\"x\"\n[1]\nnull\n" ERROR("a"), "a");
	/* Cut short, by a crash or by a full disk. */
	expect_log("{\"level\":\"error\",\"msg\":\"cu\n" ERROR("a"), "a");
	expect_log("{\"level\":\"error\",\n" ERROR("a"), "a");
	expect_log("{\"level\":\"error\",\"msg\":\"\\ud8\n" ERROR("a"), "a");
	expect_log(ERROR("a") "{\"level\":\"error\",\"msg\":\"cu", "a");
	expect_log(ERROR("a") "{\"level\":\"error\",\"msg\":5}\n", "a");
	/* More than one to a line, or none. */
	expect_log("{\"level\":\"error\",\"msg\":\"a\"}{\"level\":\"error\","
		   "\"msg\":\"b\"} x\n",
		   "b");
	expect_log("{}\n\n   \n{\"level\":\"error\",\"msg\":\"a\"}", "a");
	expect_log_of("\0\0\n"
		      "{\"level\":\"error\",\"msg\":\"a\"}\0\xff",
		      32, "a");
}

/* As crun 1.28 writes it. */
#define LINES(msg)                                                          \
	"{\n  \"msg\": \"" msg "\",\n  \"level\": \"error\",\n  \"time\": " \
	"\"2026-11-27T16:47:26.967356Z\"\n}\n"

static void test_log_of_many_lines(void **state)
{
	(void)state;
	expect_log(LINES("executable file `x` not found in $PATH"),
		   "executable file `x` not found in $PATH");
	expect_log(LINES("a") LINES("b"), "b");
	expect_log(LINES("a") "{\n  \"msg\": \"cut\",\n", "a");
	expect_log("{\n  \"msg\": \"cut\",\n" LINES("a"), "a");
	expect_log("{\n  \"msg\": \"cut\",\n" ERROR("a"), "a");
	expect_log("{\n  \"msg\": no\n}\n" LINES("a"), "a");
}

/* The text is on its way into a protobuf string. */
static void test_log_text(void **state)
{
	(void)state;
	expect_log(ERROR("a\\u0000b\xff\xc3"), "a?b??");
	expect_log(ERROR("\xc3\xa9\\u00e9\\ud83d\\ude00\\ud83d"),
		   "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd");
}

static void test_log_cut(void **state)
{
	static const char line[] = ERROR("ab\xc3\xa9\xf0\x9f\x98\x80z");
	static const size_t lens[] = { 0, 0, 1, 2, 2, 4, 4, 4, 4, 8, 9, 9 };
	char buf[20];
	int fd = memory_file(line, strlen(line));

	(void)state;
	for (size_t size = 0; size < 12; size++) {
		memset(buf, 'X', sizeof(buf));
		assert_int_equal(spec_log_error(fd, buf, size), lens[size]);
		if (size > 0) {
			assert_memory_equal(buf, "ab\xc3\xa9\xf0\x9f\x98\x80z",
					    lens[size]);
			assert_int_equal(buf[lens[size]], '\0');
		}
		assert_int_equal(buf[size], 'X');
	}
	close(fd);
}

/* Reading is by pread(2): the offset neither matters nor moves. */
static void test_log_offset(void **state)
{
	static const char line[] = ERROR("a");
	int fd = memory_file(line, strlen(line));
	int fds[2];
	char buf[20];

	(void)state;
	assert_int_equal(spec_log_error(fd, buf, sizeof(buf)), 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), strlen(line));
	close(fd);
	/* What cannot be read so has no message. */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], line, strlen(line)), strlen(line));
	assert_int_equal(spec_log_error(fds[0], buf, sizeof(buf)), 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(spec_log_error(-1, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

/* Of a long log the last MiB is read, from the first line that is whole. */
static void test_log_long(void **state)
{
	struct text t = { 0 };

	(void)state;
	add(&t, "%s", ERROR("first"));
	while (t.len < SPEC_MAX_LOG - 200)
		add(&t, "{\"level\":\"info\",\"msg\":\"%s\"" TIME, "something");
	expect_log_of(t.s, t.len, "first");
	while (t.len < SPEC_MAX_LOG)
		add(&t, "\n");
	expect_log_of(t.s, t.len, "first");
	add(&t, "\n");
	expect_log_of(t.s, t.len, "");
	add(&t, "not json\n%s", ERROR("last"));
	expect_log_of(t.s, t.len, "last");
	free(t.s);
}

/* What is left of a line is no entry, even if it looks like one. */
static void test_log_partial(void **state)
{
	static const char inner[] = "{\"level\":\"error\",\"msg\":\"inner\"}}\n";
	struct text t = { 0 };

	(void)state;
	add(&t, "{\"x\":%s", inner);
	while (t.len < SPEC_MAX_LOG + 5)
		add(&t, "\n");
	assert_int_equal(t.s[t.len - SPEC_MAX_LOG], '{');
	expect_log_of(t.s, t.len, "");
	free(t.s);
}

/* One line that is larger than what is read, then at every place of a chunk's end. */
static void test_log_chunks(void **state)
{
	(void)state;
	for (int pad = 3900; pad < 4100; pad++) {
		struct text t = { 0 };

		add(&t,
		    "{\"x\":\"%0*d\",\"level\":\"error\",\"msg\":\"\\ud83d\\ude00\"}\n",
		    pad, 0);
		expect_log_of(t.s, t.len, "\xf0\x9f\x98\x80");
		add(&t, "%0*d\n%s", pad, 0, ERROR("b"));
		expect_log_of(t.s, t.len, "b");
		free(t.s);
	}
}

static void test_log_no_memory(void **state)
{
	static const char text[] = ERROR("\\u00e9a") "x\n" ERROR("b");
	int fd = memory_file(text, strlen(text));
	size_t len = 0;

	(void)state;
	each_alloc_failing(n)
	{
		char buf[20];

		len = spec_log_error(fd, buf, sizeof(buf));
		assert_true(len < 4);
		assert_int_equal(strlen(buf), len);
	}
	assert_int_equal(len, 1);
	close(fd);
}

/* -------------------------------------------------------------- state */

/* As runc 1.1.5 prints it. */
static const char runc_state[] =
	"{\n  \"ociVersion\": \"1.0.2-dev\",\n  \"id\": \"x\",\n  \"pid\": 4711,\n"
	"  \"status\": \"running\",\n  \"bundle\": \"/b\",\n  \"rootfs\": "
	"\"/b/rootfs\",\n"
	"  \"created\": \"2026-11-23T12:22:46.1Z\",\n  \"owner\": \"\"\n}\n";

static void test_state(void **state)
{
	struct spec_state s = { 0 };
	struct spec_error e = { .text = "" };

	(void)state;
	assert_int_equal(spec_state_parse(runc_state, strlen(runc_state), &s, &e), 0);
	assert_string_equal(s.status, "running");
	assert_int_equal(s.pid, 4711);
	spec_state_release(&s);
	assert_null(s.status);
	s.pid = 0;
	assert_int_equal(spec_state_parse("{\"status\":\"stopped\"}", 20, &s, &e), 0);
	assert_string_equal(s.status, "stopped");
	assert_int_equal(s.pid, 0);
	spec_state_release(&s);
}

static void expect_no_state(const char *json, const char *text)
{
	struct spec_state s = { 0 };
	struct spec_error e = { .text = "" };

	assert_int_equal(spec_state_parse(json, strlen(json), &s, &e), -EINVAL);
	assert_string_equal(e.text, text);
	spec_state_release(&s);
}

static void test_state_wrong(void **state)
{
	(void)state;
	expect_no_state("", "state:1:1: premature EOF");
	expect_no_state("null", "state:1:1: an object is needed, found null");
	expect_no_state("container does not exist\n",
			"state:1:1: invalid char in json text");
	expect_no_state("{}", "state: has no status");
	expect_no_state("{\"status\":null}", "state: has no status");
	expect_no_state("{\"status\":1}",
			"state:1:11: status: a string is needed, found a number");
	expect_no_state("{\"pid\":\"1\"}",
			"state:1:8: pid: a number is needed, found a string");
	/* kill(2) would take it for a group. */
	expect_no_state("{\"pid\":-1}", "state:1:8: pid: not from 0 to 2147483647");
	expect_no_state("{\"pid\":2147483648}",
			"state:1:8: pid: not from 0 to 2147483647");
}

static void test_state_no_memory(void **state)
{
	int r = -1;

	(void)state;
	each_alloc_failing(n)
	{
		struct spec_state s = { 0 };
		struct spec_error e = { .text = "" };

		r = spec_state_parse(runc_state, strlen(runc_state), &s, &e);
		if (r)
			assert_int_equal(r, -ENOMEM);
		spec_state_release(&s);
	}
	assert_int_equal(r, 0);
}

/* ----------------------------------------------------------------- ps */

static void test_ps(void **state)
{
	static const char crun[] = "[\n  12,\n  2147483647\n]\n";
	struct text t = { 0 };
	struct spec_error e = { .text = "" };
	int *pids = NULL;
	size_t n = 7;

	(void)state;
	assert_int_equal(spec_ps_parse("null\n", 5, &pids, &n, &e), 0);
	assert_int_equal(n, 0);
	free(pids);
	assert_int_equal(spec_ps_parse("[]", 2, &pids, &n, &e), 0);
	assert_int_equal(n, 0);
	free(pids);
	assert_int_equal(spec_ps_parse(crun, strlen(crun), &pids, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(pids[0], 12);
	assert_int_equal(pids[1], 2147483647);
	free(pids);
	for (int i = 0; i < 1000; i++)
		add(&t, "%c%d", i ? ',' : '[', i);
	add(&t, "]");
	assert_int_equal(spec_ps_parse(t.s, t.len, &pids, &n, &e), 0);
	assert_int_equal(n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pids[i], i);
	free(pids);
	free(t.s);
}

static void test_ps_wrong(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "", "ps:1:1: premature EOF" },
		{ "{}", "ps:1:1: an array is needed, found an object" },
		{ "[1,-1]", "ps:1:4: [1]: not from 0 to 2147483647" },
		{ "[1.5]", "ps:1:2: [0]: not an integer" },
		{ "[\"1\"]", "ps:1:2: [0]: a number is needed, found a string" },
		{ "[1][2]", "ps:1:4: trailing garbage" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct spec_error e = { .text = "" };
		int *pids;
		size_t n;

		assert_int_equal(spec_ps_parse(cases[i].json, strlen(cases[i].json),
					       &pids, &n, &e),
				 -EINVAL);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void test_ps_no_memory(void **state)
{
	int r = -1;

	(void)state;
	each_alloc_failing(i)
	{
		struct spec_error e = { .text = "" };
		int *pids = NULL;
		size_t n;

		r = spec_ps_parse("[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]", 37, &pids, &n,
				  &e);
		if (r)
			assert_int_equal(r, -ENOMEM);
		else
			free(pids);
	}
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_real),
		cmocka_unit_test(test_log_last),
		cmocka_unit_test(test_log_no_json),
		cmocka_unit_test(test_log_of_many_lines),
		cmocka_unit_test(test_log_text),
		cmocka_unit_test(test_log_cut),
		cmocka_unit_test(test_log_offset),
		cmocka_unit_test(test_log_long),
		cmocka_unit_test(test_log_partial),
		cmocka_unit_test(test_log_chunks),
		cmocka_unit_test(test_log_no_memory),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_state_wrong),
		cmocka_unit_test(test_state_no_memory),
		cmocka_unit_test(test_ps),
		cmocka_unit_test(test_ps_wrong),
		cmocka_unit_test(test_ps_no_memory),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
