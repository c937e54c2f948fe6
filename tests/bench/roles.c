/* SPDX-License-Identifier: Apache-2.0 */
/* What this program is inside of a container, or as its client: writes, reads, answers. */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int write_bytes(long long total, size_t size)
{
	static char data[1 << 20];

	memset(data, 'x', sizeof(data));
	data[size - 1] = '\n';
	while (total > 0) {
		ssize_t n = write(1, data, size);

		if (n <= 0)
			return 1;
		total -= n;
	}
	return 0;
}

static int read_bytes(int fd)
{
	static char data[65536];
	ssize_t n;

	do
		n = read(fd, data, sizeof(data));
	while (n > 0);
	return n < 0;
}

bool role_run(int argc, char **argv, int *status)
{
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		*status = write_bytes(strtoll(argv[2], NULL, 10),
				      (size_t)strtol(argv[3], NULL, 10));
	else if (argc == 3 && strcmp(argv[1], "read") == 0)
		*status = read_bytes(open(argv[2], O_RDONLY | O_CLOEXEC));
	else
		return false;
	return true;
}
