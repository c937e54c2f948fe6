/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create: mounts the rootfs, makes the stdio, runs "runc create", connects the
 * client, tells containerd. Until the answer the container is reserved under its
 * id and visible to nobody. Each step goes on in the next function; whatever
 * fails goes to undo(), which leaves nothing of it behind.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/bundle.h"
#include "shim/direct.h"
#include "shim/hint.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/mount.h"
#include "shim/op.h"
#include "shim/runtime.h"
#include "shim/shim.h"
#include "shim/util.h"
#include "shim/verdict.h"

#define PREFIX "OCI runtime create failed"

struct creation {
	struct op op;
	struct create_request request; /* its strings are the call's */
	struct mount_plan plan;
	char *rootfs, *pid_file;
	bool mount_tried, runtime_tried;
	bool undoing;
};

static struct creation *creation_of(struct op *op)
{
	return container_of(op, struct creation, op);
}

static void release(struct op *op)
{
	struct creation *cr = creation_of(op);

	free(cr->rootfs);
	free(cr->pid_file);
}

/* ---------------------------------------------------------------- undo */

static void answer_failure(struct op *op)
{
	struct container *c = op->process->container;

	struct err e = op->err;
	struct ttrpc_call *call;

	log_write(LOG_INFO, c->id, "create: %s", e.text);
	call = op_end(op);
	container_free(c);
	err_reply(call, &e);
}

static void on_undone(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct err e = ERR_INIT;

	if (!command_succeeded(cmd)) {
		command_describe(cmd, &e);
		log_write(LOG_ERROR, op->process->container->id, "%s", e.text);
	}
	answer_failure(op);
}

static void undo_mounts(struct op *op)
{
	struct creation *cr = creation_of(op);
	struct container *c = op->process->container;
	int r;

	if (!cr->mount_tried) {
		answer_failure(op);
		return;
	}
	r = command_call(op_command(op, on_undone), "unmount", mount_undo, cr->rootfs,
			 c->shim->limits.mount_ms);
	if (r < 0) {
		log_write(LOG_ERROR, c->id, "unmount %s: %s", cr->rootfs, err_strerror(-r));
		answer_failure(op);
	}
}

static int remove_cgroups(void *arg)
{
	const struct container *c = arg;

	return cgroup_remove("", c->spec.cgroups_path, c->id) < 0;
}

static void on_cgroups_removed(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct err e = ERR_INIT;

	if (!command_succeeded(cmd)) {
		command_describe(cmd, &e);
		log_write(LOG_WARN, op->process->container->id, "undo create: %s", e.text);
	}
	undo_mounts(op);
}

static void on_deleted(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct container *c = op->process->container;
	struct err e = ERR_INIT;
	int r;

	if (!command_succeeded(cmd)) {
		runtime_failure(cmd, "undo create", &e);
		log_write(LOG_INFO, c->id, "%s", e.text);
	}
	/* Killed early enough, it had cgroups and knew of no container. */
	r = command_call(op_command(op, on_cgroups_removed), "remove cgroups", remove_cgroups, c,
			 LIMIT_DEATH_MS);
	if (r < 0) {
		log_write(LOG_WARN, c->id, "undo create: remove cgroups: %s", err_strerror(-r));
		undo_mounts(op);
	}
}

/*
 * op->err says why. The runtime cleans up after itself when it fails, but not
 * when it was killed or when it had succeeded: then "delete --force" does.
 */
static void undo(struct op *op)
{
	struct creation *cr = creation_of(op);
	struct container *c = op->process->container;
	const char *args[ARGS_MAX];
	const struct runtime_call call = { "delete", args, NULL, false, 0 };
	struct err e = ERR_INIT;

	args_delete_by_force(args, c->id);
	cr->undoing = true;
	oom_disarm(c); /* nobody knows of this container */
	io_close(&c->init.io);
	child_signal(&c->init.child, SIGKILL);
	if (!cr->runtime_tried) {
		undo_mounts(op);
	} else if (runtime_run(op_command(op, on_deleted), c, &call,
			       c->shim->limits.runtime_ms, &e) < 0) {
		log_write(LOG_ERROR, c->id, "undo create: %s", e.text);
		undo_mounts(op);
	}
}

