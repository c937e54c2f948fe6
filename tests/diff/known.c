/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences from the stock shim (1.6.20) that are meant, each with its
 * reason. One that no longer occurs makes the suite fail, as does any other.
 * Numbers in brackets are sections of the contract; [B] is its list of things
 * that stock does and need not be copied.
 */
#include "tests/diff/diff.h"

#define NONE "(none)"

const struct known known[] = {
	/* What "delete" (the command) says after the end of each task [1.13]. */
	{ "*", "delete *", "status 0x0 {pid=P? exit_status=137 exited_at=T?}",
	  "status 0x0 {pid=P? *exited_at=T?}",
	  "ours has a record of the true status and time; 137 and now only when nobody knows" },
	{ "*", "file */exit", NONE, "mode 100600 ", "that record" },
	{ "*", "stderr of delete *", "some", "none",
	  "containerd logs it as a warning; that runc does not know the container is usual" },
	{ "*", "delete *", "status 0x100 no reply",
	  "status 0x0 {pid=-1 exit_status=137 exited_at=T?}",
	  "no file runtime: Create never came; tolerated, as by later stock shims" },
	{ "*", "file */log.json", "mode 100644 ", NONE,
	  "the runtime's log goes to a memfd: never an old error for a new failure [B]" },
	{ "*", "CloseIO c1/nope", "Unknown: process does not exist nope: not found",
	  "NotFound: process does not exist nope: not found",
	  "the code of all other methods [4.10]" },
	{ "*", "socket after Shutdown", "there", "gone",
	  "unlinked before the answer, or the next start may join a dying shim [1.11]", true },
	{ "*", "Shutdown", "Unavailable: ttrpc: closed", "OK {}",
	  "stock may be gone before its answer is", true },
	{ "*", "file */e?.pid", "mode 100644 P?", NONE,
	  "pid files of execs are elsewhere: no id collides with init.pid [B]" },
	{ "life-deleted-before-start", "event 1", "*exit_status=137 exited_at=zero}",
	  "*exit_status=137 exited_at=T1}", "true time [B]" },
	{ "life-deleted-before-start", "event 2", "*{container_id=c1 pid=P1 exited_at=zero}",
	  "*{container_id=c1 pid=P1 exit_status=137 exited_at=T1}", "true status [B]" },
	{ "life-deleted-before-start", "Delete c1", "OK {pid=P1 exited_at=zero}",
	  "OK {pid=P1 exit_status=137 exited_at=T1}", "true status [B]" },
	{ "exec-outlives-init", "event 4", "*id=c1 pid=P1 *", "*id=e1 pid=P2 *",
	  "as from 1.7 on: the exit of the init comes last [4.12]" },
	{ "exec-outlives-init", "event 5", "*id=e1 pid=P2 *", "*id=c1 pid=P1 *",
	  "as from 1.7 on: the exit of the init comes last [4.12]" },
	{ "states-stopped", "Start c1/e1",
	  "Unknown: OCI runtime exec failed: exec failed: cannot exec in a stopped container",
	  "FailedPrecondition: container c1 init process is not running: failed precondition",
	  "as from 1.7 on [4.7]" },
	{ "kill-behind-our-back", "Kill c1 *", "NotFound: no such container: not found",
	  "NotFound: process already finished: not found",
	  "its death is known; the runtime is not asked" },
	{ "kill-behind-our-back", "Pids c1", "Unknown: *container does not exist|", "OK {}",
	  "an empty list, from the cgroup: the runtime is not asked" },
	{ "states-running", "Create c1",
	  "Unknown: OCI runtime create failed: runc create failed: *already exists",
	  "AlreadyExists: container c1: already exists",
	  "stock ruins the files of the one that is there [B]" },
	{ "kill-*", "Kill c1 *",
	  "Unknown: unknown error after kill: runc did not terminate successfully: exit status "
	  "1: unable to signal init: invalid argument|",
	  "Unknown: unknown error after kill: invalid argument",
	  "a pidfd does it, no runc process" },
	{ "kill-*", "Kill c1 -1", "Unknown: *", "InvalidArgument: 4294967295 is no signal: *",
	  "no such number can be passed on" },
	{ "kill-exec", "Kill c1/e1 -1", "Unknown: *", "InvalidArgument: 4294967295 is no signal: *",
	  "no such number can be passed on" },
};

const size_t n_known = sizeof(known) / sizeof(known[0]);
