/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the files of a cgroup into a message: what both versions have in
 * common. Only files of the kernel are read, which never sleep on a disk, so it
 * is done from the loop; nothing is opened for writing.
 */
#include "shim/stats.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shim/limits.h"
#include "shim/util.h"

const char *stats_type(const struct cgroup *cg)
{
	return cg->unified ? "io.containerd.cgroups.v2.Metrics"
			   : "io.containerd.cgroups.v1.Metrics";
}

int stats_pack(const struct cgroup *cg, const char *root, struct pack *out, struct err *e)
{
	struct scan s = { .cg = cg, .root = root, .out = out, .err = e };
	int r;

	if (!cgroup_is_known(cg))
		return err_set(e, TTRPC_NOT_FOUND, "cgroup does not exist");
	r = cg->unified ? stats_v2(&s) : stats_v1(&s);
	if (r < 0)
		return r;
	if (out->error == -ENOMEM)
		return err_nomem(e);
	if (out->error < 0)
		return err_set(e, TTRPC_RESOURCE_EXHAUSTED,
			       "metrics of more than %u bytes", LIMIT_STATS);
	return 0;
}

/* ---------------------------------------------------------------- files */

/*
 * A file of a cgroup that is removed while it is open ends in ENODEV, and one of
 * a feature that is switched off (psi=0) in EOPNOTSUPP.
 */
static bool means_missing(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP;
}

int stats_unreadable(struct scan *s, int r, const char *file)
{
	return err_sys(s->err, -r, "read %s%s/%s", cgroup_point(s->cg, s->controller),
		       cgroup_path(s->cg, s->controller), file);
}

int stats_open(struct scan *s, struct lines *l, const char *file)
{
	int r = lines_open(l, s->dir, file);

	if (r == 0)
		return 0;
	return means_missing(r) ? STATS_MISSING : stats_unreadable(s, r, file);
}

int stats_end(struct scan *s, struct lines *l, const char *file)
{
	if (l->error == 0)
		return 0;
	return means_missing(l->error) ? STATS_MISSING
				       : stats_unreadable(s, l->error, file);
}

int stats_malformed(struct scan *s, const char *file, const char *word)
{
	return err_set(s->err, TTRPC_UNKNOWN, "%s%s/%s: malformed line: \"%s\"",
		       cgroup_point(s->cg, s->controller),
		       cgroup_path(s->cg, s->controller), file, word);
}

int stats_counter(struct scan *s, const char *file, uint64_t max, uint64_t *value)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, file);
	char *word;

	*value = 0;
	if (r != 0)
		return r;
	word = lines_word(&l);
	r = stats_end(s, &l, file);
	if (r != 0)
		return r;
	if (!word)
		return stats_malformed(s, file, "");
	if (strcmp(word, "max") == 0)
		*value = max;
	else if (parse_counter(word, value) < 0)
		return stats_malformed(s, file, word);
	return 0;
}

int stats_keys(struct scan *s, const char *file, const struct stats_key *keys, size_t n,
	       uint64_t *values, uint64_t *found)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, file);

	assert(n <= STATS_KEYS_MAX);
	memset(values, 0, n * sizeof(*values));
	*found = 0;
	if (r != 0)
		return r;
	for (char *line, *field[2]; (line = lines_next(&l));) {
		uint64_t v;

		if (split(line, " \t", field, 2) != 2)
			return stats_malformed(s, file, line);
		if (parse_counter(field[1], &v) < 0)
			return stats_malformed(s, file, field[1]);
		for (size_t i = 0; i < n; i++) {
			if (strcmp(keys[i].name, field[0]) != 0)
				continue;
			values[i] = v;
			*found |= UINT64_C(1) << i;
		}
	}
	return stats_end(s, &l, file);
}

int stats_pack_keys(struct scan *s, const char *file, const struct stats_key *keys,
		    size_t n)
{
	uint64_t values[STATS_KEYS_MAX], found;
	int r = stats_keys(s, file, keys, n, values, &found);

	for (size_t i = 0; r == 0 && i < n; i++)
		pack_uint(s->out, keys[i].field, values[i]);
	return r;
}

