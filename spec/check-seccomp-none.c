/* SPDX-License-Identifier: Apache-2.0 */
/* In a build without libseccomp. */
#include "spec/check.h"

const struct check_names check_seccomp = {
	.missing =
		"system calls, and what seccomp can do here, are not checked: built without "
		"libseccomp",
};
