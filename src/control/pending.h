// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_PENDING_H
#define SLUICE_CONTROL_PENDING_H

#include "state.h"

// Commands that wait for something: `rule add --wait`, `stats --settle`, `flow list` from the
// workers' caches. Each is a step function that control calls every tick until it has answered, or
// its deadline passes. Thread safety: owner thread only (control).

// Returns true when it has answered (or the answer is not wanted any more) and its state is freed.
typedef bool (*pending_step)(struct control *c, void *state, bool expired);

// -ENOMEM, -EBUSY (too many wait): nothing was taken.
int pending_add(struct control *c, pending_step step, void *state, uint64_t timeout_ms);
void pending_run(struct control *c);
// All expire now.
void pending_fini(struct control *c);

#endif
