/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: sets up what one shim needs, runs the loop, and decides when to
 * leave. It leaves after Shutdown; when nobody needs it, neither a container nor
 * a connection; and on SIGTERM as soon as no container runs. Whichever it is,
 * the socket goes first, so that nobody calls a shim that is going.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "shim/flags.h"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/shim.h"
#include "shim/spawn.h"
#include "shim/util.h"

/* --------------------------------------------------------------- leaving */

static bool is_busy(struct shim *s)
{
	struct container *c;

	list_for_each(c, &s->containers, link)
		if (container_is_busy(c))
			return true;
	return false;
}

static bool any_io(const struct container *c, bool (*is)(const struct io *))
{
	const struct process *p;

	list_for_each(p, &c->execs, link)
		if (is(&p->io))
			return true;
	return is(&c->init.io);
}

/* What a process has written may still be in our hands when it has ended, or how it did. */
static const struct container *with_output(struct shim *s)
{
	struct container *c;

	list_for_each(c, &s->containers, link)
		if (any_io(c, io_has_output) || child_is_watched(&c->recorder))
			return c;
	return NULL;
}

static void go(struct shim *s)
{
	if (s->going)
		return;
	s->going = true;
	socket_unlink(&s->socket);
	ttrpc_server_stop_listening(&s->server);
	timer_arm_in(&s->loop, &s->lease, LIMIT_GOODBYE_MS * LOOP_MSEC);
}

static bool all_are_over(struct shim *s)
{
	struct container *c;

	list_for_each(c, &s->containers, link)
		if (!container_is_over(c))
			return false;
	return true;
}

/* Looks at disks: not at those that may stand still. */
static bool all_are_forgotten(struct shim *s)
{
	struct container *c;

	list_for_each(c, &s->containers, link)
		if (c->on_disk || !container_is_forgotten(c))
			return false;
	return true;
}

/* How long it is to the next look at the bundles: each time longer. */
static uint64_t look_pause(const struct shim *s)
{
	uint64_t most = LIMIT_LEASE_EVENTS_MS * LOOP_MSEC, pause = s->limits.lease_ns;

	for (unsigned i = 0; i < s->n_looks && pause < most; i++)
		pause *= 2;
	return pause < most ? pause : most;
}

/*
 * A containerd that could not reach us when it started (we were stopped, our socket's
 * name was removed) has ended our containers by "delete", and their bundles. It is away
 * otherwise, and comes back for them.
 */
static void arm_look(struct shim *s)
{
	if (s->server.n_conns > 0 || !all_are_over(s)) {
		s->n_looks = 0;
		timer_disarm(&s->lease);
	} else if (!timer_is_armed(&s->lease)) {
		timer_arm_in(&s->loop, &s->lease, look_pause(s));
	}
}

/*
 * Nobody needs a shim that has neither a container nor a connection, nor one that has had
 * no container for long, whoever is connected: a containerd that was killed in the middle
 * of a Create comes back and knows nothing of what to do with it.
 */
static void arm_lease(struct shim *s)
{
	uint64_t lease = s->limits.lease_ns, unused = s->limits.unused_ns, now = loop_now();

	if (s->n_containers > 0) {
		s->empty_since = 0;
		arm_look(s);
		return;
	}
	s->n_looks = 0;
	if (!s->empty_since)
		s->empty_since = now;
	if (s->server.n_conns > 0)
		lease = unused > lease ? unused : lease;
	/* What containerd has not been told keeps us longer, but not for ever. */
	if (!event_queue_is_empty(&s->events) && lease < LIMIT_LEASE_EVENTS_MS * LOOP_MSEC)
		lease = LIMIT_LEASE_EVENTS_MS * LOOP_MSEC;
	/* Connections that come and go do not put it off. */
	timer_arm(&s->loop, &s->lease, (s->server.n_conns > 0 ? s->empty_since : now) + lease);
}

static void reconsider(struct work *w)
{
	struct shim *s = container_of(w, struct shim, reconsider);

	if (s->leaving && !s->going && !is_busy(s)) {
		if (with_output(s)) {
			if (!timer_is_armed(&s->lease))
				timer_arm_in(&s->loop, &s->lease, s->limits.drain_ns);
			return;
		}
		go(s);
	}
	if (s->going) {
		if (event_queue_is_empty(&s->events))
			loop_stop(&s->loop, 0);
		return;
	}
	arm_lease(s);
}

void serve_reconsider(struct shim *s)
{
	work_queue(&s->loop, &s->reconsider);
}

