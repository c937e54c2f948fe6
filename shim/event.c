/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event queue; see event.h. An event is packed completely when it happens,
 * with the time at which it happened, so sending it later needs nothing but the
 * connection. One is under way at a time: containerd serves the requests of a
 * connection side by side, so a second one might overtake the first.
 *
 * There is no timeout on the answer. A containerd that is frozen will take the
 * event when it thaws, and sending it twice would make it happen twice; one that
 * has died closes the connection, and its successor has not seen it. If it cannot
 * close it, since a thread of it hangs in the kernel, a new socket in the place of
 * its own says that there is a successor. An answer that is an error is no answer,
 * for a while: containerd may be about to start or to end.
 */
#include "shim/event.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "events.pb-c.h"
#include "forward.pb-c.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/mount.h"
#include "shim/shim.h"
#include "shim/util.h"

#define SERVICE "containerd.services.events.ttrpc.v1.Events"
#define RETRY_FIRST (10 * LOOP_MSEC)
/* What an event needs beside ids and namespace: numbers, names, topic, time stamps. */
#define OVERHEAD 320
/* Any event but TaskCreate: two ids and numbers. */
#define SMALL 1024
/* A pid as a field of a message. */
#define PID_FIELD 8

/* ---------------------------------------------------------- sending */

static void send_first(struct event_queue *q);

static void stop_watching_folder(struct event_queue *q)
{
	int fd = q->folder.fd;

	watch_del(&q->folder);
	closep(&fd);
	q->folder.fd = -1;
}

static void on_folder(struct watch *w, uint32_t events)
{
	struct event_queue *q = container_of(w, struct event_queue, folder);
	const char *name = strrchr(q->path, '/') + 1;
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false, gone = false;
	ssize_t n;

	(void)events;
	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *i = (const void *)p;

			ours |= i->len > 0 && strcmp(i->name, name) == 0;
			gone |= i->mask & IN_IGNORED;
			p += sizeof(*i) + i->len;
		}
	}
	/* The folder is no more: one that is made in its place is yet to be watched. */
	if (gone)
		stop_watching_folder(q);
	if (ours || gone)
		event_queue_hurry(q);
}

/* Best effort: a user's inotify instances and watches are few. */
static void watch_folder(struct event_queue *q)
{
	char *slash = strrchr(q->path, '/');
	int fd, r;

	if (q->folder.fd >= 0 || !slash || slash == q->path)
		return;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return;
	*slash = 0;
	r = inotify_add_watch(fd, q->path,
			      IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR);
	*slash = '/';
	if (r < 0 || watch_add(q->loop, &q->folder, fd, EPOLLIN, on_folder) < 0)
		close(fd);
}

static void try_later(struct event_queue *q)
{
	uint64_t pause;

	q->refused_since = 0;
	watch_folder(q);
	pause = q->folder.fd >= 0 ? LIMIT_EVENT_PAUSE_MS : LIMIT_EVENT_BLIND_MS;
	timer_arm_in(q->loop, &q->retry,
		     q->attempts < LIMIT_EVENT_TRIES ? RETRY_FIRST << q->attempts
						     : pause * LOOP_MSEC);
	if (q->attempts < LIMIT_EVENT_TRIES)
		q->attempts++;
}

/*
 * Not if there was an answer that could not be read (ttrpc.h): containerd has the event, and
 * sending it twice would make it happen twice.
 */
static bool is_refused(int code)
{
	return code != TTRPC_OK && code != TTRPC_RESOURCE_EXHAUSTED && code != TTRPC_INTERNAL;
}

/* False: it has been refused for too long. */
static bool try_again(struct event_queue *q, const char *code, const char *message)
{
	uint64_t now = loop_now();

	if (!q->refused_since) {
		q->refused_since = now;
		log_write(LOG_WARN, NULL, "containerd refuses an event, which is kept: %s: %s",
			  code, message);
	}
	if (now - q->refused_since >= LIMIT_EVENT_REFUSED_MS * LOOP_MSEC)
		return false;
	timer_arm(q->loop, &q->retry, now + (RETRY_FIRST << q->attempts));
	if (q->attempts < LIMIT_EVENT_TRIES)
		q->attempts++;
	return true;
}

static void drop(struct event_queue *q, struct event *e)
{
	/* The next one has a time of its own. */
	if (q->events.next == &e->link)
		q->refused_since = 0;
	list_del(&e->link);
	q->bytes -= e->size;
	q->n[e->rank]--;
	free(e);
}

