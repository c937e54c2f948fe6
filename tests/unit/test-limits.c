/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of shim/limits.h that are crossed here: what is beyond is refused, and says so. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "inspect.pb-c.h"
#include "runtimeoptions.pb-c.h"
#include "shim/action.h"
#include "shim/bundle.h"
#include "shim/log.h"
#include "shim/options.h"
#include "shim/shim.h"
#include "shim/util.h"
#include "task.pb-c.h"
#include "tests/fuzz/rig.h"

static struct shim shim;
static int peer;
static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void make_file(const char *name, off_t size)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static int open_dir(void **st)
{
	(void)st;
	snprintf(dir, sizeof(dir), "/tmp/brass-limits-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **st)
{
	static const char *const names[] = { "address", "options.toml", "x/s", "x", "s" };

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		remove(in_dir(names[i]));
	return rmdir(dir);
}

static int open_shim(void **st)
{
	int sv[2];

	(void)st;
	shim = (struct shim){ .ns = "ns",
			      .runtime_name = "limits",
			      .socket = SOCKET_INIT };
	list_init(&shim.containers);
	work_init(&shim.reconsider, NULL);
	limits_load(&shim.limits);
	assert_int_equal(loop_init(&shim.loop), 0);
	reaper_init(&shim.reaper, &shim.loop);
	/* Nobody is there, so that events are kept. */
	assert_int_equal(
		event_queue_init(&shim.events, &shim.loop, "ns", "/nobody/there"), 0);
	assert_int_equal(ttrpc_server_open(&shim.server, &shim.loop,
					   socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
					   NULL),
			 0);
	ttrpc_server_stop_listening(&shim.server);
	service_open(&shim);
	inspect_open(&shim);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(ttrpc_server_adopt(&shim.server, sv[0]), 0);
	peer = sv[1];
	return 0;
}

static int close_shim(void **st)
{
	struct container *c;

	(void)st;
	list_for_each(c, &shim.containers, link) {
		container_free(c);
		work_cancel(&shim.reconsider);
	}
	ttrpc_server_close(&shim.server);
	event_queue_fini(&shim.events);
	reaper_fini(&shim.reaper);
	loop_fini(&shim.loop);
	close(peer);
	return 0;
}

/* Sends a message of @len bytes, and decodes the answer of one call. */
static void call(const char *service, const char *method, const struct bytes *m,
		 struct answer *a)
{
	struct bytes request = { 0 }, b = { 0 };
	static uint32_t stream = 1;
	uint8_t header[FRAME_HEADER];
	size_t got = 0;

	put_text(&request, 1, service);
	put_text(&request, 2, method);
	put_field(&request, 3, m->data, m->len);
	put_frame(&b, stream, FRAME_REQUEST, 0, request.data, request.len);
	stream += 2;
	assert_int_equal(send(peer, b.data, b.len, 0), b.len);
	drop(&b);
	drop(&request);
	while (recv(peer, header, sizeof(header), MSG_DONTWAIT | MSG_PEEK) !=
	       sizeof(header))
		assert_int_equal(loop_round(&shim.loop, 0), 0);
	assert_int_equal(recv(peer, header, sizeof(header), 0), sizeof(header));
	frame_decode(header, &a->head);
	assert_true(a->head.length <= sizeof(a->payload));
	while (got < a->head.length) {
		ssize_t n =
			recv(peer, a->payload + got, a->head.length - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			assert_int_equal(loop_round(&shim.loop, 0), 0);
	}
}

/* The error of a call; "": there was none. */
static const char *refusal(const char *method, struct bytes *m)
{
	static struct answer a;
	static char text[256];
	ProtobufCMessage *response;
	const TtrpcPb__Response *r;

	call("containerd.task.v2.Task", method, m, &a);
	drop(m);
	response = protobuf_c_message_unpack(&ttrpc_pb__response__descriptor, NULL,
					     a.head.length, a.payload);
	assert_non_null(response);
	r = (const void *)response;
	snprintf(text, sizeof(text), "%s", r->status ? r->status->message : "");
	protobuf_c_message_free_unpacked(response, NULL);
	return text;
}

static struct container *make_container(void)
{
	struct container *c = container_new(&shim, "c1", "/bundle");

	assert_non_null(c);
	work_cancel(&shim.reconsider);
	c->ready = true;
	return c;
}

/* --------------------------------------------------------------- the tests */

/* LIMIT_CONTAINERS */
static void containers(void **st)
{
	struct bytes m = { 0 };

	(void)st;
	put_text(&m, 1, "c1");
	put_text(&m, 2, "/bundle");
	shim.n_containers = LIMIT_CONTAINERS;
	assert_string_equal(refusal("Create", &m), "this shim has 4096 containers");
	shim.n_containers = 0;
}

static void put_exec(struct bytes *m, const char *id)
{
	struct bytes any = { 0 };

	put_text(m, 1, "c1");
	put_text(m, 2, id);
	put_text(&any, 2, "{}");
	put_field(m, 7, any.data, any.len);
	drop(&any);
}

/* LIMIT_EXECS */
static void execs(void **st)
{
	struct container *c = make_container();
	struct bytes m = { 0 };
	unsigned real = c->n_execs;

	(void)st;
	put_exec(&m, "e1");
	c->n_execs = LIMIT_EXECS;
	assert_string_equal(refusal("Exec", &m), "container c1 has 65536 execs");
	c->n_execs = real;
}

/* LIMIT_DOCUMENTS: those that are gone do not count. */
static void documents(void **st)
{
	struct container *c = make_container();
	struct bytes m = { 0 };

	(void)st;
	put_exec(&m, "e1");
	c->document_bytes = LIMIT_DOCUMENTS - 1;
	assert_string_equal(
		refusal("Exec", &m),
		"container c1 has 67108863 bytes of execs that have not been started");
	put_exec(&m, "e1");
	c->document_bytes--;
	assert_string_equal(refusal("Exec", &m), "");
	assert_true(c->document_bytes >= LIMIT_DOCUMENTS);
	put_exec(&m, "e2");
	assert_non_null(strstr(refusal("Exec", &m), "not been started"));
	process_free_exec(container_process(c, "e1"));
	assert_int_equal(c->document_bytes, LIMIT_DOCUMENTS - 2);
	c->document_bytes = 0;
}

/* LIMIT_INSPECT: an answer that can be sent, and says that it is not all. */
static void inspect(void **st)
{
	struct container *c = make_container();
	static struct answer a;
	struct bytes m = { 0 };
	char id[32];

	(void)st;
	for (int i = 0; i < 8000; i++) {
		snprintf(id, sizeof(id), "exec-%d", i);
		assert_non_null(process_new_exec(c, id));
	}
	put_text(&m, 1, "c1");
	call(inspect__inspect__descriptor.name, "State", &m, &a);
	drop(&m);
	assert_true(a.head.length > LIMIT_INSPECT);
	assert_true(a.head.length < LIMIT_INSPECT + 8192);
	assert_non_null(memmem(a.payload, a.head.length, "\"truncated\":true", 16));
}

/* LIMIT_EVENT_BYTES: exits are kept, whatever else there is. */
static void event_bytes(void **st)
{
	struct container *c = make_container();
	struct event *e;
	unsigned exits = 0;

	(void)st;
	for (unsigned i = 0; i < 40000; i++) {
		e = event_reserve(&shim.events, "c1", "");
		assert_non_null(e);
		if (i % 8 == 0)
			event_exit(&shim.events, &c->init, e);
		else
			event_paused(&shim.events, c, e);
		assert_true(shim.events.bytes <= LIMIT_EVENT_BYTES);
	}
	assert_true(shim.events.dropped > 10000);
	list_for_each(e, &shim.events.events, link)
		exits += e->rank == EVENT_INIT_EXIT;
	assert_int_equal(exits, 5000);
}

/* LIMIT_EVENT_EXIT_BYTES: execs' exits go, the oldest first, and of containers only then. */
static void event_exit_bytes(void **st)
{
	struct container *c = make_container();
	struct process *exec = process_new_exec(c, "e1");
	struct event_queue *q = &shim.events;
	unsigned inits = 0;

	(void)st;
	while (q->dropped == 0 && q->n[EVENT_EXEC_EXIT] < 1000000) {
		event_exit(q, exec, event_reserve(q, "c1", "e1"));
		if (inits < 5000 && ++inits)
			event_exit(q, &c->init, event_reserve(q, "c1", "c1"));
	}
	assert_true(q->bytes <= LIMIT_EVENT_EXIT_BYTES);
	assert_true(q->bytes > LIMIT_EVENT_EXIT_BYTES - 1000);
	assert_true(q->n[EVENT_EXEC_EXIT] > 60000);
	assert_int_equal(q->n[EVENT_INIT_EXIT], inits);
	/* The first one may be under way. */
	assert_int_equal(list_first(&q->events, struct event, link)->rank, EVENT_EXEC_EXIT);
	for (; q->n[EVENT_EXEC_EXIT] > 1; inits++)
		event_exit(q, &c->init, event_reserve(q, "c1", "c1"));
	assert_int_equal(q->n[EVENT_INIT_EXIT], inits);
	for (unsigned i = 0; i < 10; i++)
		event_exit(q, &c->init, event_reserve(q, "c1", "c1"));
	assert_int_equal(q->n[EVENT_EXEC_EXIT], 1);
	assert_true(q->n[EVENT_INIT_EXIT] <= inits + 1);
	assert_true(q->bytes <= LIMIT_EVENT_EXIT_BYTES);
}

/* The pause after the next try, which fails like those before. */
static uint64_t pause_after_a_try(struct event_queue *q)
{
	q->attempts = LIMIT_EVENT_TRIES;
	timer_arm_in(&shim.loop, &q->retry, 0);
	while (q->retry.due <= loop_now())
		assert_int_equal(loop_round(&shim.loop, -1), 0);
	return q->retry.due - loop_now();
}

/*
 * LIMIT_EVENT_BLIND_MS: nobody tells when containerd is back, so it is looked for more often;
 * as soon as the folder can be watched that is not needed. Who connects may be containerd.
 */
static void looks_for_containerd(void **st)
{
	struct event_queue *q = &shim.events;
	uint64_t soon = LIMIT_EVENT_BLIND_MS * LOOP_MSEC;

	(void)st;
	event_paused(q, make_container(), event_reserve(q, "c1", ""));
	assert_true(pause_after_a_try(q) <= soon);
	free(q->path);
	q->path = strdup("/tmp/nobody-is-there");
	q->client.path = q->path;
	assert_true(pause_after_a_try(q) > 2 * soon);
	event_queue_hurry(q);
	assert_true(q->retry.due < loop_now() + LOOP_SEC);
	assert_int_equal(q->attempts, 0);
}

/* LIMIT_IDENTIFIER */
static void identifier(void **st)
{
	char id[LIMIT_IDENTIFIER + 2];

	(void)st;
	memset(id, 'x', sizeof(id));
	id[LIMIT_IDENTIFIER + 1] = 0;
	assert_false(is_identifier(id));
	id[LIMIT_IDENTIFIER] = 0;
	assert_true(is_identifier(id));
}

/* LIMIT_STDIN */
static void stdin_of_start(void **st)
{
	int fd = memfd_open("stdin"), old = dup(0);
	struct err e = ERR_INIT;
	uint8_t *data;
	size_t len;

	(void)st;
	assert_int_equal(ftruncate(fd, LIMIT_STDIN), 0);
	dup2(fd, 0);
	assert_int_equal(action_read_stdin(&data, &len, &e), 0);
	assert_int_equal(len, LIMIT_STDIN);
	free(data);
	assert_int_equal(ftruncate(fd, LIMIT_STDIN + 1), 0);
	lseek(fd, 0, SEEK_SET);
	assert_true(action_read_stdin(&data, &len, &e) < 0);
	assert_string_equal(e.text,
			    "the options on stdin are larger than 10485760 bytes");
	dup2(old, 0);
	close(old);
	close(fd);
}

/* LIMIT_OPTIONS */
static void options_file(void **st)
{
	Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;
	struct spec_options o;
	struct err e = ERR_INIT;
	uint8_t packed[256];

	(void)st;
	make_file("options.toml", LIMIT_OPTIONS + 1);
	m.config_path = (char *)(uintptr_t)in_dir("options.toml");
	assert_true(options_decode("runtimeoptions.v1.Options", packed,
				   protobuf_c_message_pack(&m.base, packed), &o, &e) < 0);
	assert_non_null(strstr(e.text, "options.toml: file too large"));
	spec_options_release(&o);
}

/* LIMIT_BUNDLE_FILE */
static void bundle_file(void **st)
{
	char *address;

	(void)st;
	make_file("address", LIMIT_BUNDLE_FILE + 1);
	assert_int_equal(bundle_read_address(dir, &address), -EFBIG);
	make_file("address", LIMIT_BUNDLE_FILE);
	assert_int_equal(bundle_read_address(dir, &address), 0);
	free(address);
}

/* LIMIT_LOG_LINE */
static void log_line(void **st)
{
	int fd = memfd_open("log");
	char *long_one = malloc(3000), line[8192];
	size_t n;

	(void)st;
	memset(long_one, '\n', 2999);
	long_one[2999] = 0;
	log_open(fd, "runtime", "ns", false);
	log_write(LOG_ERROR, "c1", "%s", long_one);
	log_open(-1, NULL, NULL, false);
	n = memfd_read(fd, line, sizeof(line));
	assert_int_equal(n, LIMIT_LOG_LINE);
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	free(long_one);
	close(fd);
}

/* LIMIT_LOCK_MS: who holds the lock may be stopped. */
static void lock(void **st)
{
	uint64_t before = loop_now();
	struct err e;
	int fd;

	(void)st;
	assert_int_equal(socket_make_folder(in_dir("x/s"), &e), 0);
	fd = socket_lock(in_dir("x/s"));
	assert_true(fd >= 0);
	assert_int_equal(socket_lock(in_dir("x/s")), -ETIMEDOUT);
	assert_true(loop_now() - before >= LIMIT_LOCK_MS * LOOP_MSEC);
	close(fd);
	fd = socket_lock(in_dir("x/s"));
	assert_true(fd >= 0);
	close(fd);
}

/* LIMIT_CONNECT_MS: somebody is there, who does not accept. */
static void full_backlog(void **st)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8], n = 0;
	uint64_t before;

	(void)st;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("s"));
	assert_int_equal(bind(l, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(l, 1), 0);
	do
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (connect(fds[n++], (struct sockaddr *)&sun, sizeof(sun)) == 0 && n < 8);
	before = loop_now();
	assert_true(socket_is_alive(sun.sun_path));
	assert_true(loop_now() - before >= LIMIT_CONNECT_MS / 2 * LOOP_MSEC);
	while (n > 0)
		close(fds[--n]);
	close(l);
	assert_false(socket_is_alive(sun.sun_path));
}

#define OF_SHIM(f) cmocka_unit_test_setup_teardown(f, open_shim, close_shim)
#define OF_FILES(f) cmocka_unit_test_setup_teardown(f, open_dir, close_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_SHIM(containers),
		OF_SHIM(execs),
		OF_SHIM(documents),
		OF_SHIM(inspect),
		OF_SHIM(event_bytes),
		OF_SHIM(event_exit_bytes),
		OF_SHIM(looks_for_containerd),
		cmocka_unit_test(identifier),
		cmocka_unit_test(stdin_of_start),
		OF_FILES(options_file),
		OF_FILES(bundle_file),
		cmocka_unit_test(log_line),
		OF_FILES(lock),
		OF_FILES(full_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
