/* SPDX-License-Identifier: Apache-2.0 */
/* The state tables, cell by cell against contract 4.3 and 4.4, and complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shim/state.h"

#define STATES(c, cc, r, p, s, d)                                           \
	{ [PROC_CREATED] = c, [PROC_CREATED_CHECKPOINT] = cc, [PROC_RUNNING] = r, \
	  [PROC_PAUSED] = p, [PROC_STOPPED] = s, [PROC_DELETED] = d }

/* 1: legal. Columns: created, from a checkpoint, running, paused, stopped, deleted. */
static const int legal_init[N_VERBS][N_PROC_STATES] = {
	[VERB_START] = STATES(1, 1, 0, 0, 0, 0),
	[VERB_DELETE] = STATES(1, 1, 0, 0, 1, 0),
	[VERB_PAUSE] = STATES(0, 0, 1, 0, 0, 0),
	[VERB_RESUME] = STATES(0, 0, 0, 1, 0, 0),
	[VERB_UPDATE] = STATES(1, 1, 1, 1, 0, 0),
	[VERB_CHECKPOINT] = STATES(0, 0, 1, 1, 0, 0),
	[VERB_EXEC] = STATES(1, 0, 1, 0, 0, 0),
	[VERB_KILL] = STATES(1, 0, 1, 1, 0, 0),
	[VERB_RESIZE] = STATES(1, 1, 1, 1, 1, 1),
};

static void every_cell_of_the_init(void **st)
{
	(void)st;
	for (int v = 0; v < N_VERBS; v++) {
		for (int s = 0; s < N_PROC_STATES; s++) {
			struct err e = ERR_INIT;
			int r = state_check((enum verb)v, false, (enum process_state)s, &e);

			assert_int_equal(r == 0, legal_init[v][s]);
			assert_int_equal(r, -e.code);
			/* A refusal says what it refuses. */
			assert_int_equal(e.code != 0, e.text[0] != 0 && e.code != 0);
		}
	}
}

struct expectation {
	enum verb verb;
	bool exec;
	enum process_state state;
	int code;
	const char *text;
};

static const struct expectation texts[] = {
	{ VERB_START, false, PROC_RUNNING, TTRPC_UNKNOWN, "cannot start a running process" },
	{ VERB_START, false, PROC_STOPPED, TTRPC_UNKNOWN, "cannot start a stopped process" },
	{ VERB_START, false, PROC_DELETED, TTRPC_UNKNOWN, "cannot start a deleted process" },
	{ VERB_DELETE, false, PROC_RUNNING, TTRPC_UNKNOWN, "cannot delete a running process" },
	{ VERB_DELETE, false, PROC_PAUSED, TTRPC_UNKNOWN, "cannot delete a paused process" },
	{ VERB_DELETE, false, PROC_DELETED, TTRPC_NOT_FOUND, "cannot delete a deleted process" },
	{ VERB_PAUSE, false, PROC_CREATED, TTRPC_UNKNOWN, "cannot pause task in created state" },
	{ VERB_PAUSE, false, PROC_PAUSED, TTRPC_UNKNOWN, "cannot pause a paused container" },
	{ VERB_RESUME, false, PROC_RUNNING, TTRPC_UNKNOWN, "cannot resume a running process" },
	{ VERB_RESUME, false, PROC_STOPPED, TTRPC_UNKNOWN, "cannot resume a stopped container" },
	{ VERB_UPDATE, false, PROC_STOPPED, TTRPC_UNKNOWN, "cannot update a stopped container" },
	{ VERB_CHECKPOINT, false, PROC_CREATED, TTRPC_UNKNOWN,
	  "cannot checkpoint a task in created state" },
	{ VERB_EXEC, false, PROC_CREATED_CHECKPOINT, TTRPC_UNKNOWN,
	  "cannot exec in a created state" },
	{ VERB_EXEC, false, PROC_PAUSED, TTRPC_UNKNOWN, "cannot exec in a paused state" },
	{ VERB_EXEC, false, PROC_STOPPED, TTRPC_UNKNOWN, "cannot exec in a stopped state" },
	{ VERB_KILL, false, PROC_CREATED_CHECKPOINT, TTRPC_NOT_FOUND, "no such container" },
	{ VERB_KILL, false, PROC_STOPPED, TTRPC_NOT_FOUND, "process already finished" },
	{ VERB_KILL, false, PROC_DELETED, TTRPC_NOT_FOUND, "cannot kill a deleted process" },
	{ VERB_START, true, PROC_RUNNING, TTRPC_UNKNOWN, "cannot start a running process" },
	{ VERB_START, true, PROC_STOPPED, TTRPC_UNKNOWN, "cannot start a stopped process" },
	{ VERB_DELETE, true, PROC_RUNNING, TTRPC_UNKNOWN, "cannot delete a running process" },
	{ VERB_KILL, true, PROC_CREATED, TTRPC_FAILED_PRECONDITION, "process not created" },
	{ VERB_KILL, true, PROC_STOPPED, TTRPC_NOT_FOUND, "process already finished" },
	{ VERB_RESIZE, true, PROC_STOPPED, TTRPC_UNKNOWN, "cannot resize a stopped container" },
};

static void texts_word_for_word(void **st)
{
	(void)st;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct expectation *x = &texts[i];
		struct err e = ERR_INIT;

		assert_int_equal(state_check(x->verb, x->exec, x->state, &e), -x->code);
		assert_string_equal(e.text, x->text);
	}
}

static void execs(void **st)
{
	static const struct {
		enum verb verb;
		enum process_state state;
	} legal[] = {
		{ VERB_START, PROC_CREATED }, { VERB_DELETE, PROC_CREATED },
		{ VERB_DELETE, PROC_STOPPED }, { VERB_KILL, PROC_RUNNING },
		{ VERB_RESIZE, PROC_CREATED }, { VERB_RESIZE, PROC_RUNNING },
	};
	struct err e = ERR_INIT;

	(void)st;
	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
		assert_int_equal(state_check(legal[i].verb, true, legal[i].state, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_of_the_init),
		cmocka_unit_test(texts_word_for_word),
		cmocka_unit_test(execs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