void serve_shutdown(struct shim *s)
{
	if (s->n_containers > 0)
		return;
	go(s);
	serve_reconsider(s);
}

static void give_up_output(struct shim *s)
{
	const struct container *c = with_output(s);

	if (!c)
		return;
	log_write(LOG_WARN, c->id,
		  child_is_watched(&c->recorder) ?
			  "how it ended is not on record yet: this shim was told to end" :
		  any_io(c, io_has_logger) ?
			  "its logger has not ended: it is asked to, since this shim was "
			  "told to end" :
			  "its output is not read: what is left of it is lost, since "
			  "this shim was told to end");
	go(s);
}

/* Nobody will ask for what is here, and events that nobody takes were offered for long. */
static bool was_forgotten(struct shim *s)
{
	return s->server.n_conns == 0 && all_are_forgotten(s) &&
	       (event_queue_is_empty(&s->events) ||
		look_pause(s) == LIMIT_LEASE_EVENTS_MS * LOOP_MSEC);
}

static void on_lease(struct timer *t)
{
	struct shim *s = container_of(t, struct shim, lease);

	if (s->going) {
		log_write(LOG_ERROR, NULL, "the last events could not be delivered");
		loop_stop(&s->loop, 1);
		return;
	}
	if (s->n_containers > 0) {
		if (s->leaving && !is_busy(s))
			give_up_output(s);
		else if (!s->leaving && was_forgotten(s)) {
			log_write(LOG_INFO, NULL, "all containers were cleaned up without this shim: leaving");
			go(s);
			loop_stop(&s->loop, 0);
			return;
		}
		s->n_looks++;
		serve_reconsider(s);
		return;
	}
	log_write(LOG_INFO, NULL, s->server.n_conns > 0 ?
		  "no container for long: leaving" :
		  "neither a container nor a connection: leaving");
	go(s);
	loop_stop(&s->loop, 0);
}

/* ---------------------------------------------------------------- hooks */

static bool on_quiet(struct loop *l)
{
	struct shim *s = container_of(l, struct shim, loop);

	/* It is only a command that we wait for, and there will be more to do. */
	if (s->n_ops > 0)
		return false;
	relay_rest();
	memory_rest(!s->debug);
	return true;
}

static void on_conns_changed(struct ttrpc_server *server)
{
	struct shim *s = server->data;

	/* Most likely it is containerd who comes, and so is back. */
	event_queue_hurry(&s->events);
	serve_reconsider(s);
}

static void on_server_log(struct ttrpc_server *server, const char *text)
{
	(void)server;
	log_write(LOG_WARN, NULL, "%s", text);
}

static void on_events_sent(struct event_queue *q)
{
	serve_reconsider(container_of(q, struct shim, events));
}

static void dump_container(struct container *c)
{
	struct process *p;

	log_write(LOG_INFO, c->id, "init: %s, pid %d%s", state_name(c->init.state),
		  c->init.pid, list_empty(&c->init.ops) ? "" : ", busy");
	list_for_each(p, &c->execs, link)
		log_write(LOG_INFO, c->id, "exec %s: %s, pid %d%s", p->id, state_name(p->state),
			  p->pid, list_empty(&p->ops) ? "" : ", busy");
}

/* What the Go shim's SIGUSR1 is for: what is everybody doing? */
static void dump(struct shim *s)
{
	struct container *c;

	log_write(LOG_INFO, NULL, "=== BEGIN: %u containers, %u connections, %u calls, "
		  "%zu bytes of events ===", s->n_containers, s->server.n_conns,
		  s->server.n_calls, s->events.bytes);
	list_for_each(c, &s->containers, link)
		dump_container(c);
	log_write(LOG_INFO, NULL, "=== END ===");
}

static void on_signal(struct sigwatch *w, int signo)
{
	struct shim *s = container_of(w, struct shim, signals);

	switch (signo) {
	case SIGCHLD:
		reaper_sweep(&s->reaper);
		break;
	case SIGUSR1:
		dump(s);
		break;
	default:
		log_write(LOG_INFO, NULL, "%s: leaving when no container runs",
			  strsignal(signo));
		/* It was to look at bundles. */
		if (!s->leaving && s->n_containers > 0)
			timer_disarm(&s->lease);
		s->leaving = true;
		serve_reconsider(s);
	}
}

/*
 * What would end us by its default and means nothing to us: no exit is lost for it.
 * Our children begin with an empty mask (spawn.h).
 */
