/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the checker, and what their functions share. Private to check*.c.
 *
 * The tables hold no pointers: there are many rules, and each page of them that
 * the loader had to relocate would be memory of every shim's own.
 */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "spec/check.h"
#include "spec/json.h"

/* What a value has to be; the integers are Go's, as runc declares them. */
enum check_type {
	T_OBJECT,
	T_MAP, /* an object whose keys are free; its one rule has the name "*" */
	T_ARRAY,
	T_STRING,
	T_BOOL,
	T_INT,
	T_INT32,
	T_UINT,
	T_UINT32,
	T_UINT16,
	T_TABLE, /* another table stands here: fn is an enum check_table_id */
};

/* Flags of a rule. */
enum {
	REQUIRED = 1 << 0, /* a warning if missing */
	MUST = 1 << 1, /* an error if missing */
	NEWER = 1 << 2, /* runc 1.1 does not know it, and so passes over whatever it is */
	DEPRECATED = 1 << 3,
	FOREIGN = 1 << 4, /* of another platform: not looked into */
};

/* The path is relative to the table's. Rules of a common beginning stand together. */
struct check_rule {
	char path[38];
	uint8_t type, flags;
	uint8_t fn; /* of the table's own; 0: nothing more to check */
};

enum check_table_id {
	TABLE_CONFIG,
	TABLE_MOUNT,
	TABLE_HOOK,
	TABLE_MAPPING,
	TABLE_PROCESS,
	TABLE_LINUX,
	TABLE_RESOURCES,
	TABLE_THROTTLE,
	TABLE_FILTER,
	TABLE_FEATURES,
	TABLE_STATE,
	TABLE_WINDOWS,
	TABLE_SOLARIS,
	TABLE_VM,
	TABLES,
};

struct checker;

struct check_table {
	const struct check_rule *rules;
	size_t n;
	/*
	 * For a value with a fn, whose type is right: when it begins, and if it is an
	 * object or array when it ends. The value of an integer is in c->number.
	 */
	void (*value)(struct checker *c, unsigned fn, const struct json_event *e);
};

extern const struct check_table check_config_table, check_mount_table, check_hook_table,
	check_mapping_table, check_windows_table, check_solaris_table, check_vm_table,
	check_process_table, check_linux_table, check_resources_table,
	check_throttle_table, check_filter_table, check_features_table, check_state_table;

/* Where something stands that the end of the document decides about; line 0: nowhere. */
struct place {
	size_t line, column;
};

/* What will be a finding if something else is found too. */
struct check_suspect {
	struct place at;
	char path[100], text[120];
};

/* An id that has to be mapped where there is a user namespace. */
struct check_id {
	struct place at;
	uint64_t id;
};

/* As many as the kernel takes, and one more. */
#define CHECK_MAX_MAPPINGS 341

struct check_mapping {
	uint64_t container, host, size;
};

/* Bits of namespaces; in the order of check_namespaces. */
enum {
	NS_PID = 1 << 0,
	NS_NETWORK = 1 << 1,
	NS_MOUNT = 1 << 2,
	NS_IPC = 1 << 3,
	NS_UTS = 1 << 4,
	NS_USER = 1 << 5,
	NS_CGROUP = 1 << 6,
	NS_TIME = 1 << 7,
};

/* What is remembered for the rules between fields. */
struct check_facts {
	struct place hostname, domainname, process_at, masked, readonly, uid_map, gid_map,
		offsets, net_devices, user_ns;
	/* The first sysctl of its kind: in the ipc, network, uts or user namespace, or in none. */
	struct place sysctl_ipc, sysctl_net, sysctl_domain, sysctl_user, sysctl_host;
	unsigned namespaces, joined; /* NS_*: there; with a path */
	bool for_linux, foreign; /* sections of this platform, and of another one */
	bool proc; /* something is mounted there */
	struct check_id ids[2],
		pts_gid; /* of the process: its user and group; of the terminals */
	char pts_path[32];
	/* Of linux.uidMappings and linux.gidMappings. */
	struct check_mapping maps[2][CHECK_MAX_MAPPINGS];
	size_t n_maps[2];

	/* Of the mount, namespace, device, limit, filter … at hand. */
	struct {
		bool bind, data, type, uid_map, gid_map, idmap;
		bool bind_type, proc_type, pts_type, on_proc, in_proc;
		struct place bad_type;
		struct check_id gid;
	} mount;
	struct {
		unsigned type;
		bool path;
	} ns;
	struct {
		char type;
		bool major, minor;
	} device;
	struct {
		uint64_t hard, soft;
	} rlimit;
	unsigned rlimits; /* seen */
	struct check_mapping mapping;
	struct {
		bool terminal;
		struct place box;
		uint64_t caps[5]; /* in the order of the table */
		struct place effective, inheritable, ambient;
		size_t args;
		int policy;
		bool priority, deadline;
	} process;
	struct {
		bool action, calls, names, listener, notifies, flagged;
		struct place no_action, notify, write;
		struct check_suspect architecture, flag, operator;
	} filter;
	bool needs_pid, has_pid;
	struct {
		int64_t limit, swap, reservation; /* 0: not said */
	} memory;
};

