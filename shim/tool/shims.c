/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of this node; see shims.h. Asks nobody, so nobody can keep it waiting. */
#include "shim/tool/shims.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/util.h"

#define PREFIX "containerd-shim-"
#define CMDLINE_MAX (1u << 20)
#define TABLE_MAX (64u << 20)
/* __SO_ACCEPTCON in the flags of /proc/net/unix. */
#define LISTENS 0x10000ul

/* A folder of bundles, read once: which container is served where. */
struct folder {
	char *path;
	struct bundle {
		char *id, *address;
	} * bundles;
	size_t n;
};

struct scan {
	struct shims *shims;
	struct folder *folders;
	size_t n_folders;
	char *sockets; /* our /proc/net/unix */
};

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One more element at the end of *@list, zeroed; NULL: out of memory. */
static void *grow(void *list, size_t *n, size_t size)
{
	char **at = list;
	char *more = realloc(*at, (*n + 1) * size);

	if (!more)
		return NULL;
	*at = more;
	return memset(more + (*n)++ * size, 0, size);
}

/* ------------------------------------------------------------- processes */

/*
 * The server of a shim has the flags of containerd and no action behind them;
 * "start" and "delete", which have one, are gone in a moment.
 */
static bool read_command_line(struct shim_seen *seen, const char *text, size_t len)
{
	const char *end = text + len, *word = text, *next;
	bool is_action = false;

	if (strncmp(base_of(text), PREFIX, strlen(PREFIX)) != 0)
		return false;
	seen->program = strdup(base_of(text));
	for (word += strlen(word) + 1; word < end; word = next) {
		const char *flag =
			word + (*word == '-') + (word[0] == '-' && word[1] == '-');

		next = word + strlen(word) + 1;
		is_action = *word != '-';
		if (is_action || next >= end || strcmp(flag, "debug") == 0)
			continue;
		if (strcmp(flag, "namespace") == 0 && !seen->ns)
			seen->ns = strdup(next);
		else if (strcmp(flag, "id") == 0 && !seen->id)
			seen->id = strdup(next);
		next += strlen(next) + 1;
	}
	return !is_action && seen->id && seen->ns;
}

static bool lists_inode(const char *const *inodes, size_t n, const char *inode)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(inodes[i], inode) == 0)
			return true;
	return false;
}

/* The inodes of a process's sockets, as texts. */
static int list_sockets(pid_t pid, char ***inodes, size_t *n)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/fd", pid);
	DIR *d = path ? opendir(path) : NULL;
	struct dirent *entry;
	int r = d ? 0 : -errno;

	while (d && (entry = readdir(d))) {
		char link[64], **slot;
		ssize_t len = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		if (len <= 9 || strncmp(link, "socket:[", 8) != 0)
			continue;
		link[len - 1] = 0;
		slot = grow(inodes, n, sizeof(**inodes));
		if (slot)
			*slot = strdup(link + 8);
		if (!slot || !*slot) {
			*n -= slot ? 1 : 0;
			r = -ENOMEM;
			break;
		}
	}
	if (d)
		closedir(d);
	return r;
}

/* The path of the one of @inodes that listens, in the text of a /proc/net/unix, or NULL. */
static char *find_listener(const char *table, char **inodes, size_t n)
{
	for (const char *line = table; line && *line; line = strchr(line, '\n')) {
		char inode[24], path[128];
		unsigned long flags;

		line += *line == '\n';
		if (sscanf(line, "%*x: %*x %*x %lx %*x %*x %23s %127[^\n]", &flags, inode,
			   path) == 3 &&
		    (flags & LISTENS) && path[0] == '/' &&
		    lists_inode((const char *const *)inodes, n, inode))
			return strdup(path);
	}
	return NULL;
}

/* How we reach a path of a process that may live in other mounts. */
static char *reach(pid_t pid, const char *path)
{
	char theirs[64], ours[64], name[48];
	ssize_t n, m;

	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
	n = readlink(name, theirs, sizeof(theirs));
	m = readlink("/proc/self/ns/mnt", ours, sizeof(ours));
	if (n == m && n > 0 && memcmp(theirs, ours, (size_t)n) == 0)
		return strdup(path);
	return str_printf("/proc/%d/root%s", pid, path);
}

