// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_POLICY_H
#define SLUICE_OFFLOAD_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/match.h"
#include "offload/offload.h"

// Policy rules: what an operator says about kinds of flows, on top of the thresholds that hold for
// all (struct offload_cfg). The first rule that matches a flow is its rule; flows that none matches
// are placed by the thresholds alone, which is what an empty list does with all.
//
// A rule matches on who the flow belongs to, on its packets, its class, the limit of its rule, its
// rate on either time scale, its age, its DSCP and its hint. It says which places the flow may
// have, in which order they are tried, what its queue is shared by, other thresholds, whether hints
// count, which queues it is kept to, and how much of the hardware each VM may have for its flows of
// the rule. A queue that a rule owns is taken by flows of that rule only. What is above a limit
// that is new, or lower than it was, is taken back, the flows that are worth least first.
//
// Rates have hysteresis: a rule with min_bps goes on matching a flow that it has until the flow's
// rate is below 3/4 of it. Cost: a comparison of a key for each rule when a flow is judged.
// Thread safety: owner thread only (control).

#define OFFLOAD_POLICIES_MAX 64
#define OFFLOAD_POLICY_NAME 32

enum offload_share { // what flows of one shared queue have in common
	OFFLOAD_SHARE_VM,
	OFFLOAD_SHARE_RATE_LIMIT, // their rules' limits are within share_ratio_pct of each other
	OFFLOAD_SHARE_PRIORITY,   // their class has one level
	OFFLOAD_SHARE_CLASS,
	OFFLOAD_SHARE_NONE, // nothing: a queue alone, or none
	OFFLOAD_SHARES
};

enum offload_scale {           // of a rate
	OFFLOAD_SCALE_GREATER, // of the two
	OFFLOAD_SCALE_FAST,    // half-life 0.2 s
	OFFLOAD_SCALE_SLOW,    // 5 s
	OFFLOAD_SCALES
};

struct offload_policy {
	char name[OFFLOAD_POLICY_NAME];
	// Which flows. 0, OFFLOAD_NONE, -1: of any.
	bool has_match;
	struct flow_match match;
	uint16_t vm;    // at either end
	uint16_t vport; // that it comes in by
	int16_t cls, priority;
	int8_t hint;                     // as the VM gave it: -1, +1; 0: any
	uint64_t min_bps, max_bps;       // its rate on `scale`; 0: any
	uint8_t scale;                   // enum offload_scale
	uint64_t min_age_ns, max_age_ns; // since its first packet; 0: any
	uint64_t dscp; // bit n: code point n, as the host saw it last; 0: any, also when unknown
	uint32_t min_kbps, max_kbps; // the limit of its rule; 0: any
	// What holds for them.
	uint8_t n_places; // 0: all, as usual
	// enum offload_path, the best first; software is always last. A queue before the eswitch is
	// for flows that are worth one (normal; alone: heavy): the others, and those that find
	// none, get an entry of the eswitch, and these a queue when one is free. Where the list has
	// the shared queue before the one alone, a heavy flow gets one alone when it can share
	// none.
	uint8_t places[OFFLOAD_PATHS];
	uint8_t share;                 // enum offload_share
	uint64_t heavy_bps, light_bps; // 0: as for all
	uint64_t least_bps;            // to be worth a place; 0: as for all
	bool no_hints;                 // they do not count
	// Code points that are a hint, where the VM gave none by its channel (bits as above).
	uint64_t dscp_raise, dscp_lower;
	bool strict_order;                // no embedded switch: packets could be overtaken there
	uint16_t queue_first, queue_last; // of each port; queue_first OFFLOAD_NONE: any
	bool queues_owned;                // nobody else may have those
	// What each VM may have of the hardware for its flows of this rule, beside its own limits
	// (offload/vm.h, which says who pays for what). 0: no limit.
	uint32_t max_queues;      // alone, receive and transmit, of all NICs
	uint32_t max_entries;     // of all NICs
	uint32_t max_inserts;     // a second
	uint32_t share_ratio_pct; // OFFLOAD_SHARE_RATE_LIMIT; 0: 200
};

// A rule that matches all and changes nothing.
void offload_policy_init(struct offload_policy *p);
// Takes a copy of n rules in place of those in force, and judges all flows again. -EINVAL: too
// many, a place that there is not, or a share_ratio_pct of 1 to 100. -ENOMEM.
int offload_policies_set(struct offload *o, const struct offload_policy *list, uint32_t n);
// The rule that a flow has: NULL: none, or no such flow.
const struct offload_policy *offload_flow_policy(const struct offload *o, uint32_t id);
// Flows that are known and have rule i.
uint32_t offload_policy_flows(const struct offload *o, uint32_t i);
// What the flows of a VM that have rule i, and it limits, hold.
void offload_policy_part(
	const struct offload *o, uint32_t i, uint16_t vm, uint32_t *queues, uint32_t *entries);
const char *offload_share_name(enum offload_share s); // "vm", "rate-limit", ...

#endif
