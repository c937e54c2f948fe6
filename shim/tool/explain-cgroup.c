/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where linux.cgroupsPath leads: with each driver, in each version of cgroups, as
 * runc and crun resolve it.
 */
#include <limits.h>
#include <string.h>
#include <sys/vfs.h>

#include "shim/tool/explain.h"
#include "shim/util.h"

#define ROOT "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define SUFFIX ".slice"

static bool ends_in_slice(const char *s)
{
	size_t len = strlen(s);

	return len > strlen(SUFFIX) && strcmp(s + len - strlen(SUFFIX), SUFFIX) == 0;
}

/* "a-b.slice" is the directory a.slice/a-b.slice. False: no name of a slice. */
static bool expand_slice(const char *slice, char *out, size_t size)
{
	size_t len, n = 0;

	if (!ends_in_slice(slice) || strchr(slice, '/'))
		return false;
	*out = 0;
	len = strlen(slice) - strlen(SUFFIX);
	if (len == 1 && *slice == '-')
		return true;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && slice[i] != '-')
			continue;
		/* Neither "-a" nor "a--b". */
		if (i == 0 || slice[i - 1] == '-' || n >= size)
			return false;
		n += (size_t)snprintf(out + n, size - n, "/%.*s" SUFFIX, (int)i, slice);
	}
	return n < size;
}

/* The path below the hierarchy, or false: the driver refuses it. */
static bool systemd_path(const struct explain *x, const char *path, char *out,
			 size_t size)
{
	_cleanup_free_ char *copy = NULL;
	char *part[3] = { NULL }, *rest, slice[PATH_MAX] = "";
	const char *scope = "";
	bool is_slice;

	if (!path) {
		snprintf(out, size, "/system.slice/%s-%s.scope",
			 x->runtime & MAP_CRUN ? "crun" : "runc", x->id);
		return true;
	}
	copy = strdup(path);
	rest = copy;
	for (int i = 0; rest && i < 3; i++)
		part[i] = strsep(&rest, ":");
	if (!part[2] || rest)
		return false;
	if (*part[0] && !expand_slice(part[0], slice, sizeof(slice)))
		return false;
	is_slice = ends_in_slice(part[2]);
	scope = is_slice ? "" : ".scope";
	snprintf(out, size, "%s/%s%s%s%s", *part[0] ? slice : "/system" SUFFIX,
		 is_slice ? "" : part[1], is_slice ? "" : "-", part[2], scope);
	return true;
}

/* Without "." and "..", as if it began at the root. */
static void clean(const char *path, char *out, size_t size)
{
	size_t n = 0;

	*out = 0;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			char *slash = strrchr(out, '/');

			n = slash ? (size_t)(slash - out) : 0;
			out[n] = 0;
		} else if (len > 0 && !(len == 1 && *path == '.') && n + len + 2 < size) {
			n += (size_t)snprintf(out + n, size - n, "/%.*s", (int)len, path);
		}
		path += len + (path[len] == '/');
	}
}

/* A relative path begins, for runc, at the cgroup that it is run in: that of the shim. */
static const char *cgroupfs_start(const struct explain *x, const char *path, bool two)
{
	if (x->runtime & MAP_CRUN || (path && *path == '/'))
		return "";
	return two ? "/<above the cgroup of the shim>" : "/<cgroup of the shim>";
}

static void put_row(bool used, const char *driver, const char *version, const char *start,
		    const char *path)
{
	printf("# %s %-8s  %s  ", used ? "->" : "  ", driver, version);
	if (path) {
		fputs(ROOT, stdout);
		if (strcmp(version, "v1") == 0)
			fputs("/<controller>", stdout);
		fputs(start, stdout);
		put_word(path);
		putchar('\n');
	} else {
		puts("refused: it needs slice:prefix:name");
	}
}

void explain_cgroup(const struct explain *x)
{
	const struct map_value *v = map_find(&x->values, "linux.cgroupsPath", 0);
	const char *path = map_text(&x->values, "linux.cgroupsPath", 0);
	char fs_path[PATH_MAX], systemd[PATH_MAX + NAME_MAX];
	bool two, known, has_systemd;
	struct statfs fs;

	known = statfs(ROOT, &fs) == 0;
	two = known && fs.f_type == CGROUP2_MAGIC;
	clean(path ? path : x->id, fs_path, sizeof(fs_path));
	has_systemd = systemd_path(x, path, systemd, sizeof(systemd));
	say_title("cgroup (-> this host, with this bundle's options)");
	if (v)
		say_origin(x, "the path", v, NULL);
	else
		say("  linux.cgroupsPath is not there: the runtime's default");
	put_row(known && !two && !x->systemd_cgroup, "cgroupfs", "v1",
		cgroupfs_start(x, path, false), fs_path);
	put_row(two && !x->systemd_cgroup, "cgroupfs", "v2",
		cgroupfs_start(x, path, true), fs_path);
	put_row(known && !two && x->systemd_cgroup, "systemd", "v1", "",
		has_systemd ? systemd : NULL);
	put_row(two && x->systemd_cgroup, "systemd", "v2", "",
		has_systemd ? systemd : NULL);
}
