// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_EXTEND_H
#define SLUICE_DATAPATH_EXTEND_H

#include "ext/chain.h"
#include "lcore.h"

// Where extensions (ext/abi.h) meet the packet path.
//
// Idea: they are asked when a flow is decided (extend_ingress, extend_egress; on a worker at a
// miss, on control for flows that are placed). A flow that one of them drops or has to be shown
// gets DP_PROG_EXT; the stage between classify and act picks its packets out of the burst, and
// asks again which of the extensions it is for, so that a program needs one bit for it and a lane
// works as a cache entry does. Cost: without extensions one branch for a burst; with them one test
// of a flag for a packet; for a flagged packet a parse, and for each extension one question and,
// in bursts, its call. A dry run of a trace shows them no packet: what they drop for the flow's
// sake is dropped, what they would have to see passes. Thread safety: any thread (extend_ingress,
// extend_egress: a snapshot is read); else owner thread only.

// Before the rules. False: the flow is dropped.
bool extend_ingress(const struct ext_chain *chain, const struct flow_key *key,
	struct dp_program *prog, struct dp_verdict *verdict);
// After them, of a flow that goes out by prog->out alone (single), several ways, or not at all
// (dropped). False: the flow is dropped.
bool extend_egress(const struct ext_chain *chain, const struct flow_key *key, bool single,
	struct dp_program *prog, struct dp_verdict *verdict);

// A rule asks e, which reads packets, about one.
bool extend_match(struct ext *e, const struct flow_key *key, const struct dp_shown *pkt);

// The stage. What an extension drops is gone afterwards (prog[] is NULL).
void extend_burst(struct dp_worker *w, struct dp_burst *b);

// The flow of packet i, whose list has several outputs, for extend_output; false: nobody wants to
// know of them.
bool extend_several(
	struct dp_worker *w, const struct dp_burst *b, uint16_t i, struct sluice_ext_flow *flow);
// Egress of one packet (or copy) to one output. False: it is to be dropped.
bool extend_output(struct dp_worker *w, struct rte_mbuf *m, const struct sluice_ext_flow *flow,
	uint16_t sw, uint16_t vport);

#endif
