// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_EXT_CHAIN_H
#define SLUICE_EXT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ext/abi.h"
#include "ext/loader.h"
#include "flow/key.h"

// The extensions of one switch as the packet path uses them: for each point a list in order.
// Constant once published; what it points to lives until no worker uses it. Thread safety: one
// writer, many readers under RCU (chain); any thread (ask); a worker's own index (burst, count).

#define EXT_CHAIN_MAX 16 // of one switch, all points together

struct ext_chain {
	uint8_t n[SLUICE_EXT_POINTS];
	struct ext *list[SLUICE_EXT_POINTS][EXT_CHAIN_MAX];
};

enum ext_seen { EXT_SEEN_NO, EXT_SEEN_COPY, EXT_SEEN_ALL };

// What the extensions of one point want of a flow, the strictest of all.
struct ext_answer {
	struct ext *dropper; // who drops it, NULL: nobody; those behind it were not asked
	struct ext *viewer;  // first that wants what `seen` says
	enum ext_seen seen;
};

void ext_flow_of_key(const struct flow_key *key, struct sluice_ext_flow *out); // out: no port
void ext_chain_ask(const struct ext_chain *chain, enum sluice_ext_point at,
	const struct sluice_ext_flow *flow, struct ext_answer *out);
// One extension's answer, made one of those that its point allows.
enum sluice_ext_verdict ext_ask(struct ext *e, const struct sluice_ext_flow *flow);

// MATCH, where ext_ask said SEE: does the packet match? pkt is cut to what it reads.
bool ext_match_packet(struct ext *e, unsigned worker, struct sluice_ext_packet *pkt);
void ext_burst(struct ext *e, unsigned worker, struct sluice_ext_packet *pkts, unsigned n);
// n packets were dropped for it.
void ext_count_dropped(struct ext *e, unsigned worker, unsigned n);
const char *ext_name(const struct ext *e);

#endif
