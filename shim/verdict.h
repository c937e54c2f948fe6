/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checker of spec/ makes of a container's documents before the runtime
 * is called, so that what it must refuse is refused with the place and the reason.
 */
#pragma once

#include "shim/err.h"

/*
 * InvalidArgument, with the first finding, if BUNDLE/config.json has what runc refuses.
 * Warnings go to the log, at debug. What could not be checked is no error here. Another
 * @runtime (a name or path that does not end in "runc"; NULL or empty: runc) may be less
 * strict, as crun is here and there: for it all of the findings are warnings.
 */
int verdict_config(const char *bundle, const char *runtime, const char *id, struct err *e);
/* The same for the document of an exec: only what cannot be decoded is refused yet. */
int verdict_process(const char *json, size_t len, struct err *e);
