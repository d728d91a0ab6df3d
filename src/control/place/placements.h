// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_PLACEMENTS_H
#define SLUICE_CONTROL_PLACEMENTS_H

#include <sys/queue.h>

#include "state.h"

// The shadow table: what is, or is about to be, in hardware for each (flow, side), with its rule
// handle and lane. It is the truth; the NIC is its replica. Lanes are slots that workers read; a
// slot is taken, changed and given back here. Thread safety: owner thread only (control); lane
// slots are read by workers under RCU.

#define PLACEMENT_FLOWS_MAX 65536

enum placement_state { PLACEMENT_INSTALLING, PLACEMENT_PLACED, PLACEMENT_REMOVING };

struct placement {
	uint32_t flow;
	uint8_t side;
	enum placement_state state;
	struct offload_place place;
	uint16_t nic;            // whose executor makes and unmakes the rule
	uint16_t ethdev;         // that the rule was created on
	struct rte_flow *handle; // NULL while installing
	bool has_lane;
	struct sl_id lane_id;
	struct dp_lane *lane;
	struct flow_actions *actions;      // of the lane
	uint64_t base_packets, base_bytes; // counter values that were reported already
	struct offload_end in, out;        // eswitch: what its rule does
	bool drop;                         // likewise
	bool contradicted;                 // the rules in force say something else by now
	struct { // the switch's rules that decided it: what it carries is credited to them
		uint32_t flow_gen; // of the flow
		uint32_t gen;      // of the rules in force then
		uint16_t sw;
		uint8_t n;
		struct placement_rule {
			uint32_t id, gen; // rule_book.h
		} rule[DP_PROG_RULES];
	} by;
	TAILQ_ENTRY(placement) link;
};

int placements_new(struct control *c);
void placements_fini(struct control *c);

const struct dp_lane *_Atomic *placements_lanes(struct placements *p);
uint32_t placements_report_rate(const struct control *c);

// NULL when out of memory or when there is one already.
struct placement *placement_make(struct control *c, const struct offload_order *order);
struct placement *placement_find(const struct control *c, uint32_t flow, enum offload_side side);
// Its rule is gone and its queue drained: the lane is closed and its slot given back after the next
// publish.
void placement_drop(struct control *c, struct placement *pl);
// The same, but the placement is the caller's to free: it is in no table any more.
void placement_take_off(struct control *c, struct placement *pl);
typedef void (*placement_fn)(void *ctx, struct placement *pl);
void placements_each(struct control *c, placement_fn fn, void *ctx); // fn may drop the one given
// Keeps what the rule of an eswitch placement does, to be compared with later decisions.
void placement_made_for(struct placement *pl, const struct offload_decision *d);
// These rules say where its packets go; of the rules in force.
void placement_decided_by(struct control *c, struct placement *pl, const struct flow_key *key,
	const struct dp_program *prog);
// The flow's decision is d now: is the placement contradicted?
void placement_judge(struct control *c, struct placement *pl, const struct offload_decision *d);

// Opens a lane for the placement and compiles its program. -ENOSPC: none is free.
int placement_lane_open(struct control *c, struct placement *pl, const struct flow_key *key);
// Compiles the lane's program anew (rules changed). In force after the next publish at the latest.
void placement_lane_update(struct control *c, struct placement *pl, const struct flow_key *key);
uint32_t placement_mark(const struct placement *pl);
// What the lane has carried since the last call.
void placement_lane_delta(
	struct control *c, struct placement *pl, uint32_t *packets, uint64_t *bytes);
// Its rule in the embedded switch carried so much more: counted for the vports at both ends, and
// for the rules of the switch that decided it.
void placement_carried(
	struct control *c, const struct placement *pl, uint64_t packets, uint64_t bytes);
// Frees what no worker can see any more. After each publish.
void placements_retire(struct control *c);
// The same in between, when much has gathered: waits for the workers once.
void placements_reap(struct control *c);
// Placements that contradict the rules in force.
uint32_t placements_contradicted(const struct control *c);

// How the host handles the flow's packets when they come to it (ring, transmit queue): kept to
// compose orders and lanes.
void placements_set_host(
	struct control *c, const struct offload_order *order, const struct flow_key *key);
// Nothing was said of the flow (it is a new one, or its worker forgot it and the brain too).
void placements_forget_host(struct control *c, uint32_t flow);
// The worker forgot what it was told, but its way out stands: a lane has it, and the next worker
// that sees the flow is to be told again.
void placements_untold_host(struct control *c, uint32_t flow);
void placements_retell_host(
	struct control *c, uint32_t flow, uint16_t worker, const struct flow_key *key);
// Whether a flow from the vport was ever sent by a ring on the brain's order.
bool placements_used_rings(const struct control *c, uint16_t vport);
// All that placements_set_host has sent is in force: only then the brain judges again.
bool placements_host_settled(const struct control *c);

#endif
