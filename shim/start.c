/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "start": finds the shim that serves this container's group, or makes one, and
 * prints its address (contract 1.4 to 1.8). The server is this program again,
 * with the listening socket as descriptor 3; it can be connected to before it
 * runs. Containerd reads our stdout and stderr as one until their end, so
 * nobody may keep them open, and nothing but the answer may be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "shim/action.h"
#include "shim/bootstrap.h"
#include "shim/bundle.h"
#include "shim/limits.h"
#include "shim/lines.h"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/reap.h"
#include "shim/socket.h"
#include "shim/spawn.h"
#include "shim/util.h"

#define OOM_SCORE_MAX 1000
#define CGROUP_ROOT "/sys/fs/cgroup"
#define MOUNTINFO "/proc/self/mountinfo"
#define CGROUP_PAUSE_NS 30000000L

extern char **environ;

struct start {
	const struct action *action;
	const char *address; /* of containerd; the bootstrap's, if it says */
	struct bootstrap bootstrap;
	struct spec spec;
	char path[SOCKET_PATH_MAX + 1];
	pid_t server;
};

static int read_input(struct start *st, struct err *e)
{
	const struct flags *f = st->action->flags;
	_cleanup_free_ uint8_t *data = NULL;
	size_t len;
	int r = action_read_stdin(&data, &len, e);

	if (r < 0 || len == 0)
		return r;
	r = bootstrap_read(data, len, f->id, f->ns, &st->bootstrap, e);
	if (st->bootstrap.grpc_address)
		st->address = st->bootstrap.grpc_address;
	return r;
}

/*
 * Says what is no reason to fail, where the server will say such things as well: all that
 * we print would be taken for the answer.
 */
static void warn(const struct start *st, const char *what, int error)
{
	const struct action *a = st->action;
	_cleanup_close_ int fd = open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat s;

	if (fd < 0 || fstat(fd, &s) < 0 || !S_ISFIFO(s.st_mode))
		return;
	log_open(fd, a->runtime_name, a->flags->ns, false);
	log_write(LOG_WARN, a->flags->id, "start: %s: %s", what, err_strerror(-error));
	log_open(-1, NULL, NULL, false);
}

/* ---------------------------------------------------------------- server */

static int set_oom_score(pid_t server)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	char path[64], score[16];
	size_t len;
	int r, n, v;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", getppid());
	r = file_read(path, 32, &text, &len);
	if (r < 0)
		return r;
	if (sscanf(text, "%d", &v) != 1)
		return -EINVAL;
	/* Killed before containerd is. */
	n = snprintf(score, sizeof(score), "%d", v < OOM_SCORE_MAX ? v + 1 : OOM_SCORE_MAX);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", server);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : write_all(fd, score, (size_t)n);
}

static int join_cgroup(const char *dir, pid_t pid)
{
	const struct timespec pause = { .tv_nsec = CGROUP_PAUSE_NS };
	_cleanup_free_ char *path = str_printf("%s/cgroup.procs", dir);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid), r = -ENOMEM;

	for (int i = 0; path && i < LIMIT_CGROUP_TRIES; i++) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		r = write_all(fd, text, (size_t)n);
		close(fd);
		if (r != -EINVAL)
			break;
		nanosleep(&pause, NULL);
	}
	return r;
}

static bool is_clean_absolute(const char *path)
{
	size_t len = strlen(path);

	return path[0] == '/' && !strstr(path, "//") && !strstr(path, "/./") &&
	       !strstr(path, "/../") && (len == 1 || path[len - 1] != '/') &&
	       !(len >= 3 && strcmp(path + len - 3, "/..") == 0) &&
	       strncmp(path, CGROUP_ROOT, strlen(CGROUP_ROOT)) != 0;
}