static void on_cancel(struct ttrpc_call *call, enum ttrpc_code why)
{
	struct op *op = call->data;
	struct creation *cr = creation_of(op);

	if (cr->undoing)
		return;
	if (command_is_running(&op->command)) {
		command_kill(&op->command);
		return;
	}
	/* The client that is gone will not open its FIFOs either. */
	err_set(&op->err, why, "create: the client has left");
	undo(op);
}

/* --------------------------------------------------------------- steps */

static void on_connected(struct io *io, struct err *failure)
{
	struct container *c = container_of(io, struct container, init.io);
	struct op *op = op_first(&c->init);

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to start io pipe copy");
		undo(op);
		return;
	}
	c->ready = true;
	event_create(&c->shim->events, c, TAKE(op->event));
	process_settle(&c->init, true);
	service_reply_created(op_end(op), &c->init);
}

static void on_created(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct creation *cr = creation_of(op);
	struct container *c = op->process->container;

	if (!command_succeeded(cmd)) {
		cr->runtime_tried = cmd->timed_out || cmd->killed || cmd->child.signal;
		runtime_failure(cmd, PREFIX, &op->err);
		if (!cr->runtime_tried)
			hint_config(c->bundle, &op->err);
		undo(op);
		return;
	}
	cr->runtime_tried = true;
	/* Now, while no orphan is swept: it may have ended already. */
	if (process_adopt(&c->init, cr->pid_file, &op->err) < 0) {
		err_prefix(&op->err, "failed to retrieve OCI runtime container pid");
		undo(op);
		return;
	}
	container_entered(c);
	io_connect(&c->init.io, c->shim->limits.fifo_ns, on_connected);
}

static void on_opened(struct io *io, struct err *failure)
{
	struct container *c = container_of(io, struct container, init.io);
	struct op *op = op_first(&c->init);
	struct creation *cr = creation_of(op);
	const char *args[ARGS_MAX];
	const struct runtime_call call = { "create", args, io_child(io), true, 0 };
	int r;

	if (failure) {
		op->err = *failure;
		err_prefix(&op->err, "failed to create init process I/O");
		undo(op);
		return;
	}
	args_create(args, c->id, c->bundle, &c->options, cr->pid_file, io_console(io));
	/* Of an earlier try, perhaps: it must not be taken for this one's. */
	file_remove(cr->pid_file);
	r = runtime_run(op_command(op, on_created), c, &call, c->shim->limits.runtime_ms,
			&op->err);
	io_spawned(&c->init.io);
	if (r < 0) {
		err_prefix(&op->err, PREFIX);
		undo(op);
	}
}

/*
 * From a checkpoint: Start will restore it; until then there is no process, and
 * the runtime knows nothing of it.
 */
static void create_from_checkpoint(struct op *op)
{
	struct creation *cr = creation_of(op);
	struct container *c = op->process->container;
	const struct create_request *r = &cr->request;

	if (!str_copy(&c->checkpoint, r->checkpoint)) {
		err_nomem(&op->err);
		undo(op);
		return;
	}
	c->ready = true;
	c->init.state = PROC_CREATED_CHECKPOINT;
	event_create(&c->shim->events, c, TAKE(op->event));
	process_settle(&c->init, true);
	service_reply_created(op_end(op), &c->init);
}

static void proceed(struct op *op)
{
	if (*creation_of(op)->request.checkpoint)
		create_from_checkpoint(op);
	else
		process_open_io(op->process, on_opened);
}

