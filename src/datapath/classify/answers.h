// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_CLASSIFY_ANSWERS_H
#define SLUICE_DATAPATH_CLASSIFY_ANSWERS_H

#include "datapath/program.h"
#include "datapath/snapshot.h"

// What the rules of a switch ask besides the key (RULES_ASK_*), answered.
//
// Idea: learned addresses and extensions that tell by the flow give the same answer until the
// switch's generation changes, so that the decision is cached as any other, under the flow's own
// key. An extension that has to read packets makes it one for this packet only. Cost: nothing where
// no rule of the switch asks; else, for a decision, a look-up in the MAC table for each address and
// a call for each extension. Thread safety: any thread (a snapshot is read), with a packet: its
// worker.

struct answers {
	uint16_t yes;          // RULES_ASK_*
	struct ext *by_packet; // one that answers for each packet; NULL: none
};

// vlan: that the frame is in, inside the switch. pkt: NULL: an extension that reads packets says
// no.
void answers_get(const struct dp_switch *sw, const struct flow_key *key, uint16_t vlan,
	const struct dp_shown *pkt, struct answers *out);

#endif
