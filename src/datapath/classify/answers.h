// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_CLASSIFY_ANSWERS_H
#define SLUICE_DATAPATH_CLASSIFY_ANSWERS_H

#include "datapath/program.h"
#include "datapath/snapshot.h"

// What the rules of a switch ask besides the key (RULES_ASK_*), answered.
//
// Idea: learned addresses and extensions that tell by the flow give the same answer until the
// switch's generation changes, so that the decision is cached as any other, under the flow's own
// key. An extension that has to read packets makes it one for this packet only. So does what is
// inside a tunnel, but only where it makes a difference: for flows whose key is that of such a
// tunnel, and for these only if the rules say something else when all that is asked of the inside
// holds than when nothing does (more yes never takes a rule away, so that all in between agree
// where these two do). Cost: nothing where no rule of the switch asks; else, for a decision, a
// look-up in the MAC table for each address and a call for each extension; of a tunnel's flow two
// look-ups of rules, and where they differ a third one and a pass of the parser for each packet.
// Thread safety: any thread (a snapshot is read), with a packet: its worker.

struct answers {
	uint16_t yes;          // RULES_ASK_*
	uint16_t inside;       // those that what is inside a tunnel answers, of this flow
	struct ext *by_packet; // one that answers for each packet; NULL: none
};

// What the packet has inside answers with yes, of those asked. pkt NULL: nothing.
uint16_t answers_inside(const struct dp_switch *sw, const struct flow_key *key, uint16_t asked,
	const struct dp_shown *pkt);

// vlan: that the frame is in, inside the switch. pkt: NULL: an extension that reads packets says
// no.
void answers_get(const struct dp_switch *sw, const struct flow_key *key, uint16_t vlan,
	const struct dp_shown *pkt, struct answers *out);

#endif