/* Every mounted v1 hierarchy must have it: "… - cgroup SOURCE OPTIONS" in mountinfo. */
static int join_v1(const char *cgroup, pid_t pid, struct err *e)
{
	_cleanup_(lines_close) struct lines l;

	lines_open(&l, AT_FDCWD, MOUNTINFO);
	l.skip_long = true; /* of an overlay with many layers, for example */
	for (char *line, *field[5]; (line = lines_next(&l));) {
		_cleanup_free_ char *dir = NULL;
		int r;

		if (!strstr(line, " - cgroup ") || split(line, " ", field, 5) < 5)
			continue;
		dir = str_printf("%s/%s", field[4], cgroup);
		if (!dir)
			return err_nomem(e);
		r = join_cgroup(dir, pid);
		if (r < 0)
			return err_sys(e, -r, "shim_cgroup: %s", dir);
	}
	return l.error ? err_sys(e, -l.error, MOUNTINFO) : 0;
}

static int set_cgroup(struct start *st, struct err *e)
{
	const char *cgroup = st->bootstrap.options.shim_cgroup;
	_cleanup_free_ char *dir = NULL;
	struct statfs fs;
	int r;

	if (!str_is_set(cgroup))
		return 0;
	if (statfs(CGROUP_ROOT, &fs) < 0 || fs.f_type != 0x63677270 /* CGROUP2_SUPER_MAGIC */)
		return join_v1(cgroup, st->server, e);
	if (!is_clean_absolute(cgroup))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "shim_cgroup \"%s\" is no clean absolute "
			       "path below the cgroup mount", cgroup);
	dir = str_printf(CGROUP_ROOT "%s", cgroup);
	if (!dir)
		return err_nomem(e);
	r = join_cgroup(dir, st->server);
	return r < 0 ? err_sys(e, -r, "shim_cgroup: %s", dir) : 0;
}

/* Threads of different pods shall not share a core (contract 1.8, step 7). */
static int set_sched_core(struct err *e)
{
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_CREATE 1
#endif
	if (str_is_set(getenv("SCHED_CORE")) &&
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 2 /* process group */, 0) < 0)
		return err_sys(e, errno, "enable core scheduling");
	return 0;
}

/* The program itself, by name if it is still there, so that "ps" shows that name. */
static void own_path(char path[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n > 0) {
		path[n] = 0;
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, PATH_MAX, "/proc/self/exe");
}

static int spawn_server(struct start *st, int listen_fd, struct err *e)
{
	const struct flags *f = st->action->flags;
	bool debug = f->debug || st->bootstrap.debug;
	const char *argv[] = { st->action->program, "-namespace", f->ns, "-id", f->id, "-address",
			       st->address, debug ? "-debug" : NULL, NULL };
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = { null, null, null, listen_fd };
	char path[PATH_MAX];
	struct spawn s = {
		.path = path,
		.argv = (char *const *)argv,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.own_group = true,
	};
	int r;

	if (null < 0)
		return err_sys(e, errno, "open /dev/null");
	if (memory_prepare() < 0 ||
	    (st->bootstrap.ttrpc_address &&
	     setenv("TTRPC_ADDRESS", st->bootstrap.ttrpc_address, 1) < 0))
		return err_nomem(e);
	own_path(path);
	s.envp = environ;
	r = spawn_exec(&s, &st->server);
	if (r < 0)
		return err_sys(e, -r, "start the server %s", path);
	if (set_cgroup(st, e) < 0) {
		kill(st->server, SIGKILL);
		return -e->code;
	}
	/* Where the machine forbids it, it is not ours to insist. */
	r = set_oom_score(st->server);
	if (r < 0)
		warn(st, "oom_score_adj of the shim", r);
	return 0;
}

/*
 * The shim of containerd 2 serves one version of the service only, while ours and the
 * older ones serve that which every containerd speaks. Which it is stands in what
 * containerd wrote of the pod.
 */
