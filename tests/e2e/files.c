/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that tests make and look at: bundles, scripts of the fake runtime,
 * FIFOs and their readers, and what /proc tells. Starts no process.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/internal.h"

void write_file(const char *path, const void *data, size_t len)
{
	char *tmp = text("%s.tmp", path);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	/* By rename, since fake-runc waits for some of these files. */
	if (fd < 0 || write(fd, data, len) != (ssize_t)len || close(fd) < 0 ||
	    rename(tmp, path) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
}

char *read_file(const char *path, size_t *len)
{
	size_t used = 0, size = 65536;
	char *buf = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && buf && (n = read(fd, buf + used, size - used - 1)) > 0) {
		used += (size_t)n;
		if (size - used < 4096)
			buf = realloc(buf, size *= 2);
	}
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(buf);
		return NULL;
	}
	buf[used] = 0;
	if (len)
		*len = used;
	return forget_later(buf);
}

bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

char *first_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *found = NULL;

	while (d && !found && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			found = text("%s/%s", dir, e->d_name);
	if (d)
		closedir(d);
	return found;
}

char *other_file_in(const char *dir, const char *const known[], size_t n)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *found = NULL;

	while (d && !found && (e = readdir(d))) {
		bool is_known = e->d_name[0] == '.';

		for (size_t i = 0; i < n && !is_known; i++)
			is_known = !strcmp(e->d_name, known[i]);
		if (!is_known)
			found = text("%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

int count_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

void make_folder(const char *path)
{
	if (mkdir(path, 0755) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
}

int count_fds_of(pid_t pid, const char *prefix)
{
	char *dir = text("/proc/%d/fd", pid), link[256];
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		/* Not the one of this very directory. */
		if (pid == getpid() && strtol(e->d_name, NULL, 10) == dirfd(d))
			continue;
		memset(link, 0, sizeof(link));
		if (readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1) < 0)
			continue;
		n += strncmp(link, prefix, strlen(prefix)) == 0;
	}
	if (d)
		closedir(d);
	return n;
}

int count_fds(pid_t pid)
{
	return count_fds_of(pid, "");
}

char *proc_status(pid_t pid, const char *field)
{
	char *all = read_file(text("/proc/%d/status", pid), NULL);
	char *at = all ? strstr(all, text("\n%s:", field)) : NULL;

	if (!at)
		return NULL;
	at = strchr(at, ':') + 1;
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = 0;
	return at;
}

/* ------------------------------------------------------------- fake-runc */

void script(const char *name, const char *lines)
{
	write_file(text("%s/%s", e2e.scripts, name), lines, strlen(lines));
}

size_t calls_of(const char *word)
{
	char *at = read_file(text("%s/calls", e2e.scripts), NULL);
	char *quoted = text("\"%s\"", word), *end;
	size_t n = 0;

	while (at && (at = strstr(at, quoted))) {
		n++;
		end = strchr(at, '\n');
		at = end ? end : at + 1;
	}
	return n;
}

/* --------------------------------------------------------------- bundles */

/* @s as a JSON string. */
static char *quoted(const char *s)
{
	static const char hex[] = "0123456789abcdef";
	char *out = forget_later(malloc(6 * strlen(s) + 3)), *o = out;

	*o++ = '"';
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20) {
			memcpy(o, "\\u00", 4);
			o[4] = hex[*s >> 4];
			o[5] = hex[*s & 15];
			o += 6;
			continue;
		}
		if (*s == '"' || *s == '\\')
			*o++ = '\\';
		*o++ = *s;
	}
	*o++ = '"';
	*o = 0;
	return out;
}

char *process_json(const char *name, const char *command)
{
	return text("{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},"
		    "\"args\":[\"/bin/sh\",\"-c\",%s],\"env\":[\"PATH=%s\",%s],"
		    "\"cwd\":\"/\"}",
		    quoted(command), "/usr/sbin:/usr/bin:/sbin:/bin",
		    quoted(text("FAKE_NAME=%s", name)));
}

static void write_config(const struct bundle *b, const char *command)
{
	char *json = text("{\"ociVersion\":\"1.0.2\",\"process\":%s,"
			  "\"root\":{\"path\":\"rootfs\"},\"annotations\":{%s%s%s},"
			  "\"linux\":{\"namespaces\":[%s{\"type\":\"mount\"}]}}",
			  process_json(b->id, command),
			  b->annotation ? quoted(b->annotation) : "",
			  b->annotation ? ":" : "", b->annotation ? quoted(b->group) : "",
			  b->host_pid ? "" : "{\"type\":\"pid\"},");

	write_file(b->config, json, strlen(json));
}

struct bundle *bundle_like(const struct bundle *like, const char *command)
{
	struct bundle *b = forget_later(malloc(sizeof(*b)));

