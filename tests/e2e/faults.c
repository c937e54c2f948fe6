/* SPDX-License-Identifier: Apache-2.0 */
/* The library that makes calls fail; see faults.h. */
#include "tests/e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

struct faults *faults_open(enum fault_role role)
{
	int fd = open(in_dir("faults"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int len = (int)(strrchr(e2e.fake, '/') - e2e.fake);
	char *library = text("%.*s/faults.so", len, e2e.fake);
	struct faults *f;

	/* Into a static program no library can be preloaded. */
	snprintf(e2e.shim, sizeof(e2e.shim), "%.*s/dynamic/containerd-shim-brass-v2", len,
		 e2e.fake);
	if (fd < 0 || ftruncate(fd, sizeof(*f)) < 0)
		fail_at(HERE, "faults: %s", strerror(errno));
	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (f == MAP_FAILED)
		fail_at(HERE, "faults: %s", strerror(errno));
	f->role = role;
	e2e.extra_env[0] = text("LD_PRELOAD=%s", library);
	e2e.extra_env[1] = text("FAULTS=%s", in_dir("faults"));
	/* The library comes before the sanitizer's, which wants to be first. */
	e2e.extra_env[2] = text("ASAN_OPTIONS=%s:verify_asan_link_order=0",
				getenv("ASAN_OPTIONS") ? getenv("ASAN_OPTIONS") : "");
	return f;
}

void faults_close(struct faults *f)
{
	munmap(f, sizeof(*f));
}