static void on_sent(struct ttrpc_request *r, int code, const char *message,
		    const uint8_t *reply, size_t reply_len)
{
	struct event_queue *q = container_of(r, struct event_queue, request);
	struct event *first = list_first(&q->events, struct event, link);

	(void)reply;
	(void)reply_len;
	assert(first);
	if (code == TTRPC_UNAVAILABLE || code == TTRPC_CANCELLED) {
		log_write(LOG_INFO, NULL, "containerd is away, events are kept: %s",
			  message);
		try_later(q);
		return;
	}
	if (is_refused(code)) {
		if (try_again(q, ttrpc_code_name(code), message))
			return;
		q->dropped++;
		log_write(LOG_ERROR, NULL, "containerd goes on refusing an event, which is dropped: %s: %s",
			  ttrpc_code_name(code), message);
	} else if (code != TTRPC_OK) {
		log_write(LOG_WARN, NULL, "containerd's answer to an event: %s: %s",
			  ttrpc_code_name(code), message);
	}
	q->attempts = 0;
	stop_watching_folder(q);
	drop(q, first);
	if (!list_empty(&q->events))
		send_first(q);
	else if (q->emptied)
		q->emptied(q);
}

static void remember_socket(struct event_queue *q)
{
	struct stat st = { 0 };

	stat(q->path, &st);
	q->dev = st.st_dev;
	q->ino = st.st_ino;
}

/* Another one listens in the place of whom the event was sent to. */
static bool is_superseded(const struct event_queue *q)
{
	struct stat st;

	return stat(q->path, &st) == 0 && (st.st_dev != q->dev || st.st_ino != q->ino);
}

static void send_first(struct event_queue *q)
{
	const struct ttrpc_metadata ns = { "containerd-namespace-ttrpc", q->ns };
	struct event *first = list_first(&q->events, struct event, link);
	bool connected = q->client.conn;
	int r;

	if (!first || q->request.client || timer_is_armed(&q->retry))
		return;
	r = ttrpc_request_send(&q->client, &q->request, SERVICE, "Forward", &ns, 1,
			       first->data, first->len, 0);
	if (r == 0 && !connected)
		remember_socket(q);
	if (r == -EMSGSIZE) {
		log_write(LOG_ERROR, NULL,
			  "an event of %zu bytes is too large to be sent", first->len);
		drop(q, first);
		send_first(q);
		return;
	}
	if (r < 0) {
		if (q->attempts == 0)
			log_write(LOG_INFO, NULL, "connect to %s: %s", q->path,
				  err_strerror(-r));
		try_later(q);
	}
}

static void on_retry(struct timer *t)
{
	send_first(container_of(t, struct event_queue, retry));
}

/* --------------------------------------------------------- queueing */

/* The oldest of @rank but for the first event, which may be under way; NULL: none. */
static struct event *find_oldest(struct event_queue *q, enum event_rank rank)
{
	struct event *e;

	if (q->n[rank] == 0)
		return NULL;
	list_for_each(e, &q->events, link)
		if (e->rank == rank && e->link.prev != &q->events)
			return e;
	return NULL;
}

static void give_up(struct event_queue *q, enum event_rank rank, size_t limit)
{
	static const char *const names[N_EVENT_RANKS] = {
		"events other than exits", "exits of execs", "exits of containers",
	};
	struct event *e;

	while (q->bytes > limit && (e = find_oldest(q, rank))) {
		drop(q, e);
		q->dropped++;
		if (q->given_up & 1u << rank)
			continue;
		q->given_up |= 1u << rank;
		log_write(LOG_ERROR, NULL, "containerd has been away for so long that %s are "
			  "dropped", names[rank]);
	}
}

static void make_room(struct event_queue *q)
{
	give_up(q, EVENT_OTHER, LIMIT_EVENT_BYTES);
	give_up(q, EVENT_EXEC_EXIT, LIMIT_EVENT_EXIT_BYTES);
	give_up(q, EVENT_INIT_EXIT, LIMIT_EVENT_EXIT_BYTES);
}

static void enqueue(struct event_queue *q, struct event *e)
{
	if (!q->path) {
		free(e);
		return;
	}
	list_append(&q->events, &e->link);
	q->bytes += e->size;
	q->n[e->rank]++;
	make_room(q);
	send_first(q);
}

