/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rootfs mounts (contract 6): what Create mounts, as mountinfo has it, that
 * nothing is left after Delete and after a Create that failed, and that neither
 * images nor busy, hung or strange mounts change that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/mount.h"
#include "tests/e2e/harness.h"

struct entry {
	const char *type, *source, *target;
	const char *options[10];
};

#define TMPFS_ON(target)              \
	{                             \
		"tmpfs", "t", target, \
		{                     \
			NULL          \
		}                     \
	}
#define TMPFS TMPFS_ON(NULL)

/* Create with these mounts. */
static struct answer *ask_mounts(const struct bundle *b, const struct entry *v, size_t n)
{
	Task__CreateTaskRequest q = TASK__CREATE_TASK_REQUEST__INIT;
	Types__Mount mounts[8], *list[8];

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		list[i] = &mounts[i];
		mounts[i] = (Types__Mount)TYPES__MOUNT__INIT;
		mounts[i].type = text("%s", v[i].type);
		mounts[i].source = text("%s", v[i].source);
		mounts[i].target = text("%s", v[i].target ? v[i].target : "");
		mounts[i].options = (char **)(uintptr_t)v[i].options;
		while (v[i].options[mounts[i].n_options])
			mounts[i].n_options++;
	}
	q.rootfs = list;
	q.n_rootfs = n;
	q.id = text("%s", b->id);
	q.bundle = text("%s", b->dir);
	q.options = runc_options();
	return ask("Create", &q);
}

#define ASK(b, ...)                                          \
	ask_mounts(b, (const struct entry[]){ __VA_ARGS__ }, \
		   sizeof((const struct entry[]){ __VA_ARGS__ }) / sizeof(struct entry))
#define CREATE(b, ...) ok(ASK(b, __VA_ARGS__))

static char *rootfs_of(const struct bundle *b)
{
	return text("%s/rootfs", b->dir);
}

/* Number of mounts on a path as mountinfo writes it, or with "/" at its end: below it. */
static int mounts_at(const char *path)
{
	char *all = read_file("/proc/self/mountinfo", NULL), *line;
	bool below = path[strlen(path) - 1] == '/';
	int n = 0;

	while ((line = strsep(&all, "\n"))) {
		char *point = strstr(line, text(" %s%s", path, below ? "" : " "));

		n += point != NULL;
	}
	return n;
}

static bool any_mounts(const struct bundle *b)
{
	return mounts_at(rootfs_of(b)) || mounts_at(text("%s/", rootfs_of(b)));
}

/* The last line of mountinfo for a mount point. */
static const char *line_of(const char *path)
{
	char *all = read_file("/proc/self/mountinfo", NULL), *line, *last = NULL;

	while ((line = strsep(&all, "\n")))
		if (strstr(line, text(" %s ", path)))
			last = line;
	if (!last)
		fail_at(HERE, "nothing is mounted on %s", path);
	return last;
}

/* Its options are these: some of its mount's and its file system's, comma-separated. */
#define mounted_with(path, ...) \
	mounted_with_at(HERE, path, (const char *[]){ __VA_ARGS__, NULL })
static void mounted_with_at(struct where w, const char *path, const char *const *words)
{
	const char *line = line_of(path);

	for (; *words; words++) {
		char *hit = strstr(line, *words);

		while (hit &&
		       (!strchr(" ,", hit[-1]) || !strchr(" ,", hit[strlen(*words)])))
			hit = strstr(hit + 1, *words);
		if (!hit)
			fail_at(w, "no %s in: %s", *words, line);
	}
}

static char *make_dir(const char *name)
{
	char *path = in_dir(name);

	if (mkdir(path, 0755) < 0)
		fail_at(HERE, "%s: %s", path, strerror(errno));
	return path;
}

static void put(const char *path, const char *content)
{
	write_file(path, content, strlen(content));
}

static void put_program(const char *name, const char *script_text)
{
	put(in_dir(name), script_text);
	chmod(in_dir(name), 0755);
}

static void end(const struct bundle *b)
{
	delete (b->id, NULL);
	assert_false(any_mounts(b));
	shutdown_shim();
}

/* ------------------------------------------------------------ file systems */

