/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rootfs mounts and user namespaces: idmapped mounts, and mounts of a shim that
 * is in a user namespace itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/mount.h"
#include "tests/e2e/mounts.h"

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
	delete_task("c1", NULL);
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

E2E_GROUP(E2E(idmapped_bind), E2E(idmapped_overlay), E2E(idmapped_others),
	  E2E(idmap_errors), E2E(locked_flags))