static void block_other_signals(void)
{
	static const int others[] = { SIGHUP, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
				      SIGIO,  SIGPWR,  SIGXCPU, SIGSTKFLT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		sigaddset(&set, others[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(&set, i);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---------------------------------------------------------------- set-up */

/*
 * The log is a FIFO in the bundle. Opened for both directions it is never
 * without reader, and opening it does not block; a full one loses lines.
 */
static void open_log(struct shim *s, const struct flags *f)
{
	int fd = open("log", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || dup2(fd, 2) < 0) {
		closep(&fd);
		return;
	}
	closep(&fd);
	log_open(2, s->runtime_name, f->ns, f->debug);
}

/* First of all, so that the file goes with us whatever fails after it. */
static int open_socket(struct shim *s, const struct flags *f)
{
	int fd = SOCKET_FD, r;
	struct err e;

	if (*f->socket) {
		fd = socket_listen(f->socket, &e);
		if (fd < 0) {
			log_write(LOG_ERROR, NULL, "%s", e.text);
			return -EIO;
		}
	}
	r = socket_remember(&s->socket, fd);
	if (r < 0)
		return r;
	s->record = (struct shim_record){ .pid = getpid(), .started = reap_start_time(getpid()) };
	snprintf(s->record.socket, sizeof(s->record.socket), "%s", s->socket.path);
	/* It must not reach a container. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return fd;
}

static int open_server(struct shim *s, int fd)
{
	int r = ttrpc_server_open(&s->server, &s->loop, fd, NULL);
	if (r < 0)
		return r;
	s->server.data = s;
	s->server.conns_changed = on_conns_changed;
	s->server.log = on_server_log;
	service_open(s);
	inspect_open(s);
	return 0;
}

static int open_shim(struct shim *s, const struct flags *f)
{
	sigset_t signals;
	int r, fd = open_socket(s, f);

	if (fd < 0)
		return fd;

	s->ns = f->ns;
	s->debug = f->debug;
	list_init(&s->containers);
	limits_load(&s->limits);
	timer_init(&s->lease, on_lease);
	work_init(&s->reconsider, reconsider);
	r = loop_init(&s->loop);
	if (r < 0)
		return r;
	s->loop.quiet = on_quiet;
	s->loop.quiet_ms = (int)s->limits.rest_ms;
	reaper_init(&s->reaper, &s->loop);
	block_other_signals();
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	r = sigwatch_add(&s->loop, &s->signals, &signals, on_signal);
	if (r < 0)
		return r;
	r = event_queue_init(&s->events, &s->loop, s->ns, getenv("TTRPC_ADDRESS"));
	if (r < 0)
		return r;
	s->events.emptied = on_events_sent;
	return open_server(s, fd);
}

static void leave_container(struct container *c)
{
	struct process *p;

	list_for_each(p, &c->execs, link)
		io_let_go(&p->io);
	io_let_go(&c->init.io);
	container_free(c);
}

static void close_shim(struct shim *s)
{
	struct container *c;

	list_for_each(c, &s->containers, link)
		leave_container(c);
	ttrpc_server_close(&s->server);
	event_queue_fini(&s->events);
	reaper_fini(&s->reaper);
	sigwatch_del(&s->signals);
	timer_disarm(&s->lease);
	work_cancel(&s->reconsider);
	socket_unlink(&s->socket);
	loop_fini(&s->loop);
}

static void ignore_sigpipe(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
}

int serve_main(const struct flags *f, const char *runtime_name)
{
	static struct shim shim = { .socket = SOCKET_INIT };
	int r;

	memory_init();
	shim.runtime_name = runtime_name;
	shim.first = f->id;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ignore_sigpipe();
	spawn_raise_files();
	/* The runtime would tell systemd that the container is ready (contract 4.1). */
	unsetenv("NOTIFY_SOCKET");
	open_log(&shim, f);
	r = open_shim(&shim, f);
	if (r < 0) {
		/* Nobody will listen there. */
		if (!*f->socket && socket_remember(&shim.socket, SOCKET_FD) == 0)
			socket_unlink(&shim.socket);
		log_write(LOG_ERROR, NULL, "the shim cannot start: %s", err_strerror(-r));
		/* By hand, it has no log. */
		dprintf(2, "%s: the server cannot start: %s\n", runtime_name, err_strerror(-r));
		socket_unlink(&shim.socket);
		return 1;
	}
	serve_reconsider(&shim);
	r = loop_run(&shim.loop);
	close_shim(&shim);
	return r < 0 ? 1 : r;
}
