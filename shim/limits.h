/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bound of the shim, with its reason. Those in struct limits can be set
 * by the environment of "start" (milliseconds), for hosts that need it and for
 * tests that cannot wait. tests/bounds names the test that crosses each.
 *
 * The libraries have their own: struct ttrpc_limits and ttrpc/limits.h; SPEC_MAX_…
 * of spec/spec.h, TOML_MAX_… of spec/toml.h, CHECK_MAX_… of spec/check.h. An array that
 * our own code fills, an argument vector for example, is as long as that needs.
 */
#pragma once

#include <stdint.h>

/* ------------------------------------------------------ waiting, and how long */

/*
 * How long a FIFO's reader is waited for (BRASS_FIFO_TIMEOUT_MS): clients open
 * their ends before they call, so this only bounds a client that is gone.
 */
#define LIMIT_FIFO_MS 30000

/*
 * How long a Delete waits for output that something else still holds open
 * (BRASS_DRAIN_TIMEOUT_MS), and we, if told to end, for what is not read or
 * logged yet. CRI's tests have writers that need two seconds.
 */
#define LIMIT_DRAIN_MS 10000

/*
 * How long the execs of a dead init may delay its exit event
 * (BRASS_EXEC_DRAIN_TIMEOUT_MS): they die with it, unless they hang in the kernel.
 */
#define LIMIT_EXEC_DRAIN_MS 10000

/*
 * An init's exit is told when the client has read its output, or has read nothing of it
 * for so long (BRASS_UNREAD_TIMEOUT_MS); looked for so often. A containerd of before June 2023 (its pull request
 * 8643) closes its ends when it knows of the exit, and loses what is in them; on a busy
 * machine it has needed 60 ms.
 */
#define LIMIT_UNREAD_MS 200
#define LIMIT_UNREAD_LOOK_MS 1

/*
 * A runtime command (BRASS_RUNTIME_TIMEOUT_MS). Hooks run inside it, and pull
 * or mount over networks: generous, but not for ever.
 */
#define LIMIT_RUNTIME_MS 600000

/*
 * So often, while a command runs, what it has printed beyond LIMIT_PS, and logged before the
 * last SPEC_MAX_LOG bytes, is taken out of memory: nobody would read it. Most have ended
 * before.
 */
#define LIMIT_OUTPUT_MS 100

/*
 * A logger at Delete: so long it may write what it has read, then it is asked to
 * end (SIGTERM), then so long until SIGKILL (contract 5.5).
 */
#define LIMIT_LOGGER_END_MS 2000
#define LIMIT_LOGGER_TERM_MS 12000

/*
 * The writer of log files was killed: its successor comes so much later, so that one
 * that cannot live costs little. The container's pipes hold 64 KiB meanwhile.
 */
#define LIMIT_LOGFILE_AGAIN_MS 1000

/*
 * Pids asked for right after Start shows a container that has not even forked yet;
 * "runc ps" takes this long to begin, and clients count on what it finds then
 * (TestContainerPids of containerd 1.6).
 */
#define LIMIT_PIDS_SETTLE_MS 25

/* After SIGKILL, a child: only one that sleeps in the kernel needs longer. */
#define LIMIT_KILL_MS 5000

/* An init that a Delete has sent SIGKILL. */
#define LIMIT_DEATH_MS 10000

/*
 * "delete", which containerd gives five seconds: all it takes, and what is left of that
 * for the unmount. Each of the others of a dead shim may take as long as the third says,
 * so many at once, also after the answer.
 */
#define LIMIT_DELETE_MS 4500
#define LIMIT_DELETE_UNMOUNT_MS 1000
#define LIMIT_DELETE_OTHER_MS 10000
#define LIMIT_DELETE_AT_ONCE 16

/* "-info", which containerd waits for when it starts: "runc features". */
#define LIMIT_FEATURES_MS 10000

/*
 * A "start" has the lock of the folder of sockets, for less than a millisecond as a rule.
 * Whoever has waited for it so long goes on without, as the stock shim does always.
 */
#define LIMIT_LOCK_MS 1000

