/* SPDX-License-Identifier: Apache-2.0 */
/* "brass validate": what it prints for a document, and its exit code. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/tool.h"

#define GOOD "{\"args\":[\"sh\"],\"cwd\":\"/\"}"

static void clean(void **st)
{
	static const char config[] = "{\"ociVersion\":\"1.0.2\",\"process\":" GOOD
				     ",\"root\":{\"path\":\"rootfs\"}}";
	struct bundle *b = bundle("c1", "true");

	(void)st;
	write_file(b->config, config, strlen(config));
	has(TOOL("validate", b->dir), 0,
	    "config.json (config): nothing to say against it\n");
	has(TOOL("validate", b->config), 0, "config.json (config): nothing to say");
	has(TOOL("validate", "--json", b->dir), 0,
	    "{\"document\":\"config\",\"findings\":[],\"errors\":0,\"warnings\":0,\"notes\":0}\n");
	has(TOOL_WITH(GOOD, "validate", "-"), 0, "stdin (process): nothing to say");
	has(TOOL_WITH("{\"cpu\":{\"shares\":5}}", "validate", "-"), 0,
	    "(resources): nothing");
}

static void findings(void **st)
{
	const char *warning = "{\"args\":[\"sh\"],\n \"cwd\":\"/\",\n\t\"x\" : 5}";
	const char *error =
		"{\"args\":[\"sh\"],\n\t\"cwd\":\t\"\xc3\xa9\xff\", \"env\":[\"A\"]}";
	struct run *r;

	(void)st;
	has(TOOL_WITH(warning, "validate", "-"), 1,
	    "stdin:3:2: warning: x: unknown key: runtimes pass over it\n"
	    "    3 |  \"x\" : 5}\n"
	    "      |  ^~~\n"
	    "stdin (process): 1 warning\n");
	r = TOOL_WITH(error, "validate", "-");
	has(r, 2,
	    "stdin:2:9: error: cwd: \"\xc3\xa9?\" is no absolute path\n"
	    "    2 |  \"cwd\": \"\xc3\xa9?\", \"env\":[\"A\"]}\n"
	    "      |         ^~~~\n",
	    "stdin:2:23: error: env[0]: \"A\" is not NAME=value\n"
	    "    2 |  \"cwd\": \"\xc3\xa9?\", \"env\":[\"A\"]}\n"
	    "      |                      ^~~\n"
	    "stdin (process): 2 errors, 1 warning\n");
	/* No escape sequence goes into a file. */
	assert_null(strchr(r->out, '\033'));
	has(TOOL_WITH(error, "validate", "-j", "-"), 2,
	    "{\"severity\":\"error\",\"line\":2,\"column\":23,\"path\":\"env[0]\",\"text\":\"\\\"A\\\" "
	    "is not NAME=value\"}",
	    "\"errors\":2,\"warnings\":1,\"notes\":0}");
	has(TOOL_WITH("{\"args\":\n", "validate", "-"), 2,
	    "stdin:2:1: error: premature EOF\n", "    2 | \n      | ^\n");
}

/* containerd writes a document in one line. */
/* What a terminal would obey, and what turns its text around, is shown and not done. */
static void harmful(void **st)
{
	struct run *r = TOOL_WITH("{\"args\":[\"sh\"],\"cwd\":\"/\",\n\"env\":[\"\xc2\x9b"
				  "31m\xe2\x80\xaeX\"],\"\xe2\x81\xa6\":5}",
				  "validate", "-");

	(void)st;
	has(r, 2,
	    "stdin:2:8: error: env[0]: \"??31m???X\" is not NAME=value\n"
	    "    2 | \"env\":[\"?31m?X\"],\"?\":5}\n");
	has(r, 2, "stdin:2:21: warning: ???: unknown key");
}

static void long_line(void **st)
{
	char *json = text("{\"args\":[\"%0500d\"],\"cwd\":\"x\",\"env\":[\"A=%0500d\"]}",
			  0, 0);
	struct run *r = TOOL_WITH(json, "validate", "-");
	char *line;

	(void)st;
	has(r, 2, "stdin:1:520: error: cwd: \"x\" is no absolute path\n    1 | ...0000",
	    "\"],\"cwd\":\"x\",\"env\":[\"A=0000", "000...\n      |   ");
	for (line = r->out; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
	line = strstr(r->out, "    1 | ...");
	assert_non_null(line);
	assert_int_equal(strstr(line, "\"x\"") - line,
			 strchr(line, '^') - strchr(line, '\n') - 1);
}

static void kinds(void **st)
{
	(void)st;
	has(TOOL_WITH("{}", "validate", "-"), 2, "stdin (config): ", "root: is missing");
	has(TOOL_WITH("{}", "validate", "--as", "process", "-"), 2, "cwd: is missing");
	has(TOOL_WITH("{}", "validate", "--as=resources", "-"), 0, "(resources)");
	has(TOOL_WITH("{}", "validate", "-a", "state", "-"), 2, "status: is missing");
	has(TOOL_WITH("{}", "validate", "-a", "features", "-"), 2,
	    "ociVersionMax: is missing");
	has(TOOL("validate", "--as", "x"), 2, "\"x\" is no kind of document",
	    "Try \"brass validate --help\".");
}

static void unreadable(void **st)
{
	char *path = in_dir("large");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)st;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (10 << 20) + 1), 0);
	close(fd);
	has(TOOL("validate", path), 2, "large: larger than 10 MiB\n");
	has(TOOL("validate", "/nonexistent"), 2,
	    "/nonexistent: no such file or directory\n");
	has(TOOL("validate", "--json", "/nonexistent"), 2,
	    "{\"document\":null,\"error\":\"/nonexistent: no such file or directory\","
	    "\"findings\":[],\"errors\":0,\"warnings\":0,\"notes\":0}\n");
	has(TOOL("validate", make_fifo("fifo")), 2, "fifo: nobody writes to that pipe\n");
	has(TOOL_WITH(GOOD, "validate", "/dev/stdin"), 0,
	    "stdin (process): nothing to say");
	has(TOOL_WITH("\xef\xbb\xbf" GOOD, "validate", "-"), 2,
	    "stdin:1:1: error: begins as with a byte order mark (U+FEFF), which no runtime takes\n");
	has(TOOL("validate", "a", "b"), 2, "one document at a time");
	has(TOOL("validate", "--help"), 0, "Usage: brass validate");
}

E2E_GROUP(E2E(clean), E2E(findings), E2E(harmful), E2E(long_line), E2E(kinds),
	  E2E(unreadable))
