/* SPDX-License-Identifier: Apache-2.0 */
/* "-info": what the shim and its runtime can do (contract 1.9). */
#include "tests/e2e/harness.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/limits.h"

#define FEATURES "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

static const char *const flags[] = { "-info", NULL };

/* Runs it with these bytes on stdin; it must succeed. To be freed by release(). */
static Types__RuntimeInfo *info(struct where w, const void *in, size_t len)
{
	struct run *r = run_shim("/", in, len, false, flags);
	Types__RuntimeInfo *i;

	if (r->status || r->err_len)
		fail_at(w, "status 0x%x, stderr \"%s\"", r->status, r->err);
	i = (void *)protobuf_c_message_unpack(&types__runtime_info__descriptor, NULL,
					      r->out_len, (uint8_t *)r->out);
	if (!i || !i->version || !*i->version->version)
		fail_at(w, "stdout is no RuntimeInfo with a version");
	return i;
}

static void release(Types__RuntimeInfo *i)
{
	protobuf_c_message_free_unpacked(&i->base, NULL);
}

static Types__RuntimeInfo *info_with_options(struct where w)
{
	uint8_t *in;
	size_t len = pack(&runc_options()->base, &in);

	return info(w, in, len);
}

/* Without options the runtime is "runc" from PATH. */
static void nothing_on_stdin(void **st)
{
	Types__RuntimeInfo *i;

	(void)st;
	mkdir(in_dir("bin"), 0755);
	assert_int_equal(symlink(e2e.fake, in_dir("bin/runc")), 0);
	e2e.extra_env[0] = text("PATH=%s", in_dir("bin"));
	i = info(HERE, "", 0);
	assert_string_equal(i->name, "io.containerd.brass.v2");
	assert_null(i->options);
	assert_non_null(i->features);
	assert_string_equal(i->features->type_url, FEATURES);
	release(i);
	assert_int_equal(calls_of("features"), 1);
}

static void with_options(void **st)
{
	Types__RuntimeInfo *i;

	(void)st;
	i = info_with_options(HERE);
	assert_non_null(i->options);
	assert_string_equal(i->options->type_url, "containerd.runc.v1.Options");
	assert_int_equal(i->options->value.len, runc_options()->value.len);
	assert_memory_equal(i->options->value.data, runc_options()->value.data,
			    i->options->value.len);
	assert_non_null(i->features);
	assert_memory_equal(i->features->value.data, "{\"ociVersionMin\"", 16);
	release(i);
}

/* "features" may fail or print nonsense: the field is left out. */
static void features_fail(void **st)
{
	static const char *const scripts[] = { "exit 1\n", "error no such command\n",
					       "kill_self 9\n", "exit 0\n" };

	(void)st;
	for (size_t k = 0; k < sizeof(scripts) / sizeof(scripts[0]); k++) {
		Types__RuntimeInfo *i;

		script("features", scripts[k]);
		i = info_with_options(HERE);
		assert_null(i->features);
		release(i);
	}
}

/* More than any runtime has to say is taken for nothing said. */
static void features_of_a_megabyte(void **st)
{
	static const size_t sizes[] = { 60000, LIMIT_FEATURES + 1 };

	(void)st;
	e2e.binary_name = in_dir("runtime");
	for (size_t k = 0; k < 2; k++) {
		char *sh = text("#!/bin/sh\nhead -c %zu /dev/zero\n", sizes[k]);
		Types__RuntimeInfo *i;

		write_file(e2e.binary_name, sh, strlen(sh));
		chmod(e2e.binary_name, 0755);
		i = info_with_options(HERE);
		if (sizes[k] > LIMIT_FEATURES)
			assert_null(i->features);
		else
			assert_int_equal(i->features->value.len, sizes[k]);
		release(i);
	}
}

/*
 * Containerd asks what the shim can do before each Create, and says nothing of a runtime:
 * that there is no "runc" matters to nobody.
 */
static void no_runtime_is_asked_for(void **st)
{
	Types__RuntimeInfo *i;
	struct run *r;
	uint8_t *in;
	size_t len;

	(void)st;
	e2e.extra_env[0] = text("PATH=%s", in_dir("bin"));
	i = info(HERE, "", 0);
	assert_string_equal(i->name, "io.containerd.brass.v2");
	assert_null(i->options);
	assert_null(i->features);
	release(i);
	/* With options it does, also if they say the default. */
	e2e.binary_name = "";
	len = pack(&runc_options()->base, &in);
	r = run_shim("/", in, len, false, flags);
	assert_int_equal(WEXITSTATUS(r->status), 1);
	assert_non_null(strstr(r->err, "\"runc\""));
}

static void runtime_is_missing(void **st)
{
	struct run *r;
	uint8_t *in;
	size_t len;

	(void)st;
	e2e.binary_name = "no-runc";
	len = pack(&runc_options()->base, &in);
	r = run_shim("/", in, len, false, flags);
	assert_int_equal(WEXITSTATUS(r->status), 1);
	assert_int_equal(r->out_len, 0);
	assert_non_null(strstr(r->err, "\"no-runc\""));
}

E2E_GROUP(E2E(nothing_on_stdin), E2E(with_options), E2E(features_fail), E2E(features_of_a_megabyte),
	  E2E(no_runtime_is_asked_for), E2E(runtime_is_missing))
