/* SPDX-License-Identifier: Apache-2.0 */
/* What a process uses; see usage.h. */
#include "shim/tool/usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/util.h"

#define FILE_MAX (64u << 10)

/* The number behind @key at the start of a line of /proc/PID/@file, or -1. */
static int64_t number_in(pid_t pid, const char *file, const char *key)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/%s", pid, file), *text = NULL;
	size_t len;
	int64_t v;

	if (!path || file_read(path, FILE_MAX, &text, &len) < 0)
		return -1;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) == 0 &&
		    sscanf(line + strlen(key), "%" SCNd64, &v) == 1)
			return v;
	}
	return -1;
}

static int64_t count_fds(pid_t pid)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/fd", pid);
	DIR *d = path ? opendir(path) : NULL;
	const struct dirent *entry;
	int64_t n = 0;

	if (!d)
		return -1;
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

void usage_of(pid_t pid, struct usage *u)
{
	*u = (struct usage){
		.rss = number_in(pid, "status", "VmRSS:"),
		.pss = number_in(pid, "smaps_rollup", "Pss:"),
		.private_dirty = number_in(pid, "smaps_rollup", "Private_Dirty:"),
		.fds = count_fds(pid),
		.fds_max = number_in(pid, "limits", "Max open files"),
		.threads = number_in(pid, "status", "Threads:"),
	};
}

void usage_write(const struct usage *u, struct json_out *out)
{
	const struct {
		const char *key;
		int64_t value;
	} all[] = {
		{ "rss_kb", u->rss },
		{ "pss_kb", u->pss },
		{ "private_dirty_kb", u->private_dirty },
		{ "fds", u->fds },
		{ "fds_max", u->fds_max },
		{ "threads", u->threads },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		json_out_key(out, all[i].key);
		if (all[i].value < 0)
			json_out_raw(out, "null", 4);
		else
			json_out_int(out, all[i].value);
	}
}
