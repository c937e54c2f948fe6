/* SPDX-License-Identifier: Apache-2.0 */
/* In a build without libcap. */
#include "spec/check.h"

const struct check_names check_cap = {
	.missing =
		"whether this kernel has the capabilities is not checked: built without libcap",
};
