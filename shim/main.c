/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the program's lives this is: start, delete, -info, -v, or the server. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shim/action.h"
#include "shim/shim.h"
#include "shim/util.h"
#include "version.h"

/*
 * "containerd-shim-NAME-vN" is the runtime io.containerd.NAME.vN. Under another
 * name it is brass; nothing but what is printed depends on this.
 */
static const char *runtime_name(const char *program, char *buf, size_t size)
{
	static const char prefix[] = "containerd-shim-";
	const char *base = strrchr(program, '/'), *dash;

	base = base ? base + 1 : program;
	dash = strrchr(base, '-');
	if (strncmp(base, prefix, strlen(prefix)) == 0 && dash >= base + strlen(prefix))
		snprintf(buf, size, "io.containerd.%.*s.%s",
			 (int)(dash - base - (ptrdiff_t)strlen(prefix)), base + strlen(prefix),
			 dash + 1);
	else
		snprintf(buf, size, "io.containerd.brass.v2");
	return buf;
}

static int print_version(const char *program)
{
	const char *base = strrchr(program, '/');

	printf("%s:\n  Version:  %s\n  Revision: %s\n  Go version: none, this is brass\n\n",
	       base ? base + 1 : program, BRASS_VERSION, BRASS_REVISION);
	return fflush(stdout) == 0 ? 0 : 1;
}

/*
 * Dispositions are inherited: where the end of children is ignored, nobody can wait for
 * one. A file that may not grow (RLIMIT_FSIZE) is an error of its write.
 */
static void set_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGCHLD, &dfl, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "containerd-shim-brass-v2";
	static char name[128];
	struct flags flags;
	struct action a = { .flags = &flags, .program = program };
	struct err e = ERR_INIT;
	int r;

	set_signals();
	a.runtime_name = runtime_name(program, name, sizeof(name));
	r = flags_parse(&flags, argc, argv);
	if (r != 0)
		return r < 0 ? 2 : 0;
	if (flags.version)
		return print_version(program);
	if (flags.info)
		return info_main(&a);
	if (!*flags.ns)
		err_set(&e, TTRPC_UNKNOWN, "shim namespace cannot be empty");
	else if (!is_identifier(flags.ns))
		err_set(&e, TTRPC_INVALID_ARGUMENT, "-namespace \"%s\" is no identifier", flags.ns);
	if (e.code)
		return action_fail(&a, &e);
	if (strcmp(flags.action, "start") == 0)
		return start_main(&a);
	if (strcmp(flags.action, "delete") == 0)
		return delete_main(&a);
	if (*flags.action) {
		err_set(&e, TTRPC_UNKNOWN, "unknown action \"%s\": start or delete", flags.action);
		return action_fail(&a, &e);
	}
	return serve_main(&flags, a.runtime_name);
}
