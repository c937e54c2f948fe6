/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which call is legal in which state of a process, and what it is answered
 * otherwise: one table (state.c), of contract 4.3 and 4.4.
 */
#pragma once

#include <stdbool.h>

#include "shim/err.h"

enum process_state {
	PROC_CREATED,
	PROC_CREATED_CHECKPOINT, /* created from a checkpoint: Start restores it */
	PROC_RUNNING,
	PROC_PAUSED,
	PROC_STOPPED,
	PROC_DELETED,
	N_PROC_STATES,
};

enum verb {
	VERB_START,
	VERB_DELETE,
	VERB_PAUSE,
	VERB_RESUME,
	VERB_UPDATE,
	VERB_CHECKPOINT,
	VERB_EXEC,
	VERB_KILL,
	VERB_RESIZE,
	N_VERBS,
};

/*
 * 0 if @verb is legal for a process in @state, else the error: for an init, or
 * for an exec if @exec.
 */
int state_check(enum verb verb, bool exec, enum process_state state, struct err *e);

/* "created", "running" … as runc says it. */
const char *state_name(enum process_state state);