/* Packs the request around @inner, a message of @type, into @e. */
static void wrap(struct event_queue *q, const char *topic, const char *type,
		 const uint8_t *inner, size_t len, struct event *e)
{
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Types__Envelope envelope = TYPES__ENVELOPE__INIT;
	Forward__ForwardRequest request = FORWARD__FORWARD_REQUEST__INIT;
	struct timespec now;

	any.type_url = (char *)type;
	any.value.data = (uint8_t *)inner;
	any.value.len = len;
	clock_gettime(CLOCK_REALTIME, &now);
	time.seconds = now.tv_sec;
	time.nanos = (int32_t)now.tv_nsec;
	envelope.timestamp = &time;
	envelope.namespace_ = (char *)q->ns;
	envelope.topic = (char *)topic;
	envelope.event = &any;
	request.envelope = &envelope;
	/* Full numbers and the ids that it was made for do fit. */
	assert(protobuf_c_message_get_packed_size(&request.base) <= e->size);
	e->len = protobuf_c_message_pack(&request.base, e->data);
}

static void publish(struct event_queue *q, const char *topic,
		    const ProtobufCMessage *message, struct event *e)
{
	uint8_t inner[SMALL];

	assert(protobuf_c_message_get_packed_size(message) <= sizeof(inner));
	wrap(q, topic, message->descriptor->name, inner,
	     protobuf_c_message_pack(message, inner), e);
	enqueue(q, e);
}

static struct event *event_new(size_t size)
{
	struct event *e = malloc(sizeof(*e) + size);

	if (e)
		*e = (struct event){ .size = size };
	return e;
}

struct event *event_reserve(const struct event_queue *q, const char *container_id,
			    const char *process_id)
{
	return event_new(OVERHEAD + strlen(q->ns) + strlen(container_id) +
			 strlen(process_id));
}

static const char *public_id(const struct process *p)
{
	return process_is_init(p) ? p->container->id : p->id;
}

void event_exit(struct event_queue *q, const struct process *p, struct event *memory)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Events__TaskExit m = EVENTS__TASK_EXIT__INIT;

	at.seconds = p->exited_at.tv_sec;
	at.nanos = (int32_t)p->exited_at.tv_nsec;
	m.container_id = p->container->id;
	m.id = (char *)public_id(p);
	m.pid = (uint32_t)p->pid;
	m.exit_status = (uint32_t)p->exit_status;
	m.exited_at = &at;
	memory->rank = process_is_init(p) ? EVENT_INIT_EXIT : EVENT_EXEC_EXIT;
	publish(q, "/tasks/exit", &m.base, memory);
}

/*
 * The message, which may be of any size, is packed at the end of the memory, from
 * where it is wrapped into the beginning. Its last field, the pid, is yet to come.
 */
static struct event *reserve_packed(const struct event_queue *q,
				    const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	struct event *e = event_new(OVERHEAD + strlen(q->ns) + 2 * (len + PID_FIELD));

	if (e)
		e->len = protobuf_c_message_pack(message,
						 e->data + e->size - len - PID_FIELD);
	return e;
}

struct event *event_reserve_create(const struct event_queue *q, const struct container *c,
				   const struct mount *rootfs, size_t n_rootfs,
				   const char *checkpoint)
{
	Events__TaskCreate m = EVENTS__TASK_CREATE__INIT;
	Events__TaskIO io = EVENTS__TASK_IO__INIT;
	_cleanup_free_ Types__Mount *mounts =
		calloc(n_rootfs ? n_rootfs : 1, sizeof(*mounts));
	_cleanup_free_ Types__Mount **list =
		calloc(n_rootfs ? n_rootfs : 1, sizeof(*list));

	if (!mounts || !list)
		return NULL;
	for (size_t i = 0; i < n_rootfs; i++) {
		mounts[i] = (Types__Mount)TYPES__MOUNT__INIT;
		mounts[i].type = (char *)rootfs[i].type;
		mounts[i].source = (char *)rootfs[i].source;
		mounts[i].target = (char *)rootfs[i].target;
		mounts[i].n_options = rootfs[i].n_options;
		mounts[i].options = (char **)rootfs[i].options;
		list[i] = &mounts[i];
	}
	io.stdin = c->init.stdin_path;
	io.stdout = c->init.stdout_path;
	io.stderr = c->init.stderr_path;
	io.terminal = c->init.terminal;
	m.container_id = c->id;
	m.bundle = c->bundle;
	m.n_rootfs = n_rootfs;
	m.rootfs = list;
	m.io = &io;
	m.checkpoint = (char *)checkpoint;
	return reserve_packed(q, &m.base);
}

