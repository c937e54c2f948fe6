/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that can stand still: ext4 on a loop device, and fsfreeze(8). One in a test. */
#pragma once

#include "tests/e2e/harness.h"

/* Makes one of 8 MiB and mounts it on the folder @path, which is made if need be. */
void disk_make(const char *path);
/* Who changes anything on it sleeps, and cannot be killed, until it is thawed. */
void disk_freeze(void);
void disk_thaw(void);
/* Waits until no process is left, and unmounts it. */
void disk_end(void);
/* Whether @pid waits for it. */
bool disk_holds(pid_t pid);
