/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names, asked of libcap and of the kernel it runs on. */
#include <sys/capability.h>

#include "spec/check.h"

static const char *wrong(enum check_name kind, const char *name)
{
	cap_value_t cap;

	(void)kind;
	if (cap_from_name(name, &cap) < 0)
		return "no such capability, which runc passes over";
	/* libcap also takes numbers, small letters and names that the kernel has not. */
	if (!CAP_IS_SUPPORTED(cap))
		return "this kernel has no such capability";
	for (const char *s = name; *s; s++)
		if ((*s < 'A' || *s > 'Z') && *s != '_')
			return "runc passes over it: the name is written in capitals";
	return NULL;
}

const struct check_names check_cap = { .wrong = wrong };
