/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences from the stock shim (1.6.20) that are meant, each with its
 * reason. One that no longer occurs makes the suite fail, as does any other.
 * Numbers in brackets are sections of the contract; [B] is its list of things
 * that stock does and need not be copied.
 */
#include "tests/diff/diff.h"

#define NONE "(none)"

const struct known known[] = {
	{ "none", "x", "x", "x", "x" },
};

const size_t n_known = sizeof(known) / sizeof(known[0]);
