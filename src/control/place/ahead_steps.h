// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_AHEAD_STEPS_H
#define SLUICE_CONTROL_AHEAD_STEPS_H

#include "offload/ahead.h"
#include "state.h"

// What the switch does with the packets of one port of a NIC, as a list of steps of which the first
// that matches decides (offload/ahead.h). Tables are followed: a rule with goto becomes a step for
// each entry of that table, under the match of both. What the NIC cannot do as the host would, for
// all packets that match, becomes a step for the host: it depends on the MAC table, an extension, a
// meter, a class, the port's storm limit, tags that no step tells apart, or a policy rule that
// keeps such flows out of embedded switches. Anti-spoof becomes part of the match.
// Thread safety: owner thread only (control).

enum ahead_why {
	AHEAD_WHY_NONE,
	AHEAD_WHY_NORMAL, // the MAC table decides
	AHEAD_WHY_FLOOD,
	AHEAD_WHY_SEVERAL,   // outputs
	AHEAD_WHY_ELSEWHERE, // goes to a port that is not on this NIC
	AHEAD_WHY_CLASS,     // class, ring, queue or rate are the host's
	AHEAD_WHY_METER,     // its port, its VM or its class has a rate
	AHEAD_WHY_EDITS,     // MACs, or more than one VLAN operation
	AHEAD_WHY_TAGS,      // frames with tags, where the rule does not name one VID
	AHEAD_WHY_SPOOF,     // what of its match the anti-spoof lists do not name
	AHEAD_WHY_STORM,     // multicast under a storm limit
	AHEAD_WHY_ASKS,      // its match needs more than the packet's headers
	AHEAD_WHY_EXTENSION,
	AHEAD_WHY_POLICY,
	AHEAD_WHY_PAYS,     // its entries carry more for single flows, or for other rules
	AHEAD_WHY_NO_CLASS, // only what class rules send to a VF is ahead of traffic
	AHEAD_WHY_GOTO,     // actions before a goto
	AHEAD_WHY_DROP,     // dropped for another reason than the rule
	AHEAD_WHYS
};

// The rules that a step stands for: those of the goto chain, the last one decides.
struct ahead_chain {
	uint8_t n; // 0: the default of a table
	uint16_t table;
	struct ahead_rule_id {
		uint32_t id, gen; // rule_book.h
	} rule[RULES_DEPTH];
};

struct ahead_list {
	struct ahead_step *steps; // .rule is an index of chains
	struct ahead_chain *chains;
	uint32_t n, n_chains, cap, cap_chains;
};

// Of the snapshot in force. 0 or -ENOMEM. out is emptied first; ahead_list_free in the end.
int ahead_steps(const struct control *c, uint16_t vport, struct ahead_list *out);
void ahead_list_free(struct ahead_list *l);
// What matches both; false: nothing does.
bool ahead_both(const struct flow_match *a, const struct flow_match *b, struct flow_match *out);
// The vport that a NIC's port carries, DP_NONE: none.
uint16_t ahead_vport_at(const struct control *c, uint16_t nic, uint16_t port);
const char *ahead_why_text(enum ahead_why why);

#endif
