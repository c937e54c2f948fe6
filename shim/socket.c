/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's socket file; see socket.h. */
#include "shim/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "shim/limits.h"
#include "shim/sha256.h"
#include "shim/util.h"

/* Appends a component as Go's filepath.Join does: one slash between, no dots. */
static void join(char *out, size_t size, const char *parts)
{
	size_t len = strlen(out);

	for (const char *p = parts; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			char *slash = strrchr(out, '/');

			len = slash ? (size_t)(slash - out) : 0;
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (len > 0 || parts[0] == '/')
				len += (size_t)snprintf(out + len, size - len, "/");
			len += (size_t)snprintf(out + len, size - len, "%.*s", (int)n, p);
			if (len >= size)
				len = size - 1;
		}
		out[len] = 0;
		p += n;
		if (!*p)
			break;
	}
}

int socket_path(const char *dir, const char *address, const char *ns, const char *group,
		char *path, struct err *e)
{
	char input[PATH_MAX] = "", hex[SHA256_HEX];
	int n;

	if (strlen(address) + strlen(ns) + strlen(group) + 3 > sizeof(input))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "-address is too long");
	join(input, sizeof(input), address);
	join(input, sizeof(input), ns);
	join(input, sizeof(input), group);
	sha256_hex(input, strlen(input), hex);
	n = snprintf(path, SOCKET_PATH_MAX + 1, "%s/%s", dir, hex);
	/* The hash's NUL counts for the slash. */
	if (n > SOCKET_PATH_MAX)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "socket directory %s is too long: "
			       "%zu bytes, at most %d leave room for a name in it", dir,
			       strlen(dir), SOCKET_PATH_MAX - SHA256_HEX);
	return 0;
}

static int fill_address(struct sockaddr_un *sun, const char *path)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) > SOCKET_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

int socket_make_folder(const char *path, struct err *e)
{
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir))
		return err_sys(e, ENAMETOOLONG, "%s", path);
	memcpy(dir, path, strlen(path) + 1);
	for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
		bool last = !strchr(p + 1, '/');

		*p = 0;
		if (mkdir(dir, last ? 0700 : 0711) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", dir);
		*p = '/';
	}
	return 0;
}

/* Whoever has it may have been stopped, and must not stop all others: -ETIMEDOUT. */
static int lock_soon(int fd)
{
	const struct timespec pause = { .tv_nsec = 2 * LOOP_MSEC };
	uint64_t until = loop_now() + LIMIT_LOCK_MS * LOOP_MSEC;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (loop_now() >= until)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int socket_lock(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path) + 1)
					 : strdup(".");
	_cleanup_close_ int fd = -1;
	int r;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = lock_soon(fd);
	return r < 0 ? r : TAKE_FD(fd);
}

static int backlog(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v;
	size_t len;

	if (file_read("/proc/sys/net/core/somaxconn", 32, &text, &len) < 0)
		return SOMAXCONN;
	text[strcspn(text, "\n")] = 0;
	return parse_uint(text, 65535, &v) == 0 ? (int)v : SOMAXCONN;
}

int socket_listen(const char *path, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un sun;

	if (fill_address(&sun, path) < 0)
		return err_sys(e, ENAMETOOLONG, "socket %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		if (errno == EADDRINUSE)
			return -EADDRINUSE;
		return err_sys(e, errno, "bind %s", path);
	}
	if (chmod(path, 0600) < 0 || listen(fd, backlog()) < 0) {
		err_sys(e, errno, "listen on %s", path);
		unlink(path);
		return -e->code;
	}
	return TAKE_FD(fd);
}

bool socket_is_alive(const char *path)
{
	const struct timeval limit = { .tv_usec = LIMIT_CONNECT_MS * 1000 };
	_cleanup_close_ int fd = -1;
	struct sockaddr_un sun;

	if (fill_address(&sun, path) < 0)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	/* Only a full backlog makes connect(2) wait: somebody is there, but busy. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* Anything else, EMFILE or ENOMEM, says nothing of a shim: its socket must stay. */
	return connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ||
	       (errno != ECONNREFUSED && errno != ENOENT && errno != ENOTSOCK);
}

void socket_remove_stale(const char *path)
{
	_cleanup_close_ int lock = -1;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || socket_is_alive(path))
		return;
	/* A "start" that is about to listen has the lock: then it is looked at again. */
	lock = socket_lock(path);
	if (lock >= 0 && !socket_is_alive(path))
		unlink(path);
}

int socket_remember(struct socket *s, int fd)
{
	struct sockaddr_un sun = { 0 };
	socklen_t len = sizeof(sun);
	struct stat st;

	if (getsockname(fd, (struct sockaddr *)&sun, &len) < 0)
		return -errno;
	/* One that somebody else has bound need not have a NUL. */
	if (sun.sun_family != AF_UNIX ||
	    strnlen(sun.sun_path, sizeof(sun.sun_path)) > SOCKET_PATH_MAX ||
	    stat(sun.sun_path, &st) < 0)
		return -EINVAL;
	snprintf(s->path, sizeof(s->path), "%s", sun.sun_path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

void socket_unlink(struct socket *s)
{
	struct stat st;

	if (s->path[0] && stat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->path);
	s->path[0] = 0;
}
