/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many short lives in one shim while containerd, here a process of its own, is
 * stopped, killed and started again at random moments, and pids are used again
 * and again. What containerd has received in all its lives is then followed by a
 * model: each event that had to come has come, once, in order, with the true
 * status. Only the event that a killed containerd had in hand may come twice.
 *
 * Environment, for "make churn": CHURN_CONTAINERS (40), CHURN_EXECS (400),
 * CHURN_AWAY (seconds without containerd: 3), CHURN_SEED (of the clock; printed).
 */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ID 100000
#define WAVE 8
#define PID_MAX 900

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);

	return s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

/* ------------------------------------------------------------- containerd */

static struct {
	pid_t pid; /* 0: it is not there */
	bool stopped;
	int record;
	uint64_t next; /* when something happens to it */
	unsigned stops, kills, exits;
} daemon_;

static uint64_t random_state;

static unsigned pick(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static _Noreturn void serve(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_init(&e2e.loop) < 0)
		_exit(1);
	unlink(e2e.ttrpc_address);
	sink_open();
	sink_record(daemon_.record);
	if (write(daemon_.record, "#\n", 2) != 2)
		_exit(1);
	for (;;)
		loop_round(&e2e.loop, -1);
}

static void daemon_start(void)
{
	daemon_.pid = fork();
	daemon_.stopped = false;
	if (daemon_.pid == 0)
		serve();
	assert_true(daemon_.pid > 0);
}

static void daemon_end(bool orderly)
{
	kill(daemon_.pid, SIGKILL);
	waitpid(daemon_.pid, NULL, 0);
	daemon_.pid = 0;
	if (orderly)
		unlink(e2e.ttrpc_address);
}

/* Its next blow, if it is time. */
static void torment(void)
{
	if (loop_now() < daemon_.next)
		return;
	daemon_.next = loop_now() + (20 + pick(400)) * LOOP_MSEC;
	if (!daemon_.pid) {
		daemon_start();
		return;
	}
	if (daemon_.stopped) {
		kill(daemon_.pid, SIGCONT);
		daemon_.stopped = false;
		return;
	}
	switch (pick(3)) {
	case 0:
		kill(daemon_.pid, SIGSTOP);
		daemon_.stopped = true;
		daemon_.stops++;
		break;
	case 1:
		daemon_end(false);
		daemon_.kills++;
		break;
	default:
		daemon_end(true);
		daemon_.exits++;
	}
}

