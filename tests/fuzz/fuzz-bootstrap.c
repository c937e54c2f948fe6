/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdin of "start": BootstrapParams, or an older daemon's options. It is decoded
 * or refused with a text, the path in it is absolute, and the answer is in the words
 * of the one that asked.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bootstrap.pb-c.h"
#include "shim/bootstrap.h"
#include "tests/fuzz/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define URL "unix:///run/containerd/s/0123456789abcdef"

static void check_answer(const struct bootstrap *b)
{
	int fd = memfd_create("answer", MFD_CLOEXEC);
	Bootstrap__BootstrapResult *m;
	uint8_t buf[256];
	struct err e = ERR_INIT;
	ssize_t n;

	assert(fd >= 0 && bootstrap_answer(fd, b, URL, &e) == 0);
	n = pread(fd, buf, sizeof(buf), 0);
	assert(n > 0);
	close(fd);
	if (!b->given) {
		assert(n == sizeof(URL) - 1 && memcmp(buf, URL, sizeof(URL) - 1) == 0);
		return;
	}
	m = (void *)protobuf_c_message_unpack(&bootstrap__bootstrap_result__descriptor,
					      NULL, (size_t)n, buf);
	assert(m && m->version == 3 && strcmp(m->address, URL) == 0);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bootstrap b = { .given = false };
	struct err e = ERR_INIT;
	int r = bootstrap_read(data, size, "c1", "default", &b, &e);

	options_check_result(r, &e);
	if (r == 0) {
		options_check_kept(&b.options);
		assert(!b.socket_dir || b.socket_dir[0] == '/');
		assert(!b.ttrpc_address || b.ttrpc_address[0]);
		assert(!b.grpc_address || b.grpc_address[0]);
		assert(b.given || (!b.debug && !b.socket_dir && !b.ttrpc_address &&
				   !b.grpc_address));
		check_answer(&b);
	}
	bootstrap_release(&b);
	return 0;
}
