/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unmounting a rootfs (contract 6.3), on which by then anything may be mounted
 * that is busy, hung or strange; and the helpers of FUSE.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/mounts.h"

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
	delete_task("c1", NULL);
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

static void put_program(const char *name, const char *script_text)
{
	put(in_dir(name), script_text);
	chmod(in_dir(name), 0755);
}

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
	delete_task("c1", NULL);
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

E2E_GROUP(E2E(all_kinds_of_mounts_go), E2E(mounts_on_the_bare_directory),
	  E2E(busy_for_a_while), E2E(busy_for_long), E2E(fuse_helper_mounts),
	  E2E(hung_fuse_is_unmounted), E2E(fusermount_hangs), E2E(fusermount_unmounts))
