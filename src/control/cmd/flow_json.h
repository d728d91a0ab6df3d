// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_FLOW_JSON_H
#define SLUICE_CONTROL_FLOW_JSON_H

#include <jansson.h>

#include "cache/cache.h"
#include "offload/offload.h"
#include "state.h"

// A flow as an object of an answer (new references).
// Thread safety: owner thread only (control).

// One row: id, port, vm, match, place, queue, state, reason, counters.
json_t *flow_json(struct control *c, const struct offload_flow_info *fi);
// A flow that only a worker's cache knows: in software, light.
json_t *flow_json_cached(struct control *c, const struct cache_flow *e);
// Everything: both sides, traits, counters by place.
// What explains where it is, and no more than fits on a screen.
json_t *flow_json_explain(struct control *c, const struct offload_flow_info *fi);
json_t *flow_json_full(struct control *c, const struct offload_flow_info *fi);
// The place that people see: of the side that carries it.
enum offload_path flow_path(const struct offload_flow_info *fi);

// Of all places.
uint64_t flow_sum(const uint64_t *by_path);

#endif