/* The options of tmpfs and of the mount, "rw" after "ro". */
static void tmpfs(void **st)
{
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	CREATE(b, { "tmpfs",
		    "of-ours",
		    NULL,
		    { "ro", "nosuid", "size=64k", "rw", "nodev", "noexec", "mode=711",
		      "noatime" } });
	mounted_with(rootfs_of(b), "rw", "nosuid", "nodev", "noexec", "noatime",
		     "size=64k", "mode=711", "tmpfs", "of-ours");
	end(b);
}

static void bind_read_only(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *source = make_dir("source");

	(void)st;
	mkdir(text("%s/sub", source), 0755);
	assert_int_equal(mount("t", text("%s/sub", source), "tmpfs", 0, NULL), 0);
	/* The other flags come with the second call, that for "ro". */
	CREATE(b, { "bind", source, NULL, { "rbind", "ro", "nosuid" } });
	mounted_with(rootfs_of(b), "ro", "nosuid");
	assert_int_equal(mounts_at(text("%s/sub", rootfs_of(b))), 1);
	end(b);
	assert_int_equal(mounts_at(text("%s/sub", source)), 1);
	assert_int_equal(umount(text("%s/sub", source)), 0);
}

static void bind_writable(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *source = make_dir("source");

	(void)st;
	CREATE(b, { "bind", source, NULL, { "bind" } });
	put(text("%s/new", rootfs_of(b)), "x");
	end(b);
	assert_true(exists(text("%s/new", source)));
}

static void remount(void **st)
{
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	CREATE(b, { "tmpfs", "t", NULL, { "size=64k" } },
	       { "tmpfs", "t", NULL, { "remount", "size=128k" } },
	       { "bind", "", NULL, { "bind", "remount", "ro", "noexec" } });
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	mounted_with(rootfs_of(b), "ro", "noexec", "size=128k");
	end(b);
}

/* Layers NUMBER/fs in @dir, "DIR/1/fs:DIR/2/fs…"; each has a file of its own. */
static char *make_layers(const char *dir, const char *escaped, int n)
{
	char *all = text("%s", "");

	for (int i = 1; i <= n; i++) {
		mkdir(text("%s/%d", dir, i), 0755);
		mkdir(text("%s/%d/fs", dir, i), 0755);
		put(text("%s/%d/fs/file%d", dir, i, i), "x");
		all = text("%s%s%s/%d/fs", all, i > 1 ? ":" : "", escaped, i);
	}
	return all;
}

static char *link_of(const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	return text("%.*s", n < 0 ? 0 : (int)n, target);
}

/* More options than fit into a page, of an overlay that can be written. */
static void overlay_of_many_layers(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *upper = make_dir("upper"), *work = make_dir("work");
	char *dir = make_dir(
		     "a-directory-whose-name-is-as-long-as-that-of-containerd's-own"),
	     *layers = make_layers(dir, dir, 80);
	char *cwd = link_of(text("/proc/%d/cwd", e2e.server));

	(void)st;
	assert_true(strlen(layers) > 6000);
	CREATE(b, { "overlay",
		    "overlay",
		    NULL,
		    { text("lowerdir=%s", layers), text("upperdir=%s", upper),
		      text("workdir=%s", work) } });
	mounted_with(rootfs_of(b), "rw", text("upperdir=%s", upper));
	assert_true(exists(text("%s/file1", rootfs_of(b))));
	assert_true(exists(text("%s/file80", rootfs_of(b))));
	put(text("%s/new", rootfs_of(b)), "x");
	assert_true(exists(text("%s/new", upper)));
	/* The child went there, not the shim. */
	assert_string_equal(link_of(text("/proc/%d/cwd", e2e.server)), cwd);
	end(b);
}

static void overlay_with_colons(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *dir = make_dir(
		"a:directory:whose:name:is:full:of:colons:and\\backslashes:and:long");
	char *layers = make_layers(dir,
				   in_dir("a\\:directory\\:whose\\:name\\:is\\:full\\:of"
					  "\\:colons\\:and\\\\backslashes\\:and\\:long"),
				   60);

	(void)st;
	assert_true(strlen(layers) > 5000);
	CREATE(b, { "overlay", "overlay", NULL, { text("lowerdir=%s", layers) } });
	assert_true(exists(text("%s/file1", rootfs_of(b))));
	assert_true(exists(text("%s/file60", rootfs_of(b))));
	end(b);
}

