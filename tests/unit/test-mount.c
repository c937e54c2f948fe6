/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of mounting needs no privilege: the option words, the layers of an
 * overlay, and where in a rootfs a target is.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/limits.h"
#include "shim/mount-internal.h"
#include "shim/util.h"

/* --------------------------------------------------------------- options */

static int parse(struct mount_options *o, const char *const *words)
{
	struct mount m = { .type = "t",
			   .source = "s",
			   .target = "",
			   .options = (char *const *)(uintptr_t)words };

	while (words[m.n_options])
		m.n_options++;
	return mount_options_parse(&m, o);
}

#define parse_words(o, ...) parse(o, (const char *[]){ __VA_ARGS__, NULL })

/* The flags and the data that these words mean. */
static void gives(unsigned long flags, const char *data, const char *const *words)
{
	struct mount_options o;
	char *all;

	assert_int_equal(parse(&o, words), 0);
	all = mount_options_join(&o);
	assert_int_equal(o.flags, flags);
	assert_string_equal(all, data);
	assert_int_equal(mount_options_size(&o), strlen(data));
	free(all);
	mount_options_release(&o);
}

#define GIVES(flags, data, ...) gives(flags, data, (const char *[]){ __VA_ARGS__, NULL })

static void words_are_flags(void **st)
{
	static const struct {
		const char *set, *clear;
		unsigned long flag;
	} pairs[] = {
		{ "ro", "rw", MS_RDONLY },
		{ "nosuid", "suid", MS_NOSUID },
		{ "nodev", "dev", MS_NODEV },
		{ "noexec", "exec", MS_NOEXEC },
		{ "sync", "async", MS_SYNCHRONOUS },
		{ "mand", "nomand", MS_MANDLOCK },
		{ "noatime", "atime", MS_NOATIME },
		{ "nodiratime", "diratime", MS_NODIRATIME },
		{ "relatime", "norelatime", MS_RELATIME },
		{ "strictatime", "nostrictatime", MS_STRICTATIME },
		{ "bind", NULL, MS_BIND },
		{ "rbind", NULL, MS_BIND | MS_REC },
		{ "remount", NULL, MS_REMOUNT },
		{ "dirsync", NULL, MS_DIRSYNC },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const char *set = pairs[i].set, *clear = pairs[i].clear;

		GIVES(pairs[i].flag, "", set);
		if (!clear)
			continue;
		GIVES(0, "", clear);
		GIVES(0, "", set, clear);
		GIVES(pairs[i].flag, "", clear, set);
	}
	GIVES(MS_BIND | MS_REC | MS_RDONLY, "", "rbind", "ro");
}

/* Also what looks like a word, and what other programs take for one. */
static void others_are_data(void **st)
{
	(void)st;
	GIVES(0, "defaults", "defaults");
	GIVES(MS_NODEV, "size=1m,mode=755", "size=1m", "nodev", "mode=755");
	GIVES(0, "shared,rprivate,rslave,rshared", "shared", "rprivate", "rslave",
	      "rshared");
	GIVES(0, "RO,ro ,,nosuid=1", "RO", "ro ", "", "nosuid=1");
	GIVES(0, "index=off,lowerdir=/a:/b", "index=off", "lowerdir=/a:/b");
	GIVES(0, "x-containerd.a,X-containerdx", "x-containerd.a", "X-containerdx");
}

static void loop_words(void **st)
{
	struct mount_options o;

	(void)st;
	assert_int_equal(parse_words(&o, "direct-io", "loop", "ro"), 0);
	assert_true(o.loop && o.direct_io);
	assert_int_equal(o.n_data, 0);
	mount_options_release(&o);
	assert_int_equal(parse_words(&o, "loop"), 0);
	assert_true(o.loop && !o.direct_io);
	mount_options_release(&o);
	/* Without a loop device it means nothing to us. */
	GIVES(0, "direct-io", "direct-io");
	assert_int_equal(parse_words(&o, "x"), 0);
	assert_false(o.loop);
	mount_options_release(&o);
}

static void idmap_words(void **st)
{
	struct mount_options o;

	(void)st;
	assert_int_equal(parse_words(&o, "uidmap=0:1:2", "a", "gidmap=0:3:4"), 0);
	assert_string_equal(o.uidmap, "0:1:2");
	assert_string_equal(o.gidmap, "0:3:4");
	assert_int_equal(o.n_data, 1);
	mount_options_release(&o);
	assert_int_equal(parse_words(&o, "uidmap=", "gidmap="), 0);
	assert_null(o.uidmap);
	assert_null(o.gidmap);
	mount_options_release(&o);
}

