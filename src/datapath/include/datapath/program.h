// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_PROGRAM_H
#define SLUICE_DATAPATH_PROGRAM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/drop.h"
#include "datapath/limits.h"
#include "flow/action.h"
#include "flow/key.h"
#include "rules/rules.h"

// What is done with the packets of one flow, compiled once. A flow's program stands in its cache
// entry (or in its lane); the common cases (drop; output; set VLAN and output) need nothing else.
// Thread safety: any thread (a plain value); compile reads a snapshot.

struct dp_snapshot;

enum dp_program_kind {
	DP_PROG_DROP,    // .drop
	DP_PROG_OUTPUT,  // to .out, after the VLAN operation
	DP_PROG_GENERAL, // carry out .actions: flood, MAC rewrites, several outputs, rates
};

enum dp_vlan_op { DP_VLAN_KEEP, DP_VLAN_PUSH, DP_VLAN_POP, DP_VLAN_SET };

#define DP_PROG_RING 0x01      // rules ask for the ring of the class
#define DP_PROG_HOST_RING 0x02 // control placed the flow on the ring
#define DP_PROG_MAC_DEP 0x04   // depends on the MAC table

#define DP_PROG_RULES 4 // matched rules that are counted by one program

struct dp_program {
	uint8_t kind;  // enum dp_program_kind
	uint8_t flags; // DP_PROG_*
	uint8_t cls;
	uint8_t vlan_op; // enum dp_vlan_op, net of port VLAN modes and rules
	uint8_t drop;    // enum dp_drop
	uint8_t n_rules;
	uint16_t vlan;    // of vlan_op
	uint16_t out;     // vport
	uint16_t txq;     // DP_TXQ_OWN or the transmit queue that control gave
	uint16_t actions; // GENERAL: number of the worker's stored action list
	uint16_t actions_epoch;
	uint16_t rule[DP_PROG_RULES]; // counter indices of the switch
	uint32_t reserved;
};
static_assert(sizeof(struct dp_program) <= 32, "fits the value of a cache entry");

// What compile found out beside the program; control needs it to judge a placement.
struct dp_verdict {
	struct flow_actions actions; // resolved: NORMAL became OUTPUT or FLOOD; for GENERAL the
				     // list to carry out
	uint32_t depends;            // FLOW_FIELD_*
	uint16_t pinned_queue;       // action queue=N, DP_NONE: none
	bool single_output;          // one OUTPUT and nothing that needs the host
	bool rated;                  // has a rate
	bool learn;                  // the source MAC is not known at this port
};

// Port policy (VLAN, anti-spoof), rules, MAC table -> program. key as it came in (before any VLAN
// operation).
void dp_compile(const struct dp_snapshot *s, const struct flow_key *key, struct dp_program *prog,
	struct dp_verdict *verdict);

#endif
