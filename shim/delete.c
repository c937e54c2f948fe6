/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "delete": cleans up after a shim that is gone, and is run after every normal
 * Delete as well, so it must be quick, quiet and content to find nothing
 * (contract 1.13). Prints a DeleteResponse with the true exit status if the shim
 * had recorded it.
 *
 * Of a pod whose shim has died, containerd 2 runs it for the sandbox alone: the
 * others of that shim are cleaned too, by a child, which goes on after the answer if
 * there are many. Each bundle says whose it is (bundle.h), and nothing is touched whose
 * shim may be alive.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "shim/action.h"
#include "shim/bundle.h"
#include "shim/cgroup.h"
#include "shim/limits.h"
#include "shim/mount.h"
#include "shim/reap.h"
#include "shim/runtime.h"
#include "shim/socket.h"
#include "shim/spawn.h"
#include "shim/util.h"
#include "task.pb-c.h"

extern char **environ;

static void warn(const struct action *a, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", a->runtime_name, what, why);
}

/* The time that is left, in ms, but for the last @ms of it. */
static int all_but(uint64_t until, int ms)
{
	int64_t left = (int64_t)(until - loop_now()) / (int64_t)LOOP_MSEC - ms;

	return left > 0 ? (int)left : 0;
}

/* A container, and how it is deleted. */
struct doomed {
	char *bundle;
	const char *id;
	char *runtime, *root;
};

/*
 * An error if it is not known which runtime and root: another runtime, or another
 * root, would remove what the right one needs. @note: the options, if the bundle is gone.
 */
static int look_at(const struct action *a, struct doomed *c, const char *note,
		   struct err *e)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	struct spec_error se;
	_cleanup_free_ char *options =
		str_printf(note ? "%s" : "%s/options.json", note ? note : c->bundle);
	int r;

	if (!note)
		c->runtime = bundle_read_runtime(c->bundle);
	if (!options || (!note && !c->runtime))
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED,
			       "delete %s: out of memory or "
			       "descriptors, or %s/runtime cannot be read",
			       c->id, c->bundle);
	r = spec_options_load(options, &o, &se);
	if (r == -EINVAL)
		warn(a, "delete", se.text);
	if (note)
		c->runtime = strdup(str_is_set(o.binary_name) ? o.binary_name : "");
	if (r == 0 || r == -ENOENT || r == -EINVAL)
		c->root = str_printf("%s/%s", str_is_set(o.root) ? o.root : RUNTIME_ROOT,
				     a->flags->ns);
	else
		err_set(e, TTRPC_UNKNOWN, "delete %s: %s", c->id, se.text);
	spec_options_release(&o);
	if (c->root && c->runtime)
		return 0;
	return e->code ? -e->code : err_nomem(e);
}

/*
 * Runs "RUNTIME --root … delete --force ID"; a container that is not there is fine.
 * Positive: it is not there, or not any more.
 */
static int delete_container(const struct action *a, const struct doomed *c,
			    uint64_t until, struct err *e)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int out = memfd_open("output"), log = memfd_open("log");
	const int fds[] = { null, out, out };
	const char *name = *c->runtime ? c->runtime : RUNTIME_DEFAULT;
	const char *argv[ARGS_GLOBAL_MAX + ARGS_MAX];
	char path[PATH_MAX], text[512], log_path[RUNTIME_FD_PATH];
	pid_t pid;
	int r;

	if (null < 0 || out < 0 || log < 0)
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED,
			       "delete %s: out of descriptors", c->id);
	r = spawn_find(name, path);
	if (r < 0) {
		warn(a, name, err_strerror(-r));
		return 0;
	}
	runtime_fd_path(log, log_path);
	args_delete_by_force(argv + args_global(argv, name, c->root, log_path, false),
			     c->id);
	const struct spawn s = {
		.path = path,
		.argv = (char *const *)argv,
		.envp = environ,
		.fds = fds,
		.n_fds = 3,
		.dies_with_us = true,
	};
	r = spawn_exec(&s, &pid);
	if (r == 0)
		r = reap_wait(pid, all_but(until, LIMIT_DELETE_UNMOUNT_MS));
	if (r < 0)
		warn(a, name, err_strerror(-r));
	if (r <= 0 || memfd_read(out, text, sizeof(text)) == 0)
		return r == 0;
	if (strstr(text, "does not exist"))
		return 1;
	warn(a, name, text);
	return 0;
}

