/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as a whole: the input goes through a socket into dispatch, with
 * stubs as handlers. Whatever comes, each round ends, all replies are frames,
 * and at the end nothing is owed or held (the leak checker sees to that).
 *
 * The first byte chooses the size of the writes, whether replies are read, and
 * whether the peer hangs up before the parked calls are answered.
 */
#include "tests/fuzz/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SMALL_WRITES = 0x0f, /* at most so many bytes; 0: as many as fit */
	READS = 0x10,
	HANGS_UP = 0x20,
	ANSWERS_ON_CANCEL = 0x40,
	ANSWERS_WHILE_IT_RUNS = 0x80,
};

/* Also where NDEBUG is. */
static void check(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t scratch[65536];

static void read_replies(struct rig *rig, struct frame_reader *r)
{
	ssize_t n;

	while (rig->peer >= 0 &&
	       (n = recv(rig->peer, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0) {
		const uint8_t *in = scratch;
		size_t len = (size_t)n;
		struct frame f;

		while (frame_reader_next(r, &in, &len, &f)) {
			check(f.type == FRAME_RESPONSE && f.flags == 0 && !f.error);
			frame_reader_release(r);
		}
	}
}

static void answer_one(struct rig *rig)
{
	struct ttrpc_call *call = list_first(&rig->parked, struct ttrpc_call, link);

	if (!call)
		return;
	list_del(&call->link);
	ttrpc_call_fail(call, TTRPC_ABORTED, "%s", call->method->name);
}

static void drive(struct rig *rig, struct frame_reader *r, unsigned how,
		  const uint8_t *data, size_t size)
{
	size_t most = how & SMALL_WRITES ? how & SMALL_WRITES : size;
	int stuck = 0;

	/* A server that waits for its replies to be read need not take the rest. */
	while (size > 0 && rig->peer >= 0 && stuck < 100) {
		ssize_t n = send(rig->peer, data, size < most ? size : most,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		stuck = n > 0 ? 0 : stuck + 1;
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
		check(loop_round(&rig->loop, 0) == 0);
		if (how & READS)
			read_replies(rig, r);
		if (how & ANSWERS_WHILE_IT_RUNS)
			answer_one(rig);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ttrpc_limits limits = {
		.conns = 1, .calls = 8, .all_calls = 6, .output = 4096,
	};
	static int fds;
	struct frame_reader r = { 0 };
	struct rig rig;
	unsigned how;
	int i;

	if (size < 1)
		return 0;
	if (!fds)
		fds = rig_count_fds();
	how = data[0];
	if (rig_open(&rig, &limits, -1) < 0)
		abort();
	rig.answers_on_cancel = how & ANSWERS_ON_CANCEL;
	drive(&rig, &r, how, data + 1, size - 1);
	if (how & HANGS_UP && rig.peer >= 0) {
		close(rig.peer);
		rig.peer = -1;
	}
	for (i = 0; i < 20; i++) {
		check(loop_round(&rig.loop, 0) == 0);
		read_replies(&rig, &r);
	}
	check(rig.server.n_calls <= limits.all_calls);
	rig_close(&rig);
	frame_reader_release(&r);
	check(rig_count_fds() == fds);
	return 0;
}