/* What the shim itself calls its socket goes to @own. */
static void find_socket(struct scan *scan, struct shim_seen *seen, char **own)
{
	_cleanup_free_ char *name = NULL, *table = NULL;
	char **inodes = NULL;
	size_t n = 0, len;
	int r = list_sockets(seen->pid, &inodes, &n);

	if (r == 0)
		*own = find_listener(scan->sockets, inodes, n);
	if (r == 0 && !*own) {
		/* It may live in a network of its own. */
		name = str_printf("/proc/%d/net/unix", seen->pid);
		if (name && file_read_followed(name, TABLE_MAX, &table, &len) == 0)
			*own = find_listener(table, inodes, n);
	}
	if (*own)
		seen->socket = reach(seen->pid, *own);
	seen->why = -r;
	while (n > 0)
		free(inodes[--n]);
	free(inodes);
}

/* --------------------------------------------------------------- bundles */

/* What is written of a bundle's shim: by itself, else by containerd (2.0 and later). */
static char *read_address(const char *folder, const char *id)
{
	static const char *const names[] = { "address", "shim", "bootstrap.json" };
	char *text;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = str_printf("%s/%s/%s", folder, id, names[i]);

		if (path && file_read(path, 4096, &text, &len) == 0)
			return text;
	}
	return NULL;
}

static void read_folder(struct folder *f)
{
	DIR *d = opendir(f->path);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		_cleanup_free_ char *address = NULL;
		struct bundle *b;

		if (entry->d_name[0] != '.')
			address = read_address(f->path, entry->d_name);
		if (!address)
			continue;
		b = grow(&f->bundles, &f->n, sizeof(*b));
		if (b)
			*b = (struct bundle){ strdup(entry->d_name), TAKE(address) };
	}
	if (d)
		closedir(d);
}

static const struct folder *folder_of(struct scan *scan, const char *path)
{
	struct folder *f;

	for (size_t i = 0; i < scan->n_folders; i++)
		if (strcmp(scan->folders[i].path, path) == 0)
			return &scan->folders[i];
	f = grow(&scan->folders, &scan->n_folders, sizeof(*f));
	if (!f)
		return NULL;
	f->path = strdup(path);
	if (f->path)
		read_folder(f);
	return f->path ? f : NULL;
}

/*
 * A shim stands in its first container's bundle, and the bundles of a namespace
 * stand side by side, each with the address of its shim.
 */
static void find_containers(struct scan *scan, struct shim_seen *seen, const char *own)
{
	char link[PATH_MAX], *slash, **slot;
	_cleanup_free_ char *name = str_printf("/proc/%d/cwd", seen->pid), *dir = NULL;
	ssize_t n = name ? readlink(name, link, sizeof(link) - 1) : -1;
	const struct folder *f = NULL;

	if (n > 0) {
		link[n] = 0;
		slash = strrchr(link, '/');
		*slash = 0;
		dir = reach(seen->pid, link);
		f = dir ? folder_of(scan, dir) : NULL;
	}
	for (size_t i = 0; f && own && i < f->n; i++) {
		const struct bundle *b = &f->bundles[i];

		/* It may be JSON, or a record of ours, with the path in it. */
		if (!b->id || !strstr(b->address, own))
			continue;
		slot = grow(&seen->containers, &seen->n_containers, sizeof(*slot));
		if (slot && !(*slot = strdup(b->id)))
			seen->n_containers--;
	}
	if (seen->n_containers == 0) {
		slot = grow(&seen->containers, &seen->n_containers, sizeof(*slot));
		if (slot && !(*slot = strdup(seen->id)))
			seen->n_containers--;
	}
}

/* ------------------------------------------------------------------- all */

static void release_one(struct shim_seen *seen)
{
	for (size_t i = 0; i < seen->n_containers; i++)
		free(seen->containers[i]);
	free(seen->containers);
	free(seen->program);
	free(seen->ns);
	free(seen->id);
	free(seen->socket);
}

void shims_release(struct shims *s)
{
	for (size_t i = 0; i < s->n; i++)
		release_one(&s->list[i]);
	free(s->list);
	*s = (struct shims)SHIMS_INIT;
}

