/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/diff.h"

const struct scenario failure_scenarios[] = {
	{ NULL, NULL },
};
