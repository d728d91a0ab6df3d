// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_APPLY_H
#define SLUICE_CONTROL_APPLY_H

#include <jansson.h>

#include "state.h"

// Makes what runs follow a configuration: all of it at start, the difference on a reload. A reload
// that fails on the way is undone step by step, so that what ran before runs again. Thread safety:
// owner thread only (control).

int apply_start(struct control *c, struct sl_err *err);
// Takes next over when it succeeds. changes: a list of sentences for people. dry: only says what
// would change.
int apply_reload(
	struct control *c, struct config *next, bool dry, json_t *changes, struct sl_err *err);
// Publishes, has every known flow decided anew, and waits until all workers have the new lanes.
int apply_decisions(struct control *c);
// Takes the attachments of n vports off and closes them, with one publish. -ENOMEM: nothing
// changed.
int apply_leave(struct control *c, const uint16_t *ids, uint16_t n);
// err gets the place of a rule of a file before its own path.
void apply_say_rule(const struct config_rule *rule, struct sl_err *err);

#endif
