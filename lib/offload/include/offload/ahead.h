// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_AHEAD_H
#define SLUICE_OFFLOAD_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/match.h"

// Which of a switch's rules go into a NIC ahead of traffic, and what has to go with them so that
// the NIC never decides otherwise than the switch.
//
// Problem: a rule that drops a prefix or sends it to a VM takes one entry for any number of flows,
// new ones too, but a NIC has room for few rules, knows less than the switch does, and a rule of
// the switch that is not in it would have its packets caught by a rule below it that is.
// Idea: what the switch does with the packets of one port is a list of steps, the first that
// matches decides. A step is split into parts that a NIC can tell apart (IPv4 and IPv6; fragments,
// whose ports a NIC cannot see, from the rest). A part is put into the NIC with what it does when
// there is room for it and for a cover of each part above that overlaps it and is not in the NIC
// itself: a cover sends to the host what that part would match, or more. The host is always right.
// What follows an extension header of IPv6, the host sees and a NIC may not: where a rule reads the
// protocol, the host gets the packets with such headers that a rule below would catch.
// Overlapping rules get different levels, the others share them, so that few priorities do.
// Cost: a comparison of matches for each part that gets in and each step above it; the caller
// bounds both. Refuses: to split a step into more than AHEAD_PARTS parts; to put in what matches a
// single flow, which has an entry of its own while it has traffic.
//
// Changing one set for another. New rules are made level by level from the first on, then old ones
// unmade from the last level on; rules of both stay. Before, between and after, what decides a
// packet is what the old set says, what the new one says, or the host: while new ones are made all
// old ones are there, and no new rule is there before those that overlap it from above; while old
// ones go the new set is whole, and no old rule outlives one below it.
// Thread safety: owner thread only (control).

#define AHEAD_PARTS 5        // of a step
#define AHEAD_STEPS_MAX 4096 // of a port that are looked at
#define AHEAD_RULES_MAX 1024 // of a port in a NIC

enum ahead_kind {
	AHEAD_HOST, // to the port's representor: the host decides
	AHEAD_DROP,
	AHEAD_PORT, // out by .port of the same NIC, after the VLAN operation
	AHEAD_JUMP, // on to the port's own table
	AHEAD_GROUP // of a class rule: to a group of the NIC's assignment engine
};
enum ahead_vlan { AHEAD_VLAN_KEEP, AHEAD_VLAN_PUSH, AHEAD_VLAN_POP, AHEAD_VLAN_SET };

struct ahead_act {
	uint8_t kind;    // enum ahead_kind
	uint8_t vlan_op; // enum ahead_vlan
	uint16_t vlan;
	uint16_t port; // of the NIC
};

struct ahead_step {
	// Normalised. Its tags are told: mask.vlan[0] has FLOW_VLAN_PRESENT.
	struct flow_match match;
	struct ahead_act act;
	uint32_t rule; // the caller's name for what it was made of
	uint8_t why;   // of a step for the host: the caller's reason
};

// A rule for the NIC. Those of one level do not overlap; a lower level comes first.
struct ahead_rule {
	struct flow_match match; // as ahead_says
	struct ahead_act act;
	uint32_t step, level;
	uint8_t part; // of the step
};

enum ahead_stand {
	AHEAD_NOT,     // no part of it is in the NIC
	AHEAD_COVERED, // its packets go to the host, so that rules below it do not catch them
	AHEAD_PARTLY,  // some parts do what they say, the others go to the host
	AHEAD_WHOLE
};
enum ahead_reason {
	AHEAD_R_NONE,
	AHEAD_R_HOST,     // the caller's (ahead_step.why)
	AHEAD_R_MATCH,    // no NIC rule says its match
	AHEAD_R_ONE_FLOW, // matches a single flow
	AHEAD_R_REFUSED,  // the driver refused its shape, or that of a cover that it needs
	AHEAD_R_ROOM,     // more entries than are left
	AHEAD_R_FAR,      // behind the first AHEAD_STEPS_MAX
	AHEAD_REASONS
};

struct ahead_standing {  // of a step
	uint8_t stand;   // enum ahead_stand
	uint8_t reason;  // enum ahead_reason: why not whole
	uint16_t covers; // rules that were put in for its sake
	uint32_t shape;  // AHEAD_R_REFUSED: which
};

struct ahead_plan {
	uint32_t n, room;
	struct ahead_rule *rules; // [room], in the order of the steps
	bool short_of_room;       // more room would let more in
};

// Has the driver refused a rule like that? 0: no; else a name for its shape.
typedef uint32_t (*ahead_refused_fn)(
	void *ctx, const struct flow_match *match, const struct ahead_act *act);

// plan->rules has room for plan->room; standings: [n]. 0, or -ENOMEM: plan->n is 0.
int ahead_plan(const struct ahead_step *steps, uint32_t n, ahead_refused_fn refused, void *ctx,
	struct ahead_plan *plan, struct ahead_standing *standings);

// NULL when translate_ahead can say all of the match, else what it cannot.
const char *ahead_cannot_say(const struct flow_match *match);
// Leaves out of *match what translate_ahead cannot say: it matches the same packets or more.
void ahead_widen(struct flow_match *match);
// One kind of IP packets; false: none of these can match.
bool ahead_only_family(struct flow_match *match, uint8_t l3);
const char *ahead_stand_name(enum ahead_stand s); // "not", "to-host", "partly", "whole"

#endif
