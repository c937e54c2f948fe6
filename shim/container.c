/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of a shim: made, found, freed. What happens to them is elsewhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/bundle.h"
#include "shim/log.h"
#include "shim/shim.h"
#include "shim/spawn.h"
#include "shim/util.h"

#define RUN "/run"

/* Those whose ids have the same hash (FNV-1a): a call in a pod of hundreds looks at a few. */
static struct container **chain_of(struct shim *s, const char *id)
{
	uint32_t hash = 2166136261U;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619U;
	return &s->by_id[hash % ARRAY_SIZE(s->by_id)];
}

static void unchain(struct container *c)
{
	struct container **at = chain_of(c->shim, c->id);

	while (*at && *at != c)
		at = &(*at)->same_hash;
	if (*at)
		*at = c->same_hash;
}

/* A folder of ours that waits for no disk, if there is one. */
static char *scratch_of(const struct container *c)
{
	const char *socket = c->shim->record.socket, *slash = strrchr(socket, '/');
	_cleanup_free_ char *beside = NULL;

	if (!c->on_disk || !slash)
		return strdup(c->bundle);
	beside = strndup(socket, (size_t)(slash - socket));
	/* Containerd 2.3 can have its sockets anywhere. */
	if (beside && !bundle_is_in_memory(beside) && bundle_is_in_memory(RUN) &&
	    access(RUN, W_OK) == 0)
		return strdup(RUN);
	return TAKE(beside);
}

struct container *container_new(struct shim *s, const char *id, const char *bundle)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->shim = s;
	list_init(&c->execs);
	list_init(&c->init.link);
	command_init(&c->killer, &s->reaper, NULL);
	c->recorder = (struct child)CHILD_INIT;
	timer_init(&c->unread_look, process_look_unread);
	timer_init(&c->exec_drain, process_give_up_execs);
	oom_init(c);
	list_append(&s->containers, &c->link);
	s->n_containers++;
	c->id = strdup(id);
	c->bundle = strdup(bundle);
	c->on_disk = !bundle_is_in_memory(bundle);
	c->scratch = c->bundle ? scratch_of(c) : NULL;
	if (!c->id || !c->bundle || !c->scratch || oom_reserve(c) < 0 ||
	    process_init(&c->init, c, "") < 0) {
		container_free(c);
		return NULL;
	}
	c->same_hash = *chain_of(s, id);
	*chain_of(s, id) = c;
	serve_reconsider(s);
	return c;
}

/* In a child. */
static int unnote(void *arg)
{
	const struct container *c = arg;

	bundle_unnote(c->bundle, c->id, c->shim->first);
	return 0;
}

/* Nobody waits for a disk on that account. */
static void forget_note(struct container *c)
{
	pid_t swept_later;

	if (c->on_disk)
		spawn_call(unnote, c, 2, &swept_later);
	else
		unnote(c);
}

void container_free(struct container *c)
{
	struct shim *s = c->shim;
	struct process *exec;

	/* If we leave, somebody else may have to delete it. */
	if (c->noted && !s->going)
		forget_note(c);
	list_for_each(exec, &c->execs, link)
		process_free_exec(exec);
	if (c->init.container)
		process_fini(&c->init);
	timer_disarm(&c->unread_look);
	timer_disarm(&c->exec_drain);
	oom_fini(c);
	command_release(&c->killer);
	child_forget(&c->recorder);
	if (c->id)
		unchain(c);
	list_del(&c->link);
	s->n_containers--;
	spec_release(&c->spec);
	spec_options_release(&c->options);
	cgroup_release(&c->cgroup);
	free(c->runtime);
	free(c->checkpoint);
	free(c->root);
	free(c->id);
	free(c->bundle);
	free(c->scratch);
	free(c);
	serve_reconsider(s);
}

/* It may well work the next time. */
static bool may_pass(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOSPC || r == -EIO;
}

void container_entered(struct container *c)
{
	int r = cgroup_find(&c->cgroup, c->init.pid);

	c->look_again = may_pass(r);
	if (r < 0)
		log_write(LOG_WARN, c->id, "no cgroup of process %d: %s", c->init.pid,
			  err_strerror(-r));
	if (!cgroup_is_known(&c->cgroup))
		return;
	r = cgroup_enable_controllers(&c->cgroup);
	c->look_again |= may_pass(r);
	if (r < 0)
		log_write(r == -EPERM || r == -EACCES || r == -EROFS ? LOG_DEBUG
								     : LOG_WARN,
			  c->id, "not all controllers: %s", err_strerror(-r));
	r = oom_arm(c);
	c->look_again |= may_pass(r);
	if (r < 0)
		log_write(LOG_WARN, c->id, "no OOM events: %s", err_strerror(-r));
}

void container_look_again(struct container *c)
{
	/* Its pid is its own until its end has been seen. */
	if (c->look_again && child_is_watched(&c->init.child) && !c->init.child.exited)
		container_entered(c);
}

struct container *container_find(struct shim *s, const char *id, bool reserved)
{
	struct container *c = *chain_of(s, id);

	while (c && strcmp(c->id, id) != 0)
		c = c->same_hash;
	return c && (c->ready || reserved) ? c : NULL;
}

bool container_is_dying(const struct container *c)
{
	return c->init_dead && c->init.state != PROC_STOPPED;
}

bool container_is_busy(const struct container *c)
{
	return child_is_watched(&c->init.child) || container_is_dying(c) ||
	       !list_empty(&c->init.ops) || c->n_live_execs > 0;
}

bool container_is_over(const struct container *c)
{
	const struct process *exec;

	list_for_each(exec, &c->execs, link)
		if (!list_empty(&exec->ops))
			return false;
	return c->ready && c->init.state == PROC_STOPPED && !container_is_busy(c) &&
	       !c->killing;
}

bool container_is_forgotten(const struct container *c)
{
	struct shim_record ignored;

	return container_is_over(c) && bundle_read_shim(c->bundle, &ignored) == -ENOENT;
}

struct process *container_process(struct container *c, const char *exec_id)
{
	struct process *p;

	if (!str_is_set(exec_id))
		return &c->init;
	list_for_each(p, &c->execs, link)
		if (strcmp(p->id, exec_id) == 0)
			return p;
	return NULL;
}
