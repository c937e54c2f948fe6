/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries that make calls fail and time pass; see faults.h. */
#include "tests/e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

static int64_t *ahead_ms;

static const char **free_slot(void)
{
	const char **p = e2e.extra_env;

	while (*p)
		p++;
	return p;
}

static const char **preloaded(void)
{
	const char **p = e2e.extra_env;

	while (*p && strncmp(*p, "LD_PRELOAD=", 11) != 0)
		p++;
	return *p ? p : NULL;
}

void preload(const char *library)
{
	int len = (int)(strrchr(e2e.fake, '/') - e2e.fake);
	const char **before = preloaded();

	if (before) {
		*before = text("%s:%.*s/%s", *before, len, e2e.fake, library);
		return;
	}
	/* Into a static program no library can be preloaded. */
	snprintf(e2e.shim, sizeof(e2e.shim), "%.*s/dynamic/containerd-shim-brass-v2", len,
		 e2e.fake);
	*free_slot() = text("LD_PRELOAD=%.*s/%s", len, e2e.fake, library);
	/* The library comes before the sanitizer's, which wants to be first. */
	*free_slot() = text("ASAN_OPTIONS=%s:verify_asan_link_order=0",
			    getenv("ASAN_OPTIONS") ? getenv("ASAN_OPTIONS") : "");
}

/* A page in a file of the test's that the environment names. */
static void *share(const char *variable, const char *name, size_t size)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fail_at(HERE, "%s: %s", name, strerror(errno));
	close(fd);
	*free_slot() = text("%s=%s", variable, in_dir(name));
	return p;
}

struct faults *faults_open(enum fault_role role)
{
	struct faults *f = share("FAULTS", "faults", sizeof(*f));

	preload("faults.so");
	f->role = role;
	return f;
}

void faults_close(struct faults *f)
{
	munmap(f, sizeof(*f));
}

void clock_open(void)
{
	ahead_ms = share("CLOCK", "clock", sizeof(*ahead_ms));
	preload("clock.so");
}

void clock_close(void)
{
	munmap(ahead_ms, sizeof(*ahead_ms));
	ahead_ms = NULL;
}

/* How often the shim has gone to sleep; -1: it never will again. */
static long sleeps(void)
{
	return is_alive(e2e.server)
		       ? strtol(proc_status(e2e.server, "voluntary_ctxt_switches"), NULL,
				10)
		       : -1;
}

void clock_pass(uint64_t ms)
{
	long before;

	__atomic_add_fetch(ahead_ms, (int64_t)ms, __ATOMIC_SEQ_CST);
	before = sleeps();
	kill(e2e.server, SIGCHLD);
	until(sleeps() != before);
}
