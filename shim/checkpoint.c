/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint and restore, by the runtime and criu (contract 8.6, 4.6). A failed
 * dump leaves its log in the bundle, where people look for it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"

#define MAX_ARGS (14 + 2 * LIMIT_EMPTY_NAMESPACES)

bool checkpoint_supported(struct err *e)
{
	(void)e;
	return true;
}

/* ------------------------------------------------------------ checkpoint */

struct checkpoint {
	struct op op;
	struct checkpoint_request request; /* its strings are the call's */
	char *work;    /* criu's folder */
	bool own_work; /* ours, so it is removed */
	char *kept_log; /* the place of criu's log in the bundle */
	bool failed;
};

static struct checkpoint *checkpoint_of(struct op *op)
{
	return container_of(op, struct checkpoint, op);
}

static void release_checkpoint(struct op *op)
{
	free(checkpoint_of(op)->work);
	free(checkpoint_of(op)->kept_log);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* In a child: a tree of files may take its time. */
static int remove_tree(void *path)
{
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
	       errno == ENOENT ? 0 : 1;
}

static void answer(struct op *op)
{
	if (checkpoint_of(op)->failed)
		op_fail(op);
	else
		service_reply_empty(op_end(op));
}

static void on_removed(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (!command_succeeded(cmd))
		log_write(LOG_WARN, op->process->container->id, "%s could not be removed",
			  checkpoint_of(op)->work);
	answer(op);
}

static void finish(struct op *op)
{
	struct checkpoint *cp = checkpoint_of(op);
	struct shim *s = op->process->container->shim;

	if (!cp->own_work || command_call(op_command(op, on_removed), "remove criu's folder",
					  remove_tree, cp->work, s->limits.mount_ms) < 0)
		answer(op);
}

/* In a child: the folder may be the client's, and on what hangs. */
static int copy_log(void *arg)
{
	const struct checkpoint *cp = arg;
	_cleanup_free_ char *from = str_printf("%s/dump.log", cp->work), *text = NULL;
	size_t len;
	int r = from ? file_read(from, LIMIT_CRIU_LOG, &text, &len) : -ENOMEM;

	if (r == 0)
		r = file_write(cp->kept_log, text, len, 0600);
	if (r < 0)
		dprintf(2, "criu's dump.log: %s", err_strerror(-r));
	return r < 0;
}

/* The log is named in the error only where it is kept. */
static void on_log_copied(struct command *cmd)
{
	struct op *op = op_of(cmd);
	size_t len = strlen(op->err.text);
	struct err e = ERR_INIT;

	if (command_succeeded(cmd)) {
		snprintf(op->err.text + len, sizeof(op->err.text) - len, " path= %s",
			 checkpoint_of(op)->kept_log);
	} else {
		command_describe(cmd, &e);
		log_write(LOG_WARN, op->process->container->id, "%s", e.text);
	}
	finish(op);
}

/* Copies criu's log into the bundle. */
static void keep_log(struct op *op)
{
	struct checkpoint *cp = checkpoint_of(op);
	struct container *c = op->process->container;
	int r = -ENOMEM;

	cp->kept_log = str_printf("%s/criu-dump.log", c->bundle);
	if (cp->kept_log)
		r = command_call(op_command(op, on_log_copied), "copy criu's dump.log", copy_log,
				 cp, c->shim->limits.mount_ms);
	if (r < 0) {
		log_write(LOG_WARN, c->id, "criu's dump.log: %s", err_strerror(-r));
		finish(op);
	}
}

static void on_checkpointed(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (command_succeeded(cmd)) {
		finish(op);
		return;
	}
	/* It kills when all has gone well. */
	op->process->dumping = false;
	command_describe(cmd, &op->err);
	op->err.text[strcspn(op->err.text, "\n")] = 0;
	checkpoint_of(op)->failed = true;
	keep_log(op);
}

static int checkpoint_args(struct checkpoint *cp, const char *args[static MAX_ARGS],
			   struct err *e)
{
	const struct checkpoint_request *r = &cp->request;
	const struct { bool on; const char *flag; } flags[] = {
		{ r->open_tcp, "--tcp-established" },
		{ r->external_unix_sockets, "--ext-unix-sk" },
		{ r->terminal, "--shell-job" },
		{ r->file_locks, "--file-locks" },
	};
	int n = 0;

	if (r->n_empty_namespaces > LIMIT_EMPTY_NAMESPACES)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "%zu empty namespaces: there are not "
			       "so many kinds", r->n_empty_namespaces);
	args[n++] = "checkpoint";
	if (*r->path) {
		args[n++] = "--image-path";
		args[n++] = r->path;
	}
	args[n++] = "--work-path";
	args[n++] = cp->work;
	if (*r->parent_path) {
		args[n++] = "--parent-path";
		args[n++] = r->parent_path;
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].on)
			args[n++] = flags[i].flag;
	for (size_t i = 0; i < r->n_empty_namespaces; i++) {
		args[n++] = "--empty-ns";
		args[n++] = r->empty_namespaces[i];
	}
	if (!r->exit)
		args[n++] = "--leave-running";
	args[n++] = cp->op.process->container->id;
	args[n] = NULL;
	assert(n < MAX_ARGS);
	return 0;
}

