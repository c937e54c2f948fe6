/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bound of the shim, with its reason. Those in struct limits can be set
 * by the environment of "start" (milliseconds), for hosts that need it and for
 * tests that cannot wait.
 */
#pragma once

#include <stdint.h>

/*
 * How long a FIFO's reader is waited for (BRASS_FIFO_TIMEOUT_MS): clients open
 * their ends before they call, so this only bounds a client that is gone.
 */
#define LIMIT_FIFO_MS 30000

/*
 * How long a Delete waits for output that something else still holds open
 * (BRASS_DRAIN_TIMEOUT_MS). CRI's tests have writers that need two seconds.
 */
#define LIMIT_DRAIN_MS 10000

/*
 * How long the execs of a dead init may delay its exit event
 * (BRASS_EXEC_DRAIN_TIMEOUT_MS): they die with it, unless they hang in the kernel.
 */
#define LIMIT_EXEC_DRAIN_MS 10000

/*
 * A runtime command (BRASS_RUNTIME_TIMEOUT_MS). Hooks run inside it, and pull
 * or mount over networks: generous, but not for ever.
 */
#define LIMIT_RUNTIME_MS 600000

/*
 * A logger at Delete: so long it may write what it has read, then it is asked to
 * end (SIGTERM), then so long until SIGKILL (contract 5.5).
 */
#define LIMIT_LOGGER_END_MS 2000
#define LIMIT_LOGGER_TERM_MS 12000

/*
 * Pids asked for right after Start shows a container that has not even forked yet;
 * "runc ps" takes this long to begin, and clients count on what it finds then
 * (TestContainerPids of containerd 1.6).
 */
#define LIMIT_PIDS_SETTLE_MS 25

/* A runtime command whose container has died under it: it only has to notice. */
#define LIMIT_RUNTIME_ORPHAN_MS 10000

/* Mounting or unmounting a rootfs (BRASS_MOUNT_TIMEOUT_MS): slow disks take a minute. */
#define LIMIT_MOUNT_MS 120000

/*
 * A shim without container and connection leaves (BRASS_LEASE_MS). Containerd
 * connects within milliseconds of the answer of "start".
 */
#define LIMIT_LEASE_MS 30000

/* After Shutdown, how long the last events are offered to containerd. */
#define LIMIT_GOODBYE_MS 5000

/* Events nobody took keep a shim without containers alive this long. */
#define LIMIT_LEASE_EVENTS_MS 3600000

/*
 * Events kept for a containerd that is away: bytes in all. A pod that execs
 * ten probes a second writes some 8 MiB an hour; exits are given up last.
 */
#define LIMIT_EVENT_BYTES (8u << 20)

/*
 * Nothing has happened for so long: memory is given back (memory.h). Long enough
 * that a client's calls in a row find everything in place.
 */
#define LIMIT_QUIET_MS 30

/* Containers of one shim: ten times what a pod has been seen to have. */
#define LIMIT_CONTAINERS 4096

/* Execs of one container that have not been deleted. */
#define LIMIT_EXECS 65536

/* An exec's process document: CRI's frames end at 4 MiB. */
#define LIMIT_DOCUMENT (4u << 20)

struct limits {
	uint64_t fifo_ns, drain_ns, exec_drain_ns, lease_ns;
	unsigned runtime_ms, mount_ms;
};

/* Reads the environment; what is no number is ignored. */
void limits_load(struct limits *l);