/* What a parser that refuses these words says. */
static const char *refusal(const char *const *words)
{
	static char said[512];
	int fd = memfd_create("said", MFD_CLOEXEC), old = dup(2);
	struct mount_options o;
	ssize_t n;

	assert_true(fd >= 0 && old >= 0);
	dup2(fd, 2);
	n = parse(&o, words);
	dup2(old, 2);
	assert_int_equal(n, MOUNT_FAILED);
	mount_options_release(&o);
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = 0;
	close(fd);
	close(old);
	/* One message is parted from another. */
	return said + (strncmp(said, "; ", 2) ? 0 : 2);
}

#define REFUSAL(...) refusal((const char *[]){ __VA_ARGS__, NULL })

static void refused_words(void **st)
{
	(void)st;
	assert_string_equal(
		REFUSAL("ro", "X-containerd.mkdir.path=/a"),
		"internal mount option \"X-containerd.mkdir.path=/a\" was not "
		"consumed by the mount manager");
	assert_string_equal(REFUSAL("uidmap=0:1:2"),
			    "mount option \"uidmap=\" without \"gidmap=\"");
	assert_string_equal(REFUSAL("uidmap=", "gidmap=0:1:2"),
			    "mount option \"gidmap=\" without \"uidmap=\"");
}

/* --------------------------------------------------------------- overlay */

/* What compaction makes of the lowerdir @layers, "DIR|DATA"; "" for nothing. */
static const char *compacted(const char *layers)
{
	static char result[512];
	char *lowerdir = str_printf("lowerdir=%s", layers), *dir, *word, *data;
	struct mount_options o;

	assert_int_equal(parse_words(&o, "a", lowerdir, "b"), 0);
	assert_int_equal(overlay_compact(&o, &dir, &word), 0);
	data = mount_options_join(&o);
	result[0] = 0;
	if (dir)
		snprintf(result, sizeof(result), "%s|%s", dir, data);
	else
		assert_memory_equal(data + 2, lowerdir, strlen(lowerdir));
	mount_options_release(&o);
	free(lowerdir);
	free(dir);
	free(word);
	free(data);
	return result;
}

static void layers_become_relative(void **st)
{
	(void)st;
	assert_string_equal(compacted("/var/s/12/fs:/var/s/1/fs:/var/s/3/fs"),
			    "/var/s/|a,b,lowerdir=12/fs:1/fs:3/fs");
	/* A name's beginning that is the same is no directory. */
	assert_string_equal(compacted("/s/12/fs:/s/13/fs"),
			    "/s/|a,b,lowerdir=12/fs:13/fs");
	assert_string_equal(compacted("/s/1:/s/12"), "/s/|a,b,lowerdir=1:12");
	assert_string_equal(compacted("/s/a:/s/a/b"), "/s/|a,b,lowerdir=a:a/b");
	assert_string_equal(compacted("/s/a/:/s/a/b"), "/s/a/|a,b,lowerdir=.:b");
	assert_string_equal(compacted("/s//a:/s/b"), "/s/|a,b,lowerdir=a:b");
	assert_string_equal(compacted("/s/a:/s/a"), "/s/|a,b,lowerdir=a:a");
	/* Layers with data only. */
	assert_string_equal(compacted("/s/a:/s/b::/s/c"), "/s/|a,b,lowerdir=a:b::c");
}

static void layers_without_a_directory(void **st)
{
	(void)st;
	assert_string_equal(compacted("/s/a"), "");
	assert_string_equal(compacted("/a/1:/b/2"), "");
	assert_string_equal(compacted("//a/1://b/2"), "");
	assert_string_equal(compacted("a/1:a/2"), "");
	assert_string_equal(compacted("1:2"), "");
	assert_string_equal(compacted(""), "");
	assert_string_equal(compacted(":/a/b"), "");
}

