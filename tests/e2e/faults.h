/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a test gets into its shims the libraries that make calls fail or hang, and time pass.
 * For shims to come; each uses free places of e2e.extra_env, three in all with two of
 * them, four with all.
 */
#pragma once

#include <stdint.h>

#include "tests/fake/faults.h"

/* A library of tests/fake, NAME.so; the shim is one into which it can be loaded. */
void preload(const char *library);

/* The programs of this role have it at work. */
struct faults *faults_open(enum fault_role role);
void faults_close(struct faults *f);

void clock_open(void);
void clock_close(void);
/* So much time has passed for all of them; the shim started last has done what is due. */
void clock_pass(uint64_t ms);
