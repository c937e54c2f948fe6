/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_log_error(): whatever a log holds, the message is UTF-8 that fits, and a
 * line of ours behind it is found.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spec/spec.h"
#include "spec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int fd, size_t size)
{
	char *buf = malloc(size);
	size_t len = spec_log_error(fd, buf, size);

	assert(len < size && strlen(buf) == len);
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(buf + i, len - i);
		assert(n > 0);
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char last[] = "\n{\"msg\":\"last\",\"level\":\"error\"}";
	int fd = memfd_create("log", MFD_CLOEXEC);
	char buf[16];

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	check(fd, 1);
	check(fd, 5);
	check(fd, 512);
	assert(write(fd, last, strlen(last)) == (ssize_t)strlen(last));
	assert(spec_log_error(fd, buf, sizeof(buf)) == 4 && !strcmp(buf, "last"));
	close(fd);
	return 0;
}