/* connect(2) to a socket that may be a dead shim's: only a full backlog waits. */
#define LIMIT_CONNECT_MS 100

/* fusermount: it asks the file system, whose daemon may hang; umount2(2) need not. */
#define LIMIT_FUSERMOUNT_MS 2000

/* The end of a child that only holds a user namespace open. */
#define LIMIT_IDMAP_MS 5000

/* Whoever unmounts what is busy tries so often, with 50 ms between. */
#define LIMIT_UNMOUNT_TRIES 50

/* Whoever asks for a free loop device at the same time gets the same answer. */
#define LIMIT_LOOP_TRIES 99

/* Joining a cgroup that says EINVAL while its controllers are being set up, 30 ms apart. */
#define LIMIT_CGROUP_TRIES 5

/* As openat2(2) says itself: it was a race, and may well work the next time. */
#define LIMIT_TARGET_TRIES 32

/*
 * A process that forks as fast as it is killed loses within a few rounds. Of so many at a
 * time there is a descriptor.
 */
#define LIMIT_KILL_ROUNDS 16
#define LIMIT_KILL_AT_ONCE 64

/*
 * Containerd is away: tries with twice the pause each, then this one; the other one, if
 * the folder of its socket cannot be watched (inotify(7) has few instances for a user).
 */
#define LIMIT_EVENT_TRIES 8
#define LIMIT_EVENT_PAUSE_MS 60000
#define LIMIT_EVENT_BLIND_MS 4000

/* An event that containerd answers with an error is sent again for so long, as the stock shim does. */
#define LIMIT_EVENT_REFUSED_MS 20000

/*
 * A container at its limit is reclaimed from all the time, and memory.events says so
 * a hundred times a second. The less is found in it the longer it is let be, up to
 * this; the last look is not put off.
 */
#define LIMIT_OOM_PAUSE_MS 100

/*
 * Between two looks at all children, which take some system calls for each: at so many
 * at a time, which is some milliseconds, and at the others after so long.
 */
#define LIMIT_LOOK_MS 1000
#define LIMIT_LOOK_AT_ONCE 256
#define LIMIT_LOOK_PART_MS 20

/* A runtime command whose container has died under it: it only has to notice. */
#define LIMIT_RUNTIME_ORPHAN_MS 10000

/* Mounting or unmounting a rootfs (BRASS_MOUNT_TIMEOUT_MS): slow disks take a minute. */
#define LIMIT_MOUNT_MS 120000

/*
 * A shim without container and connection leaves (BRASS_LEASE_MS). Containerd
 * connects within milliseconds of the answer of "start".
 */
#define LIMIT_LEASE_MS 30000

/*
 * A shim that is connected and has no container leaves (BRASS_UNUSED_MS). Containerd calls
 * Create right after "start", and Shutdown after the last Delete; a client that has waited
 * for its Create as long as this, as CRI's do two minutes, has given it up.
 */
#define LIMIT_UNUSED_MS 300000

/* After Shutdown, how long the last events are offered to containerd. */
#define LIMIT_GOODBYE_MS 5000

/*
 * Events nobody took keep a shim without containers alive this long. It is also the longest
 * pause between looks at whether the containers that are over were cleaned up without it.
 */
#define LIMIT_LEASE_EVENTS_MS 3600000

/* ------------------------------------------------------------------ how much */

/*
 * Events kept for a containerd that is away: bytes in all. A pod that execs
 * ten probes a second writes some 8 MiB an hour. Exits may take more, since a process whose
 * exit is lost runs for ever in the eyes of its client: then execs' exits are given up, the
 * oldest first, and when there are no more of them those of containers.
 */
#define LIMIT_EVENT_BYTES (8u << 20)
#define LIMIT_EVENT_EXIT_BYTES (32u << 20)

/*
 * Nothing has happened for so long: memory is given back (memory.h; BRASS_REST_MS).
 * Long enough that a client's calls in a row find everything in place, also those of
 * a containerd that starts and asks many shims in turns: a rest, and getting back what
 * it gave away, costs more than most calls. (If that is all that it gets to do, it waits
 * for longer: loop.h.)
 */