static void too_many_options(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *layers = text("/");

	(void)st;
	for (int i = 0; i < 300; i++)
		layers = text("%s:/%d/1234567890", layers, i);
	fails(ASK(b, { "overlay", "overlay", NULL, { text("lowerdir=%s", layers) } }),
	      TTRPC_UNKNOWN,
	      "failed to mount rootfs component: mount options is too long");
	assert_false(any_mounts(b));
	shutdown_shim();
}

/* ------------------------------------------------------------------ errors */

static void error_texts(void **st)
{
	struct bundle *b = shim_for("c1", "true");

	(void)st;
	fails(ASK(b, { "bind", "/no\"such", NULL, { "rbind", "ro", "a=b" } }),
	      TTRPC_UNKNOWN,
	      text("failed to mount rootfs component: mount source: \"/no\\\"such\", target: "
		   "\"%s\", fstype: bind, flags: 20481, data: \"a=b\", err: no such file or "
		   "directory",
		   rootfs_of(b)));
	fails(ASK(b, { "tmpfs", "t", "no/such", { "size=1m" } }), TTRPC_UNKNOWN,
	      text("failed to mount rootfs component: mount source: \"t\", target: "
		   "\"%s/no/such\", fstype: tmpfs, flags: 0, data: \"size=1m\", err: no such "
		   "file or directory",
		   rootfs_of(b)));
	fails_with(ASK(b, { "tmpfs", "t", NULL, { "defaults" } }), TTRPC_UNKNOWN,
		   "data: \"defaults\", err: invalid argument");
	fails(ASK(b, { "tmpfs", "t", NULL, { "X-containerd.mkfs.size=1" } }),
	      TTRPC_UNKNOWN,
	      "failed to mount rootfs component: internal mount option "
	      "\"X-containerd.mkfs.size=1\" was not consumed by the mount manager");
	assert_false(any_mounts(b));
	expect_no_more_events();
	shutdown_shim();
}

/* What was there before is not the shim's to unmount, what it mounted is. */
static void failed_create_undoes_its_own(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *rootfs = rootfs_of(b), *source = make_dir("source");

	(void)st;
	assert_int_equal(mount("before", rootfs, "tmpfs", 0, NULL), 0);
	mkdir(text("%s/sub", rootfs), 0755);
	mkdir(text("%s/new", rootfs), 0755);
	assert_int_equal(mount("before", text("%s/sub", rootfs), "tmpfs", 0, NULL), 0);
	mkdir(text("%s/deep", source), 0755);
	assert_int_equal(mount("t", text("%s/deep", source), "tmpfs", 0, NULL), 0);
	fails_with(ASK(b, { "bind", source, "new", { "rbind", "ro" } },
		       TMPFS_ON("new/deep"), { "bind", source, "/", { "rbind" } },
		       TMPFS_ON("no/such")),
		   TTRPC_UNKNOWN, "err: no such file or directory");
	assert_int_equal(mounts_at(rootfs), 1);
	assert_int_equal(mounts_at(text("%s/", rootfs)), 1);
	assert_int_equal(mounts_at(text("%s/sub", rootfs)), 1);
	/* The same for the second mount of one entry. */
	fails_with(ASK(b, { "bind", source, "sub", { "rbind" } },
		       { "nosuchfs", "t", "sub", { NULL } }),
		   TTRPC_UNKNOWN, "no such device");
	assert_int_equal(mounts_at(text("%s/", rootfs)), 1);
	umount(text("%s/sub", rootfs));
	umount(rootfs);
	umount(text("%s/deep", source));
	shutdown_shim();
}

/* ----------------------------------------------------------------- targets */

static void several_targets(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *source = make_dir("source"), *rootfs = rootfs_of(b);

	(void)st;
	mkdir(text("%s/data", source), 0755);
	put(text("%s/name", source), "image");
	put(in_dir("name"), "ours");
	CREATE(b, { "bind", source, "", { "rbind" } },
	       { "tmpfs", "t", "/data", { "ro" } },
	       { "bind", in_dir("name"), "name", { "bind", "ro" } });
	assert_int_equal(mounts_at(rootfs), 1);
	mounted_with(text("%s/data", rootfs), "ro", "tmpfs");
	mounted_with(text("%s/name", rootfs), "ro");
	assert_string_equal(read_file(text("%s/name", rootfs), NULL), "ours");
	assert_string_equal(read_file(text("%s/name", source), NULL), "image");
	end(b);
}

