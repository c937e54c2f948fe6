/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rootfs mounts (contract 6): what Create mounts, as mountinfo has it, that
 * nothing is left after Delete and after a Create that failed, and that images
 * cannot change that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/mounts.h"

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

/* -------------------------------------------------------------------- loop */

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
	delete_task("c1", NULL);
	assert_string_equal(loop_says(device, "loop/backing_file"), "");

	/* Of a file that is read-only too; /run may be asked for direct I/O, if in vain. */
	chmod(image, 0400);
	CREATE(b, { "ext4", image, NULL, { "direct-io", "ro", "loop" } });
	device = loop_device(rootfs_of(b));
	mounted_with(rootfs_of(b), "ro", "ext4");
	assert_string_equal(loop_says(device, "ro"), "1");
	assert_true(exists(text("%s/new", rootfs_of(b))));
	delete_task("c1", NULL);

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

E2E_GROUP(E2E(tmpfs), E2E(bind_read_only), E2E(bind_writable), E2E(remount),
	  E2E(overlay_of_many_layers), E2E(overlay_with_colons), E2E(too_many_options),
	  E2E(error_texts), E2E(failed_create_undoes_its_own), E2E(several_targets),
	  E2E(targets_that_escape), E2E(bundle_behind_a_link), E2E(loop_devices),
	  E2E(loop_device_taken))