#define LIMIT_REST_MS 250

/* Containers of one shim: ten times what a pod has been seen to have. */
#define LIMIT_CONTAINERS 4096

/* Execs of one container that have not been deleted. */
#define LIMIT_EXECS 65536

/* Process documents of the execs of one container that have not been started. */
#define LIMIT_DOCUMENTS (64u << 20)

/* Ids and namespaces, as containerd bounds them itself. */
#define LIMIT_IDENTIFIER 76

/* What "start" and "-info" read from stdin: what the Go shim reads (contract 1.4). */
#define LIMIT_STDIN (10u << 20)

/* The administrator's options in a file. */
#define LIMIT_OPTIONS (1u << 20)

/* The shim's own files in a bundle: an address, a pid, an exit. */
#define LIMIT_BUNDLE_FILE 4096

/* What "runc features" and "runc ps" print: thousands of pids. */
#define LIMIT_FEATURES (1u << 20)
#define LIMIT_PS (1u << 20)

/* Pids in the cgroups of one container, and in how many folders below each other. */
#define LIMIT_PIDS (1u << 20)
#define LIMIT_CGROUP_DEPTH 32

/* Bytes of /proc/partitions. */
#define LIMIT_PARTITIONS (4u << 20)

/* The longest line of such a file, and one more; what is read by words may have longer ones. */
#define LIMIT_LINE 4096

/* Bytes of cgroup.controllers: the kernel has a dozen, of short names. */
#define LIMIT_CONTROLLERS 512

/* The answer of Stats: half of what a frame can carry. */
#define LIMIT_STATS (2u << 20)

/* The answer of Inspect, give or take one process. */
#define LIMIT_INSPECT (1u << 20)

/* A line of the log: a FIFO takes PIPE_BUF bytes in one piece. */
#define LIMIT_LOG_LINE 3072

/* CRIU's log that is kept beside a checkpoint. */
#define LIMIT_CRIU_LOG (16u << 20)

/* --empty-ns of a checkpoint: twice as many as there are kinds of them. */
#define LIMIT_EMPTY_NAMESPACES 16

/* A URI's scheme, and its words, of which there are more than any logger takes. */
#define LIMIT_URI_SCHEME 31
#define LIMIT_URI_ARGS 128

/* Symbolic links on the way to a mount's target, as for the kernel, and folders. */
#define LIMIT_TARGET_LINKS 40
#define LIMIT_TARGET_DEPTH 256

/* Room that an overlay's options leave below the page that the kernel takes. */
#define LIMIT_MOUNT_SPARE 512

/*
 * Bytes of a pipe or of a terminal that are moved before others get their turn, and
 * the buffer for what cannot be spliced. A pipe that is full too often grows up to this.
 */
#define LIMIT_RELAY_ROUND (1u << 20)
#define LIMIT_RELAY_BUFFER (64u << 10)
#define LIMIT_PIPE (1 << 20)
#define LIMIT_TTY_ROUND (256u << 10)
#define LIMIT_TTY_BUFFER (16u << 10)

/*
 * Small pieces of output gather for this long (gather.h), when so many have come in a
 * window: more than there are of a conversation, whose every turn wakes two others. A
 * moment that gathers less was for nothing, and one that gathers more (of the 64 KiB of
 * a pipe) is about to hold up the writer.
 */
#define LIMIT_GATHER_MS 1
#define LIMIT_GATHER_WINDOW_MS 2
#define LIMIT_GATHER_PIECES 64
#define LIMIT_GATHER_LEAST 1024
#define LIMIT_GATHER_MOST (48u << 10)

/* Output without line ends goes on after so many dropped bytes: CRI cuts lines there too. */
#define LIMIT_LOG_SKIP (16u << 10)

struct limits {
	uint64_t fifo_ns, drain_ns, exec_drain_ns, unread_ns, lease_ns, unused_ns;
	unsigned runtime_ms, mount_ms, rest_ms;
};

/* Reads the environment; what is no number is ignored. */
void limits_load(struct limits *l);
