/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as clients pack them: a serialized Any, or the value of one of the types
 * that we know, TOML in it and all; the first byte chooses. Each is decoded or
 * refused with a text, and what was decoded survives the bundle.
 */
#include "shim/options.h"
#include "tests/fuzz/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {
		NULL, /* an Any, which says it itself */
		"containerd.runc.v1.Options",
		"containerd.linux.runc.CreateOptions",
		"type.googleapis.com/runtimeoptions.v1.Options",
	};
	const char *type;
	struct spec_options o;
	struct err e = ERR_INIT;
	int r;

	if (size < 1)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	r = type ? options_decode(type, data + 1, size - 1, &o, &e)
		 : options_decode_any(data + 1, size - 1, &o, &e);
	options_check_result(r, &e);
	if (r == 0)
		options_check_kept(&o);
	spec_options_release(&o);
	return 0;
}
