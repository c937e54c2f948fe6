/* SPDX-License-Identifier: Apache-2.0 */
/* Names of seccomp, asked of libseccomp and of the kernel it runs on. */
#include <ctype.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>

#include "spec/check.h"

/* What libseccomp's API levels stand for; see seccomp_api_get(3). */
enum { LEVEL_LOG = 3, LEVEL_SPEC_ALLOW = 4, LEVEL_NOTIFY = 5, LEVEL_KILLABLE = 7 };

static const char *wrong_syscall(const char *name)
{
	/* Negative numbers below the error are calls that other architectures have. */
	if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
		return "no system call that this libseccomp knows: runc passes over it";
	return NULL;
}

static const char *wrong_architecture(const char *name)
{
	static const char prefix[] = "SCMP_ARCH_";
	char small[32];
	size_t n = 0;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return "no architecture";
	for (name += strlen(prefix); *name && n < sizeof(small) - 1; name++)
		small[n++] = (char)tolower((unsigned char)*name);
	small[n] = '\0';
	return seccomp_arch_resolve_name(small)
		       ? NULL
		       : "this libseccomp does not know the architecture";
}

static const char *wrong_level(const char *name, unsigned level)
{
	unsigned needed = 1;

	if (!strcmp(name, "SCMP_ACT_LOG") || !strcmp(name, "SCMP_ACT_KILL_PROCESS") ||
	    !strcmp(name, "SECCOMP_FILTER_FLAG_LOG"))
		needed = LEVEL_LOG;
	else if (!strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
		needed = LEVEL_SPEC_ALLOW;
	else if (!strcmp(name, "SCMP_ACT_NOTIFY"))
		needed = LEVEL_NOTIFY;
	else if (!strcmp(name, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
		needed = LEVEL_KILLABLE;
	return needed > level ? "this kernel or libseccomp cannot do it" : NULL;
}

static const char *wrong(enum check_name kind, const char *name)
{
	switch (kind) {
	case CHECK_SYSCALL:
		return wrong_syscall(name);
	case CHECK_ARCHITECTURE:
		return wrong_architecture(name);
	case CHECK_ACTION:
	case CHECK_FLAG:
		return wrong_level(name, seccomp_api_get());
	default:
		return NULL;
	}
}

const struct check_names check_seccomp = { .wrong = wrong };
