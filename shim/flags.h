/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a shim (contract 1.2), in the grammar of Go's flag
 * package: -x v, -x=v, --x v, --x=v; a boolean takes no separate value; the
 * first word that is no flag ends the flags and names the action.
 */
#pragma once

#include <stdbool.h>

struct flags {
	bool debug, version, info;
	/* Never NULL; "" if not given. Point into argv. */
	const char *ns, *id, *socket, *debug_socket, *bundle, *address, *publish_binary;
	const char *action;
};

/*
 * Parses the command line. On a mistake writes what it is and the usage to
 * stderr and returns -1; "-h" and "-help" write the usage and return 1.
 */
int flags_parse(struct flags *f, int argc, char *const argv[]);
