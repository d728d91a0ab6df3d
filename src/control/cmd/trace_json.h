// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_TRACE_JSON_H
#define SLUICE_CONTROL_TRACE_JSON_H

#include <jansson.h>

#include "datapath/trace.h"
#include "state.h"

// A record of the packet path as the steps that people read: {"step", "result", "detail"} each,
// where a step that is part of the one above it is indented. Thread safety: owner thread only
// (control).

// Appends the steps; number: of the packet ("packet"), 0: there is one only.
void trace_json(struct control *c, const struct dp_trace_record *r, unsigned number, json_t *items);
// The step that says what hardware carries the flow; nothing where it is not placed. True: an
// embedded switch carries it, so that its packets do not come here.
bool trace_json_hardware(struct control *c, const struct flow_key *key, json_t *items);

#endif
