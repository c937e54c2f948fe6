/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences from the stock shim (1.6.20) that are meant, each with its
 * reason. One that no longer occurs makes the suite fail, as does any other.
 * Numbers in brackets are sections of the contract; [B] is its list of things
 * that stock does and need not be copied.
 */
#include "tests/diff/diff.h"

#define NONE "(none)"
#define KNOWN(...)                 \
	{                          \
		__VA_ARGS__, false \
	}
/* Depends on who is faster, or what is installed: need not occur. */
#define RACE(...)                 \
	{                         \
		__VA_ARGS__, true \
	}

const struct known known[] = {
	/* What "delete" (the command) says after the end of each task [1.13]. */
	KNOWN("*", "delete *", "status 0x0 {pid=P? exit_status=137 exited_at=T?}",
	      "status 0x0 {pid=P? *exited_at=T?}",
	      "ours has a record of the true status and time; 137 and now only when "
	      "nobody knows"),
	KNOWN("*", "file */exit", NONE, "mode 100600 ", "that record"),
	KNOWN("*", "file */others", NONE, "mode 40700 none",
	      "how delete cleans the others of a pod whose bundles are gone by then"),
	KNOWN("*", "file */shim", NONE, "mode 100600 ",
	      "by which the other containers of a dead shim are found"),
	KNOWN("*crash*", "sockets after delete", "?*", "none",
	      "that of a dead shim goes with its last container"),
	KNOWN("*", "stderr of delete *", "some", "none",
	      "containerd logs it as a warning; that runc does not know the container "
	      "is usual"),
	KNOWN("*", "delete *", "status 0x100 no reply",
	      "status 0x0 {pid=-1 exit_status=137 exited_at=T?}",
	      "no file runtime: Create never came; tolerated, as by later stock shims"),
	KNOWN("*", "file */log.json", "mode 100644 ", NONE,
	      "the runtime's log goes to a memfd: never an old error for a new "
	      "failure [B]"),
	KNOWN("*", "CloseIO c1/nope", "Unknown: process does not exist nope: not found",
	      "NotFound: process does not exist nope: not found",
	      "the code of all other methods [4.10]"),
	RACE("*", "socket after Shutdown", "there", "gone",
	     "unlinked before the answer, or the next start may join a dying shim "
	     "[1.11]"),
	RACE("*", "Shutdown", "Unavailable: ttrpc: closed", "OK {}",
	     "stock may be gone before its answer is"),
	KNOWN("*", "file */e?.pid", "mode 100644 P?", NONE,
	      "pid files of execs are elsewhere: no id collides with init.pid [B]"),
	RACE("*", "event oom", "e2e /tasks/oom {container_id=c?}", NONE,
	     "v1: a cgroup's removal looks like one if stock is slow to see that it "
	     "is gone"),
	RACE("runtime-out-of-memory", "OOM event", "after the exit", "before the exit",
	     "containerd takes an exit for one of want of memory only if it knows by then "
	     "[8.4]"),
	RACE("*", "Checkpoint c1",
	     "Unknown: *CRIU version check failed: *not found in $PATH path= *",
	     "Unknown: *CRIU version check failed: *not found in $PATH",
	     "criu, which is not there, has left no log: none is named"),
	/* A container that was never started. */
	KNOWN("*", "Delete c?", "OK {pid=P? exited_at=zero}",
	      "OK {pid=P? exit_status=137 exited_at=T?}", "the true status and time [B]"),
	KNOWN("*", "event *", "* /tasks/delete {container_id=c? pid=P? exited_at=zero}",
	      "* /tasks/delete {container_id=c? pid=P? exit_status=137 exited_at=T?}",
	      "the true status and time [B]"),
	KNOWN("*", "event *", "* /tasks/exit * exit_status=137 exited_at=zero}",
	      "* /tasks/exit * exit_status=137 exited_at=T?}", "the true time [B]"),
	KNOWN("exec-outlives-init", "event 4", "*id=c1 pid=P1 *", "*id=e1 pid=P2 *",
	      "as from 1.7 on: the exit of the init comes last [4.12]"),
	KNOWN("exec-outlives-init", "event 5", "*id=e1 pid=P2 *", "*id=c1 pid=P1 *",
	      "as from 1.7 on: the exit of the init comes last [4.12]"),
	KNOWN("states-stopped", "Start c1/e1",
	      "Unknown: OCI runtime exec failed: exec failed: cannot exec in a "
	      "stopped container",
	      "FailedPrecondition: container c1 init process is not running: failed "
	      "precondition",
	      "as from 1.7 on [4.7]"),
	KNOWN("kill-behind-our-back", "Kill c1 *",
	      "NotFound: no such container: not found",
	      "NotFound: process already finished: not found",
	      "its death is known; the runtime is not asked"),
	KNOWN("kill-behind-our-back", "Pids c1", "Unknown: *container does not exist|",
	      "OK {processes={pid=P1}}", "one has ended: the runtime is not asked"),
	KNOWN("*", "Pids c1", "OK {}", "OK {processes={pid=P1}}",
	      "who has ended counts until Delete, or containerd 1.7 forgets the exit"),
	KNOWN("states-running", "Create c1",
	      "Unknown: OCI runtime create failed: runc create failed: *already exists",
	      "AlreadyExists: container c1: already exists",
	      "stock ruins the files of the one that is there [B]"),
	KNOWN("kill-*", "Kill c1 *",
	      "Unknown: unknown error after kill: runc did not terminate "
	      "successfully: exit status "
	      "1: unable to signal init: invalid argument|",
	      "Unknown: unknown error after kill: invalid argument",
	      "a pidfd does it, no runc process"),
	KNOWN("kill-*", "Kill c1 -1", "Unknown: *",
	      "InvalidArgument: 4294967295 is no signal: *",
	      "no such number can be passed on"),
	KNOWN("kill-exec", "Kill c1/e1 -1", "Unknown: *",
	      "InvalidArgument: 4294967295 is no signal: *",
	      "no such number can be passed on"),

	/* Where bytes go. */
	RACE("stdio-file*", "file */log.txt", "mode 100644 *", "mode 100644 *err|*out|",
	     "stock may close the file that both streams share when the first of them has "
	     "ended, and loses the other"),
	RACE("stdio-binary*", "file */logger-args", "*", "*|end|*",
	     "the logger sees the end of its pipes before the signal, which stock "
	     "sends at once"),
	KNOWN("stdio-binary-missing", "Create c1", "Unknown: * 1 error occurred:*",
	      "Unknown: failed to create init process I/O: failed to start binary "
	      "logger: "
	      "fork/exec /no/such/logger: no such file or directory",
	      "stock's text has a list of one"),
	KNOWN("stdio-*", "* c1*",
	      "*copy pipes: containerd-shim: opening file \"*\" failed: open *: no "
	      "such file or "
	      "directory",
	      "Unknown: failed to start io pipe copy: open *: no such file or directory",
	      "the same, said once"),
	KNOWN("stdio-only-stdout", "Create c1", "*: opening file \"\" failed: *", "OK *",
	      "an output that is not wanted is none [5.3]"),
	KNOWN("stdio-only-stdout", "* c1", NONE, "*", "the life that follows"),
	KNOWN("stdio-only-stdout", "event ?", NONE, "*", "the life that follows"),
	KNOWN("stdio-terminal-file", "Create c1",
	      "*: failed to start console copy: stat *", "OK *",
	      "the file is written; broken in stock [5.4]"),
	KNOWN("stdio-terminal-file", "* c1", NONE, "*", "the life that follows"),
	KNOWN("stdio-terminal-file", "event ?", NONE, "*", "the life that follows"),
	KNOWN("stdio-terminal-file", "file /run/e2e/log.txt", "mode 0 cannot be read",
	      "mode 100644 out^|", "the file is written; broken in stock [5.4]"),
	RACE("tty-exec-resized-early", "output *", "\"stty: standard input^|\", end",
	     "\"50 100^|\", end",
	     "a size that was asked for in time is not lost, unless the process asks "
	     "before it is set"),
	KNOWN("stdio-bad-url", "Create c1", "*: parse \"%zz://x\": first path segment *",
	      "Unknown: failed to create init process I/O: unable to parse stdout "
	      "uri: %zz://x",
	      "Go's words for it"),
	KNOWN("stdio-missing-stdin", "Create c1", "Unknown: failed to open stdin fifo *",
	      "Unknown: failed to create init process I/O: failed to open stdin fifo *",
	      "noticed before the runtime is run"),
	KNOWN("stdio-missing-stdin", "file c1/init.pid", "mode 100644 P1", NONE,
	      "noticed before the runtime is run"),
	KNOWN("stdio-missing-stdin", "delete c1",
	      "* {pid=P1 exit_status=137 exited_at=T1}",
	      "* {pid=-1 exit_status=137 exited_at=T1}",
	      "noticed before the runtime is run"),
	KNOWN("stdio-*", "runc before delete", "c1", "none",
	      "a Create that fails leaves nothing; stock leaves a container"),
	KNOWN("stdio-*", "cgroups before delete", " *", "none",
	      "a Create that fails leaves nothing; stock leaves a container"),

	/* Failures. */
	KNOWN("fail-*", "Create c1",
	      "* unable to retrieve OCI runtime error (open */log.json: *): *",
	      "Unknown: OCI runtime create failed: *", "there is no log.json [B]"),
	KNOWN("fail-killed-runtime", "Create c1", "* exit status 137", "* signal: killed",
	      "the signal by its name"),
	KNOWN("fail-unknown-options", "Create c1", "Unknown: type with url *: not found",
	      "InvalidArgument: options of the unknown type *",
	      "what is wrong with the request"),
	KNOWN("fail-bad-options", "Create c1", "FailedPrecondition: unexpected EOF",
	      "InvalidArgument: the options are no valid containerd.runc.v1.Options: *",
	      "what is wrong with the request"),
	KNOWN("fail-no-bundle", "Create c2", "NotFound: open */options.json: *",
	      "InvalidArgument: */c2/config.json: No such file *",
	      "config.json is read first, and nothing written before"),
	KNOWN("fail-bad-config", "Create c1",
	      "Unknown: OCI runtime create failed: *unexpected EOF",
	      "InvalidArgument: config.json:1:12: premature EOF: *",
	      "config.json is read first, and nothing written before"),
	KNOWN("exec-fail-*-json", "Exec c1/e1", "Unknown: unexpected end of JSON input",
	      "InvalidArgument: exec e1: process:1:*: premature EOF: *",
	      "with the position"),

	/* What no runtime takes is refused with its place. */
	KNOWN("exec-fail-wrong-type", "Exec c1/e1", "Unknown: json: cannot unmarshal *",
	      "InvalidArgument: exec e1: process:1:9: args: an array is needed, *",
	      "with the position"),
	KNOWN("fail-*", "Create c1", "Unknown: OCI runtime create failed: *",
	      "InvalidArgument: config.json:1:*: *", "with the position"),
	KNOWN("fail-*", "file c1/options.json", "*", NONE,
	      "config.json is read first, and nothing written before"),
	KNOWN("fail-*", "file c1/runtime", "*", NONE,
	      "config.json is read first, and nothing written before"),
	KNOWN("exec-fail-*", "Start c1/e1", "Unknown: OCI runtime exec failed: *",
	      "Unknown: OCI runtime exec failed: * (process:1:*)",
	      "what the runtime said, and where the reason is"),

	/* Mounts: the text of 1.7 and later [6.2]. */
	KNOWN("mount-*", "Create c1", "Unknown: failed to mount rootfs component &{*}: *",
	      "Unknown: failed to mount rootfs component: mount source: \"*\", "
	      "target: \"*\", "
	      "fstype: *, flags: *, data: \"*\", err: *",
	      "as from 1.7 on [6.2]"),

	RACE("control-pause", "event ?*", "* /tasks/exit *", "* /tasks/resumed *",
	     "an exec that dies as it is resumed"),
	RACE("control-pause", "event ?*", "* /tasks/resumed *", "* /tasks/exit *",
	     "an exec that dies as it is resumed"),

	/* Update: the runtime judges the document. */
	KNOWN("control-update", "Update c1 *", "Unknown: *JSON input",
	      "Unknown: runc did not terminate successfully: exit status 1: *EOF",
	      "the document goes to the runtime as it is"),
	KNOWN("control-update", "Update c1 *", "Unknown: invalid character *",
	      "Unknown: runc did not terminate successfully: exit status 1: invalid "
	      "character *",
	      "the document goes to the runtime as it is"),
	KNOWN("control-update", "Update c1 *", "Unknown: json: cannot unmarshal *",
	      "Unknown: runc did not terminate successfully: exit status 1: json: "
	      "cannot unmarshal *",
	      "the document goes to the runtime as it is"),
	KNOWN("control-update", "Update c1 *", "*: unable to set memory limit *)|",
	      "*: unable to set memory limit *)", "no newline at the end of a text"),
	KNOWN("runtime-to-be-restored", "* c1*", "*: container does not exist|",
	      "*: container does not exist", "no newline at the end of a text"),

	/* How the runtime is run. */
	KNOWN("runtime-argv", "runc kill", "*", NONE, "signals go by pidfd"),

	/* One shim begins, the other goes on: the above, with sides changed. */
	KNOWN("cross-*", "stderr of delete *", "none", "some", "stock's warning [1.13]"),
	RACE("cross-*", "socket after Shutdown", "gone", "there", "as above"),
	RACE("cross-*", "Shutdown", "OK {}", "Unavailable: ttrpc: closed", "as above"),
	KNOWN("cross-delete", "sockets after delete", "none", "?*", "as above"),
	KNOWN("cross-start", "file */shim", "mode 100600 ", NONE, "as above"),
	KNOWN("cross-start", "file */exit", "mode 100600 ", NONE,
	      "our record of the true status"),
	KNOWN("cross-start", "file */log.json", NONE, "mode 100644 ", "ours has none"),
	KNOWN("cross-start", "delete c1", "* exit_status=5 *", "* exit_status=137 *",
	      "our record of the true status"),

	/* The command line. */
	KNOWN("flags-version", "-v", "*, /run/diff/bin/containerd-shim-runc-v2;*",
	      "*, containerd-shim-runc-v2;*", "as from 1.7 on [1.9]"),
	KNOWN("flags-*", "*", "status 0x100*", "status 0x100*|",
	      "a line ends with a newline; the texts about config.json are our own"),
	KNOWN("flags-delete", "delete with bad options", "status 0x100, none",
	      "status 0x0, reply",
	      "what can be cleaned up is: a refusal would leave more behind"),
	KNOWN("flags-info", "info", "status 0x200, *",
	      "status 0x0, stdout some, stderr none", "2.x has -info [1.9]"),
	KNOWN("flags-unknown-methods", "Task v3", "Unimplemented: service *",
	      "NotFound: container not created: not found",
	      "both versions are served [1.5]"),
};

const size_t n_known = sizeof(known) / sizeof(known[0]);
