/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of struct spec_options. Private to options*.c. */
#pragma once

#include "spec/json.h"

#define SPEC_N_OPTIONS 13

/*
 * In the order of the message's fields: the name in options.json, the kind
 * (JSON_BOOL, JSON_NUMBER for an uint32_t, or JSON_STRING), and the place in
 * struct spec_options.
 */
extern const struct json_rule spec_option_rules[SPEC_N_OPTIONS];
