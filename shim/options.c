/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that carry options, turned into struct spec_options; see options.h. */
#include "shim/options.h"

#include <errno.h>
#include <string.h>

#include "google/protobuf/any.pb-c.h"
#include "linux_runc.pb-c.h"
#include "runc_options.pb-c.h"
#include "runtimeoptions.pb-c.h"
#include "shim/limits.h"
#include "shim/log.h"
#include "shim/util.h"


/* Most are empty, and would be kept as long as the container lives. */
static bool keep(char **out, const char *s)
{
	return str_copy(out, str_is_set(s) ? s : NULL);
}

static int from_runc(const ProtobufCMessage *message, struct spec_options *out, struct err *e)
{
	const Runc__Options *m = (const void *)message;

	out->no_pivot_root = m->no_pivot_root;
	out->no_new_keyring = m->no_new_keyring;
	out->systemd_cgroup = m->systemd_cgroup;
	out->io_uid = m->io_uid;
	out->io_gid = m->io_gid;
	out->task_api_version = m->task_api_version;
	if (!keep(&out->shim_cgroup, m->shim_cgroup) ||
	    !keep(&out->binary_name, m->binary_name) || !keep(&out->root, m->root) ||
	    !keep(&out->criu_path, m->criu_path) ||
	    !keep(&out->criu_image_path, m->criu_image_path) ||
	    !keep(&out->criu_work_path, m->criu_work_path) ||
	    !keep(&out->task_api_address, m->task_api_address))
		return err_nomem(e);
	return 0;
}

static int from_linux_runc(const ProtobufCMessage *message, struct spec_options *out,
			   struct err *e)
{
	const LinuxRunc__CreateOptions *m = (const void *)message;

	out->no_pivot_root = m->no_pivot_root;
	out->no_new_keyring = m->no_new_keyring;
	out->io_uid = m->io_uid;
	out->io_gid = m->io_gid;
	if (!keep(&out->shim_cgroup, m->shim_cgroup) ||
	    !keep(&out->criu_image_path, m->criu_image_path) ||
	    !keep(&out->criu_work_path, m->criu_work_path))
		return err_nomem(e);
	return 0;
}

static void warn(void *data, const char *text)
{
	(void)data;
	/* "start" has no log: its server, which reads the same options, tells. */
	log_write(LOG_WARN, NULL, "options: %s", text);
}

static int from_toml(const char *name, const char *toml, size_t len, struct spec_options *out,
		     struct err *e)
{
	struct spec_error se;
	int r = spec_options_parse_toml(name, toml, len, out, warn, NULL, &se);

	if (r == -ENOMEM)
		return err_nomem(e);
	return r < 0 ? err_set(e, TTRPC_INVALID_ARGUMENT, "options: %s", se.text) : 0;
}

static int from_runtimeoptions(const ProtobufCMessage *message, struct spec_options *out,
			       struct err *e)
{
	const Runtimeoptions__Options *m = (const void *)message;
	_cleanup_free_ char *toml = NULL;
	size_t len;
	int r;

	if (!str_is_set(m->config_path))
		return from_toml("config_body", (const char *)m->config_body.data,
				 m->config_body.len, out, e);
	if (m->config_path[0] != '/')
		return err_set(e, TTRPC_INVALID_ARGUMENT,
			       "options: config_path \"%s\" is no absolute path",
			       m->config_path);
	/* The administrator's: it may be a link. */
	r = file_read_followed(m->config_path, LIMIT_OPTIONS, &toml, &len);
	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "options: config_path %s: %s",
			       m->config_path,
			       r == -EINVAL ? "not a regular file" : err_strerror(-r));
	return from_toml(m->config_path, toml, len, out, e);
}

static const struct kind {
	const ProtobufCMessageDescriptor *descriptor;
	int (*convert)(const ProtobufCMessage *m, struct spec_options *out, struct err *e);
} kinds[] = {
	{ &runc__options__descriptor, from_runc },
	{ &linux_runc__create_options__descriptor, from_linux_runc },
	{ &runtimeoptions__options__descriptor, from_runtimeoptions },
};

static const struct kind *find_kind(const char *type_url)
{
	const char *slash = strrchr(type_url, '/'), *name = slash ? slash + 1 : type_url;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].descriptor->name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool options_are_known(const char *type_url)
{
	return type_url && find_kind(type_url);
}

int options_decode(const char *type_url, const uint8_t *value, size_t len,
		   struct spec_options *out, struct err *e)
{
	const struct kind *kind;
	ProtobufCMessage *m;
	int r;

	*out = (struct spec_options)SPEC_OPTIONS_INIT;
	if (!str_is_set(type_url) || len == 0)
		return 0;
	kind = find_kind(type_url);
	if (!kind)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "options of the unknown type \"%s\"",
			       type_url);
	m = protobuf_c_message_unpack(kind->descriptor, NULL, len, value);
	if (!m)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "the options are no valid %s",
			       kind->descriptor->name);
	r = kind->convert(m, out, e);
	protobuf_c_message_free_unpacked(m, NULL);
	return r;
}

int options_decode_any(const uint8_t *any, size_t len, struct spec_options *out, struct err *e)
{
	Google__Protobuf__Any *m;
	int r;

	*out = (struct spec_options)SPEC_OPTIONS_INIT;
	m = (void *)protobuf_c_message_unpack(&google__protobuf__any__descriptor, NULL, len, any);
	if (!m)
		return err_set(e, TTRPC_INVALID_ARGUMENT, "the options are no google.protobuf.Any");
	r = options_decode(m->type_url, m->value.data, m->value.len, out, e);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	return r;
}