static void on_mounted(struct command *cmd)
{
	struct op *op = op_of(cmd);
	struct container *c = op->process->container;

	if (!command_succeeded(cmd)) {
		command_describe(cmd, &op->err);
		err_prefix(&op->err, "failed to mount rootfs component");
		/* It has undone its own mounts; what was there before is not ours. */
		if (!cmd->timed_out && !cmd->killed && cmd->child.status == MOUNT_FAILED)
			creation_of(op)->mount_tried = false;
		undo(op);
		return;
	}
	c->mounted = true;
	proceed(op);
}

/* Our own files in the bundle, for a later "delete", and the folder of the rootfs. */
static int write_bundle(struct container *c, const struct creation *cr, struct err *e)
{
	if (cr->plan.n > 0 && mkdir(cr->rootfs, 0711) < 0 && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", cr->rootfs);
	if (bundle_write_options(c->bundle, &c->options, e) < 0 ||
	    bundle_complete_address(c->bundle, c->shim->record.socket, e) < 0)
		return -e->code;
	c->noted = bundle_note(c->bundle, c->id, c->shim->first);
	return bundle_write_shim(c->bundle, &c->shim->record, e);
}

static int write_bundle_in_child(void *arg)
{
	struct op *op = arg;
	struct err e;

	if (write_bundle(op->process->container, creation_of(op), &e) == 0)
		return 0;
	dprintf(2, "%s", e.text);
	return 1;
}

static void mount_rootfs(struct op *op)
{
	struct creation *cr = creation_of(op);
	struct container *c = op->process->container;
	int r;

	if (cr->plan.n == 0) {
		proceed(op);
		return;
	}
	r = command_call(op_command(op, on_mounted), "mount", mount_all, &cr->plan,
			 c->shim->limits.mount_ms);
	cr->mount_tried = r == 0;
	if (r < 0) {
		err_sys(&op->err, -r, "failed to mount rootfs component");
		undo(op);
	}
}

static void on_bundle_written(struct command *cmd)
{
	struct op *op = op_of(cmd);

	if (command_succeeded(cmd)) {
		mount_rootfs(op);
		return;
	}
	command_describe(cmd, &op->err);
	undo(op);
}

static void begin(struct op *op)
{
	struct container *c = op->process->container;
	int r;

	if (!c->on_disk) {
		mount_rootfs(op);
		return;
	}
	c->noted = strcmp(c->id, c->shim->first) != 0;
	r = command_call(op_command(op, on_bundle_written), "write the bundle",
			 write_bundle_in_child, op, c->shim->limits.mount_ms);
	if (r < 0) {
		err_sys(&op->err, -r, "write the bundle %s", c->bundle);
		undo(op);
	}
}

/* ------------------------------------------------------------- request */

static int check_request(struct shim *s, const struct create_request *r, struct err *e)
{
	struct container *c;

	if (!is_identifier(r->id))
		return err_set(e, TTRPC_INVALID_ARGUMENT, "id \"%s\" is no identifier", r->id);
	if (r->bundle[0] != '/')
		return err_set(e, TTRPC_INVALID_ARGUMENT, "bundle \"%s\" is no absolute path",
			       r->bundle);
	c = container_find(s, r->id, true);
	if (c && !container_is_forgotten(c))
		return err_set(e, TTRPC_ALREADY_EXISTS, "container %s", r->id);
	if (c) {
		log_write(LOG_INFO, r->id, "the one of this id was cleaned up without this shim");
		container_free(c);
	}
	if (s->n_containers >= LIMIT_CONTAINERS)
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED, "this shim has %u containers",
			       s->n_containers);
	if (s->going)
		return err_set(e, TTRPC_UNAVAILABLE, "this shim is shutting down");
	if (*r->checkpoint && !checkpoint_supported(e))
		return -e->code;
	return 0;
}

