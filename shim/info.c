/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "-info" (containerd 2): prints a RuntimeInfo with what "RUNTIME features"
 * says, for the options on stdin (contract 1.9).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/action.h"
#include "shim/limits.h"
#include "shim/options.h"
#include "shim/reap.h"
#include "shim/runtime.h"
#include "shim/spawn.h"
#include "shim/util.h"
#include "types.pb-c.h"
#include "version.h"

#define FEATURES_URL "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

extern char **environ;

/*
 * The JSON that the runtime prints; *out NULL if it knows no "features", which
 * is no failure. A runtime that is not there is one, if it is @needed.
 */
static int read_features(const char *name, bool needed, char **out, size_t *len, struct err *e)
{
	const char *argv[] = { name, "features", NULL };
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int fd = memfd_open("features");
	const int fds[] = { null, fd, null };
	char path[PATH_MAX];
	const struct spawn s = {
		.path = path, .argv = (char *const *)argv, .envp = environ, .fds = fds,
		.n_fds = 3, .dies_with_us = true,
	};
	struct stat st;
	pid_t pid;
	int r;

	if (null < 0 || fd < 0)
		return err_sys(e, errno, "prepare %s features", name);
	r = spawn_find(name, path);
	if (r < 0 && !needed)
		return 0;
	if (r < 0)
		return err_set(e, TTRPC_UNKNOWN,
			       "exec: \"%s\": executable file not found in $PATH", name);
	r = spawn_exec(&s, &pid);
	if (r < 0)
		return err_sys(e, -r, "fork/exec %s", path);
	if (reap_wait(pid, LIMIT_FEATURES_MS) != 0 || fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    st.st_size > LIMIT_FEATURES)
		return 0;
	*out = malloc((size_t)st.st_size + 1);
	if (!*out)
		return err_nomem(e);
	*len = memfd_read(fd, *out, (size_t)st.st_size + 1);
	return 0;
}

static int print_info(const struct action *a, Google__Protobuf__Any *options, char *features,
		      size_t len, struct err *e)
{
	Types__RuntimeInfo m = TYPES__RUNTIME_INFO__INIT;
	Types__RuntimeVersion version = TYPES__RUNTIME_VERSION__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	_cleanup_free_ uint8_t *packed = NULL;
	int r;

	version.version = (char *)BRASS_VERSION;
	version.revision = (char *)BRASS_REVISION;
	m.name = (char *)a->runtime_name;
	m.version = &version;
	m.options = options;
	if (features) {
		any.type_url = (char *)FEATURES_URL;
		any.value.data = (uint8_t *)features;
		any.value.len = len;
		m.features = &any;
	}
	packed = malloc(protobuf_c_message_get_packed_size(&m.base));
	if (!packed)
		return err_nomem(e);
	r = write_all(1, packed, protobuf_c_message_pack(&m.base, packed));
	return r < 0 ? err_sys(e, -r, "write the answer") : 0;
}

int info_main(const struct action *a)
{
	struct spec_options o = SPEC_OPTIONS_INIT;
	_cleanup_free_ char *features = NULL;
	_cleanup_free_ uint8_t *input = NULL;
	Google__Protobuf__Any *options = NULL;
	struct err e = ERR_INIT;
	size_t n_input, len = 0;
	int r = action_read_stdin(&input, &n_input, &e);

	if (r == 0 && n_input > 0) {
		r = options_decode_any(input, n_input, &o, &e);
		options = (void *)protobuf_c_message_unpack(&google__protobuf__any__descriptor,
							    NULL, n_input, input);
	}
	/* Without options it is asked what the shim can do (2.2 and later, before each Create). */
	if (r == 0)
		r = read_features(str_is_set(o.binary_name) ? o.binary_name : RUNTIME_DEFAULT,
				  n_input > 0, &features, &len, &e);
	if (r == 0)
		r = print_info(a, options, features, len, &e);
	if (options)
		protobuf_c_message_free_unpacked(&options->base, NULL);
	spec_options_release(&o);
	return r < 0 ? action_fail(a, &e) : 0;
}
