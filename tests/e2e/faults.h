/* SPDX-License-Identifier: Apache-2.0 */
/* How a test gets faults.so, the library that makes calls fail or hang, into its shims. */
#pragma once

#include "tests/fake/faults.h"

/* For shims to come, of which the programs of this role have it at work; uses extra_env[0..2]. */
struct faults *faults_open(enum fault_role role);
void faults_close(struct faults *f);