/* In a child. */
static int remove_cgroups(void *arg)
{
	const struct doomed *c = arg;
	struct spec spec = SPEC_INIT;
	struct spec_error e;

	/* It is not known which ones then. */
	if (spec_load(c->bundle, &spec, &e) < 0)
		return 0;
	return cgroup_remove("", spec.cgroups_path, c->id) < 0;
}

/*
 * A runtime that was killed before it knew of the container has left them. It writes
 * init.pid last, and options.json was written before it was called: so nothing is done
 * after a normal Delete, nor where no runtime has ever been.
 */
static void remove_unknown(const struct action *a, struct doomed *c, uint64_t until)
{
	_cleanup_free_ char *pid_file = str_printf("%s/init.pid", c->bundle);
	_cleanup_free_ char *options = str_printf("%s/options.json", c->bundle);
	pid_t pid;
	int r;

	if (!pid_file || !options || access(pid_file, F_OK) == 0 || errno != ENOENT ||
	    access(options, F_OK) < 0)
		return;
	r = spawn_call(remove_cgroups, c, 2, &pid);
	if (r == 0)
		r = reap_wait(pid, all_but(until, LIMIT_DELETE_UNMOUNT_MS));
	if (r < 0)
		warn(a, "remove cgroups", err_strerror(-r));
}

static void unmount_rootfs(const struct action *a, const char *bundle, uint64_t until)
{
	_cleanup_free_ char *rootfs = str_printf("%s/rootfs", bundle);
	pid_t pid;
	int r = rootfs ? spawn_call(mount_undo, rootfs, 2, &pid) : -ENOMEM;

	if (r == 0)
		r = reap_wait(pid, all_but(until, 0));
	if (r < 0)
		warn(a, "unmount rootfs", err_strerror(-r));
}

static int clean(const struct action *a, struct doomed *c, uint64_t until, struct err *e)
{
	int r = delete_container(a, c, until, e);

	if (r < 0)
		return r;
	if (r > 0)
		remove_unknown(a, c, until);
	unmount_rootfs(a, c->bundle, until);
	return 0;
}

static int print_answer(const struct exit_record *x, struct err *e)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Task__DeleteResponse m = TASK__DELETE_RESPONSE__INIT;
	uint8_t packed[64];
	int r;

	at.seconds = x->at.tv_sec;
	at.nanos = (int32_t)x->at.tv_nsec;
	m.pid = (uint32_t)x->pid;
	m.exit_status = (uint32_t)x->status;
	m.exited_at = &at;
	r = write_all(1, packed, protobuf_c_message_pack(&m.base, packed));
	return r < 0 ? err_sys(e, -r, "write the answer") : 0;
}

/* ------------------------------------------------- the others of its shim */

/*
 * Whether the shim of this record is gone for good. It may live in a pid
 * namespace that we do not see, so its socket must be dead as well.
 */
static bool is_gone(const struct shim_record *r)
{
	return reap_start_time(r->pid) != r->started && !socket_is_alive(r->socket);
}

static bool is_of(const char *bundle, const struct shim_record *r)
{
	struct shim_record its;

	return bundle_read_shim(bundle, &its) == 0 && its.pid == r->pid &&
	       its.started == r->started && strcmp(its.socket, r->socket) == 0;
}

static bool is_absent(const char *bundle)
{
	return access(bundle, F_OK) < 0 && errno == ENOENT;
}

struct others {
	const struct action *a;
	const char *bundles;
	struct shim_record record;
	struct doomed *list;
	size_t n;
	struct doomed *now; /* whose turn it is */
};

/* In a child. */
static int clean_other(void *arg)
{
	const struct others *o = arg;
	uint64_t until = loop_now() + LIMIT_DELETE_OTHER_MS * LOOP_MSEC;
	struct err failure = ERR_INIT;

	if (clean(o->a, o->now, until, &failure) < 0)
		warn(o->a, o->now->id, failure.text);
	return 0;
}

static void forget(struct doomed *c)
{
	free(c->bundle); /* c->id is a piece of it */
	free(c->runtime);
	free(c->root);
}

static bool is_listed(const struct others *o, const char *id)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->list[i].id, id) == 0)
			return true;
	return false;
}