static void look_at(struct scan *scan, pid_t pid)
{
	_cleanup_free_ char *name = str_printf("/proc/%d/cmdline", pid), *text = NULL,
			    *own = NULL;
	struct shim_seen seen = { .pid = pid }, *slot;
	size_t len;

	if (!name || file_read(name, CMDLINE_MAX, &text, &len) < 0 || len == 0)
		return;
	if (!read_command_line(&seen, text, len)) {
		release_one(&seen);
		return;
	}
	find_socket(scan, &seen, &own);
	find_containers(scan, &seen, own);
	slot = grow(&scan->shims->list, &scan->shims->n, sizeof(*slot));
	if (slot)
		*slot = seen;
	else
		release_one(&seen);
}

static void scan_release(struct scan *scan)
{
	for (size_t i = 0; i < scan->n_folders; i++) {
		struct folder *f = &scan->folders[i];

		for (size_t k = 0; k < f->n; k++) {
			free(f->bundles[k].id);
			free(f->bundles[k].address);
		}
		free(f->bundles);
		free(f->path);
	}
	free(scan->folders);
	free(scan->sockets);
}

static int by_pid(const void *a, const void *b)
{
	const struct shim_seen *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int shims_find(struct shims *s)
{
	struct scan scan = { .shims = s };
	DIR *d = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	size_t len;

	if (!d)
		return -errno;
	if (file_read_followed("/proc/net/unix", TABLE_MAX, &scan.sockets, &len) < 0)
		scan.sockets = strdup("");
	while (scan.sockets && (entry = readdir(d)))
		if (parse_uint(entry->d_name, INT_MAX, &pid) == 0)
			look_at(&scan, (pid_t)pid);
	closedir(d);
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(*s->list), by_pid);
	scan_release(&scan);
	return scan.sockets ? 0 : -ENOMEM;
}

/* --------------------------------------------------------------- choosing */

static bool has_container(const struct shim_seen *seen, const char *id)
{
	for (size_t i = 0; i < seen->n_containers; i++)
		if (strcmp(seen->containers[i], id) == 0)
			return true;
	return strcmp(seen->id, id) == 0;
}

static const struct shim_seen *choose(const struct shims *s, const char *target,
				      const char *ns, struct err *e)
{
	const struct shim_seen *found = NULL;
	uint64_t pid = 0;

	assert(s->n == 0 || s->list);
	for (size_t i = 0; i < s->n; i++) {
		const struct shim_seen *seen = &s->list[i];

		if (!has_container(seen, target) || (ns && strcmp(seen->ns, ns) != 0))
			continue;
		if (found) {
			err_set(e, TTRPC_FAILED_PRECONDITION,
				"container %s is in the namespaces %s "
				"and %s: say which (--namespace), or give the pid of its shim (%d, "
				"%d)",
				target, found->ns, seen->ns, found->pid, seen->pid);
			return NULL;
		}
		found = seen;
	}
	if (!found && parse_uint(target, INT_MAX, &pid) == 0)
		for (size_t i = 0; i < s->n; i++)
			if (s->list[i].pid == (pid_t)pid)
				found = &s->list[i];
	if (!found)
		err_set(e, TTRPC_NOT_FOUND,
			"no shim on this node serves a container \"%s\"%s%s, nor has "
			"one that pid (\"brass ps\" lists them)",
			target, ns ? " in namespace " : "", ns ? ns : "");
	return found;
}

int shims_resolve(const struct shims *s, const char *target, const char *ns,
		  char path[static SHIM_PATH_MAX], const struct shim_seen **seen,
		  struct err *e)
{
	const struct shim_seen *found = NULL;
	const char *from = target;

	if (strncmp(target, "unix://", 7) == 0)
		from = target + 7;
	if (strchr(from, '/')) {
		for (size_t i = 0; i < s->n; i++)
			if (s->list[i].socket && strcmp(s->list[i].socket, from) == 0)
				found = &s->list[i];
	} else {
		found = choose(s, target, ns, e);
		if (!found)
			return -e->code;
		if (!found->socket)
			return err_sys(e, found->why ? found->why : ENOTCONN,
				       "the socket of shim %d (%s)", found->pid, target);
		from = found->socket;
	}
	if (seen)
		*seen = found;
	if (strlen(from) >= SHIM_PATH_MAX)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "%s: too long for a socket",
			       from);
	snprintf(path, SHIM_PATH_MAX, "%s", from);
	return 0;
}
