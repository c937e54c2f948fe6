/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which finding belongs to a runtime's message; see hint.h. The message says what
 * it is about (topics), and of a mount or a hook also which one.
 */
#include "shim/hint.h"

#include <stdio.h>
#include <string.h>

#include "shim/util.h"
#include "spec/check.h"
#include "spec/json.h"

/*
 * What runc and crun write when something fails, and what the finding has to be
 * about. Of the words that a message has, the first one here decides: what stands
 * in many messages comes last. A word may have more than one row.
 */
static const struct {
	char word[28]; /* of the message, in any case */
	char path[18]; /* is found in the finding's path */
	char says[16]; /* and this in its text */
} topics[] = {
	{ "listenerPath", "seccomp", "listenerPath" },
	{ "for the write syscall", "syscalls", "write" },
	{ "seccomp flag", "seccomp.flags", "" },
	{ "default action", "defaultAction", "" },
	{ "seccomp", "seccomp", "" },
	{ "mask path", "maskedPaths", "" },
	{ "read-only: mount", "readonlyPaths", "" },
	{ "context=", "mountLabel", "" },
	{ "context=", "mounts", "" },
	{ "createRuntime hook", "createRuntime", "" },
	{ "createContainer hook", "createContainer", "" },
	{ "startContainer hook", "startContainer", "" },
	{ "prestart hook", "prestart", "" },
	{ "poststart hook", "poststart", "" },
	{ "running hook", "hooks", "" },
	{ "exec fds", "mounts", "/proc" },
	{ "exec fds", "].destination", "" },
	{ "cap_last_cap", "mounts", "/proc" },
	{ "not of type proc", "mounts", "/proc" },
	{ "inside /proc", "mounts", "/proc" },
	{ "bind mounts cannot have", "mounts", "bind mount" },
	{ "id-mapped", "mounts", "" },
	{ "null byte", "mounts", "NUL" },
	{ "error mounting", "mounts", "" },
	{ "mount `", "mounts", "" },
	{ "preparing rootfs", "rootfsPropagation", "" },
	{ "propagation", "rootfsPropagation", "" },
	{ "final child", "Mappings", "" },
	{ "uid_map", "uidMappings", "" },
	{ "gid_map", "gidMappings", "" },
	{ "unmapped uid", "user.uid", "" },
	{ "unmapped gid", "user.gid", "" },
	{ "uids and gids", "user.", "" },
	{ "setup user", "user.", "" },
	{ "setuid", "user.uid", "" },
	{ "setgid", "user.gid", "" },
	{ "apply caps", "capabilities", "kernel refuses" },
	{ "capset", "capabilities", "kernel refuses" },
	{ "rlimit", "rlimits", "" },
	{ "memory.memsw", "memory", "swap" },
	{ "memory.memsw", "memory.swap", "" },
	{ "memory.swap.max", "memory", "swap" },
	{ "memory.swap.max", "memory.swap", "" },
	{ "memory.soft_limit", "reservation", "" },
	{ "memory.low", "reservation", "" },
	{ "swappiness", "swappiness", "" },
	{ "memory.limit", "memory.limit", "" },
	{ "memory.max", "memory.limit", "" },
	{ "memory limit", "memory.limit", "" },
	{ "memory+swap", "memory", "swap" },
	{ "cpu.rt_", "realtime", "" },
	{ "cpu.shares", "cpu.shares", "" },
	{ "cpu-shares", "cpu.shares", "" },
	{ "cpu.weight", "cpu.shares", "" },
	{ "cfs_quota", "cpu.quota", "" },
	{ "cfs_period", "cpu.period", "" },
	{ "cpu.max", "cpu.quota", "" },
	{ "cpu.max", "cpu.period", "" },
	{ "cpu.idle", "cpu.idle", "" },
	{ "cpuset.cpus", "cpu.cpus", "" },
	{ "cpuset.mems", "cpu.mems", "" },
	{ "devices.allow", "resources.devices", "" },
	{ "devices.deny", "resources.devices", "" },
	{ "hugetlb", "hugepage", "" },
	{ "blkio", "blockIO", "" },
	{ "io.weight", "blockIO", "" },
	{ "rdma", "rdma", "" },
	{ "net_cls", "network", "" },
	{ "net_prio", "network", "" },
	{ "device node", "linux.devices", "" },
	{ "device inode", "linux.devices", "" },
	{ "mknod", "linux.devices", "" },
	{ "sysctl", "sysctl", "" },
	{ "environment variable", "env[", "" },
	{ "scheduler", "scheduler", "" },
	{ "io priority", "ioPriority", "" },
	{ "personality", "personality", "" },
	{ "apparmor", "apparmorProfile", "" },
	{ "selinux", "selinuxLabel", "" },
	{ "intelRdt", "intelRdt", "" },
	{ "Intel RDT", "intelRdt", "" },
	{ "memory policy", "memoryPolicy", "" },
	{ "network device", "netDevices", "" },
	{ "domainname", "domainname", "" },
	{ "hostname", "hostname", "" },
	{ "oom score", "oomScoreAdj", "" },
	{ "oom_score", "oomScoreAdj", "" },
	{ "time namespace", "timeOffsets", "" },
	{ "time namespace", "namespaces", "" },
	{ "user namespace", "Mappings", "" },
	{ "namespace", "namespaces", "" },
	{ "invalid rootfs", "root", "" },
	{ "process property", "process", "is missing" },
	{ "args must not", "args", "" },
	{ "executable file not found", "args[0]", "" },
	{ "executable file not found", "root.path", "" },
	{ "cwd", "cwd", "" },
	{ "chdir", "cwd", "" },
	{ "freezer state", "cgroupsPath", "" },
};

