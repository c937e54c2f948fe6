/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a test: namespaces, directory, loop; and the check that a
 * test has left nothing. Does not know what is tested.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/internal.h"

struct e2e e2e;
void (*failing)(const char *why);

static void *pool[1 << 18];
static size_t pool_len;

_Noreturn void fail_at(struct where w, const char *format, ...)
{
	char line[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	print_error("%s\n", line);
	if (failing)
		failing(line);
	_fail(w.file, w.line);
	abort(); /* _fail() does not return */
}

void *forget_later(void *allocated)
{
	if (!allocated || pool_len == sizeof(pool) / sizeof(pool[0]))
		abort();
	pool[pool_len++] = allocated;
	return allocated;
}

size_t e2e_mark(void)
{
	return pool_len;
}

void e2e_forget(size_t mark)
{
	answers_free();
	readers_free();
	while (pool_len > mark)
		free(pool[--pool_len]);
}

char *text(const char *format, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&s, format, ap);
	va_end(ap);
	return n < 0 ? forget_later(NULL) : forget_later(s);
}

/* ------------------------------------------------------------------ time */

uint64_t deadline_in(uint64_t ms)
{
	return loop_now() + ms * (uint64_t)e2e.slow * LOOP_MSEC;
}

/* A short wait, since conditions may be about files and processes as well. */
bool loop_until(uint64_t due)
{
	loop_round(&e2e.loop, 2);
	return loop_now() < due;
}

void loop_for(uint64_t ms)
{
	uint64_t due = loop_now() + ms * LOOP_MSEC;

	while (loop_now() < due)
		loop_round(&e2e.loop, (int)((due - loop_now()) / LOOP_MSEC) + 1);
}

/* ------------------------------------------------------------- processes */

bool is_alive(pid_t pid)
{
	char *state = proc_status(pid, "State");

	return state && *state != 'Z' && *state != 'X';
}

/* Processes of this pid namespace but ourselves and @but, described; NULL if there is none. */
static char *processes(bool and_kill, pid_t but)
{
	static char out[4096];
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	out[0] = 0;
	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		size_t len = strlen(out), n;
		char *cmdline;

		if (pid <= 1 || pid == but || !is_alive(pid))
			continue;
		cmdline = read_file(text("/proc/%d/cmdline", pid), &n);
		for (size_t i = 0; cmdline && i + 1 < n; i++)
			if (!cmdline[i])
				cmdline[i] = ' ';
		snprintf(out + len, sizeof(out) - len, "  process %d: %.120s\n", pid,
			 cmdline ? cmdline : "?");
		if (and_kill)
			kill(pid, SIGKILL);
	}
	if (d)
		closedir(d);
	return out[0] ? out : NULL;
}

char *other_processes(void)
{
	return processes(false, e2e.server);
}

char *own_mounts(void)
{
	char *all = read_file("/proc/self/mountinfo", NULL);

	return all ? strstr(all, " " DIR_OF_TEST "/") : NULL;
}

/* ------------------------------------------------------- setup, teardown */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static int remove_directory(const char *path, const struct stat *st, int type,
			    struct FTW *f)
{
	(void)st, (void)f;
	return type == FTW_DP ? rmdir(path) : 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void binaries(void)
{
	const char *shim = getenv("BRASS_SHIM"), *fake = getenv("BRASS_FAKE");
	const char *slow = getenv("E2E_SLOW");
	char dir[3000];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	dir[n > 0 ? n : 0] = 0;
	for (int up = 0; up < 3; up++)
		*(strrchr(dir, '/') ? strrchr(dir, '/') : dir) = 0;
	snprintf(e2e.shim, sizeof(e2e.shim), "%s%s", shim ? shim : dir,
		 shim ? "" : "/containerd-shim-brass-v2");
	snprintf(e2e.fake, sizeof(e2e.fake), "%s%s", fake ? fake : dir,
		 fake ? "" : "/fake-runc");
	e2e.slow = slow ? (int)strtol(slow, NULL, 10) : strstr(dir, "/san-") ? 4 : 1;
}

/* A cgroup for the containers: of the pids hierarchy (v1), or of the only one. */
static void make_cgroup(void)
{
	const char *roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now); /* our pid says nothing, it is 1 */
	for (size_t i = 0; i < 2 && !e2e.cgroup[0]; i++) {
		if (!exists(text("%s/cgroup.procs", roots[i])))
			continue;
		snprintf(e2e.cgroup, sizeof(e2e.cgroup), "%s/brass-e2e-%lld-%ld",
			 roots[i], (long long)now.tv_sec, now.tv_nsec);
		if (mkdir(e2e.cgroup, 0755) < 0)
			e2e.cgroup[0] = 0;
	}
}