static int run_checkpoint(struct op *op)
{
	struct checkpoint *cp = checkpoint_of(op);
	struct container *c = op->process->container;
	const char *args[MAX_ARGS];
	const struct runtime_call call = { "checkpoint", args, NULL, false, 0 };
	int r;

	cp->own_work = !*cp->request.work_path;
	cp->work = cp->own_work ? str_printf("%s/work/criu-work", c->bundle) :
				  strdup(cp->request.work_path);
	if (!cp->work)
		return err_nomem(&op->err);
	if (checkpoint_args(cp, args, &op->err) < 0)
		return -op->err.code;
	r = runtime_run(op_command(op, on_checkpointed), c, &call, c->shim->limits.runtime_ms,
			&op->err);
	c->init.dumping = r == 0 && cp->request.exit;
	return r;
}

static void begin_checkpoint(struct op *op)
{
	if (process_check(op->process, VERB_CHECKPOINT, &op->err) < 0 ||
	    run_checkpoint(op) < 0)
		op_fail(op);
}

void checkpoint_begin(struct process *init, struct ttrpc_call *call,
		      const struct checkpoint_request *r)
{
	struct op *op = op_new(sizeof(struct checkpoint), init, call, begin_checkpoint);

	if (!op)
		return;
	checkpoint_of(op)->request = *r;
	op->release = release_checkpoint;
	op_submit(op);
}

/* --------------------------------------------------------------- restore */

static void forget_try(struct op *op)
{
	struct process *p = op->process;
	struct container *c = p->container;

	oom_disarm(c);
	cgroup_release(&c->cgroup);
	p->exit_seen = false;
	p->sigkill_asked = false;
	p->exit_status = 0;
	p->exited_at = (struct timespec){ .tv_sec = TIME_ZERO };
	p->pid = 0;
	launch_failed(op);
}

static void on_undone(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct err e = ERR_INIT;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "undo restore", &e);
		log_write(LOG_INFO, op->process->container->id, "%s", e.text);
	}
	forget_try(op);
}

/*
 * Nothing of this try stays; the container can be started again, or deleted. The
 * runtime cleans up after itself when it fails, but not (@runtime_tried) when it
 * was killed or had succeeded.
 */
static void fail_restore(struct op *op, bool runtime_tried)
{
	struct process *p = op->process;
	struct container *c = p->container;
	const char *args[] = { "delete", "--force", c->id, NULL };
	const struct runtime_call call = { "delete", args, NULL, false, 0 };
	struct err e = ERR_INIT;

	io_close(&p->io);
	child_signal(&p->child, SIGKILL);
	child_forget(&p->child);
	if (!runtime_tried) {
		forget_try(op);
	} else if (runtime_run(op_command(op, on_undone), c, &call, c->shim->limits.runtime_ms,
			       &e) < 0) {
		log_write(LOG_ERROR, c->id, "undo restore: %s", e.text);
		forget_try(op);
	}
}

static void on_restored_connected(struct io *io, struct err *failure)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = op_first(p);

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to start io pipe copy");
		fail_restore(op, true);
		return;
	}
	launch_started(op);
}

static void on_restored(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct process *p = op->process;
	struct container *c = p->container;
	_cleanup_free_ char *pid_file = str_printf("%s/init.pid", c->bundle);

	if (!command_succeeded(cmd)) {
		if (!op->err.code)
			runtime_failure(cmd, "OCI runtime restore failed", &op->err);
		fail_restore(op, cmd->timed_out || cmd->killed || cmd->child.signal);
		return;
	}
	if (!pid_file || process_adopt(p, pid_file, &op->err) < 0) {
		if (!pid_file)
			err_nomem(&op->err);
		err_prefix(&op->err, "failed to retrieve OCI runtime container pid");
		fail_restore(op, true);
		return;
	}
	container_entered(c);
	io_connect(&p->io, c->shim->limits.fifo_ns, on_restored_connected);
}

static int run_restore(struct op *op, struct io *io)
{
	struct container *c = op->process->container;
	_cleanup_free_ char *pid_file = str_printf("%s/init.pid", c->bundle);
	_cleanup_free_ char *work = str_is_set(c->options.criu_work_path) ?
		strdup(c->options.criu_work_path) : str_printf("%s/work", c->bundle);
	const char *args[20] = { "restore", "--image-path", c->checkpoint, "--work-path", work,
				 "--detach", "--pid-file", pid_file };
	const struct runtime_call call = { "restore", args, io_child(io), true, 0 };
	int n = 8;

	if (!pid_file || !work)
		return err_nomem(&op->err);
	if (io_console(io)) {
		args[n++] = "--console-socket";
		args[n++] = io_console(io);
	}
	if (c->options.no_pivot_root)
		args[n++] = "--no-pivot";
	args[n++] = "-no-subreaper";
	args[n++] = "--bundle";
	args[n++] = c->bundle;
	args[n++] = c->id;
	file_remove(pid_file);
	return runtime_run(op_command(op, on_restored), c, &call, c->shim->limits.runtime_ms,
			   &op->err);
}

static void on_opened(struct io *io, struct err *failure)
{
	struct process *p = container_of(io, struct process, io);
	struct op *op = op_first(p);
	int r = 0;

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to create init process I/O");
		fail_restore(op, false);
		return;
	}
	r = run_restore(op, io);
	io_spawned(io);
	if (r < 0) {
		err_prefix(&op->err, "OCI runtime restore failed");
		fail_restore(op, false);
	}
}

void checkpoint_give_up(struct op *op)
{
	if (op->err.code)
		return; /* it fails in any case */
	err_set(&op->err, TTRPC_UNKNOWN,
		"OCI runtime restore failed: killed before it had started");
	if (command_is_running(&op->command))
		command_kill(&op->command);
	else
		fail_restore(op, child_is_watched(&op->process->child));
}

void checkpoint_restore(struct op *op)
{
	op->process->in_transition = true;
	process_open_io(op->process, on_opened);
}
