/* SPDX-License-Identifier: Apache-2.0 */
/* What a process uses, as the kernel tells. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "spec/json.h"

/* Memory in kB; -1: this user may not know. */
struct usage {
	int64_t rss, pss, private_dirty;
	int64_t fds, fds_max, threads;
};

void usage_of(pid_t pid, struct usage *u);
/* As members of an object: "rss_kb", "pss_kb", …; null: unknown. */
void usage_write(const struct usage *u, struct json_out *out);
