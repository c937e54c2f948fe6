/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/diff.h"

const struct scenario control_scenarios[] = {
	{ NULL, NULL },
};
