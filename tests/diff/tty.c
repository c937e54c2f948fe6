/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/diff.h"

const struct scenario tty_scenarios[] = {
	{ NULL, NULL },
};