/* An image whose links lead to the host's files, absolutely and by "..". */
static void targets_that_escape(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *image = make_dir("image"), *rootfs = rootfs_of(b),
	     *victim = make_dir("victim");

	(void)st;
	assert_int_equal(symlink(victim, text("%s/absolute", image)), 0);
	assert_int_equal(symlink(text("../../../../../../../../..%s", victim),
				 text("%s/relative", image)),
			 0);
	assert_int_equal(symlink("/", text("%s/top", image)), 0);
	assert_int_equal(symlink("/proc/self/root", text("%s/magic", image)), 0);
	/* They lead to nothing inside. */
	for (size_t i = 0; i < 5; i++) {
		const char *targets[] = { "absolute", "/relative", text("top%s", victim),
					  text("../../../../../..%s", victim),
					  text("magic%s", victim) };

		fails_with(ASK(b, { "bind", image, "", { "rbind" } },
			       TMPFS_ON(targets[i])),
			   TTRPC_UNKNOWN, "err: no such file or directory");
		assert_int_equal(mounts_at(victim), 0);
		assert_false(any_mounts(b));
	}
	/* They lead to a place inside. */
	for (char *slash = strchr(victim + 1, '/'); slash; slash = strchr(slash + 1, '/'))
		mkdir(text("%s%.*s", image, (int)(slash - victim), victim), 0755);
	mkdir(text("%s%s", image, victim), 0755);
	CREATE(b, { "bind", image, "", { "rbind" } }, TMPFS_ON("absolute"),
	       TMPFS_ON("/relative"),
	       { "bind", image, text("top%s", victim), { "bind", "ro" } });
	assert_int_equal(mounts_at(victim), 0);
	assert_int_equal(mounts_at(text("%s%s", rootfs, victim)), 3);
	mounted_with(text("%s%s", rootfs, victim), "ro");
	end(b);
}

/* containerd's directory may be behind a link; mountinfo knows only what it leads to. */
static void bundle_behind_a_link(void **st)
{
	struct bundle *b = shim_for("c1", "true"), linked = *b;

	(void)st;
	assert_int_equal(symlink(text("%s/state", DIR_OF_TEST), in_dir("link")), 0);
	linked.dir = in_dir("link/" NS "/c1");
	CREATE(&linked, TMPFS, TMPFS);
	assert_int_equal(mounts_at(rootfs_of(b)), 2);
	mkdir(text("%s/sub", rootfs_of(b)), 0755);
	assert_int_equal(mount("t", text("%s/sub", rootfs_of(b)), "tmpfs", 0, NULL), 0);
	end(b);
}

/* ----------------------------------------------------------------- unmount */

/* Mounts on mounts, below mounts, hidden by mounts, and where names are awkward. */
static void all_kinds_of_mounts_go(void **st)
{
	static const char *const names[] = { "a b",	    "tab\there",   "back\\slash",
					     "line\nbreak", "x (deleted)", "a\\040b",
					     "plain" };
	struct bundle *b = shim_for("c1", "true");
	char *rootfs = rootfs_of(b), *gone = make_dir("gone");

	(void)st;
	CREATE(b, TMPFS);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *dir = text("%s/%s", rootfs, names[i]);

		mkdir(dir, 0755);
		assert_int_equal(mount("t", dir, "tmpfs", 0, NULL), 0);
		assert_int_equal(mount("t", dir, "tmpfs", 0, NULL), 0);
	}
	/* Made elsewhere before what it is in, and moved here. */
	mkdir(text("%s/place", rootfs), 0755);
	assert_int_equal(mount(gone, text("%s/place", rootfs), NULL, MS_BIND, NULL), 0);
	assert_int_equal(rmdir(gone), 0);
	mkdir(text("%s/plain/below", rootfs), 0755);
	assert_int_equal(mount("t", text("%s/plain/below", rootfs), "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("t", text("%s/plain", rootfs), "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("hides all", rootfs, "tmpfs", 0, NULL), 0);
	/* Neither of which is below. */
	mkdir(text("%s2", rootfs), 0755);
	assert_int_equal(mount("t", text("%s2", rootfs), "tmpfs", 0, NULL), 0);
	delete ("c1", NULL);
	assert_false(any_mounts(b));
	assert_int_equal(mounts_at(text("%s2", rootfs)), 1);
	umount(text("%s2", rootfs));
	shutdown_shim();
}

