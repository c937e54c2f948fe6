/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim reads and writes of the JSON documents around a container:
 * the bundle's config.json, the process document of an exec, options.json, and
 * what an OCI runtime prints. Bytes in, structs out: nothing here forks, waits
 * or keeps global state.
 *
 * Documents are pushed through a parser and never held as a tree, so the cost
 * in memory is that of the few fields kept. Size and depth are bounded
 * (SPEC_MAX_SIZE, SPEC_MAX_DEPTH).
 *
 * Functions return 0 or a negative errno and then describe the failure in
 * struct spec_error: EINVAL (not what it should be), EFBIG (over a bound),
 * ENOMEM, or what open(2) and read(2) said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one document: some ten times what the largest real ones have. */
#define SPEC_MAX_SIZE (10u << 20)
/* Nesting: the bound of Go's encoding/json, so that what runc reads is read here. */
#define SPEC_MAX_DEPTH 10000

/* One line, "config.json:LINE:COL: reason" for what is wrong inside a document. */
struct spec_error {
	char text[512];
	/* The same in pieces: 0 if it is about no place; where in text the reason begins. */
	size_t line, column, reason;
};

/* What the shim keeps of config.json. Strings are owned, NULL where absent. */
struct spec {
	/*
	 * The pod, for processes that share a shim: annotation
	 * io.containerd.runc.v2.group, else io.kubernetes.cri.sandbox-id; present
	 * but empty is "" (contract 1.7).
	 */
	char *group;
	char *cgroups_path; /* linux.cgroupsPath */
	/* Annotations of ours, as they stand there: io.brass.log.policy, io.brass.log.rate. */
	char *log_policy, *log_rate;
	char *stdio; /* io.brass.stdio */
	bool labelled; /* process.selinuxLabel or .apparmorProfile is set */
	/* linux.namespaces has a "pid" entry without (or with an empty) path (contract 4.13). */
	bool private_pid_ns;
};

#define SPEC_INIT \
	{         \
		0 \
	}

/* Reads BUNDLE/config.json. @out is to be released, also after a failure. */
int spec_load(const char *bundle, struct spec *out, struct spec_error *e);
/* The same from memory; @name stands for the document in error texts. */
int spec_parse(const char *name, const char *json, size_t len, struct spec *out,
	       struct spec_error *e);
void spec_release(struct spec *s);

/*
 * Copies the process document @json (an OCI Process object) with "terminal"
 * set to @terminal and everything else, unknown keys included, unchanged in
 * meaning and order. *out is malloc()ed, not NUL-terminated. EINVAL if it is
 * not one JSON object.
 */
int spec_process_set_terminal(const char *json, size_t len, bool terminal, char **out,
			      size_t *out_len, struct spec_error *e);

/* The runtime's options, as options.json keeps them in the bundle (contract 1.12, 3.5). */
struct spec_options {
	bool no_pivot_root;
	bool no_new_keyring;
	bool systemd_cgroup;
	uint32_t io_uid, io_gid;
	/* NULL or "": not set. */
	char *shim_cgroup;
	char *binary_name;
	char *root;
	char *criu_path;
	char *criu_image_path;
	char *criu_work_path;
	char *task_api_address;
	uint32_t task_api_version;
	/*
	 * systemd_cgroup is what somebody wrote, also where it is false: only TOML
	 * can tell. Not in options.json.
	 */
	bool systemd_cgroup_said;
};

#define SPEC_OPTIONS_INIT \
	{                 \
		0         \
	}

/*
 * Reads an options.json, written by us or by another shim: unknown keys are
 * ignored. -ENOENT is returned if there is no such file, with a text.
 */
int spec_options_load(const char *path, struct spec_options *out, struct spec_error *e);
/* The same from memory; @name stands for the document in texts. */
int spec_options_parse(const char *name, const char *json, size_t len,
		       struct spec_options *out, struct spec_error *e);
/*
 * Reads options in TOML, as an administrator writes them and as CRI passes them
 * on (contract 7.3); at most 1 MiB. The keys are those of options.json in any
 * case, with or without underscores ("BinaryName"); they stand outside of any
 * table, or in one table whose name ends in "options" (a piece of containerd's
 * config.toml). No key may be there twice.
 *
 * An unknown key or table is ignored, and @warn, which may be NULL,
 * gets one line that names it, SPEC_MAX_WARNINGS times at most. @name stands for
 * the document in texts: "NAME:LINE: KEY: reason". @out is to be released, also
 * after a failure.
 */
#define SPEC_MAX_WARNINGS 16
int spec_options_parse_toml(const char *name, const char *toml, size_t len,
			    struct spec_options *out,
			    void (*warn)(void *data, const char *text), void *data,
			    struct spec_error *e);
/* The document, snake_case keys, empty fields left out; malloc()ed, NUL-terminated; NULL: ENOMEM. */
char *spec_options_write(const struct spec_options *o, size_t *len);
void spec_options_release(struct spec_options *o);

/* A bootstrap.json: how containerd 2 reaches the shim of a bundle. Strings are owned. */
struct spec_endpoint {
	uint32_t version; /* of the Task service */
	char *address;
};

int spec_endpoint_load(const char *path, struct spec_endpoint *out, struct spec_error *e);
void spec_endpoint_release(struct spec_endpoint *p);

/*
 * The last message of level "error" in a runtime's log (JSON objects {level,
 * msg, time} one after another, as runc and crun write with --log-format json),
 * trimmed, NUL-terminated and cut to @size. Reads @fd from offset 0 by
 * pread(2), at most the last SPEC_MAX_LOG bytes. Lines that are no JSON are
 * skipped. Returns its length; 0: there is none.
 */
#define SPEC_MAX_LOG (1u << 20)
size_t spec_log_error(int fd, char *buf, size_t size);

/* What "runc state" prints; strings owned. */
struct spec_state {
	char *status; /* "created", "running", "paused", "stopped" */
	int64_t pid;
};

int spec_state_parse(const char *json, size_t len, struct spec_state *out,
		     struct spec_error *e);
void spec_state_release(struct spec_state *s);

/* What "runc ps --format json" prints: an array of pids, or null. *pids is malloc()ed. */
int spec_ps_parse(const char *json, size_t len, int **pids, size_t *n,
		  struct spec_error *e);
