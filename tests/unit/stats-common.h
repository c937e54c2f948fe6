/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder that stands for /, with the files of a machine in it; and metrics as
 * text: what is packed is unpacked by protobuf-c and written field by field, so
 * that a test sees every field, and those that should not be there.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "metrics_v1.pb-c.h"
#include "metrics_v2.pb-c.h"
#include "shim/cgroup.h"
#include "shim/stats.h"
#include "shim/util.h"

static char root[64];
static char text[1 << 20];
static struct cgroup cg;

/* ------------------------------------------------------------- the files */

static inline int remove_entry(const char *path, const struct stat *st, int type,
			       struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int make_root(void **st)
{
	(void)st;
	snprintf(root, sizeof(root), "/tmp/brass-stats-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static inline int remove_root(void **st)
{
	(void)st;
	cgroup_release(&cg);
	return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in_root(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* Writes a file and the folders that it is in. */
static inline void put(const char *name, const char *content)
{
	char *path = strdup(in_root(name));
	FILE *f;

	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = 0;
		if (mkdir(path, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(content, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

struct file {
	const char *name, *content;
};

static inline void put_all(const char *folder, const struct file *f, size_t n)
{
	char name[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", folder, f[i].name);
		put(name, f[i].content);
	}
}

static inline void away(const char *name)
{
	assert_int_equal(unlink(in_root(name)), 0);
}

#define MOUNT(id, at, options)                  \
	id " 24 0:2" id " / /sys/fs/cgroup/" at \
	   " rw,nosuid shared:9 - cgroup cgroup rw," options "\n"

static const char mountinfo[] __attribute__((unused)) =
	"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
	"23 22 0:5 / /proc rw - proc proc rw\n"
	"24 22 0:21 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
	"25 24 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" MOUNT(
		"26", "systemd", "xattr,name=systemd") MOUNT("27", "pids", "pids")
		MOUNT("28", "memory", "memory") MOUNT("29", "cpu,cpuacct", "cpu,cpuacct")
			MOUNT("30", "blkio", "blkio") MOUNT("31", "hugetlb", "hugetlb")
				MOUNT("32", "rdma", "rdma")
					MOUNT("33", "freezer", "freezer")
						MOUNT("34", "devices", "devices");

static const char own[] __attribute__((unused)) =
	"12:rdma:/\n11:hugetlb:/\n10:pids:/shim\n9:cpu,cpuacct:/shim\n"
	"8:memory:/shim\n7:blkio:/\n6:freezer:/\n5:devices:/\n"
	"1:name=systemd:/system.slice/containerd.service\n0::/\n";
static const char containers[] __attribute__((unused)) =
	"12:rdma:/k8s/c1\n11:hugetlb:/k8s/c1\n10:pids:/k8s/c1\n9:cpu,cpuacct:/k8s/c1\n"
	"8:memory:/elsewhere/c1\n7:blkio:/k8s/c1\n6:freezer:/k8s/c1\n5:devices:/k8s/c1\n"
	"1:name=systemd:/k8s/c1\n0::/system.slice\n";

static inline void put_v1_processes(void)
{
	put("proc/self/mountinfo", mountinfo);
	put("proc/self/cgroup", own);
	put("proc/77/cgroup", containers);
}

static const struct file machine[] __attribute__((unused)) = {
	{ "proc/partitions",
	  "major minor  #blocks  name\n\n   8        0  268435456 sda\n"
	  " 253       17     1024 dm-17\n   8        0   1 again\n" },
	{ "sys/kernel/mm/hugepages/hugepages-2048kB/nr", "" },
	{ "sys/kernel/mm/hugepages/hugepages-1048576kB/nr", "" },
	{ "sys/kernel/mm/hugepages/other/nr", "" },
};

/* ------------------------------------------------------ a message as text */

static size_t used;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, ap);
	va_end(ap);
	assert_true(used < sizeof(text));
}

static inline void describe(const ProtobufCMessage *m, const char *prefix);

static inline void describe_value(const ProtobufCFieldDescriptor *f, const void *at,
				  const char *name)
{
	char inner[320];

	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT64:
		say("%s=%ju\n", name, (uintmax_t) * (const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		say("%s=%u\n", name, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		say("%s=%.17g\n", name, *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		say("%s=%s\n", name, *(const char *const *)at);
		break;
	default:
		assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
		say("%s\n", name);
		snprintf(inner, sizeof(inner), "%s.", name);
		describe(*(const ProtobufCMessage *const *)at, inner);
	}
}

static inline bool is_zero(const ProtobufCFieldDescriptor *f, const void *at)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return !*(const void *const *)at;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !**(const char *const *)at;
	return f->type == PROTOBUF_C_TYPE_UINT32 ? !*(const uint32_t *)at
						 : !*(const uint64_t *)at;
}

static inline void describe(const ProtobufCMessage *m, const char *prefix)
{
	assert_int_equal(m->n_unknown_fields, 0);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *at = (const char *)m + f->offset;
		char name[256];
		size_t n;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			snprintf(name, sizeof(name), "%s%s", prefix, f->name);
			if (!is_zero(f, at))
				describe_value(f, at, name);
			continue;
		}
		n = *(const size_t *)(const void *)((const char *)m +
						    f->quantifier_offset);
		for (size_t k = 0; k < n; k++) {
			const char *list = *(const char *const *)(const void *)at;

			/* Pointers and uint64, all of them. */
			size_t size = f->type == PROTOBUF_C_TYPE_UINT64 ? 8
									: sizeof(void *);

			snprintf(name, sizeof(name), "%s%s[%zu]", prefix, f->name, k);
			describe_value(f, list + size * k, name);
		}
	}
}

static inline void clear_text(void)
{
	used = 0;
	text[0] = 0;
}

/* What Stats answers, as text. */
static inline const char *metrics(void)
{
	_cleanup_(pack_release) struct pack p = PACK_INIT;
	struct err e = ERR_INIT;
	ProtobufCMessage *m;

	clear_text();
	assert_int_equal(stats_pack(&cg, root, &p, &e), 0);
	m = protobuf_c_message_unpack(cg.unified ? &metrics_v2__metrics__descriptor
						 : &metrics_v1__metrics__descriptor,
				      NULL, p.len, p.data);
	assert_non_null(m);
	assert_string_equal(cg.unified ? "io.containerd.cgroups.v2.Metrics"
				       : "io.containerd.cgroups.v1.Metrics",
			    stats_type(&cg));
	describe(m, "");
	protobuf_c_message_free_unpacked(m, NULL);
	return text;
}

/* The lines of metrics() that begin with @prefix. */
static inline const char *part(const char *prefix)
{
	static char out[4096];
	size_t n = 0, len = strlen(prefix);

	metrics();
	out[0] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		if (strncmp(line, prefix, len) == 0)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s",
					      (int)(end - line + 1), line);
	return out;
}

static inline const char *failure(int code)
{
	_cleanup_(pack_release) struct pack p = PACK_INIT;
	static struct err e;

	e = (struct err)ERR_INIT;
	assert_true(stats_pack(&cg, root, &p, &e) < 0);
	assert_int_equal(e.code, code);
	return e.text;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
