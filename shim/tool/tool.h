/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brass, the operator's tool: what its subcommands share. Each is a file
 * NAME.c with one tool_NAME() and a row in brass.c. A subcommand never waits
 * without a bound, runs without root as far as it can, and names what is wrong.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

/* Exit codes, the same for all subcommands. */
enum {
	TOOL_OK = 0,
	TOOL_FOUND = 1, /* it did its work, and something needs looking at */
	TOOL_FAILED = 2, /* it could not do it, or found what cannot work */
};

/*
 * @argv[0] is "brass NAME", so that getopt_long(3) speaks in that name, and
 * optind is fresh. Returns the exit code. "--help" is each one's own to answer.
 */
int tool_help(int argc, char **argv);
int tool_call(int argc, char **argv);
int tool_explain(int argc, char **argv);
int tool_doctor(int argc, char **argv);
int tool_inspect(int argc, char **argv);
int tool_ps(int argc, char **argv);
int tool_validate(int argc, char **argv);

/* Writes "brass NAME: TEXT" to stderr; returns TOOL_FAILED. */
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a bad command line, once it has been said what is bad: how to go on. TOOL_FAILED. */
int tool_misused(void);

/* The end of a subcommand that has printed: TOOL_FAILED if stdout did not take it all. */
int tool_end(int code);

/*
 * For a parser of arguments that has printed what was asked for, --help or a list: -1,
 * there is nothing left to do; or TOOL_FAILED, as tool_end().
 */
int tool_printed(void);

/* The argument of --timeout, from @min ms to a day. 0; or TOOL_FAILED, and that is told. */
int tool_timeout(const char *text, uint64_t min, uint64_t *ms);
