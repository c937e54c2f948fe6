/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint and restore in a build without criu; see checkpoint.c for the other. */
#include <assert.h>

#include "shim/op.h"
#include "shim/shim.h"

bool checkpoint_supported(struct err *e)
{
	err_set(e, TTRPC_UNIMPLEMENTED, "this shim was built without checkpoint and restore "
					"(CRIU=no)");
	return false;
}

void checkpoint_begin(struct process *init, struct ttrpc_call *call,
		      const struct checkpoint_request *r)
{
	(void)init;
	(void)call;
	(void)r;
	assert(!"not reached: nothing is supported");
}

void checkpoint_restore(struct op *op)
{
	(void)op;
	assert(!"not reached: no container comes from a checkpoint");
}

void checkpoint_give_up(struct op *op)
{
	(void)op;
	assert(!"not reached: nothing is restored");
}