	*b = *like;
	mkdir(in_dir("state"), 0711);
	mkdir(in_dir("state/" NS), 0711);
	b->dir = text("%s/state/" NS "/%s", DIR_OF_TEST, b->id);
	b->config = text("%s/config.json", b->dir);
	if (mkdir(b->dir, 0700) < 0 || mkdir(text("%s/rootfs", b->dir), 0711) < 0 ||
	    mkfifo(text("%s/log", b->dir), 0700) < 0)
		fail_at(HERE, "%s: %s", b->dir, strerror(errno));
	reader_open_log(text("%s/log", b->dir));
	write_config(b, command);
	return b;
}

struct bundle *bundle(const char *id, const char *command)
{
	return bundle_like(&(struct bundle){ .id = id }, command);
}

void set_cgroups_path(const struct bundle *b, const char *path)
{
	char *json = read_file(b->config, NULL), *at = strstr(json, "\"linux\":{");

	json = text("%.*s\"linux\":{\"cgroupsPath\":\"%s\",%s", (int)(at - json), json,
		    path, at + strlen("\"linux\":{"));
	write_file(b->config, json, strlen(json));
}

char *make_fifo(const char *name)
{
	char *path = in_dir(name);

	if (mkfifo(path, 0600) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	return path;
}

/* --------------------------------------------------------------- readers */

static void reader_stop(struct reader *r)
{
	int fd = r->watch.fd;

	if (fd < 0)
		return;
	watch_del(&r->watch);
	close(fd);
	r->watch.fd = -1;
}

static void reader_ready(struct watch *w, uint32_t events)
{
	struct reader *r = container_of(w, struct reader, watch);
	ssize_t n;

	(void)events;
	if (r->size - r->len < 65536) {
		r->size = r->size ? 2 * r->size : 1 << 17;
		r->data = realloc(r->data, r->size);
		if (!r->data)
			abort();
	}
	n = read(w->fd, r->data + r->len, r->size - r->len - 1);
	if (n < 0)
		return;
	r->len += (size_t)n;
	r->data[r->len] = 0;
	if (n == 0) {
		r->eof = true;
		reader_stop(r);
	}
}

static struct reader *reader_new(const char *path, int flags)
{
	struct reader *r = calloc(1, sizeof(*r));
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);

	if (!r || fd < 0 ||
	    watch_add(&e2e.loop, &r->watch, fd, EPOLLIN, reader_ready) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	r->path = path;
	list_append(&e2e.readers, &r->link);
	return r;
}

struct reader *reader_open(const char *path)
{
	return reader_new(path, O_RDONLY);
}

struct reader *reader_open_log(const char *path)
{
	return reader_new(path, O_RDWR);
}

void reader_pause(struct reader *r, bool paused)
{
	r->paused = paused;
	watch_set(&r->watch, paused ? 0 : EPOLLIN);
}

void reader_close(struct reader *r)
{
	reader_stop(r);
}

void readers_free(void)
{
	struct reader *r;

	list_for_each(r, &e2e.readers, link) {
		size_t len = strlen(r->path);

		if (getenv("E2E_LOG") && len > 4 && !strcmp(r->path + len - 4, "/log") &&
		    r->len)
			fprintf(stderr, "--- %s\n%s", r->path, r->data);
		reader_stop(r);
		list_del(&r->link);
		free(r->data);
		free(r);
	}
}

char *noise(size_t len, uint64_t seed)
{
	char *out = forget_later(malloc(len + 8));

	for (size_t i = 0; i < len; i += 8) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		memcpy(out + i, &seed, 8);
	}
	return out;
}

struct stdio out_and_err(void)
{
	return (struct stdio){ .out = make_fifo("out"), .err = make_fifo("err") };
}

#define TWO_MOST ((3u << 20) + 7)

char *two_files_command(void)
{
	return text("cat %s & cat %s >&2; wait", in_dir("a"), in_dir("b"));
}

void two_files_pass(struct bundle *b, void (*created)(void))
{
	struct stdio io = out_and_err();
	struct reader *out = reader_open(io.out), *err = reader_open(io.err);
	char *x = noise(TWO_MOST - 6, 42), *y = noise(TWO_MOST, 43);

	write_file(in_dir("a"), x, TWO_MOST - 6);
	write_file(in_dir("b"), y, TWO_MOST);
	create_io(b, &io);
	if (created)
		created();
	start(b->id, NULL);
	assert_int_equal(wait_exit(b->id, NULL)->exit_status, 0);
	until(out->eof && err->eof);
	assert_int_equal(out->len, TWO_MOST - 6);
	assert_int_equal(err->len, TWO_MOST);
	assert_true(memcmp(out->data, x, out->len) == 0);
	assert_true(memcmp(err->data, y, err->len) == 0);
}
