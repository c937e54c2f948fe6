/* SPDX-License-Identifier: Apache-2.0 */
/* brass: the table of subcommands, and what they share; see tool.h. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shim/tool/tool.h"
#include "shim/util.h"
#include "version.h"

#define DAY_MS 86400000

/* In the order of the help, which has to fit a screen (24 lines of 80 columns). */
static const struct subcommand {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} table[] = {
	{ "ps", "the shims of this node: containers, memory, what is under way",
	  tool_ps },
	{ "inspect", "everything that one shim knows, as JSON", tool_inspect },
	{ "call", "any call of a shim's Task service, by hand: JSON in, JSON out",
	  tool_call },
	{ "validate", "what is wrong with a config.json, and where", tool_validate },
	{ "explain", "what containerd, the shim and runc do with a bundle, line by line",
	  tool_explain },
	{ "doctor", "whether brass will work on this host, and what to do if not",
	  tool_doctor },
	{ "help", "this list", tool_help },
};

static void print_help(FILE *out)
{
	fprintf(out,
		"Usage: brass SUBCOMMAND [OPTION]... [ARGUMENT]...\n"
		"The operator's tool of containerd-shim-brass-v2, a containerd shim for runc.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		fprintf(out, "  %-10s %s\n", table[i].name, table[i].help);
	fprintf(out,
		"\n\"brass SUBCOMMAND --help\" says more, \"brass --version\" which one this is.\n"
		"Exit code: 0 fine, 1 something needs looking at, 2 failed.\n");
}

int tool_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	print_help(stdout);
	return tool_end(TOOL_OK);
}

/* ---------------------------------------------------------------- shared */

static char name[32] = "brass";

int tool_fail(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_misused(void)
{
	fprintf(stderr, "Try \"%s --help\".\n", name);
	return TOOL_FAILED;
}

int tool_end(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return tool_fail("write to stdout: %s", strerror(errno));
	return code;
}

int tool_printed(void)
{
	return tool_end(TOOL_OK) == TOOL_OK ? -1 : TOOL_FAILED;
}

int tool_timeout(const char *text, uint64_t min, uint64_t *ms)
{
	if (parse_uint(text, DAY_MS, ms) < 0 || *ms < min)
		return tool_fail("--timeout %s: not from %u to %d ms", text, (unsigned)min, DAY_MS);
	return 0;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!*word) {
		print_help(stderr);
		return TOOL_FAILED;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return tool_help(argc, argv);
	if (strcmp(word, "--version") == 0) {
		printf("brass %s (%s)\n", BRASS_VERSION, BRASS_REVISION);
		return tool_end(TOOL_OK);
	}
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(word, table[i].name) == 0) {
			snprintf(name, sizeof(name), "brass %s", word);
			argv[1] = name;
			return table[i].run(argc - 1, argv + 1);
		}
	tool_fail("there is no %s \"%s\"", *word == '-' ? "option" : "subcommand", word);
	return tool_misused();
}