static void layers_with_escapes(void **st)
{
	(void)st;
	assert_string_equal(compacted("/s/a\\:b:/s/c"), "/s/|a,b,lowerdir=a\\:b:c");
	/* The directory is for chdir(2), which knows no escapes. */
	assert_string_equal(compacted("/x\\:y/1:/x\\:y/2"), "/x:y/|a,b,lowerdir=1:2");
	assert_string_equal(compacted("/x\\\\/1:/x\\\\/2"), "/x\\/|a,b,lowerdir=1:2");
	/* A backslash before the colon that is one itself. */
	assert_string_equal(compacted("/s/a\\\\:/s/b"), "/s/|a,b,lowerdir=a\\\\:b");
	assert_string_equal(compacted("/s/a:/s/b\\"), "/s/|a,b,lowerdir=a:b\\");
}

/* Every prefix of an awkward one, in memory that ends where it does. */
static void layers_cut_anywhere(void **st)
{
	static const char all[] = "/s/a\\:b:/s//c:::/s/\\\\:/s/d/:/s/e\\";

	(void)st;
	for (size_t n = 0; n < sizeof(all); n++) {
		char *cut = strndup(all, n);

		compacted(cut);
		free(cut);
	}
}

static void layers_walked(void **st)
{
	static const char *const expected[] = { "/s/a:b", "/s/c", "/s/\\" };
	struct mount_options o;
	const char *at = NULL;
	char *path;

	(void)st;
	assert_int_equal(parse_words(&o, "x", "lowerdir=/s/a\\:b::/s/c:/s/\\\\"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(overlay_next_layer(&o, &at, &path), 1);
		assert_string_equal(path, expected[i]);
		free(path);
	}
	assert_int_equal(overlay_next_layer(&o, &at, &path), 0);
	mount_options_release(&o);
	at = NULL;
	assert_int_equal(parse_words(&o, "upperdir=/s/a"), 0);
	assert_int_equal(overlay_next_layer(&o, &at, &path), 0);
	mount_options_release(&o);
}

/* --------------------------------------------------------------- targets */

static char root_dir[64];
static int root = -1;

static void make(const char *dirs_and_links)
{
	char *all = strdup(dirs_and_links), *rest = all, *one;

	while ((one = strsep(&rest, " "))) {
		char *to = strchr(one, '>');

		if (to) {
			*to++ = 0;
			assert_int_equal(symlinkat(to, root, one), 0);
		} else {
			assert_int_equal(mkdirat(root, one, 0755), 0);
		}
	}
	free(all);
}

static int make_root(void **st)
{
	(void)st;
	snprintf(root_dir, sizeof(root_dir), "/tmp/brass-mount-XXXXXX");
	if (!mkdtemp(root_dir))
		return -1;
	root = open(root_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	make("a a/b a/b/c up>../../.. root>/ etc>/a/b rel>a/b dotted>./a/../a/b/./c "
	     "loop1>loop2 loop2>loop1 out>/../../../tmp deep>up/../rel/c dangling>nowhere "
	     "self>. a/parent>.. a/b/far>../../../../../a/b a/b/abs>/a/b twice>rel/far "
	     "slashes>//a///b//");
	close(openat(root, "file", O_CREAT | O_WRONLY, 0644));
	return root < 0 ? -1 : 0;
}

static int remove_root(void **st)
{
	static const char *const names[] = {
		"a/b/far",  "a/b/abs", "a/parent", "up",      "root", "etc",
		"rel",	    "dotted",  "loop1",	   "loop2",   "out",  "deep",
		"dangling", "self",    "twice",	   "slashes", "file",
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(root, names[i], 0);
	unlinkat(root, "a/b/c", AT_REMOVEDIR);
	unlinkat(root, "a/b", AT_REMOVEDIR);
	unlinkat(root, "a", AT_REMOVEDIR);
	close(root);
	return rmdir(root_dir);
}

/* Where a path leads, relative to the root ("" is the root itself), or an errno. */
static const char *leads(int (*resolve)(int, const char *), const char *path)
{
	static char found[256];
	char link[64];
	int fd = resolve(root, path);
	ssize_t n;

	if (fd < 0) {
		snprintf(found, sizeof(found), "%d", fd);
		return found;
	}
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, found, sizeof(found) - 1);
	assert_true(n > 0);
	found[n] = 0;
	close(fd);
	if (strncmp(found, root_dir, strlen(root_dir)))
		return found;
	return found + strlen(root_dir);
}

static void targets_stay_inside(void **st)
{
	static const struct {
		const char *path, *place;
	} cases[] = {
		{ "", "" },
		{ "/", "" },
		{ ".", "" },
		{ "//", "" },
		{ "..", "" },
		{ "/../..", "" },
		{ "a", "/a" },
		{ "/a/b", "/a/b" },
		{ "a//b/", "/a/b" },
		{ "a/./b/../b", "/a/b" },
		{ "../../a", "/a" },
		{ "file", "/file" },
		{ "up", "" },
		{ "up/a", "/a" },
		{ "root/a", "/a" },
		{ "etc", "/a/b" },
		{ "etc/c", "/a/b/c" },
		{ "rel/c", "/a/b/c" },
		{ "rel/..", "/a" },
		{ "dotted", "/a/b/c" },
		{ "deep", "/a/b/c" },
		{ "self/self/a", "/a" },
		{ "a/parent/a", "/a" },
		{ "a/b/far/c", "/a/b/c" },
		{ "twice", "/a/b" },
		{ "slashes/c", "/a/b/c" },
		{ "a/b/abs/c", "/a/b/c" },
	};
	static const struct {
		const char *path;
		int error;
	} bad[] = {
		{ "nowhere", -ENOENT },	     { "dangling", -ENOENT },
		{ "out", -ENOENT },	     { "loop1", -ELOOP },
		{ "loop1/a", -ELOOP },	     { "file/a", -ENOTDIR },
		{ "a/nowhere/..", -ENOENT },
	};
	char number[16];

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(leads(target_open, cases[i].path), cases[i].place);
		assert_string_equal(leads(target_walk, cases[i].path), cases[i].place);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(number, sizeof(number), "%d", bad[i].error);
		assert_string_equal(leads(target_open, bad[i].path), number);
		assert_string_equal(leads(target_walk, bad[i].path), number);
	}
}

/* LIMIT_TARGET_DEPTH: the walk holds each folder on its way; the kernel need not. */
static void targets_are_so_deep(void **st)
{
	char path[2 * LIMIT_TARGET_DEPTH + 1] = "";
	int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

	(void)st;
	for (size_t i = 0; i < LIMIT_TARGET_DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_PATH | O_CLOEXEC);
		close(at);
		at = next;
		if (i == LIMIT_TARGET_DEPTH - 1) {
			int fd = target_walk(root, path);

			assert_true(fd >= 0);
			close(fd);
		}
		memcpy(path + 2 * i, "d/", 3);
	}
	close(at);
	assert_int_equal(target_walk(root, path), -ENAMETOOLONG);
	at = target_open(root, path);
	if (syscall(SYS_openat2, root, NULL, NULL, 0) < 0 && errno == ENOSYS) {
		/* It walks as well: qemu's users have no openat2(2). */
		assert_int_equal(at, -ENAMETOOLONG);
	} else {
		assert_true(at >= 0);
		close(at);
	}
	for (size_t i = LIMIT_TARGET_DEPTH; i > 0; i--) {
		path[2 * i - 1] = 0;
		assert_int_equal(unlinkat(root, path, AT_REMOVEDIR), 0);
	}
}

