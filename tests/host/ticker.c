/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is checkpointed: writes a number a line, the next one every 10 ms, and what it
 * reads as "read TEXT"; exits with 42 when /stop is there. Must be linked statically.
 * Arguments: "lock" (holds a lock on /lock), "tcp" (holds a connection to itself).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

static int lock_file(void)
{
	return flock(open("/lock", O_RDWR | O_CREAT, 0600), LOCK_EX);
}

static int connect_to_self(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int server = socket(AF_INET, SOCK_STREAM, 0),
	    client = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(server, (struct sockaddr *)&a, len) < 0 || listen(server, 1) < 0 ||
	    getsockname(server, (struct sockaddr *)&a, &len) < 0 ||
	    connect(client, (struct sockaddr *)&a, len) < 0)
		return -1;
	return accept(server, NULL, NULL);
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char line[256];

	if (argc > 1 && (strcmp(argv[1], "lock") ? connect_to_self() : lock_file()) < 0)
		return 9;
	for (unsigned n = 0; access("/stop", F_OK) < 0; n++) {
		int len = snprintf(line, sizeof(line), "%u\n", n);

		if (write(1, line, (size_t)len) != len)
			return 8;
		/* A dump interrupts it. */
		if (poll(&in, 1, 10) <= 0 || !in.revents)
			continue;
		len = (int)read(0, line + 5, sizeof(line) - 5);
		if (len <= 0) {
			in.fd = -1;
			continue;
		}
		memcpy(line, "read ", 5);
		if (write(1, line, (size_t)len + 5) < 0)
			return 8;
	}
	return 42;
}
