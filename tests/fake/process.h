/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a fake container: who belongs to it, and how one is put in.
 * Included by fake-runc.c alone, which owns cmd and fail().
 */
#pragma once

#include <sys/syscall.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

struct proc {
	int ppid, session;
	char state;
	unsigned long long
		start; /* in clock ticks since boot: tells a pid's users apart */
};

static bool proc_read(int pid, struct proc *p)
{
	char path[64], *text, *s;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = slurp(path);
	s = text ? strrchr(text, ')') : NULL;
	ok = s && sscanf(s + 1,
			 " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
			 " %*d %*d %*d %*d %*d %*d %llu",
			 &p->state, &p->ppid, &p->session, &p->start) == 4;
	free(text);
	return ok;
}

/* ROOT/ID/sessions has a line "PID START" per process that was put in; the init first. */
static void session_add(int pid)
{
	struct proc p;
	char path[PATH_MAX];
	FILE *f;

	path_of(path, cmd.dir, "sessions");
	f = fopen(path, "ae");
	if (!f || !proc_read(pid, &p))
		fail("cannot note the pid: %m");
	fprintf(f, "%d %llu\n", pid, p.start);
	fclose(f);
}

static size_t sessions_read(int *pids, size_t max)
{
	char path[PATH_MAX];
	unsigned long long start;
	struct proc p;
	size_t n = 0;
	int pid;
	FILE *f;

	path_of(path, cmd.dir, "sessions");
	f = fopen(path, "re");
	while (f && n < max && fscanf(f, "%d %llu", &pid, &start) == 2)
		if (!proc_read(pid, &p) || p.start == start)
			pids[n++] = pid;
	if (f)
		fclose(f);
	return n;
}

/* Calls @fn for each living process of the container; returns how many. */
static size_t each_process(void (*fn)(int pid, size_t i))
{
	static int sessions[65536];
	size_t n_sessions = sessions_read(sessions, 65536), n = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct proc p;

	while (d && (e = readdir(d))) {
		int pid = (int)strtol(e->d_name, NULL, 10);

		if (pid <= 0 || !proc_read(pid, &p) || p.state == 'Z')
			continue;
		for (size_t i = 0; i < n_sessions; i++)
			if (sessions[i] == p.session) {
				fn(pid, n++);
				break;
			}
	}
	if (d)
		closedir(d);
	return n;
}

static void signal_one(int pid, size_t i)
{
	(void)i;
	kill(pid, cmd.sig);
}

static void print_one(int pid, size_t i)
{
	printf("%s%d", i ? "," : "", pid);
}

static bool exists_in(const char *name)
{
	char path[PATH_MAX];

	path_of(path, cmd.dir, name);
	return access(path, F_OK) == 0;
}

static int init_pid(void)
{
	int pid;

	return sessions_read(&pid, 1) == 1 ? pid : 0;
}

static const char *status(void)
{
	struct proc p;
	int pid = init_pid();

	if (!pid || !proc_read(pid, &p) || p.state == 'Z' || p.state == 'X')
		return "stopped";
	if (exists_in("exec.fifo"))
		return "created";
	return exists_in("paused") ? "paused" : "running";
}

static bool is_status(const char *what)
{
	return !strcmp(status(), what);
}

/*
 * $FAKE_CGROUP is a cgroup of the test's, where each container gets one of its
 * own; without it containers stay in the shim's.
 */
static bool cgroup_path(char *out, const char *file)
{
	const char *dir = getenv("FAKE_CGROUP");

	return dir && snprintf(out, PATH_MAX, "%s/%s%s", dir, cmd.id, file) < PATH_MAX;
}

static void cgroup_join(void)
{
	char path[PATH_MAX];
	int fd;

	if (!cgroup_path(path, ""))
		return;
	mkdir(path, 0755);
	cgroup_path(path, "/cgroup.procs");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		fail("%s: %m", path);
	close(fd);
}

static void cgroup_remove(void)
{
	char path[PATH_MAX];

	/* Busy for as long as a process that was killed is about to die. */
	for (int tries = 0; cgroup_path(path, "") && rmdir(path) < 0 && errno == EBUSY;
	     tries++)
		if (tries == 500 || poll(NULL, 0, 2) < 0)
			fail("failed to remove cgroup %s: %m", path);
}

/* What a runtime has made before it writes down that there is a container. */
static void leave_half_made(void)
{
	char path[PATH_MAX], byte;
	int sync[2];

	if (pipe2(sync, O_CLOEXEC) < 0)
		fail("pipe: %m");
	if (!fork()) {
		setsid();
		cgroup_join();
		if (cgroup_path(path, "/below"))
			mkdir(path, 0755);
		if (write(sync[1], "", 1) == 1)
			hang();
		_exit(1);
	}
	close(sync[1]);
	if (read(sync[0], &byte, 1) != 1)
		fail("the child died");
	close(sync[0]);
}

