/* SPDX-License-Identifier: Apache-2.0 */
/* BootstrapParams and BootstrapResult, or what older daemons speak; see bootstrap.h. */
#include "shim/bootstrap.h"

#include <errno.h>
#include <string.h>

#include "bootstrap.pb-c.h"
#include "shim/options.h"
#include "shim/socket.h"
#include "shim/util.h"
#include "spec/json.h"

#define DEBUG_LEVEL (-4)

static int read_params(const Bootstrap__BootstrapParams *m, struct bootstrap *out,
		       struct err *e)
{
	out->given = true;
	out->debug = m->log_level <= DEBUG_LEVEL;
	if (str_is_set(m->socket_dir)) {
		if (m->socket_dir[0] != '/')
			return err_set(e, TTRPC_INVALID_ARGUMENT,
				       "socket_dir \"%s\" is no absolute path",
				       m->socket_dir);
		if (!str_copy(&out->socket_dir, m->socket_dir))
			return err_nomem(e);
	}
	if (str_is_set(m->containerd_ttrpc_address) &&
	    !str_copy(&out->ttrpc_address, m->containerd_ttrpc_address))
		return err_nomem(e);
	if (str_is_set(m->containerd_grpc_address) &&
	    !str_copy(&out->grpc_address, m->containerd_grpc_address))
		return err_nomem(e);
	for (size_t i = 0; i < m->n_extensions; i++) {
		const Google__Protobuf__Any *any = m->extensions[i]->value;

		/* Others than options are not for us, whatever they are. */
		if (any && options_are_known(any->type_url))
			return options_decode(any->type_url, any->value.data,
					      any->value.len, &out->options, e);
	}
	return 0;
}

/*
 * Any and BootstrapParams both begin with two strings, so each is decodable as
 * the other: it is the latter if these are our id and namespace (contract 1.4).
 */
int bootstrap_read(const uint8_t *data, size_t len, const char *id, const char *ns,
		   struct bootstrap *out, struct err *e)
{
	Bootstrap__BootstrapParams *m;
	int r;

	m = (void *)protobuf_c_message_unpack(&bootstrap__bootstrap_params__descriptor,
					      NULL, len, data);
	if (m && strcmp(m->instance_id, id) == 0 && strcmp(m->namespace_, ns) == 0)
		r = read_params(m, out, e);
	else
		r = options_decode_any(data, len, &out->options, e);
	if (m)
		protobuf_c_message_free_unpacked(&m->base, NULL);
	return r;
}

void bootstrap_release(struct bootstrap *b)
{
	free(b->socket_dir);
	free(b->ttrpc_address);
	free(b->grpc_address);
	spec_options_release(&b->options);
	*b = (struct bootstrap){ 0 };
}

/* As containerd 2.0 to 2.2 and their shim say it; 2.3 knows it as well. */
static int answer_newer(int fd, const char *url)
{
	struct json_out o = JSON_OUT_INIT;
	_cleanup_free_ char *text = NULL;
	size_t len;

	json_out_open(&o, '{');
	json_out_key(&o, "version");
	json_out_int(&o, BOOTSTRAP_VERSION);
	json_out_key(&o, "address");
	json_out_string(&o, url, strlen(url));
	json_out_key(&o, "protocol");
	json_out_string(&o, "ttrpc", 5);
	json_out_close(&o, '}');
	text = json_out_take(&o, &len);
	return text ? write_all(fd, text, len) : -ENOMEM;
}

int bootstrap_answer(int fd, const struct bootstrap *b, const char *url, struct err *e)
{
	Bootstrap__BootstrapResult m = BOOTSTRAP__BOOTSTRAP_RESULT__INIT;
	uint8_t packed[SOCKET_PATH_MAX + 64];
	int r;

	m.version = BOOTSTRAP_VERSION;
	m.address = (char *)url;
	m.protocol = (char *)"ttrpc";
	if (b->given)
		r = write_all(fd, packed, protobuf_c_message_pack(&m.base, packed));
	else if (b->newer)
		r = answer_newer(fd, url);
	else
		r = write_all(fd, url, strlen(url));
	return r < 0 ? err_sys(e, -r, "write the answer") : 0;
}
