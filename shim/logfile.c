/* SPDX-License-Identifier: Apache-2.0 */
/* Log files, and the process that writes them; see logfile.h. */
#include "shim/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/sink.h"
#include "shim/util.h"

#define NAME "brass-logfile"

static const char *const names[LOGFILE_MAX] = { "stdout", "stderr" };

struct logfiles *logfiles_new(const char *id)
{
	struct logfiles *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (f == MAP_FAILED)
		return NULL;
	f->id = id;
	for (int i = 0; i < LOGFILE_MAX; i++)
		f->of[i].in = -1;
	return f;
}

void logfiles_free(struct logfiles *f)
{
	if (!f)
		return;
	for (int i = 0; i < LOGFILE_MAX; i++)
		closep(&f->of[i].in);
	munmap(f, sizeof(*f));
}

bool logfiles_ended(const struct logfiles *f)
{
	for (int i = 0; i < LOGFILE_MAX; i++) {
		struct pollfd p = { .fd = f->of[i].in };

		if (p.fd >= 0 && (poll(&p, 1, 0) <= 0 || !(p.revents & POLLHUP)))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------- the writer */

static const char *name_of(const struct logfiles *all, const struct logfile *f)
{
	return names[f - all->of];
}

static int make_folders(const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);

	if (!dir)
		return err_nomem(e);
	for (char *p = strchr(dir + (*dir == '/'), '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", dir);
		*p = '/';
	}
	return 0;
}

static int open_file(const struct logfile *f, struct err *e)
{
	int fd;

	if (f->make && make_folders(f->path, e) < 0)
		return -e->code;
	/* Non-blocking: what was a file a moment ago may be a FIFO now. */
	fd = open_trusted(f->path,
			  O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY |
				  (f->make ? O_CREAT : 0),
			  0644);
	return fd < 0 ? err_sys(e, -fd, "open %s", f->path) : fd;
}

/* The writer has only one. */
static struct logfiles *the_files;

static void on_losing(struct relay *r)
{
	const struct logfile *f = container_of(r, struct logfile, relay);

	sink_tell_losing(the_files->id, f->path, name_of(the_files, f));
}

static void on_end(struct relay *r, int fd)
{
	const struct logfile *f = container_of(r, struct logfile, relay);

	/* Some file systems tell only now what they could not write. */
	if (close(fd) < 0)
		log_write(LOG_WARN, the_files->id, "close %s: %m", f->path);
	sink_tell_lost(the_files->id, f->path, name_of(the_files, f), r->lost + f->lost);
	if (--the_files->open == 0)
		loop_stop(r->loop, 0);
}

static int start(struct loop *l, struct logfile *f, int in, struct err *e)
{
	int fd = open_file(f, e), r;

	if (fd < 0)
		return fd;
	f->relay = (struct relay)RELAY_INIT;
	f->relay.losing = on_losing;
	r = relay_start(&f->relay, l, in, fd, true, on_end);
	if (r < 0)
		return err_sys(e, -r, "watch %s", f->path);
	the_files->open++;
	return 0;
}

static int start_all(struct loop *l, struct err *e)
{
	int r = loop_init(l);

	if (r < 0)
		return err_sys(e, -r, "make a loop for log files");
	for (int i = 0; i < LOGFILE_MAX; i++)
		if (the_files->of[i].path &&
		    start(l, &the_files->of[i], LOGFILE_FD_IN + i, e) < 0)
			return -e->code;
	return 0;
}

static bool on_quiet(struct loop *l)
{
	(void)l;
	relay_rest();
	memory_rest(false);
	return true;
}

/* Who looks for shims by their command line shall not find one more. */
static void take_name(void)
{
	_cleanup_close_ int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char line[4096];
	ssize_t n = read(fd, line, sizeof(line));

	prctl(PR_SET_NAME, NAME);
	/* The arguments lie one behind the other; what is to be seen of them is what lies there. */
	if (n >= (ssize_t)sizeof(NAME)) {
		memset(program_invocation_name, 0, (size_t)n);
		memcpy(program_invocation_name, NAME, sizeof(NAME));
	}
}

int logfiles_write(void *files)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct err e = ERR_INIT;
	struct loop loop;
	int r;

	the_files = files;
	the_files->open = 0;
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	take_name();
	log_move(LOGFILE_FD_LOG);
	r = start_all(&loop, &e);
	if (write_all(LOGFILE_FD_READY, r < 0 ? (void *)&e : "", r < 0 ? sizeof(e) : 1) <
		    0 &&
	    r < 0)
		log_write(LOG_WARN, the_files->id, "%s", e.text);
	close(LOGFILE_FD_READY);
	if (r < 0)
		return 1;
	loop.quiet = on_quiet;
	loop.quiet_ms = LIMIT_REST_MS;
	return loop_run(&loop);
}
