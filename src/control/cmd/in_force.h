// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_IN_FORCE_H
#define SLUICE_CONTROL_IN_FORCE_H

#include <jansson.h>

#include "ctl/command.h"
#include "state.h"

// How a command that changes decisions ends. Thread safety: owner thread only (control).

// Publishes what was edited and answers: `answer` (stolen) gets "software": "in-force", since
// workers and lanes obey from here on, "software_us": the microseconds that took, and "hardware":
// "in-force" or "pending N". wait: the answer comes when N is 0, or after half a minute. As a
// handler returns.
int in_force(struct control *c, struct ctl_call *call, bool wait, json_t *answer, json_t **result,
	struct sl_err *err);

#endif