/* On the directory of a bundle without mounts of its own: "delete" finds them. */
static void mounts_on_the_bare_directory(void **st)
{
	struct bundle *b = bundle("c1", "true");
	char *rootfs = rootfs_of(b);

	(void)st;
	mkdir(text("%s/sub", rootfs), 0755);
	assert_int_equal(mount("t", text("%s/sub", rootfs), "tmpfs", 0, NULL), 0);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
	assert_false(any_mounts(b));
	rmdir(text("%s/sub", rootfs));
	rmdir(rootfs);
	assert_int_equal(run_delete(b->dir, "c1")->status, 0);
}

static void busy_for_a_while(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	struct answer *a;
	int fd;

	(void)st;
	CREATE(b, TMPFS);
	fd = open(rootfs_of(b), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	a = ask_delete("c1", NULL);
	loop_for(300);
	assert_false(a->done);
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	/* Whoever looks meanwhile gets an answer. */
	state("c1", NULL);
	close(fd);
	ok(a);
	assert_false(any_mounts(b));
	shutdown_shim();
}

static void busy_for_long(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	int fd;

	(void)st;
	CREATE(b, TMPFS);
	fd = open(rootfs_of(b), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fails(ask_delete("c1", NULL), TTRPC_UNKNOWN,
	      text("failed rootfs umount: failed to unmount target %s: device or resource busy",
		   rootfs_of(b)));
	close(fd);
	end(b);
}

/* ------------------------------------------------------------------- FUSE */

/* mount.fuse3 of ours: keeps its arguments, and mounts something. */
static void use_programs(void)
{
	mkdir(in_dir("bin"), 0755);
	e2e.extra_env[0] = text("PATH=%s:%s", in_dir("bin"), getenv("PATH"));
}

static void fuse_helper_mounts(void **st)
{
	struct bundle *b;

	(void)st;
	use_programs();
	b = shim_for("c1", "true");
	put_program("bin/mount.fuse3", text("#!/bin/sh\necho \"$*\" >%s\n"
					    "mount -t tmpfs \"$1\" \"$2\"\n",
					    in_dir("args")));
	put_program("bin/mount.fuse", "#!/bin/sh\necho not today >&2\nexit 3\n");
	CREATE(b, TMPFS,
	       { "fuse3.some-fs",
		 "src",
		 "/",
		 { "ro", "lowerdir=/a:/b", "X-containerd.x" } });
	assert_string_equal(
		read_file(in_dir("args"), NULL),
		text("src %s -o ro -o lowerdir=/a:/b -o X-containerd.x -t some-fs\n",
		     rootfs_of(b)));
	assert_int_equal(mounts_at(rootfs_of(b)), 2);
	delete ("c1", NULL);
	assert_false(any_mounts(b));
	fails(ASK(b, TMPFS, { "fuse.x", "src", "", { "ro" } }), TTRPC_UNKNOWN,
	      text("failed to mount rootfs component: mount helper [mount.fuse src %s -o ro -t "
		   "x] failed: \"not today\": exit status 3",
		   rootfs_of(b)));
	unlink(in_dir("bin/mount.fuse"));
	if (access("/sbin/mount.fuse", F_OK) < 0 &&
	    access("/usr/bin/mount.fuse", F_OK) < 0)
		fails_with(ASK(b, { "fuse.x", "src", NULL, { NULL } }), TTRPC_UNKNOWN,
			   "failed: no such file or directory");
	assert_false(any_mounts(b));
	shutdown_shim();
}

/* A FUSE file system whose daemon, us, never answers: whoever asks it hangs. */
static int mount_hung_fuse(const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	assert_int_equal(mount("hung", path, "fuse.hung", 0,
			       text("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)),
			 0);
	return fd;
}

static void hung_fuse_is_unmounted(void **st)
{
	struct bundle *b;
	int fd;

	(void)st;
	use_programs();
	put_program("bin/fusermount3",
		    text("#!/bin/sh\necho \"3 $*\" >>%s\nexit 1\n", in_dir("log")));
	put_program("bin/fusermount",
		    text("#!/bin/sh\necho \"2 $*\" >>%s\nexit 1\n", in_dir("log")));
	b = shim_for("c1", "true");
	CREATE(b, TMPFS);
	fd = mount_hung_fuse(rootfs_of(b));
	if (fd < 0) {
		end(b);
		print_message("no /dev/fuse\n");
		skip();
	}
	end(b);
	assert_string_equal(read_file(in_dir("log"), NULL),
			    text("3 -u %s\n2 -u %s\n", rootfs_of(b), rootfs_of(b)));
	close(fd);
}

/* It is killed with all that it has started. */
static void fusermount_hangs(void **st)
{
	struct bundle *b;
	int fd;

	(void)st;
	use_programs();
	put_program("bin/fusermount3", "#!/bin/sh\ncd \"$2\" & wait\n");
	b = shim_for("c1", "true");
	CREATE(b, TMPFS);
	fd = mount_hung_fuse(rootfs_of(b));
	if (fd < 0) {
		end(b);
		print_message("no /dev/fuse\n");
		skip();
	}
	end(b);
	close(fd);
}

static void fusermount_unmounts(void **st)
{
	struct bundle *b;
	int fd;

	(void)st;
	use_programs();
	put_program("bin/fusermount3",
		    text("#!/bin/sh\necho \"3 $*\" >>%s\numount -i -c \"$2\"\n",
			 in_dir("log")));
	put_program("bin/fusermount",
		    text("#!/bin/sh\necho \"2 $*\" >>%s\nexit 1\n", in_dir("log")));
	b = shim_for("c1", "true");
	CREATE(b, TMPFS);
	mkdir(text("%s/sub", rootfs_of(b)), 0755);
	fd = mount_hung_fuse(text("%s/sub", rootfs_of(b)));
	if (fd < 0) {
		end(b);
		print_message("no /dev/fuse\n");
		skip();
	}
	end(b);
	assert_string_equal(read_file(in_dir("log"), NULL),
			    text("3 -u %s/sub\n", rootfs_of(b)));
	close(fd);
}

/* -------------------------------------------------------------------- loop */

/* An ext4 image, or NULL if this machine cannot do that. */
static char *make_image(void)
{
	char *path = in_dir("image");
	int fd;

	if (access("/dev/loop-control", W_OK) < 0) {
		print_message("no /dev/loop-control\n");
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	close(fd);
	if (fork() == 0) {
		fd = open("/dev/null", O_RDWR);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-b", "4096", path, NULL);
		_exit(127);
	}
	wait(&fd);
	if (fd) {
		print_message("no mkfs.ext4 (e2fsprogs)\n");
		return NULL;
	}
	return path;
}

/* A number in sysfs about the loop device that is mounted on @path. */
static const char *loop_says(const char *device, const char *what)
{
	char *s = read_file(text("/sys/block/%s/%s", device, what), NULL);

	return s ? text("%.*s", (int)strcspn(s, "\n"), s) : "";
}

static char *loop_device(const char *path)
{
	const char *line = line_of(path), *name = strstr(line, " /dev/loop");

	if (!name)
		fail_at(HERE, "no loop device: %s", line);
	return text("%.*s", (int)strcspn(name + 6, " "), name + 6);
}

static void loop_devices(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *image = make_image(), *device;

	(void)st;
	if (!image) {
		shutdown_shim();
		skip();
	}
	CREATE(b, { "ext4", image, NULL, { "loop", "nodev", "nodelalloc" } });
	device = loop_device(rootfs_of(b));
	mounted_with(rootfs_of(b), "rw", "nodev", "nodelalloc", "ext4");
	assert_string_equal(loop_says(device, "loop/backing_file"), image);
	assert_string_equal(loop_says(device, "loop/autoclear"), "1");
	assert_string_equal(loop_says(device, "ro"), "0");
	put(text("%s/new", rootfs_of(b)), "x");
	assert_int_equal(count_fds_of(e2e.server, "/dev/loop"), 0);
	delete ("c1", NULL);
	assert_string_equal(loop_says(device, "loop/backing_file"), "");

	/* Of a file that is read-only too; /run may be asked for direct I/O, if in vain. */
	chmod(image, 0400);
	CREATE(b, { "ext4", image, NULL, { "direct-io", "ro", "loop" } });
	device = loop_device(rootfs_of(b));
	mounted_with(rootfs_of(b), "ro", "ext4");
	assert_string_equal(loop_says(device, "ro"), "1");
	assert_true(exists(text("%s/new", rootfs_of(b))));
	delete ("c1", NULL);

	/* Nothing stays attached after a failure. */
	fails_with(ASK(b, { "xfs", image, NULL, { "loop", "ro" } }), TTRPC_UNKNOWN,
		   text("mount source: \"/dev/%.4s", device));
	assert_string_equal(loop_says(device, "loop/backing_file"), "");
	fails_with(ASK(b, { "ext4", in_dir("no-image"), NULL, { "loop" } }),
		   TTRPC_UNKNOWN,
		   text("open %s for a loop device: no such file or directory",
			in_dir("no-image")));
	shutdown_shim();
}

/* The device that was free is somebody else's by now: the next try may do better. */
static void loop_device_taken(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *image = make_image();
	struct answer *a;
	int control, fd;

	(void)st;
	if (!image) {
		shutdown_shim();
		skip();
	}
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	fd = open(text("/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE)),
		  O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	close(control);
	a = ASK(b, { "ext4", image, NULL, { "loop", "ro" } });
	loop_for(200);
	assert_false(a->done);
	close(fd);
	ok(a);
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	end(b);
}

/* ------------------------------------------------------------------- idmap */

#define UIDS "uidmap=0:100000:65536"
#define GIDS "gidmap=0:200000:1000,1000:300000:1000"

/* The owner of a file, "UID:GID". */
static char *owner(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return text("%s", strerror(errno));
	return text("%u:%u", st.st_uid, st.st_gid);
}

/* A file of 1:1 and one of 0:1001 in @dir. */
static void put_owned(const char *dir)
{
	put(text("%s/one", dir), "x");
	put(text("%s/two", dir), "x");
	assert_int_equal(chown(text("%s/one", dir), 1, 1), 0);
	assert_int_equal(chown(text("%s/two", dir), 0, 1001), 0);
}

static void is_idmapped(const char *dir)
{
	assert_string_equal(owner(text("%s/one", dir)), "100001:200001");
	assert_string_equal(owner(text("%s/two", dir)), "100000:300001");
}

/* Creates, or returns false if this kernel cannot idmap what /run is. */
static bool create_idmapped(struct answer *a)
{
	await(a);
	if (a->code != TTRPC_OK &&
	    (strstr(a->text, "Linux 5.12") || strstr(a->text, "can its file system"))) {
		print_message("%s\n", a->text);
		shutdown_shim();
		return false;
	}
	ok(a);
	return true;
}

static void idmapped_bind(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *source = make_dir("source");

	(void)st;
	put_owned(source);
	if (!create_idmapped(ASK(b, { "bind", source, NULL, { "rbind", UIDS, GIDS } })))
		skip();
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	mounted_with(rootfs_of(b), "rw");
	is_idmapped(rootfs_of(b));
	assert_string_equal(owner(text("%s/one", source)), "1:1");
	delete ("c1", NULL);
	CREATE(b, { "bind", source, NULL, { "rbind", UIDS, GIDS, "ro", "nodev" } });
	mounted_with(rootfs_of(b), "ro", "nodev");
	is_idmapped(rootfs_of(b));
	end(b);
}

static void idmapped_overlay(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *dir =
		make_dir("layers-in-a-directory-with-quite-a-long-name-for-compaction");
	char *layers = make_layers(dir, dir, 80);
	char *upper = make_dir("upper"), *work = make_dir("work");

	(void)st;
	put_owned(text("%s/80/fs", dir));
	/* As systemd has it: what is mounted in one namespace comes up in all. */
	assert_int_equal(mount(NULL, "/run", NULL, MS_SHARED, NULL), 0);
	if (!create_idmapped(
		    ASK(b, { "overlay",
			     "overlay",
			     NULL,
			     { text("lowerdir=%s", layers), UIDS, GIDS,
			       text("upperdir=%s", upper), text("workdir=%s", work) } })))
		skip();
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	is_idmapped(rootfs_of(b));
	assert_true(exists(text("%s/file1", rootfs_of(b))));
	/* The upper directory is not idmapped: what is written there keeps its owner. */
	put(text("%s/new", rootfs_of(b)), "x");
	assert_string_equal(owner(text("%s/new", upper)), "0:0");
	assert_int_equal(chmod(text("%s/one", rootfs_of(b)), 0700), 0);
	assert_string_equal(owner(text("%s/one", upper)), "100001:200001");
	/* Nothing else of it is mounted anywhere. */
	assert_int_equal(mounts_at(text("%s/", dir)), 0);
	assert_int_equal(mounts_at(DIR_OF_TEST "/"), 1);
	end(b);
	assert_int_equal(mount(NULL, "/run", NULL, MS_PRIVATE, NULL), 0);
}

/* Another file system than an overlay; and after a failure the next one is fine. */
static void idmapped_others(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	char *image = make_image();

	(void)st;
	if (!image) {
		shutdown_shim();
		skip();
	}
	fails_with(ASK(b, { "xfs", image, NULL, { "loop", UIDS, GIDS } }), TTRPC_UNKNOWN,
		   "fstype: xfs");
	assert_false(any_mounts(b));
	if (!create_idmapped(ASK(b, { "ext4", image, NULL, { "loop", UIDS, GIDS } },
				 TMPFS_ON("lost+found"))))
		skip();
	assert_string_equal(owner(rootfs_of(b)), "100000:200000");
	assert_string_equal(owner(text("%s/lost+found", rootfs_of(b))), "0:0");
	assert_int_equal(mounts_at(rootfs_of(b)), 1);
	end(b);
}

static void idmap_errors(void **st)
{
	struct bundle *b = shim_for("c1", "true");
	static const char *const bad[] = { "0:1", "0:1:2:3", "0:1:2,", "a:1:2",
					   "0:1:2,3" };
	char *source = make_dir("source");

	(void)st;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		fails_with(ASK(b, { "bind",
				    source,
				    NULL,
				    { "bind", UIDS, text("gidmap=%s", bad[i]) } }),
			   TTRPC_UNKNOWN, text("\"%s\" is no gid_map", bad[i]));
	/* Well-formed, but not for the kernel. */
	fails_with(ASK(b, { "bind", source, NULL, { "bind", UIDS, "gidmap=0:1:0" } }),
		   TTRPC_UNKNOWN, "gid_map \"0:1:0\": invalid argument");
	fails_with(ASK(b, { "bind", in_dir("absent"), NULL, { "bind", UIDS, GIDS } }),
		   TTRPC_UNKNOWN, "no such file or directory");
	/* proc cannot be idmapped. */
	fails_with(ASK(b, TMPFS, { "proc", "proc", NULL, { UIDS, GIDS } }), TTRPC_UNKNOWN,
		   "idmap");
	assert_false(any_mounts(b));
	shutdown_shim();
}

/* ---------------------------------------------------------- user namespace */

static void write_text(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, s, strlen(s)) < 0)
		_exit(90);
	close(fd);
}

/*
 * In a user namespace the kernel keeps the flags that a mount has, and refuses
 * to make it read-only unless all of them are given again.
 */
static int bind_in_user_namespace(void *arg)
{
	char *options[] = { (char[]){ "bind" }, (char[]){ "ro" } };
	const struct mount m = { .type = "bind",
				 .source = arg,
				 .target = "",
				 .options = options,
				 .n_options = 2 };
	struct mount_plan plan = { .rootfs = in_dir("place"), .mounts = &m, .n = 1 };

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 91;
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/gid_map", "0 0 1");
	if (mount_all(&plan))
		return 92;
	mounted_with(plan.rootfs, "ro", "nosuid", "nodev", "noexec", "noatime");
	return 0;
}

static void locked_flags(void **st)
{
	char *source = make_dir("source");
	int status;
	pid_t pid;

	(void)st;
	make_dir("place");
	assert_int_equal(mount("t", source, "tmpfs",
			       MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, NULL),
			 0);
	pid = fork();
	if (pid == 0)
		_exit(bind_in_user_namespace(source));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	umount(source);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 91) {
		print_message("no user namespaces\n");
		skip();
	}
	assert_int_equal(status, 0);
}

E2E_GROUP(E2E(tmpfs), E2E(bind_read_only), E2E(bind_writable), E2E(remount),
	  E2E(overlay_of_many_layers), E2E(overlay_with_colons), E2E(too_many_options),
	  E2E(error_texts), E2E(failed_create_undoes_its_own), E2E(several_targets),
	  E2E(targets_that_escape), E2E(bundle_behind_a_link),
	  E2E(all_kinds_of_mounts_go), E2E(mounts_on_the_bare_directory),
	  E2E(busy_for_a_while), E2E(busy_for_long), E2E(fuse_helper_mounts),
	  E2E(hung_fuse_is_unmounted), E2E(fusermount_unmounts), E2E(fusermount_hangs),
	  E2E(loop_devices), E2E(loop_device_taken), E2E(idmapped_bind),
	  E2E(idmapped_overlay), E2E(idmapped_others), E2E(idmap_errors),
	  E2E(locked_flags))
