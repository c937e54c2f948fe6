/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted on rootfs, and that it is gone afterwards. */
#include "tests/diff/diff.h"

#include <sys/stat.h>
#include <unistd.h>

static void say_root(const char *id)
{
	struct stat st;

	say("rootfs", "%s",
	    stat(in_bundle(id, "rootfs/bin/busybox"), &st) == 0 ? "mounted" : "empty");
}

/* Create, Start, Wait, Delete over these mounts. */
static void life_on(const struct mount_entry *m, size_t n, const char *command)
{
	struct box b = { .id = "c1",
			 .command = command,
			 .root = "rootfs",
			 .rootfs = m,
			 .n_rootfs = n };

	b.io = io_of("c1");
	boot(&b);
	if (do_create(&b)) {
		say_root("c1");
		do_start("c1", NULL);
		do_wait("c1", NULL);
		say_output(b.io.out, true);
		do_delete("c1", NULL);
	} else {
		do_state("c1", NULL);
		do_delete("c1", NULL);
	}
	say_root("c1");
	finish();
}

static void bind(void)
{
	life_on(&(struct mount_entry){ "bind", ROOTFS, { "rbind", "rw" } }, 1,
		"echo hello");
}

static void bind_read_only(void)
{
	life_on(&(struct mount_entry){ "bind", ROOTFS, { "rbind", "ro" } }, 1,
		"touch /mnt/x || echo no");
}

static void overlay(void)
{
	struct mount_entry m = { "overlay", "overlay", { NULL } };

	mkdir(in_dir("upper"), 0755);
	mkdir(in_dir("work"), 0755);
	m.options[0] = "lowerdir=" ROOTFS;
	m.options[1] = text("upperdir=%s", in_dir("upper"));
	m.options[2] = text("workdir=%s", in_dir("work"));
	m.options[3] = "noatime";
	life_on(&m, 1, "echo data > /mnt/file; cat /mnt/file");
}

/* More options than fit in a page. */
static void overlay_of_many(void)
{
	struct mount_entry m = { "overlay", "overlay", { NULL } };
	char *lower = NULL, *busybox;
	size_t len;
	char *prefix = in_dir("a-prefix-that-is-long-enough-to-need-more-than-a-page");

	mkdir(prefix, 0755);
	for (int i = 0; i < 60; i++) {
		char *layer = text("%s/layer-%02d-with-a-name", prefix, i);

		mkdir(layer, 0755);
		write_file(text("%s/file-%02d", layer, i), "", 0);
		lower = i ? text("%s:%s", lower, layer) : text("lowerdir=%s", layer);
	}
	mkdir(text("%s/root", prefix), 0755);
	mkdir(in_dir("upper"), 0755);
	mkdir(in_dir("work"), 0755);
	mkdir(text("%s/root/bin", prefix), 0755);
	busybox = read_file(ROOTFS "/bin/busybox", &len);
	write_file(text("%s/root/bin/sh", prefix), busybox, len);
	chmod(text("%s/root/bin/sh", prefix), 0755);
	m.options[0] = text("%s:%s/root", lower, prefix);
	m.options[1] = text("upperdir=%s", in_dir("upper"));
	m.options[2] = text("workdir=%s", in_dir("work"));
	life_on(&m, 1, "echo file-*; pwd");
}

static void two_mounts(void)
{
	const struct mount_entry m[2] = { { "bind", ROOTFS, { "rbind" } },
					  { "bind", ROOTFS, { "bind", "ro" } } };

	life_on(m, 2, "echo hello");
}

static void missing_source(void)
{
	life_on(&(struct mount_entry){ "bind", "/no/such/source", { "rbind" } }, 1,
		"echo x");
}

static void second_fails(void)
{
	const struct mount_entry m[2] = { { "bind", ROOTFS, { "rbind" } },
					  { "bind", "/no/such/source", { "rbind" } } };

	life_on(m, 2, "echo hello");
}

static void unknown_type(void)
{
	life_on(&(struct mount_entry){ "nosuchfs", "x", { NULL } }, 1, "echo x");
}

static void unknown_option(void)
{
	life_on(&(struct mount_entry){ "tmpfs", "x", { "nosuchoption=1" } }, 1, "echo x");
}

static void mounted_but_create_fails(void)
{
	const struct mount_entry m = { "bind", ROOTFS, { "rbind" } };
	struct box b = { .id = "c1",
			 .args = "[\"/no/such\"]",
			 .root = "rootfs",
			 .rootfs = &m,
			 .n_rootfs = 1 };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	say_root("c1");
	finish();
}

static void crashed(void)
{
	const struct mount_entry m = { "bind", ROOTFS, { "rbind" } };
	struct box b = { .id = "c1",
			 .command = "exec sleep 1000",
			 .root = "rootfs",
			 .rootfs = &m,
			 .n_rootfs = 1 };

	b.io = io_of("c1");
	boot(&b);
	do_create(&b);
	do_start("c1", NULL);
	crash();
}

static void rootfs_made(void)
{
	const struct mount_entry m = { "bind", ROOTFS, { "rbind" } };
	struct box b = { .id = "c1",
			 .command = "exit 0",
			 .root = "rootfs",
			 .rootfs = &m,
			 .n_rootfs = 1 };

	b.io = io_of("c1");
	boot(&b);
	rmdir(in_bundle("c1", "rootfs"));
	do_create(&b);
	do_start("c1", NULL);
	do_wait("c1", NULL);
	do_delete("c1", NULL);
	finish();
}

const struct scenario mount_scenarios[] = {
	{ "mount-bind", bind },
	{ "mount-bind-ro", bind_read_only },
	{ "mount-overlay", overlay },
	{ "mount-overlay-of-many", overlay_of_many },
	{ "mount-two", two_mounts },
	{ "mount-missing-source", missing_source },
	{ "mount-second-fails", second_fails },
	{ "mount-unknown-type", unknown_type },
	{ "mount-unknown-option", unknown_option },
	{ "mount-create-fails", mounted_but_create_fails },
	{ "mount-crash", crashed },
	{ "mount-rootfs-made", rootfs_made },
	{ NULL, NULL },
};