void event_create(struct event_queue *q, const struct container *c, struct event *memory)
{
	Events__TaskCreate m = EVENTS__TASK_CREATE__INIT;
	uint8_t *inner = memory->data + memory->size - memory->len - PID_FIELD;

	/* Of a message that is packed in two pieces the fields add up. */
	m.pid = (uint32_t)c->init.pid;
	assert(protobuf_c_message_get_packed_size(&m.base) <= PID_FIELD);
	memory->len += protobuf_c_message_pack(&m.base, inner + memory->len);
	wrap(q, "/tasks/create", m.base.descriptor->name, inner, memory->len, memory);
	enqueue(q, memory);
}

void event_start(struct event_queue *q, const struct process *init, struct event *memory)
{
	Events__TaskStart m = EVENTS__TASK_START__INIT;

	m.container_id = init->container->id;
	m.pid = (uint32_t)init->pid;
	publish(q, "/tasks/start", &m.base, memory);
}

void event_exec_added(struct event_queue *q, const struct process *exec,
		      struct event *memory)
{
	Events__TaskExecAdded m = EVENTS__TASK_EXEC_ADDED__INIT;

	m.container_id = exec->container->id;
	m.exec_id = exec->id;
	publish(q, "/tasks/exec-added", &m.base, memory);
}

void event_exec_started(struct event_queue *q, const struct process *exec,
			struct event *memory)
{
	Events__TaskExecStarted m = EVENTS__TASK_EXEC_STARTED__INIT;

	m.container_id = exec->container->id;
	m.exec_id = exec->id;
	m.pid = (uint32_t)exec->pid;
	publish(q, "/tasks/exec-started", &m.base, memory);
}

void event_paused(struct event_queue *q, const struct container *c, struct event *memory)
{
	Events__TaskPaused m = EVENTS__TASK_PAUSED__INIT;

	m.container_id = c->id;
	publish(q, "/tasks/paused", &m.base, memory);
}

void event_resumed(struct event_queue *q, const struct container *c, struct event *memory)
{
	Events__TaskResumed m = EVENTS__TASK_RESUMED__INIT;

	m.container_id = c->id;
	publish(q, "/tasks/resumed", &m.base, memory);
}

void event_delete(struct event_queue *q, const struct process *init, struct event *memory)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Events__TaskDelete m = EVENTS__TASK_DELETE__INIT;

	at.seconds = init->exited_at.tv_sec;
	at.nanos = (int32_t)init->exited_at.tv_nsec;
	m.container_id = init->container->id;
	m.pid = (uint32_t)init->pid;
	m.exit_status = (uint32_t)init->exit_status;
	m.exited_at = &at;
	publish(q, "/tasks/delete", &m.base, memory);
}

void event_oom(struct event_queue *q, const struct container *c, struct event *memory)
{
	Events__TaskOOM m = EVENTS__TASK_OOM__INIT;

	m.container_id = c->id;
	publish(q, "/tasks/oom", &m.base, memory);
}

/* ------------------------------------------------------------ queue */

int event_queue_init(struct event_queue *q, struct loop *l, const char *ns,
		     const char *address)
{
	*q = (struct event_queue){ .loop = l, .ns = ns, .folder = WATCH_INIT };
	list_init(&q->events);
	timer_init(&q->retry, on_retry);
	ttrpc_request_init(&q->request, on_sent);
	if (address && strncmp(address, "unix://", 7) == 0)
		address += 7;
	if (str_is_set(address) && !(q->path = strdup(address)))
		return -ENOMEM;
	ttrpc_client_init(&q->client, l, q->path);
	return 0;
}

void event_queue_fini(struct event_queue *q)
{
	struct event *e;

	timer_disarm(&q->retry);
	stop_watching_folder(q);
	ttrpc_request_cancel(&q->request);
	ttrpc_client_close(&q->client);
	list_for_each(e, &q->events, link)
		drop(q, e);
	free(q->path);
	q->path = NULL;
}

void event_queue_hurry(struct event_queue *q)
{
	if (q->request.client) {
		/* Who has come to us may be about to listen. */
		watch_folder(q);
		if (is_superseded(q)) {
			log_write(LOG_INFO, NULL, "containerd has a successor: what it has not "
				  "acknowledged is sent to that one");
			ttrpc_client_close(&q->client);
		}
		return;
	}
	/* It is connected, or there is nothing to tell; else who calls all the time puts nothing off. */
	if (!timer_is_armed(&q->retry) || q->retry.due <= loop_now() + RETRY_FIRST)
		return;
	/* bind(2) comes before listen(2): give it a few close tries again. */
	q->attempts = 0;
	timer_arm_in(q->loop, &q->retry, RETRY_FIRST);
}

bool event_queue_is_empty(const struct event_queue *q)
{
	return list_empty(&q->events);
}