/* @note: of one whose bundle may be gone. */
static void add_other(struct others *o, const char *id, const char *note)
{
	struct doomed c = { .bundle = str_printf("%s/%s", o->bundles, id) }, *list;
	struct err e = ERR_INIT;

	c.id = c.bundle ? strrchr(c.bundle, '/') + 1 : NULL;
	if (!c.bundle || is_listed(o, id) ||
	    !(note ? is_absent(c.bundle) : is_of(c.bundle, &o->record))) {
		forget(&c);
		return;
	}
	list = reallocarray(o->list, o->n + 1, sizeof(*list));
	if (list)
		o->list = list;
	if (!list || look_at(o->a, &c, note, &e) < 0) {
		warn(o->a, id, list ? e.text : "out of memory");
		forget(&c);
		return;
	}
	/* It has gone while it was read: the note says it rightly. */
	if (!note && !is_of(c.bundle, &o->record)) {
		forget(&c);
		return;
	}
	list[o->n++] = c;
}

/* Those that have a bundle, or those (@notes) that had one. */
static void find_in(struct others *o, const char *folder, bool notes)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *note = notes ? str_printf("%s/%s", folder, e->d_name)
						  : NULL;

		if (is_identifier(e->d_name) && strcmp(e->d_name, o->a->flags->id) != 0 &&
		    (note || !notes))
			add_other(o, e->d_name, note);
	}
	if (d)
		closedir(d);
}

/*
 * All of them are looked at before the first one is cleaned: containerd 2.3 removes their
 * bundles as soon as the shim has died, though nothing has been done about them.
 */
static void find_others(struct others *o)
{
	_cleanup_free_ char *notes =
		str_printf("%s/%s/" BUNDLE_OTHERS, o->bundles, o->a->flags->id);

	find_in(o, o->bundles, false);
	if (notes)
		find_in(o, notes, true);
}

/* By now it may be another shim's, of the same name; not if its bundle is just gone. */
static bool is_still(const struct others *o, const struct doomed *c)
{
	return is_of(c->bundle, &o->record) || is_absent(c->bundle);
}

/* In a child, which outlives us: it has its own session, and no descriptor of containerd's. */
static int clean_others(void *arg)
{
	pid_t under_way[LIMIT_DELETE_AT_ONCE];
	struct others *o = arg;
	unsigned n = 0, done = 0;

	prctl(PR_SET_PDEATHSIG, 0);
	setsid();
	find_others(o);
	for (o->now = o->list; o->now < o->list + o->n; o->now++) {
		pid_t *pid = &under_way[n % LIMIT_DELETE_AT_ONCE];

		if (n - done == LIMIT_DELETE_AT_ONCE)
			reap_wait(under_way[done++ % LIMIT_DELETE_AT_ONCE],
				  2 * LIMIT_DELETE_OTHER_MS);
		if (!is_still(o, o->now))
			continue;
		if (spawn_call(clean_other, o, 2, pid) == 0)
			n++;
		else
			clean_other(o);
	}
	while (done < n)
		reap_wait(under_way[done++ % LIMIT_DELETE_AT_ONCE],
			  2 * LIMIT_DELETE_OTHER_MS);
	for (size_t i = 0; i < o->n; i++)
		forget(&o->list[i]);
	free(o->list);
	return 0;
}

static pid_t begin_cleaning_others(struct others *o, int out)
{
	pid_t pid;
	int r = out < 0 ? out : spawn_call(clean_others, o, out, &pid);

	if (r < 0)
		warn(o->a, "the other containers of its shim", err_strerror(-r));
	return r < 0 ? 0 : pid;
}

static void end_cleaning_others(const struct action *a, pid_t pid, int out,
				uint64_t until)
{
	char text[1024];
	int r = reap_wait(pid, all_but(until, 0));

	if (memfd_read(out, text, sizeof(text)) > 0)
		fputs(text, stderr);
	if (r == -ETIME)
		warn(a, "the other containers of its shim", "cleaning them goes on");
	else if (r < 0)
		warn(a, "the other containers of its shim", err_strerror(-r));
}

/*
 * The stock shim of containerd 2 writes no "address", but has the name that ours would
 * have; in another folder (2.3) if it has left a link to one.
 */
static void remove_stock_socket(const struct flags *f, const char *bundle)
{
	_cleanup_free_ char *link = str_printf("%s/s", bundle);
	char dir[PATH_MAX] = SOCKET_DIR, name[SOCKET_PATH_MAX + 1];
	struct err ignored;
	ssize_t n;

	if (!link || !str_is_set(f->address))
		return;
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n > 0)
		dir[n] = 0;
	if (*dir == '/' &&
	    socket_path(dir, f->address, f->ns, f->id, name, &ignored) == 0)
		socket_remove_stale(name);
}