static void daemon_open(void)
{
	sink_close();
	memset(&daemon_, 0, sizeof(daemon_));
	daemon_.record =
		open(in_dir("record"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	random_state = setting("CHURN_SEED", (unsigned)(loop_now() / 1000) | 1);
	print_message("# CHURN_SEED=%u\n", (unsigned)random_state);
	daemon_start();
}

static void daemon_close(void)
{
	if (daemon_.pid)
		daemon_end(true);
	close(daemon_.record);
	sink_open();
}

/* -------------------------------------------------------------- the model */

enum phase { NEVER, CREATED, STARTED, EXITED, DELETED };

static struct {
	enum phase containers[MAX_ID], execs[MAX_ID];
	unsigned owner[MAX_ID]; /* of an exec */
	unsigned living[MAX_ID]; /* execs of a container that have been added */
	unsigned again; /* events that came twice since their daemon was killed */
} model;

/* What a life has to end with; a container that is killed: 137. */
static unsigned exec_status(unsigned x)
{
	return x % 200;
}

static unsigned container_status(unsigned c, bool quick)
{
	return quick ? c % 50 : 137;
}

static bool is_quick(unsigned c)
{
	return c % 2;
}

static void step(enum phase *p, enum phase from, enum phase to, const char *line)
{
	if (*p != from)
		fail_at(HERE, "event \"%s\" in phase %d", line, *p);
	*p = to;
}

static void follow(const char *line)
{
	unsigned c, x, status;

	if (sscanf(line, "exec-added c%u x%u", &c, &x) == 2) {
		assert_int_equal(model.containers[c], STARTED);
		step(&model.execs[x], NEVER, CREATED, line);
		model.owner[x] = c;
		model.living[c]++;
	} else if (sscanf(line, "exec-started c%u x%u", &c, &x) == 2) {
		assert_int_equal(model.owner[x], c);
		step(&model.execs[x], CREATED, STARTED, line);
	} else if (sscanf(line, "exit c%u x%u %u", &c, &x, &status) == 3) {
		assert_int_equal(model.owner[x], c);
		assert_int_equal(status, exec_status(x));
		/* Before the init's, which is the last one. */
		assert_int_equal(model.containers[c], STARTED);
		step(&model.execs[x], STARTED, EXITED, line);
		model.living[c]--;
	} else if (sscanf(line, "exit c%u c%u %u", &c, &x, &status) == 3) {
		assert_int_equal(c, x);
		assert_int_equal(status, container_status(c, is_quick(c)));
		assert_int_equal(model.living[c], 0);
		step(&model.containers[c], STARTED, EXITED, line);
	} else if (sscanf(line, "create c%u", &c) == 1) {
		step(&model.containers[c], NEVER, CREATED, line);
	} else if (sscanf(line, "start c%u", &c) == 1) {
		step(&model.containers[c], CREATED, STARTED, line);
	} else if (sscanf(line, "delete c%u %u", &c, &status) == 2) {
		assert_int_equal(status, container_status(c, is_quick(c)));
		step(&model.containers[c], EXITED, DELETED, line);
	} else {
		fail_at(HERE, "unexpected event \"%s\"", line);
	}
}

/* Follows the record; returns how many events there were. */
static size_t follow_all(void)
{
	char *all = read_file(in_dir("record"), NULL), *save = NULL, *last = NULL;
	bool fresh = false;
	size_t n = 0;

	memset(&model, 0, sizeof(model));
	for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (*l == '#') {
			fresh = true;
			continue;
		}
		if (fresh && last && !strcmp(l, last))
			model.again++; /* its predecessor was killed before it could answer */
		else
			follow(l);
		n++;
		last = l;
		fresh = false;
	}
	return n - model.again;
}

/* ------------------------------------------------------------------- lives */

struct job {
	const char *container, *exec; /* exec NULL: the container itself */
	unsigned number; /* of the exec or the container */
	int step;
	struct answer *asked;
};

struct life {
	struct job self;
	struct bundle *bundle;
	struct job execs[64];
	unsigned n_execs, n_started, n_done;
};

static unsigned char pid_seen[1u << 22];
static unsigned pids_reused;

static void note_pid(const struct answer *a)
{
	uint32_t pid = as_pid(a->reply);

	pids_reused += pid_seen[pid]++ > 0;
}

/* An exec's next step: added, started, waited for, deleted. True: it is done. */
static bool exec_goes_on(struct life *l, struct job *j)
{
	if (j->asked && !j->asked->done)
		return false;
	if (j->asked)
		ok(j->asked);
	switch (j->step++) {
	case 0:
		j->asked = ask_exec(j->container, j->exec,
				    text("exit %u", exec_status(j->number)), NULL);
		return false;
	case 1:
		j->asked = ask_start(j->container, j->exec);
		return false;
	case 2:
		note_pid(j->asked);
		l->n_started++;
		j->asked = ask_wait(j->container, j->exec);
		return false;
	case 3:
		assert_int_equal(as_wait(j->asked->reply)->exit_status,
				 exec_status(j->number));
		j->asked = ask_delete(j->container, j->exec);
		return false;
	default:
		return true;
	}
}

static bool execs_go_on(struct life *l)
{
	for (unsigned i = 0; i < l->n_execs; i++) {
		struct job *j = &l->execs[i];

		/* A few at once. */
		if (j->step == 0 && i >= l->n_done + 4)
			break;
		if (j->step < 5 && exec_goes_on(l, j))
			l->n_done++;
	}
	return l->n_started == l->n_execs;
}

/* True: it is over. */
static bool goes_on(struct life *l)
{
	struct job *j = &l->self;

	if (j->step == 3 && !execs_go_on(l))
		return false;
	if (j->step > 3)
		execs_go_on(l);
	if (j->asked && !j->asked->done)
		return false;
	if (j->asked)
		ok(j->asked);
	switch (j->step++) {
	case 0:
		j->asked = ask_create(l->bundle, NULL);
		break;
	case 1:
		note_pid(j->asked);
		j->asked = ask_start(j->container, NULL);
		break;
	case 2:
		j->asked = NULL;
		break;
	case 3: /* its execs have all been started, and may have ended or not */
		if (!is_quick(j->number))
			j->asked = ask_kill(j->container, NULL, SIGKILL, false);
		break;
	case 4:
		j->asked = ask_wait(j->container, NULL);
		break;
	case 5:
		assert_int_equal(as_wait(j->asked->reply)->exit_status,
				 container_status(j->number, is_quick(j->number)));
		if (l->n_done < l->n_execs) {
			j->step--;
			return false;
		}
		j->asked = ask_delete(j->container, NULL);
		break;
	default:
		return true;
	}
	return false;
}

static void life_init(struct life *l, unsigned c, unsigned first_exec, unsigned n_execs)
{
	struct bundle like = { .id = text("c%u", c),
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };

	memset(l, 0, sizeof(*l));
	l->bundle = bundle_like(&like,
				is_quick(c) ? text("exit %u", container_status(c, true))
					    : "exec sleep 10000");
	l->self = (struct job){ .container = l->bundle->id, .number = c };
	l->n_execs = n_execs;
	for (unsigned i = 0; i < n_execs; i++)
		l->execs[i] = (struct job){ .container = l->bundle->id,
					    .exec = text("x%u", first_exec + i),
					    .number = first_exec + i };
}

/* WAVE containers side by side, to their end. */
static void wave(unsigned first, unsigned n, unsigned *next_exec, unsigned per_container)
{
	static struct life lives[WAVE];
	uint64_t due = deadline_in(120000);
	size_t mark = e2e_mark();
	bool over[WAVE] = { false };
	unsigned left = n;

	for (unsigned i = 0; i < n; i++) {
		unsigned execs = is_quick(first + i) ? 0 : per_container;

		life_init(&lives[i], first + i, *next_exec, execs);
		*next_exec += execs;
	}
	while (left) {
		for (unsigned i = 0; i < n; i++) {
			if (over[i] || !goes_on(&lives[i]))
				continue;
			over[i] = true;
			left--;
		}
		torment();
		if (!loop_until(due))
			fail_at(HERE, "a wave does not end");
	}
	e2e_forget(mark);
}

/* ------------------------------------------------------------------- tests */

/* Since Linux 6.14 each pid namespace has a limit of its own; before, it is the machine's. */
static bool few_pids(void)
{
	struct utsname u;
	unsigned major, minor;
	char *s = text("%d", PID_MAX);

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 ||
	    major < 6 || (major == 6 && minor < 14))
		return false;
	int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, s, strlen(s)) == (ssize_t)strlen(s);

	close(fd);
	return done;
}