/* ----------------------------------------------------------------- rdma */

static void pack_rdma_value(struct scan *s, char *pair)
{
	char *key = strsep(&pair, "=");
	uint64_t v;

	if (!pair)
		return;
	if (strcmp(pair, "max") == 0)
		v = UINT32_MAX;
	else if (parse_uint(pair, UINT32_MAX, &v) < 0)
		return;
	if (strcmp(key, "hca_handle") == 0)
		pack_uint(s->out, 2, v);
	else if (strcmp(key, "hca_object") == 0)
		pack_uint(s->out, 3, v);
}

/* What has another shape is passed over, as all readers of this file do. */
int stats_rdma(struct scan *s, const char *file, unsigned field, size_t *n)
{
	_cleanup_(lines_close) struct lines l;
	int r = stats_open(s, &l, file);

	*n = 0;
	if (r != 0)
		return r;
	for (char *line, *word[3]; (line = lines_next(&l)); ++*n) {
		size_t entry;

		if (split(line, " \t", word, 3) != 3)
			continue;
		entry = pack_begin(s->out, field);
		pack_text(s->out, 1, word[0], strlen(word[0]));
		pack_rdma_value(s, word[1]);
		pack_rdma_value(s, word[2]);
		pack_end(s->out, entry);
	}
	return stats_end(s, &l, file);
}

/* ----------------------------------------------------------- huge pages */

/* "hugepages-2048kB" becomes "2MB". False: the name is no size. */
static bool name_size(const char *folder, char *out, size_t size)
{
	static const char prefix[] = "hugepages-";
	char digits[16];
	uint64_t kb;
	size_t len;

	if (strncmp(folder, prefix, sizeof(prefix) - 1) != 0)
		return false;
	folder += sizeof(prefix) - 1;
	len = strspn(folder, "0123456789");
	if (strcmp(folder + len, "kB") != 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, folder, len);
	digits[len] = 0;
	if (parse_uint(digits, UINT32_MAX, &kb) < 0)
		return false;
	if (kb >= 1u << 20)
		snprintf(out, size, "%uGB", (unsigned)(kb >> 20));
	else if (kb >= 1u << 10)
		snprintf(out, size, "%uMB", (unsigned)(kb >> 10));
	else
		snprintf(out, size, "%uKB", (unsigned)kb);
	return true;
}

static void insert_folder(struct stats_page_sizes *sizes, const char *name)
{
	size_t i = sizes->n;

	if (i == ARRAY_SIZE(sizes->name) || strlen(name) >= sizeof(sizes->name[0]))
		return;
	for (; i > 0 && strcmp(sizes->name[i - 1], name) > 0; i--)
		memcpy(sizes->name[i], sizes->name[i - 1], sizeof(sizes->name[0]));
	snprintf(sizes->name[i], sizeof(sizes->name[0]), "%.*s",
		 (int)sizeof(sizes->name[0]) - 1, name);
	sizes->n++;
}

/* By getdents64(2): opendir(3) allocates 32 kB. */
int stats_page_sizes(struct scan *s, struct stats_page_sizes *sizes)
{
	_cleanup_close_ int dir = -1;
	_Alignas(struct dirent64) char buf[1024];
	char name[128];
	ssize_t len;
	size_t n = 0;

	sizes->n = 0;
	snprintf(name, sizeof(name), "%s/sys/kernel/mm/hugepages", s->root);
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(s->err, errno, "open %s", name);
	while ((len = getdents64(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *d = (const void *)(buf + at);

			if (strncmp(d->d_name, "hugepages-", 10) == 0)
				insert_folder(sizes, d->d_name);
			at += d->d_reclen;
		}
	if (len < 0)
		return err_sys(s->err, errno, "read %s", name);
	for (size_t i = 0; i < sizes->n; i++) {
		char folder[sizeof(sizes->name[0])];

		memcpy(folder, sizes->name[i], sizeof(folder));
		if (name_size(folder, sizes->name[n], sizeof(folder)))
			n++;
	}
	sizes->n = n;
	return 0;
}