/* What "start" had written; it may have got no further. */
static void remove_socket(const struct action *a, const char *bundle)
{
	char *address, *path;

	if (bundle_read_address(bundle, &address) < 0) {
		remove_stock_socket(a->flags, bundle);
		return;
	}
	path = address + (strncmp(address, "unix://", 7) == 0 ? 7 : 0);
	if (*path == '/')
		socket_remove_stale(path);
	free(address);
}

/*
 * A container whose sandbox is still there leaves the others to that one, for which
 * "delete" is run by each containerd.
 */
static bool has_sandbox(const char *bundles, const char *bundle, const char *id,
			const struct shim_record *r)
{
	struct spec spec = SPEC_INIT;
	struct spec_error ignored;
	_cleanup_free_ char *sandbox = NULL;
	bool has;

	has = spec_load(bundle, &spec, &ignored) == 0 && str_is_set(spec.group) &&
	      is_identifier(spec.group) && strcmp(spec.group, id) != 0;
	sandbox = has ? str_printf("%s/%s", bundles, spec.group) : NULL;
	has = sandbox && is_of(sandbox, r);
	spec_release(&spec);
	return has;
}

/* True: its shim is gone, as its socket then, and nobody else sees after what that had. */
static bool is_ours_to_clean(const struct action *a, const char *bundles,
			     const char *bundle, struct shim_record *r)
{
	if (bundle_read_shim(bundle, r) < 0 || !is_gone(r))
		return false;
	socket_remove_stale(r->socket);
	return !has_sandbox(bundles, bundle, a->flags->id, r);
}

/* ------------------------------------------------------------------- all */

/* The folder of all bundles of the namespace: that of the current one, whatever -bundle says. */
static char *find_bundles(const struct flags *f, struct err *e)
{
	char cwd[PATH_MAX], *bundles;

	if (!is_identifier(f->id)) {
		err_set(e, TTRPC_INVALID_ARGUMENT, "-id \"%s\" is no identifier", f->id);
		return NULL;
	}
	if (!getcwd(cwd, sizeof(cwd))) {
		err_sys(e, errno, "the current directory, which should be a bundle");
		return NULL;
	}
	*strrchr(cwd, '/') = 0;
	bundles = strdup(cwd);
	if (!bundles)
		err_nomem(e);
	return bundles;
}

int delete_main(const struct action *a)
{
	uint64_t until = loop_now() + LIMIT_DELETE_MS * LOOP_MSEC;
	struct exit_record x = { .pid = -1, .status = EXIT_KILLED };
	struct err e = ERR_INIT, ignored;
	_cleanup_free_ char *bundles = find_bundles(a->flags, &e), *bundle = NULL,
			    *pid_file = NULL;
	_cleanup_close_ int out = memfd_open("output");
	struct others others = { .a = a, .bundles = bundles };
	struct doomed own = { .id = a->flags->id };
	pid_t pid = 0;

	if (!bundles)
		return action_fail(a, &e);
	own.bundle = bundle = str_printf("%s/%s", bundles, a->flags->id);
	if (!bundle) {
		err_nomem(&e);
		return action_fail(a, &e);
	}
	/* First, in case that nothing below comes back in time. */
	if (bundle_read_exit(bundle, &x) < 0) {
		clock_gettime(CLOCK_REALTIME, &x.at);
		pid_file = str_printf("%s/init.pid", bundle);
		if (pid_file)
			bundle_read_pid(pid_file, &x.pid, &ignored);
	}
	/* With the others first: their bundles may go at any time. But their shim may be dying still. */
	if (is_ours_to_clean(a, bundles, bundle, &others.record))
		pid = begin_cleaning_others(&others, out);
	if (look_at(a, &own, NULL, &e) == 0)
		clean(a, &own, until, &e);
	free(own.runtime);
	free(own.root);
	if (!pid && is_ours_to_clean(a, bundles, bundle, &others.record))
		pid = begin_cleaning_others(&others, out);
	if (bundle_read_shim(bundle, &others.record) < 0)
		remove_socket(a, bundle);
	if (pid)
		end_cleaning_others(a, pid, out, until);
	return e.code || print_answer(&x, &e) < 0 ? action_fail(a, &e) : 0;
}
