/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds of the library that its user does not set (struct ttrpc_limits), with
 * their reasons. TTRPC_MAX_PAYLOAD, of ttrpc.h, is the protocol's own.
 */
#pragma once

/*
 * Decoded messages are larger than the wire's bytes: the envelope and what is
 * in it are copied once each, and every field has its struct. Small ones may
 * be much larger, so there is an allowance.
 */
#define TTRPC_LIMIT_DECODE_FACTOR 8
#define TTRPC_LIMIT_DECODE_MORE (256u << 10)

/* What a handler may ask for, for one call. */
#define TTRPC_LIMIT_HANDLER (16u << 20)

/*
 * When as many calls are open as may be, a connection that has but few of them gets one
 * more, so that somebody's many Waits do not keep another from Kill: so few, and so great a
 * part of the limit is for that. As great a part is for what does not wait, so that they do
 * not keep that client itself from it.
 */
#define TTRPC_LIMIT_FEW 16
#define TTRPC_LIMIT_RESERVE 8

/* Unsent bytes of a client from which on nothing more is taken: two of the longest frames. */
#define TTRPC_LIMIT_CLIENT_OUTPUT (2 * (size_t)TTRPC_MAX_PAYLOAD)

/*
 * Of one turn of the loop, so that others get theirs: connections taken; of each, reads, and
 * frames delivered: a turn costs some microseconds, a request (Stats) up to a hundred times that.
 */
#define TTRPC_LIMIT_ACCEPTS 16
#define TTRPC_LIMIT_READS 4
#define TTRPC_LIMIT_FRAMES 1

/*
 * One read: of requests, and of the payload that is under way, which costs nothing until it
 * is complete. What is not read stays in the socket, and epoll comes back to it after the
 * others; of what is read there is a copy until its turn has come. The buffer is on the
 * stack, and so the whole program's: of its pages only those are ever touched that peers
 * fill at one go.
 */
#define TTRPC_LIMIT_READ_FRAMES 1024
#define TTRPC_LIMIT_READ 16384

/* Until accept(2) is tried again that has failed for want of something: doubled up to this. */
#define TTRPC_LIMIT_BACKOFF_MS 1000

/* Text of an error reply. */
#define TTRPC_LIMIT_STATUS 4096