static void targets_have_bounds(void **st)
{
	char *path = calloc(1, 20001);

	(void)st;
	for (size_t i = 0; i < 20000; i += 2)
		memcpy(path + i, "a/", 2);
	assert_int_equal(target_open(root, path), -ENAMETOOLONG);
	assert_int_equal(target_walk(root, path), -ENAMETOOLONG);
	memset(path, 'x', 300);
	path[300] = 0;
	assert_int_equal(target_walk(root, path), -ENAMETOOLONG);
	/* As many links as the kernel follows, and one more. */
	path[0] = 0;
	for (int i = 0; i < 40; i++)
		memcpy(path + 5 * (size_t)i, "self/", 6);
	assert_string_equal(leads(target_walk, path), "");
	assert_string_equal(leads(target_open, path), "");
	memcpy(path + 200, "self", 5);
	assert_int_equal(target_walk(root, path), -ELOOP);
	assert_int_equal(target_open(root, path), -ELOOP);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_flags),
		cmocka_unit_test(others_are_data),
		cmocka_unit_test(loop_words),
		cmocka_unit_test(idmap_words),
		cmocka_unit_test(refused_words),
		cmocka_unit_test(layers_become_relative),
		cmocka_unit_test(layers_without_a_directory),
		cmocka_unit_test(layers_with_escapes),
		cmocka_unit_test(layers_cut_anywhere),
		cmocka_unit_test(layers_walked),
		cmocka_unit_test_setup_teardown(targets_stay_inside, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(targets_are_so_deep, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(targets_have_bounds, make_root,
						remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
