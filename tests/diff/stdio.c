/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/diff.h"

const struct scenario stdio_scenarios[] = {
	{ NULL, NULL },
};