struct hint {
	const char *name; /* of the document */
	const char *message;
	const char *word; /* of a topic, NULL: none */
	/* The mount or hook that the message names, "mounts[2]"; empty: it names none. */
	char element[32];
	bool one_of_many; /* it is about one, whether or not it is here */
	bool is_error;
	char text[700];
};

/* ---------------------------------------------------------- the message */

static void find_topic(struct hint *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(topics) && !h->word; i++)
		if (strcasestr(h->message, topics[i].word))
			h->word = topics[i].word;
}

/* runc numbers the hooks of a kind. */
static void find_hook(struct hint *h)
{
	const char *number = strstr(h->message, "hook #");

	if (!number)
		return;
	h->one_of_many = true;
	snprintf(h->element, sizeof(h->element), "[%.*s]",
		 (int)strspn(number + 6, "0123456789"), number + 6);
}

/* Whether the message has it as the place of a mount: "/dev" by runc, `dev` by crun. */
static bool is_named(const char *message, const char *destination)
{
	_cleanup_free_ char *runc = str_printf("rootfs at \"%s\"", destination);
	_cleanup_free_ char *crun =
		str_printf("to `%s`", destination + strspn(destination, "/"));

	return runc && crun && (strstr(message, runc) || strstr(message, crun));
}

static int on_destination(struct json *j, const struct json_event *e)
{
	struct hint *h = json_data(j);
	_cleanup_free_ char *destination = strndup(e->text, e->len);
	const char *path = json_path(j);

	/* Of two on the same place nobody knows which one it was. */
	if (destination && is_named(h->message, destination))
		snprintf(h->element, sizeof(h->element), "%.*s",
			 *h->element ? 0 : (int)strcspn(path, "."), path);
	return 0;
}

static const struct json_rule destinations = { "mounts[].destination", JSON_STRING,
					       on_destination, 0 };

static void find_mount(struct hint *h, const char *path)
{
	struct spec_error e;
	const struct json_doc doc = { .name = h->name,
				      .rules = &destinations,
				      .n_rules = 1,
				      .data = h,
				      .error = &e,
				      .first_only = true };

	h->one_of_many |= strstr(h->message, "rootfs at \"") ||
			  strstr(h->message, "mount `");
	if (h->one_of_many && !*h->element)
		json_parse_file(&doc, path);
}

static void look_at_message(struct hint *h, const char *name, const struct err *e)
{
	*h = (struct hint){ .name = name, .message = e->text };
	find_topic(h);
	find_hook(h);
}

/* --------------------------------------------------------- the findings */

/* What no runtime fails for, by the checker's own words. */
static bool is_harmless(const struct check_finding *f)
{
	static const char *const words[] = {
		"pass over",	      "passes over",	      "is deprecated",
		"takes the last one", "specification writes", "no effect",
		"without effect",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(f->text, words[i]))
			return true;
	return false;
}

static bool is_on_topic(const struct hint *h, const struct check_finding *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		if (strcmp(topics[i].word, h->word) == 0 &&
		    strstr(f->path, topics[i].path) && strstr(f->text, topics[i].says))
			return true;
	return false;
}

/* Whether it is about the mount or hook in question, if about any. */
static bool is_of_element(const struct hint *h, const struct check_finding *f)
{
	const char *at;

	if (!h->one_of_many || !strchr(f->path, '['))
		return true;
	at = *h->element ? strstr(f->path, h->element) : NULL;
	return at && (*h->element == '[' || at == f->path);
}

static void on_found(void *data, const struct check_finding *f)
{
	struct hint *h = data;
	bool is_error = f->severity == CHECK_ERROR;

	if (is_harmless(f) || !is_on_topic(h, f) || !is_of_element(h, f) ||
	    (*h->text && (h->is_error || !is_error)))
		return;
	h->is_error = is_error;
	check_format(h->name, f, h->text, sizeof(h->text));
}

static void put(const struct hint *h, struct err *e)
{
	size_t len = strlen(e->text);

	if (*h->text)
		snprintf(e->text + len, sizeof(e->text) - len, " (%s)", h->text);
}

void hint_config(const char *bundle, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s/config.json", bundle);
	struct hint h;
	const struct check c = { .document = CHECK_CONFIG,
				 .name = "config.json",
				 .found = on_found,
				 .data = &h };
	struct spec_error se;

	look_at_message(&h, c.name, e);
	if (!path || !h.word)
		return;
	find_mount(&h, path);
	if (check_file(&c, path, &se) == 0)
		put(&h, e);
}

void hint_process(const char *json, size_t len, struct err *e)
{
	struct hint h;
	const struct check c = { .document = CHECK_PROCESS,
				 .name = "process",
				 .found = on_found,
				 .data = &h };
	struct spec_error se;

	look_at_message(&h, c.name, e);
	if (json && h.word && check_parse(&c, json, len, &se) == 0)
		put(&h, e);
}