/* Waits until @pid is dead, leaving the zombie to whom it concerns. */
static void await_death(int pid)
{
	struct pollfd p = { .events = POLLIN };

	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd >= 0)
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
	close(p.fd);
}

static void write_pid_file(int pid)
{
	char tmp[PATH_MAX];
	FILE *f;

	if (script.die_before_pid_file)
		kill(getpid(), SIGKILL);
	if (script.no_pid_file || !cmd.pid_file)
		return;
	snprintf(tmp, sizeof(tmp), "%s.tmp", cmd.pid_file);
	f = fopen(tmp, "we");
	if (!f)
		fail("open %s: %m", tmp);
	if (script.pid_text)
		fputs(script.pid_text, f);
	else
		fprintf(f, "%d", pid);
	fclose(f);
	if (rename(tmp, cmd.pid_file) < 0)
		fail("rename %s: %m", cmd.pid_file);
}

/* Makes a terminal, sends its master to the console socket; returns the slave. */
static int console(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char name[64] = "";
	struct iovec iov = { name, sizeof(name) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), s, slave;

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name)))
		fail("cannot make a terminal: %m");
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (script.no_console)
		return slave;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", cmd.console);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail("dial unix %s: %m", cmd.console);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	if (sendmsg(s, &m, 0) < 0)
		fail("sendmsg: %m");
	close(s);
	close(master);
	return slave;
}

/* The program that args[0] names, found in the PATH of @env; else fails as runc does. */
static void lookup(char **args, char **env)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *file;
	struct stat st;

	if (!args)
		fail("runc create failed: args must not be empty");
	for (char **e = env; e && *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			path = *e + 5;
	if (strchr(args[0], '/')) {
		if (access(args[0], F_OK) != 0)
			fail("runc create failed: unable to start container process: "
			     "exec: \"%s\": stat %s: no such file or directory",
			     args[0], args[0]);
		if (stat(args[0], &st) == 0 && (st.st_mode & 0111) && S_ISREG(st.st_mode))
			return;
		fail("runc create failed: unable to start container process: "
		     "exec: \"%s\": permission denied",
		     args[0]);
	}
	for (; *path; path += strspn(path, ":")) {
		int len = (int)strcspn(path, ":");

		if (asprintf(&file, "%.*s/%s", len, path, args[0]) < 0)
			fail("out of memory");
		if (access(file, X_OK) == 0) {
			args[0] = file;
			return;
		}
		free(file);
		path += len;
	}
	fail("runc create failed: unable to start container process: exec: \"%s\": "
	     "executable file not found in $PATH",
	     args[0]);
}

/* The child: becomes the process that the document at @p describes. */
static _Noreturn void become(const char *p, char **args, char **env, int tty, bool gate)
{
	char fifo[PATH_MAX], *cwd = string_at(member(p, "cwd"));
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	if (tty >= 0) {
		ioctl(tty, TIOCSCTTY, 0);
		for (fd = 0; fd < 3; fd++)
			dup2(tty, fd);
	}
	if (script.init_exits)
		_exit(script.init_status);
	if (gate) {
		path_of(fifo, cmd.dir, "exec.fifo");
		fd = open(fifo, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(126);
		close(fd);
	}
	if (cwd && chdir(cwd) < 0)
		_exit(126);
	execve(args[0], args, env);
	_exit(127);
}

/* A process of the container that has our stdio and never ends by itself. */
static void leave_child(void)
{
	int sync[2];
	char byte;

	if (pipe2(sync, O_CLOEXEC) < 0)
		fail("pipe: %m");
	if (!fork()) {
		setsid();
		cgroup_join();
		session_add(getpid());
		close(sync[0]);
		close(sync[1]);
		hang();
	}
	close(sync[1]);
	if (read(sync[0], &byte, 1) < 0)
		fail("read: %m");
	close(sync[0]);
}

/* Puts a process into the container; returns its pid when it has its session. */
static int spawn(const char *process, bool gate)
{
	static char *no_env[] = { NULL };
	char **args = strings_at(member(process, "args"));
	char **env = strings_at(member(process, "env"));
	int sync[2], tty = cmd.console ? console() : -1, pid;
	char byte;

	lookup(args, env);
	if (pipe2(sync, O_CLOEXEC) < 0)
		fail("pipe: %m");
	pid = fork();
	if (pid < 0)
		fail("fork: %m");
	if (!pid) {
		setsid();
		cgroup_join();
		close(sync[0]);
		if (write(sync[1], "", 1) != 1)
			_exit(126);
		close(sync[1]);
		become(process, args, env ? env : no_env, tty, gate);
	}
	close(sync[1]);
	if (read(sync[0], &byte, 1) != 1)
		fail("the child died");
	close(sync[0]);
	session_add(pid);
	if (script.init_exits)
		waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	if (script.hold_stdout)
		leave_child();
	return pid;
}
