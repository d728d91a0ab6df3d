// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_CLASSIFY_H
#define SLUICE_DATAPATH_CLASSIFY_H

#include "lcore.h"

// The stages that give each packet of a burst its program: by its MARK when that names a live lane,
// else by parse, cache and, where the cache has nothing or something stale, a decision.
// Thread safety: owner thread only.

// False: that was all, act_plain has done the rest.
bool classify(struct dp_worker *w, struct dp_burst *b);
// After the burst was handled: its new decisions enter the cache.
void classify_keep(struct dp_worker *w, struct dp_burst *b);

// The decision for a key that the cache does not have, made once for all of the burst that have it.
struct dp_miss *classify_miss(struct dp_worker *w, struct dp_burst *b, const struct flow_key *key,
	uint64_t hash, const struct rules_result *rules, const struct rte_mbuf *m);

// What the device says of each packet becomes what is still to be done (act/offload.h). Not twice.
void classify_take_flags(struct dp_burst *b);

// lane.c: all packets are of live lanes, need nothing but their programs, and have one output:
// takes the burst as a whole (b->whole), or false.
bool lane_whole(struct dp_worker *w, struct dp_burst *b);
// lane.c: gives marked packets their program; the rest goes into pkts and b->at. Returns how many.
uint16_t lane_split(struct dp_worker *w, struct dp_burst *b, struct rte_mbuf **rest);

// decide.c: compiles, and stores what has to be stored. False: the decision is good for this packet
// alone, its list is in *direct.
// rules: as of dp_compile_by. m: the packet; NULL: none yet, the decision is not on one.
bool decide(struct dp_worker *w, const struct flow_key *key, const struct rules_result *rules,
	const struct rte_mbuf *m, struct dp_program *prog, struct flow_actions *direct);
// Decides an entry anew, keeping what control gave it.
bool decide_again(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m,
	struct dp_program *prog, struct flow_actions *direct);
// A program that still goes the old way: may it go the new one?
void decide_linger(struct dp_worker *w, struct dp_program *prog);

#endif
