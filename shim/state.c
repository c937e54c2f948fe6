/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state tables. An empty cell is legal; any other holds the text of the
 * refusal, word for word as clients know it. A text of NOT_FOUND cells has the
 * code NotFound, of FAILED cells FailedPrecondition, all others Unknown.
 */
#include "shim/state.h"

#include <assert.h>
#include <stddef.h>

struct cell {
	const char *refusal;
	int code; /* 0: TTRPC_UNKNOWN */
};

#define NO(text) { text, 0 }
#define NOT_FOUND(text) { text, TTRPC_NOT_FOUND }
#define FAILED(text) { text, TTRPC_FAILED_PRECONDITION }

static const struct cell init_table[N_VERBS][N_PROC_STATES] = {
	[VERB_START] = {
		[PROC_RUNNING] = NO("cannot start a running process"),
		[PROC_PAUSED] = NO("cannot start a paused process"),
		[PROC_STOPPED] = NO("cannot start a stopped process"),
		[PROC_DELETED] = NO("cannot start a deleted process"),
	},
	[VERB_DELETE] = {
		[PROC_RUNNING] = NO("cannot delete a running process"),
		[PROC_PAUSED] = NO("cannot delete a paused process"),
		[PROC_DELETED] = NOT_FOUND("cannot delete a deleted process"),
	},
	[VERB_PAUSE] = {
		[PROC_CREATED] = NO("cannot pause task in created state"),
		[PROC_CREATED_CHECKPOINT] = NO("cannot pause task in created state"),
		[PROC_PAUSED] = NO("cannot pause a paused container"),
		[PROC_STOPPED] = NO("cannot pause a stopped container"),
		[PROC_DELETED] = NO("cannot pause a deleted process"),
	},
	[VERB_RESUME] = {
		[PROC_CREATED] = NO("cannot resume task in created state"),
		[PROC_CREATED_CHECKPOINT] = NO("cannot resume task in created state"),
		[PROC_RUNNING] = NO("cannot resume a running process"),
		[PROC_STOPPED] = NO("cannot resume a stopped container"),
		[PROC_DELETED] = NO("cannot resume a deleted process"),
	},
	[VERB_UPDATE] = {
		[PROC_STOPPED] = NO("cannot update a stopped container"),
		[PROC_DELETED] = NO("cannot update a deleted process"),
	},
	[VERB_CHECKPOINT] = {
		[PROC_CREATED] = NO("cannot checkpoint a task in created state"),
		[PROC_CREATED_CHECKPOINT] = NO("cannot checkpoint a task in created state"),
		[PROC_STOPPED] = NO("cannot checkpoint a stopped container"),
		[PROC_DELETED] = NO("cannot checkpoint a deleted process"),
	},
	[VERB_EXEC] = {
		[PROC_CREATED_CHECKPOINT] = NO("cannot exec in a created state"),
		[PROC_PAUSED] = NO("cannot exec in a paused state"),
		[PROC_STOPPED] = NO("cannot exec in a stopped state"),
		[PROC_DELETED] = NO("cannot exec in a deleted state"),
	},
	[VERB_KILL] = {
		[PROC_CREATED_CHECKPOINT] = NOT_FOUND("no such container"),
		[PROC_STOPPED] = NOT_FOUND("process already finished"),
		[PROC_DELETED] = NOT_FOUND("cannot kill a deleted process"),
	},
	/* VERB_RESIZE: always; where there is no terminal (any more) nothing happens. */
};

static const struct cell exec_table[N_VERBS][N_PROC_STATES] = {
	[VERB_START] = {
		[PROC_RUNNING] = NO("cannot start a running process"),
		[PROC_STOPPED] = NO("cannot start a stopped process"),
		[PROC_DELETED] = NOT_FOUND("cannot start a deleted process"),
	},
	[VERB_DELETE] = {
		[PROC_RUNNING] = NO("cannot delete a running process"),
		[PROC_DELETED] = NOT_FOUND("cannot delete a deleted process"),
	},
	[VERB_KILL] = {
		[PROC_CREATED] = FAILED("process not created"),
		[PROC_STOPPED] = NOT_FOUND("process already finished"),
		[PROC_DELETED] = NOT_FOUND("process already finished"),
	},
	[VERB_RESIZE] = {
		[PROC_STOPPED] = NO("cannot resize a stopped container"),
		[PROC_DELETED] = NO("cannot resize a deleted process"),
	},
};

int state_check(enum verb verb, bool exec, enum process_state state, struct err *e)
{
	const struct cell *c = exec ? &exec_table[verb][state] : &init_table[verb][state];

	assert(verb < N_VERBS && state < N_PROC_STATES);
	if (!c->refusal)
		return 0;
	return err_set(e, c->code ? c->code : TTRPC_UNKNOWN, "%s", c->refusal);
}

const char *state_name(enum process_state state)
{
	static const char *const names[N_PROC_STATES] = {
		[PROC_CREATED] = "created", [PROC_CREATED_CHECKPOINT] = "created",
		[PROC_RUNNING] = "running", [PROC_PAUSED] = "paused",
		[PROC_STOPPED] = "stopped", [PROC_DELETED] = "deleted",
	};

	return names[state];
}