static bool is_newer(const struct start *st, const char *url)
{
	struct spec_endpoint endpoint = { 0 };
	_cleanup_free_ char *dir = NULL, *path = NULL;
	struct shim_record ours;
	struct spec_error e;
	bool newer = false;

	if (!is_identifier(st->spec.group))
		return false;
	dir = str_printf("../%s", st->spec.group);
	path = str_printf("../%s/bootstrap.json", st->spec.group);
	if (dir && path && bundle_read_shim(dir, &ours) < 0 &&
	    spec_endpoint_load(path, &endpoint, &e) == 0)
		newer = endpoint.version >= BOOTSTRAP_VERSION && endpoint.address &&
			strcmp(endpoint.address, url) == 0;
	spec_endpoint_release(&endpoint);
	return newer;
}

/*
 * The descriptor of a new socket, or -EADDRINUSE (no error text): somebody serves there. The
 * lock is held for this alone: what else is done may touch a disk, and one of us that is
 * stuck there must not hold up those of other pods. So who finds the socket of another "start"
 * relies on that one to come to its end.
 */
static int listen_if_nobody_does(struct start *st, struct err *e)
{
	_cleanup_close_ int lock = -1;
	int fd;

	if (socket_make_folder(st->path, e) < 0)
		return -e->code;
	lock = socket_lock(st->path);
	if (lock < 0)
		warn(st, "no lock of the folder of sockets", lock);
	fd = socket_listen(st->path, e);
	if (fd != -EADDRINUSE || socket_is_alive(st->path))
		return fd;
	/* Left behind by a shim that was killed. */
	unlink(st->path);
	fd = socket_listen(st->path, e);
	/* Without the lock, another may just have been faster. */
	return fd == -EADDRINUSE && !socket_is_alive(st->path) ?
		       err_sys(e, EADDRINUSE, "bind %s", st->path) : fd;
}

static int find_or_make_server(struct start *st, const char *url, struct err *e)
{
	_cleanup_close_ int fd = -1;
	/* First, since it is what fails, on a full disk. */
	int r = bundle_write_address(".", url, e);

	if (r < 0)
		return r;
	fd = listen_if_nobody_does(st, e);
	if (fd == -EADDRINUSE) {
		st->bootstrap.newer = st->spec.group && is_newer(st, url);
		return 0;
	}
	if (fd < 0)
		return fd;
	r = set_sched_core(e);
	if (r == 0)
		r = spawn_server(st, fd, e);
	if (r < 0)
		unlink(st->path);
	return r;
}

static int run(struct start *st, struct err *e)
{
	const struct flags *f = st->action->flags;
	char url[SOCKET_PATH_MAX + 16], cwd[PATH_MAX];
	struct spec_error se;

	if (!is_identifier(f->id))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "-id \"%s\" is no identifier", f->id);
	if (reap_supported() < 0)
		return err_set(e, TTRPC_UNIMPLEMENTED, "this kernel cannot wait for a pidfd "
			       "(pidfd_open(2), P_PIDFD): Linux 5.4 or later is needed");
	if (read_input(st, e) < 0)
		return -e->code;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, "the current directory, which should be the bundle");
	if (spec_load(cwd, &st->spec, &se) < 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "%s", se.text);
	if (socket_path(st->bootstrap.socket_dir ? st->bootstrap.socket_dir : SOCKET_DIR,
			st->address, f->ns, st->spec.group ? st->spec.group : f->id, st->path, e) < 0)
		return -e->code;
	snprintf(url, sizeof(url), "unix://%s", st->path);
	if (find_or_make_server(st, url, e) < 0)
		return -e->code;
	return bootstrap_answer(1, &st->bootstrap, url, e);
}

int start_main(const struct action *a)
{
	struct start st = {
		.action = a,
		.address = a->flags->address,
	};
	struct err e = ERR_INIT;
	int r;

	/* The server is reparented past us, to containerd's reaper or to init. */
	r = run(&st, &e);
	spec_release(&st.spec);
	bootstrap_release(&st.bootstrap);
	return r < 0 ? action_fail(a, &e) : 0;
}
