/* SPDX-License-Identifier: Apache-2.0 */
/* What a google.protobuf.Any can hold, and what it should where; see message.h. */
#include <string.h>

#include "events.pb-c.h"
#include "linux_runc.pb-c.h"
#include "metrics_v1.pb-c.h"
#include "metrics_v2.pb-c.h"
#include "runc_options.pb-c.h"
#include "runtimeoptions.pb-c.h"
#include "shim/tool/message.h"
#include "shim/util.h"
#include "task.pb-c.h"

#define OCI "types.containerd.io/opencontainers/runtime-spec/1/"

const ProtobufCMessageDescriptor *const message_types[] = {
	&runc__options__descriptor,	      &runc__checkpoint_options__descriptor,
	&runc__process_details__descriptor,   &linux_runc__create_options__descriptor,
	&runtimeoptions__options__descriptor, &metrics_v1__metrics__descriptor,
	&metrics_v2__metrics__descriptor,     NULL,
};

static const struct {
	const ProtobufCMessageDescriptor *in;
	const char *field, *url;
} expected[] = {
	{ &task__create_task_request__descriptor, "options",
	  "containerd.runc.v1.Options" },
	{ &task__checkpoint_task_request__descriptor, "options",
	  "containerd.runc.v1.CheckpointOptions" },
	{ &task__exec_process_request__descriptor, "spec", OCI "Process" },
	{ &task__update_task_request__descriptor, "resources", OCI "LinuxResources" },
};

const ProtobufCMessageDescriptor *message_type(const char *url)
{
	const char *slash = strrchr(url, '/');

	for (size_t i = 0; message_types[i]; i++)
		if (strcmp(message_types[i]->name, slash ? slash + 1 : url) == 0)
			return message_types[i];
	return NULL;
}

bool message_is_json(const char *url)
{
	return strstr(url, "opencontainers/runtime-spec/");
}

const char *message_expected(const ProtobufCMessageDescriptor *d, const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (expected[i].in == d && strcmp(expected[i].field, field) == 0)
			return expected[i].url;
	return NULL;
}
