// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PLACEMENT_AHEAD_H
#define SLUICE_BENCH_PLACEMENT_AHEAD_H

#include "base/clock.h"
#include "offload/offload.h"
#include "placement_nic.h"
#include "placement_trace.h"

// Rules of the switch that could be ahead of traffic, for the placement benchmark: each is made of
// what the trace has (packets from one port to one address, or to one port), and they stand in an
// order that has nothing to do with their traffic. They have at most half of the table and 256
// entries, as the configuration's default has it. Thread safety: owner thread only.

enum ahead_rules { AHEAD_RULES_NONE, AHEAD_RULES_ADDRESSES, AHEAD_RULES_PORTS };
enum ahead_when { AHEAD_NEVER, AHEAD_ALWAYS, AHEAD_PAYS };

struct ahead_setup {
	enum ahead_rules rules;
	enum ahead_when when;
};

#define AHEAD_TAG (UINT32_C(1) << 31) // of operations

struct sim_ahead;

// NULL: out of memory.
struct sim_ahead *sim_ahead_new(
	const struct trace *t, const struct ahead_setup *setup, uint32_t entries);
void sim_ahead_free(struct sim_ahead *a);
uint32_t sim_ahead_rules(const struct sim_ahead *a);
// A packet of a flow came, wherever it went. True: a rule carries it.
bool sim_ahead_packet(struct sim_ahead *a, uint32_t flow, uint32_t len);
bool sim_ahead_serves(const struct sim_ahead *a, uint32_t flow);
// When it is due, says which rules are to be there. True: what serves flows, or what the table
// holds, has changed since the last call: *entries of it.
bool sim_ahead_run(
	struct sim_ahead *a, uint64_t ns, struct offload *o, struct nic_model *nic, uint32_t *held);
void sim_ahead_done(struct sim_ahead *a, const struct nic_op *op);

#endif