static void pod(void)
{
	struct bundle like = { .id = "pod",
			       .annotation = "io.kubernetes.cri.sandbox-id",
			       .group = "pod" };

	start_shim(bundle_like(&like, "true"));
}

static void leave(size_t expected)
{
	uint64_t due = deadline_in(60000);

	if (daemon_.stopped)
		kill(daemon_.pid, SIGCONT);
	if (!daemon_.pid)
		daemon_start();
	while (follow_all() < expected)
		if (!loop_until(due))
			fail_at(HERE, "%zu of %zu events came", follow_all(), expected);
	shutdown_shim();
	daemon_close();
	assert_int_equal(follow_all(), expected);
}

static void many_lives(void **st)
{
	unsigned containers = setting("CHURN_CONTAINERS", 40);
	unsigned execs = setting("CHURN_EXECS", 400), next_exec = 0;
	bool reuse = few_pids();
	uint64_t begin = loop_now();

	(void)st;
	assert_true(containers < MAX_ID && execs < MAX_ID &&
		    2 * execs / containers <= 64);
	pod();
	daemon_open();
	for (unsigned c = 0; c < containers; c += WAVE)
		wave(c, containers - c < WAVE ? containers - c : WAVE, &next_exec,
		     2 * execs / containers);
	leave(4ull * containers + 3ull * next_exec);
	print_message(
		"# %u containers, %u execs in %.1f s; containerd stopped %u times, "
		"killed %u, ended %u; %u events told again after a kill, %u pids used again\n",
		containers, next_exec, (double)(loop_now() - begin) / 1e9, daemon_.stops,
		daemon_.kills, daemon_.exits, model.again, pids_reused);
	for (unsigned c = 0; c < containers; c++)
		assert_int_equal(model.containers[c], DELETED);
	for (unsigned x = 0; x < next_exec; x++)
		assert_int_equal(model.execs[x], EXITED);
	assert_int_not_equal(daemon_.stops + daemon_.kills + daemon_.exits, 0);
	if (reuse)
		assert_int_not_equal(pids_reused, 0);
}

/* A long time without containerd, in which much happens: nothing of it is lost. */
static void long_absence(void **st)
{
	uint64_t away = setting("CHURN_AWAY", 3) * LOOP_SEC, until_;
	unsigned next_exec = 0, c = 0;

	(void)st;
	pod();
	daemon_open();
	daemon_end(true);
	for (until_ = loop_now() + away; loop_now() < until_; c += 2) {
		daemon_.next = UINT64_MAX;
		wave(c, 2, &next_exec, 10);
		loop_for(200);
	}
	print_message("# %u containers, %u execs in %.0f s without containerd\n", c,
		      next_exec, (double)away / 1e9);
	leave(4ull * c + 3ull * next_exec);
}

E2E_GROUP(E2E(many_lives), E2E(long_absence))