/* A number as it was written, in the type of its rule. */
struct check_number {
	int64_t i; /* T_INT, T_INT32 */
	uint64_t u; /* T_UINT, T_UINT32, T_UINT16 */
};

/* A rule in its place in the document. */
struct check_node {
	const struct check_rule *rule;
	uint16_t parent;
	uint8_t table;
	uint8_t ordinal; /* among its object's */
	uint8_t children; /* so far */
	uint8_t flags; /* what it inherits included */
};

/* An open object or array. */
struct check_frame {
	uint16_t node;
	uint32_t seen; /* bit by ordinal; of an array 1: it has elements */
	struct place at;
};

struct check_stored;

/* Beyond so many keys that are there again, no value is certain. */
#define CHECK_MAX_TWICE 100
/* Enough for a config.json, which has the most. */
#define CHECK_MAX_RULES 560
#define CHECK_MAX_PATHS (24u << 10)

struct checker {
	const struct check *request;
	struct json *json;
	/* Rules for the parser, and the same for us; their paths. */
	struct json_rule rules[CHECK_MAX_RULES];
	struct check_node nodes[CHECK_MAX_RULES];
	size_t n_rules;
	char paths[CHECK_MAX_PATHS];
	size_t paths_len;

	struct check_frame frames[JSON_MAX_LEVELS];
	unsigned depth;
	const struct check_node *node; /* of the value at hand */
	struct check_number number;
	/* Keys of the innermost map, hashed. */
	uint64_t keys[256];
	unsigned n_keys;

	struct check_stored *stored;
	size_t n_stored, size_stored, left_out;
	/* Keys that are there again. For runc the last one counts. */
	size_t twice;
	bool cap_noted, seccomp_noted;
	struct check_facts facts;
};

/* check-rules.c: puts together the rules of a document, which call @fn. */
void check_build(struct checker *c, enum check_table_id table,
		 int (*fn)(struct json *j, const struct json_event *e));
const struct check_table *check_table(unsigned id);
/* check-mapping.c: what the end of the document says about the user namespace. */
void check_mappings(struct checker *c);
/* check-mount.c: whether the runtime has its /proc in the container. */
void check_proc(struct checker *c);
/* check-store.c */
enum check_basis {
	OF_VALUE, /* the value at hand alone */
	OF_DOCUMENT, /* others too: where a key is there twice, nobody knows which */
	OF_DECODER, /* which reads everything, also what does not count */
};
void check_add(struct checker *c, enum check_severity severity, enum check_basis basis,
	       const struct place *at, const char *path, const char *format, va_list ap)
	__attribute__((format(printf, 6, 0)));
/* The errors of values of these rules, from @since on, are none: the value is there again. */
void check_supersede(struct checker *c, size_t first_rule, size_t last_rule,
		     const struct place *since);
/* Hands all findings over, in the order of the text, and frees them. */
void check_tell(struct checker *c);

/* For the functions of tables: a finding about the value at hand. */
void check_note(struct checker *c, const struct json_event *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_warn(struct checker *c, const struct json_event *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_fail(struct checker *c, const struct json_event *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same about another place. */
void check_note_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
void check_warn_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
void check_fail_at(struct checker *c, const struct place *at, const char *path,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

static inline struct place check_place(const struct json_event *e)
{
	return (struct place){ e->line, e->column };
}

/* Remembers the first place only. */
static inline void check_mark(struct place *p, const struct json_event *e)
{
	if (!p->line)
		*p = check_place(e);
}

/* The place of @e's text among the words of @list, which have blanks between them, or -1. */
int check_word(const struct json_event *e, const char *list);
bool check_is(const struct json_event *e, const char *s);
bool check_starts(const struct json_event *e, const char *s);
/* How much of a string is shown. For "%.*s". */
int check_shown(const struct json_event *e);
/* Asks a library about the name; what is wrong is a warning. */
void check_library(struct checker *c, enum check_name kind, const struct json_event *e);
/* A list of CPUs or memory nodes, "0-3,7": a warning if it is none. */
void check_cpu_list(struct checker *c, const struct json_event *e);
/* An error if the path has a NUL byte, which no system call takes. Returns whether it has. */
bool check_nul(struct checker *c, const struct json_event *e);
