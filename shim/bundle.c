/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's own files in a bundle; see bundle.h. */
#include "shim/bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/limits.h"
#include "shim/log.h"
#include "shim/util.h"

#define EXIT_FILE "exit"
#define SHIM_FILE "shim"

static int write_file(const char *bundle, const char *name, const char *text, size_t len,
		      mode_t mode, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/%s", bundle, name);
	int r;

	if (!path)
		return err_nomem(e);
	r = file_write(path, text, len, mode);
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

static int read_file(const char *bundle, const char *name, char **text)
{
	_cleanup_free_ char *path = str_printf("%s/%s", bundle, name);
	size_t len;

	return path ? file_read(path, LIMIT_BUNDLE_FILE, text, &len) : -ENOMEM;
}

bool bundle_is_in_memory(const char *bundle)
{
	struct statfs fs;

	return statfs(bundle, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int bundle_write_address(const char *bundle, const char *address, struct err *e)
{
	return write_file(bundle, "address", address, strlen(address), 0644, e);
}

int bundle_complete_address(const char *bundle, const char *socket, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/address", bundle);
	_cleanup_free_ char *address = NULL;

	if (!path)
		return err_nomem(e);
	/* One that was started by hand may have a path that leads nowhere from elsewhere. */
	if (*socket != '/' || access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	address = str_printf("unix://%s", socket);
	return address ? bundle_write_address(bundle, address, e) : err_nomem(e);
}

int bundle_read_address(const char *bundle, char **address)
{
	return read_file(bundle, "address", address);
}

int bundle_write_options(const char *bundle, const struct spec_options *o, struct err *e)
{
	size_t len;
	_cleanup_free_ char *json = spec_options_write(o, &len);
	const char *runtime = o->binary_name ? o->binary_name : "";
	int r;

	if (!json)
		return err_nomem(e);
	r = write_file(bundle, "options.json", json, len, 0600, e);
	return r < 0 ? r : write_file(bundle, "runtime", runtime, strlen(runtime), 0600, e);
}

int bundle_write_shim(const char *bundle, const struct shim_record *r, struct err *e)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%d %" PRIu64 " %s\n", r->pid, r->started, r->socket);

	return write_file(bundle, SHIM_FILE, text, (size_t)n, 0600, e);
}

/* BUNDLES/FIRST/others[/ID], where BUNDLES is the folder of @bundle. */
static char *note_path(const char *bundle, const char *first, const char *id)
{
	int len = (int)(strrchr(bundle, '/') - bundle);

	return str_printf("%.*s/%s/" BUNDLE_OTHERS "%s%s", len, bundle, first,
			  id ? "/" : "", id ? id : "");
}

bool bundle_note(const char *bundle, const char *id, const char *first)
{
	_cleanup_free_ char *options = str_printf("%s/options.json", bundle);
	_cleanup_free_ char *folder = note_path(bundle, first, NULL);
	_cleanup_free_ char *note = note_path(bundle, first, id);

	if (!options || !folder || !note || strcmp(id, first) == 0)
		return false;
	/* That of an earlier container of this id; and others may make the folder as well. */
	if (unlink(note) < 0 && errno == ENOENT && mkdir(folder, 0700) < 0 && errno != EEXIST)
		return false;
	return link(options, note) == 0;
}

void bundle_unnote(const char *bundle, const char *id, const char *first)
{
	_cleanup_free_ char *note = note_path(bundle, first, id);

	if (note)
		unlink(note);
}

int bundle_read_shim(const char *bundle, struct shim_record *r)
{
	_cleanup_free_ char *text = NULL;
	int e = read_file(bundle, SHIM_FILE, &text);

	if (e < 0)
		return e;
	*r = (struct shim_record){ 0 };
	return sscanf(text, "%d %" SCNu64 " %127[^\n]", &r->pid, &r->started, r->socket) == 3 ?
		       0 : -EINVAL;
}

char *bundle_read_runtime(const char *bundle)
{
	char *text;
	int r = read_file(bundle, "runtime", &text);

	if (r == -ENOENT)
		return strdup("");
	if (r < 0)
		return NULL;
	text[strcspn(text, "\n")] = 0;
	return text;
}

int bundle_read_pid(const char *path, pid_t *pid, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v;
	size_t len;
	int r = file_read(path, 64, &text, &len);

	if (r < 0)
		return err_sys(e, -r, "open %s", path);
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = 0;
	if (strlen(text) != len || parse_uint(text, INT_MAX, &v) < 0 || v < 2)
		return err_set(e, TTRPC_UNKNOWN, "%s holds no process id", path);
	*pid = (pid_t)v;
	return 0;
}

void bundle_write_exit(const char *bundle, const struct exit_record *r)
{
	_cleanup_free_ char *path = str_printf("%s/" EXIT_FILE, bundle);
	char text[128];
	int n, e;

	n = snprintf(text, sizeof(text), "%d %d %" PRId64 " %ld\n", r->pid, r->status,
		     (int64_t)r->at.tv_sec, r->at.tv_nsec);
	e = path ? file_write(path, text, (size_t)n, 0600) : -ENOMEM;
	if (e < 0)
		log_write(LOG_WARN, NULL, "write %s/" EXIT_FILE ": %s", bundle,
			  err_strerror(-e));
}

int bundle_read_exit(const char *bundle, struct exit_record *r)
{
	_cleanup_free_ char *text = NULL;
	struct exit_record x;
	int64_t sec;
	int e = read_file(bundle, EXIT_FILE, &text);

	if (e < 0)
		return e;
	if (sscanf(text, "%d %d %" SCNd64 " %ld", &x.pid, &x.status, &sec, &x.at.tv_nsec) != 4)
		return -EINVAL;
	x.at.tv_sec = sec;
	*r = x;
	return 0;
}
