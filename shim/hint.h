/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime has failed, and its own message often names neither field nor place:
 * puts the checker's finding behind it that is about the same thing. Where none
 * is, nothing: a finding about something else would lead astray.
 */
#pragma once

#include "shim/err.h"

/* Of BUNDLE/config.json. */
void hint_config(const char *bundle, struct err *e);
/* Of the document of an exec; NULL: there is none. */
void hint_process(const char *json, size_t len, struct err *e);