int e2e_setup(void **st)
{
	(void)st;
	memset(&e2e, 0, sizeof(e2e));
	binaries();
	e2e.fds_before = count_fds(getpid());
	remove_tree(DIR_OF_TEST);
	mkdir(DIR_OF_TEST, 0711);
	snprintf(e2e.address, sizeof(e2e.address), "%s/containerd.sock", DIR_OF_TEST);
	snprintf(e2e.ttrpc_address, sizeof(e2e.ttrpc_address), "%s.ttrpc", e2e.address);
	snprintf(e2e.scripts, sizeof(e2e.scripts), "%s/scripts", DIR_OF_TEST);
	snprintf(e2e.root, sizeof(e2e.root), "%s/runc", DIR_OF_TEST);
	mkdir(e2e.scripts, 0755);
	make_cgroup();
	list_init(&e2e.answers);
	list_init(&e2e.readers);
	if (loop_init(&e2e.loop) < 0)
		return -1;
	ttrpc_client_init(&e2e.client, &e2e.loop, e2e.path);
	sink_open();
	return 0;
}

static int complain(const char *what, const char *details)
{
	print_error("left behind: %s\n%s\n", what, details);
	return -1;
}

static int check_processes(void)
{
	uint64_t due = deadline_in(3000);
	char *left;
	int r = 0;

	while ((left = processes(false, 0)) && loop_until(due))
		;
	if (left)
		r = complain("processes", left);
	while (processes(true, 0))
		loop_round(&e2e.loop, 2);
	return r;
}

static int check_files(void)
{
	char *left;
	int r = 0;

	left = first_in(SHIM_SOCKETS);
	if (left)
		r = complain("socket", left);
	remove_tree(SHIM_SOCKETS);
	left = first_in(text("%s/" NS, e2e.root));
	if (left && !e2e.keep_runc_state)
		r = complain("container in the runtime's books", left);
	if (e2e.cgroup[0] && rmdir(e2e.cgroup) < 0) {
		if (!e2e.keep_runc_state)
			r |= complain("cgroup", e2e.cgroup);
		nftw(e2e.cgroup, remove_directory, 16, FTW_DEPTH | FTW_PHYS);
	}
	left = own_mounts();
	if (left)
		r = complain("mount", left);
	while (own_mounts() && umount2(text("%.*s", (int)strcspn(own_mounts() + 1, " "),
					    own_mounts() + 1),
				       MNT_DETACH) == 0)
		;
	return r;
}

int e2e_teardown(void **st)
{
	int r = 0, fds;

	(void)st;
	ttrpc_client_close(&e2e.client);
	r |= check_processes();
	r |= check_files();
	answers_free();
	sink_close();
	sink_free();
	readers_free();
	loop_fini(&e2e.loop);
	remove_tree(DIR_OF_TEST);
	while (pool_len)
		free(pool[--pool_len]);
	fds = count_fds(getpid());
	if (fds != e2e.fds_before)
		r |= complain("descriptors of the test",
			      text("%d, before: %d", fds, e2e.fds_before));
	return r;
}

/* ------------------------------------------------------------ namespaces */

static void map_id(const char *file, unsigned id)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "0 %u 1", id), fd;

	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		perror(file);
	close(fd);
}

/* As root, or else as root of a user namespace. */
static int isolate(void)
{
	unsigned uid = getuid(), gid = getgid();
	int fd;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0)
		return -1;
	fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "deny", 4) != 4)
		return -1;
	close(fd);
	map_id("/proc/self/uid_map", uid);
	map_id("/proc/self/gid_map", gid);
	return 0;
}

static int in_namespaces(int (*run)(void))
{
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What our caller forgot to close, or ignores, is not to reach the shim. */
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0) {
		perror("mount");
		return 99;
	}
	umask(022);
	r = run();
	fflush(NULL);
	return r;
}

_Noreturn void e2e_main(int (*run)(void))
{
	const char *limit = getenv("TEST_TIMEOUT");
	int status = 0;
	pid_t pid;

	if (getenv("E2E_ONLY"))
		cmocka_set_test_filter(getenv("E2E_ONLY"));
	if (isolate() < 0) {
		perror("these tests need namespaces: unshare");
		_exit(99);
	}
	pid = fork();
	if (pid == 0)
		_exit(in_namespaces(run));
	alarm(limit ? (unsigned)strtoul(limit, NULL, 10)
		    : 600); /* ends us, and with us the child and all that it has started */
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		_exit(99);
	/* Not by exit(3): a leak checker cannot work on our side of the pid namespace. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
