// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_PUBLISH_H
#define SLUICE_CONTROL_PUBLISH_H

#include "state.h"

// Builds the snapshot of all that control holds and puts it in force. When it returns no worker
// uses the one before. Thread safety: owner thread only (control).

// decisions: something that decisions depend on has changed (rules, ports, MACs), so cached ones
// are stale; else only who polls what. -ENOMEM: what was in force stays in force.
int publish(struct control *c, bool decisions);
// After the workers have ended.
void publish_fini(struct control *c);

#endif
