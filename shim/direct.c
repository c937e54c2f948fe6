/* SPDX-License-Identifier: Apache-2.0 */
/* A container that writes into its client's FIFO; see direct.h. */
#include "shim/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/util.h"

int direct_wanted(const char *annotation, bool *wanted, struct err *e)
{
	const char *everywhere = getenv(DIRECT_VARIABLE);

	*wanted = everywhere && strcmp(everywhere, "direct") == 0;
	if (!annotation)
		return 0;
	*wanted = strcmp(annotation, "direct") == 0;
	if (!*wanted && strcmp(annotation, "relay") != 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT,
			       "annotation " DIRECT_ANNOTATION
			       " is \"%s\": it may be direct or relay",
			       annotation);
	return 0;
}

/* By descriptor: the client may unlink the name, or put another file there. */
static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int direct_open(const char *path, int *held, int *child, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "open %s", path);
	if (!S_ISFIFO(st.st_mode))
		return 1;
	fd = open_trusted(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return err_sys(e, -fd, "open %s for reading", path);
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return 1;
	*child = open_again(fd, O_WRONLY);
	if (*child < 0)
		return err_sys(e, errno, "open %s", path);
	*held = TAKE_FD(fd);
	return 0;
}

static void on_held(struct watch *w, uint32_t events)
{
	struct direct *d = container_of(w, struct direct, held);

	if (!(events & EPOLLHUP))
		return;
	watch_del(&d->held);
	d->ended(d);
}

int direct_watch(struct direct *d, struct loop *l, int held,
		 void (*ended)(struct direct *))
{
	if (d->held.loop)
		return 0;
	d->ended = ended;
	/* A pipe never says this one: only the hang-up, which is always told, wakes us. */
	return watch_add(l, &d->held, held, EPOLLRDHUP, on_held);
}

void direct_stop(struct direct *d)
{
	watch_del(&d->held);
}

int direct_write_end(int held)
{
	return held < 0 ? -1 : open_again(held, O_WRONLY | O_NONBLOCK);
}