static int set_stdio(struct process *p, const struct create_request *r, struct err *e)
{
	bool ok = str_copy(&p->stdin_path, r->stdio[IO_STDIN]) &&
		  str_copy(&p->stdout_path, r->stdio[IO_STDOUT]) &&
		  str_copy(&p->stderr_path, r->stdio[IO_STDERR]);

	p->terminal = r->terminal;
	return ok ? 0 : err_nomem(e);
}

/* What needs a pipe of our own has one: a label may not reach the FIFO, a policy counts. */
static int choose_stdio(struct container *c, struct err *e)
{
	if (direct_wanted(c->spec.stdio, &c->direct, e) < 0)
		return -e->code;
	if (!c->direct || (!c->spec.labelled && !log_policy_is_set(&c->log_policy)))
		return 0;
	c->direct = false;
	if (c->spec.stdio)
		log_write(LOG_WARN, c->id, "no direct output: the container has %s",
			  c->spec.labelled ? "a security label" : "a log policy");
	return 0;
}

/* What may pass is no fault of the document. */
static int code_of_load(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? TTRPC_RESOURCE_EXHAUSTED :
	       r == -EIO				     ? TTRPC_UNKNOWN :
							       TTRPC_INVALID_ARGUMENT;
}

static int prepare_bundle(struct container *c, struct creation *cr, struct err *e)
{
	struct spec_error se;
	int r;

	cr->rootfs = str_printf("%s/rootfs", c->bundle);
	cr->pid_file = str_printf("%s/init.pid", c->bundle);
	if (!cr->rootfs || !cr->pid_file)
		return err_nomem(e);
	r = spec_load(c->bundle, &c->spec, &se);
	if (r < 0)
		return err_set(e, code_of_load(r), "%s", se.text);
	if (log_policy_parse(&c->log_policy, c->spec.log_policy, c->spec.log_rate, e) < 0)
		return -e->code;
	r = verdict_config(c->bundle, c->options.binary_name, c->id, e);
	if (r < 0)
		return r;
	if (choose_stdio(c, e) < 0)
		return -e->code;
	cr->plan.rootfs = cr->rootfs;
	if (!args_choose(&c->options, c->spec.cgroups_path, c->shim->ns, &c->runtime, &c->root,
			 &c->systemd_cgroup))
		return err_nomem(e);
	return c->on_disk ? 0 : write_bundle(c, cr, e);
}

static int reserve_event(struct op *op, struct err *e)
{
	const struct container *c = op->process->container;
	const struct create_request *r = &creation_of(op)->request;

	free(op->event);
	op->event = event_reserve_create(&c->shim->events, c, r->rootfs, r->n_rootfs,
					 r->checkpoint);
	return op->event ? 0 : err_nomem(e);
}

static void refuse(struct ttrpc_call *call, struct create_request *r, const struct err *e)
{
	spec_options_release(&r->options);
	err_reply(call, e);
}

void create_begin(struct shim *s, struct ttrpc_call *call, struct create_request *r)
{
	struct container *c;
	struct creation *cr;
	struct err e = ERR_INIT;
	struct op *op;

	if (check_request(s, r, &e) < 0) {
		refuse(call, r, &e);
		return;
	}
	c = container_new(s, r->id, r->bundle);
	if (!c) {
		err_nomem(&e);
		refuse(call, r, &e);
		return;
	}
	c->options = r->options;
	c->init.in_transition = true; /* until containerd has been told of the creation */
	op = op_new(sizeof(*cr), &c->init, call, begin);
	if (!op) {
		container_free(c);
		return;
	}
	op->release = release;
	cr = creation_of(op);
	cr->request = *r;
	cr->plan = (struct mount_plan){ .mounts = r->rootfs, .n = r->n_rootfs };
	if (prepare_bundle(c, cr, &op->err) < 0 || set_stdio(&c->init, r, &op->err) < 0 ||
	    reserve_event(op, &op->err) < 0) {
		answer_failure(op);
		return;
	}
	call->data = op;
	call->cancel = on_cancel;
	op_submit(op);
}
