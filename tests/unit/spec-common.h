/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of spec/ share: an allocator that fails on demand, files to
 * read, and documents as large as the ones that Kubernetes makes.
 */
#pragma once

#include <assert.h>
#include <dirent.h>
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "spec/json.h"

/* Allocations that succeed before the one that fails; -1: all do. */
static int alloc_fail = -1;

/* Takes the place of the one in spec/json.c, which is weak. */
void *json_realloc(void *old, size_t size)
{
	if (alloc_fail >= 0 && alloc_fail-- == 0)
		return NULL;
	return realloc(old, size);
}

/* Runs STATEMENT with each of its allocations failing in turn, until none does. */
#define each_alloc_failing(n)                                \
	for (int n = 0, go_ = 1; go_ && (alloc_fail = n, 1); \
	     n++, go_ = alloc_fail < 0, alloc_fail = -1)

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -1; /* the directory itself */

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* A folder of the test's own, and a file in it; both leave with temp_remove(). */
static char temp_dir[64];

static inline const char *temp_path(const char *name)
{
	static char path[256];

	if (!temp_dir[0]) {
		snprintf(temp_dir, sizeof(temp_dir), "/tmp/brass-test-XXXXXX");
		assert_non_null(mkdtemp(temp_dir));
	}
	snprintf(path, sizeof(path), "%s/%s", temp_dir, name);
	return path;
}

static inline const char *temp_file(const char *name, const char *text, size_t len)
{
	const char *path = temp_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	return path;
}

static inline void temp_remove(const char *name)
{
	unlink(temp_path(name));
	rmdir(temp_dir);
	temp_dir[0] = '\0';
}

static inline char *read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, *len), *len);
	text[*len] = '\0';
	close(fd);
	return text;
}

#define N(table) (sizeof(table) / sizeof(table[0]))

/* What the functions of rules have to say. */
struct record {
	char *text;
	size_t len, size;
};

static inline const char *kind_name(unsigned kind)
{
	static const char *const names[] = {
		"null", "bool", "num", "str", "{", "[", "key", "end",
	};

	return names[__builtin_ctz(kind)];
}

static inline void note(struct record *r, const char *s, size_t len)
{
	if (r->size - r->len < len) {
		r->size = 2 * r->size + len;
		r->text = realloc(r->text, r->size);
		assert_non_null(r->text);
	}
	memcpy(r->text + r->len, s, len);
	r->len += len;
}

/* ------------------------------------------------- documents to be made */

struct text {
	char *s;
	size_t len, size;
};

static inline void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, format);
		n = vsnprintf(t->s + t->len, t->size - t->len, format, ap);
		va_end(ap);
		assert_true(n >= 0);
		if (t->size - t->len > (size_t)n)
			break;
		t->size = 2 * t->size + (size_t)n + 1;
		t->s = realloc(t->s, t->size);
		assert_non_null(t->s);
	}
	t->len += (size_t)n;
}

static inline void add_process(struct text *t, int n_env)
{
	static const char *const caps[] = {
		"CAP_CHOWN",
		"CAP_DAC_OVERRIDE",
		"CAP_FSETID",
		"CAP_FOWNER",
		"CAP_MKNOD",
		"CAP_NET_RAW",
		"CAP_SETGID",
		"CAP_SETUID",
		"CAP_SETFCAP",
		"CAP_SETPCAP",
		"CAP_NET_BIND_SERVICE",
		"CAP_SYS_CHROOT",
		"CAP_KILL",
		"CAP_AUDIT_WRITE",
	};
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	add(t, "{\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[0,10]},"
	       "\"args\":[\"/pause\",\"--flag=\\\"quoted\\\"\"],\"env\":[\"PATH=/bin\"");
	for (int i = 0; i < n_env; i++)
		add(t, ",\"SERVICE_%d_PORT_443_TCP_ADDR=10.96.%d.%d\"", i, i / 256,
		    i % 256);
	add(t, "],\"cwd\":\"/\",\"capabilities\":{");
	for (size_t s = 0; s < 3; s++) {
		add(t, "%s\"%s\":[", s ? "," : "", sets[s]);
		for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
			add(t, "%s\"%s\"", i ? "," : "", caps[i]);
		add(t, "]");
	}
	add(t, "},\"noNewPrivileges\":true,\"oomScoreAdj\":-998}");
}

static inline void add_linux(struct text *t, int n_syscalls)
{
	add(t, "\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,"
	       "\"access\":\"rwm\"}],"
	       "\"memory\":{\"limit\":18446744073709551615},\"cpu\":{\"shares\":2,"
	       "\"quota\":0,\"period\":100000}},"
	       "\"cgroupsPath\":\"kubepods-besteffort.slice:cri-containerd:0123abcd\","
	       "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\",\"path\":"
	       "\"/proc/4711/ns/ipc\"},{\"type\":\"uts\",\"path\":\"/proc/4711/ns/uts\"},"
	       "{\"type\":\"mount\"},{\"type\":\"network\",\"path\":"
	       "\"/proc/4711/ns/net\"},{\"type\":\"cgroup\"}],"
	       "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":"
	       "[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],\"syscalls\":["
	       "{\"names\":[\"read\"");
	for (int i = 0; i < n_syscalls; i++)
		add(t, ",\"syscall_%d\"", i);
	add(t, "],\"action\":\"SCMP_ACT_ALLOW\"}");
	for (int i = 0; i < n_syscalls / 10; i++)
		add(t,
		    ",{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\","
		    "\"args\":"
		    "[{\"index\":0,\"value\":%d,\"op\":\"SCMP_CMP_EQ\"}]}",
		    i);
	add(t, "]},\"maskedPaths\":[\"/proc/asound\",\"/proc/acpi\",\"/proc/kcore\"],"
	       "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\"]}");
}

/* A config.json as containerd's CRI plugin writes it, 120 bytes per @n and more. */
static inline struct text cri_config(int n)
{
	struct text t = { 0 };

	add(&t, "{\"ociVersion\":\"1.1.0\",\"process\":");
	add_process(&t, n);
	add(&t, ",\"root\":{\"path\":\"rootfs\"},\"hostname\":\"pod-0\",\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
		"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]}");
	for (int i = 0; i < n / 4; i++)
		add(&t,
		    ",{\"destination\":\"/var/lib/volume-%d\",\"type\":\"bind\","
		    "\"source\":"
		    "\"/var/lib/kubelet/pods/1-2-3/volumes/kubernetes.io~projected/%d\","
		    "\"options\":[\"rbind\",\"rprivate\",\"ro\"]}",
		    i, i);
	add(&t, "],\"annotations\":{"
		"\"io.kubernetes.cri.container-type\":\"container\","
		"\"io.kubernetes.cri.sandbox-id\":\"0123456789abcdef0123456789abcdef\","
		"\"io.kubernetes.cri.sandbox-name\":\"pod-0\",");
	for (int i = 0; i < n / 8; i++)
		add(&t, "\"example.org/note-%d\":\"{\\\"a\\\": [%d, \\\"\\u00e9\\\"]}\",",
		    i, i);
	add(&t, "\"io.kubernetes.cri.sandbox-namespace\":\"default\"},");
	add_linux(&t, n);
	add(&t, "}");
	return t;
}
