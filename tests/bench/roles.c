/* SPDX-License-Identifier: Apache-2.0 */
/* What this program is inside of a container, or as its client: writes, reads, answers. */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
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

/* Until the end, or until so many bytes have come. */
static int read_bytes(int fd, long long total)
{
	static char data[65536];
	ssize_t n;

	do {
		n = read(fd, data, sizeof(data));
		total -= n;
	} while (n > 0 && total > 0);
	return n < 0;
}

/* One line at a time, with the time at which it was written. */
static int write_stamps(int n)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < n; i++) {
		nanosleep(&pause, NULL);
		if (dprintf(1, "%.0f\n", now()) < 0)
			return 1;
	}
	return 0;
}

/* How late such lines come: the median and the last but one per cent, in us. */
static int read_stamps(const char *path, const char *result)
{
	static double late[100000];
	FILE *in = fopen(path, "re"), *out = fopen(result, "we");
	size_t n = 0;
	char line[64];

	while (in && n < 100000 && fgets(line, sizeof(line), in))
		late[n++] = (now() - strtod(line, NULL)) / 1000;
	if (!n || !out)
		return 1;
	median(late, n); /* which sorts */
	fprintf(out, "%.3f %.3f\n", late[n / 2], late[n * 99 / 100]);
	fclose(in);
	return fclose(out) != 0;
}

bool role_run(int argc, char **argv, int *status)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "write") == 0)
		*status = write_bytes(strtoll(argv[2], NULL, 10),
				      (size_t)strtol(argv[3], NULL, 10));
	else if (argc == 3 && strcmp(what, "read") == 0)
		*status = read_bytes(open(argv[2], O_RDONLY | O_CLOEXEC), INT64_MAX);
	else if (argc == 3 && strcmp(what, "drain") == 0)
		*status = read_bytes(0, strtoll(argv[2], NULL, 10));
	else if (argc == 3 && strcmp(what, "stamp") == 0)
		*status = write_stamps((int)strtol(argv[2], NULL, 10));
	else if (argc == 4 && strcmp(what, "late") == 0)
		*status = read_stamps(argv[2], argv[3]);
	else
		return false;
	return true;
}
