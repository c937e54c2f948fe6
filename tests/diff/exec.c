/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/diff.h"

const struct scenario exec_scenarios[] = {
	{ NULL, NULL },
};
