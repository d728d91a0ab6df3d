// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_LAP_H
#define SLUICE_DATAPATH_LAP_H

#include <string.h>

#include <rte_cycles.h>

#include "lcore.h"

// Where the cycles of a worker go.
//
// Problem: reading the cycle counter costs as much as a packet, so it cannot be read around each
// stage of each burst. Idea: one loop in LAP_EVERY is timed, stage by stage, and the others
// test one word of the worker; of those, the ones that found packets count. Which loop it is
// follows from nothing that is in it: a choice among those behind a busy one would hardly meet the
// packets of thin traffic, that come after empty loops. Cost: that test, some four times a burst.
// Refuses: to tell what a single packet cost; the counter's own cost is in the stages (some 25
// cycles for each). Thread safety: owner thread only.

#define LAP_EVERY 61 // prime: traffic that comes every so many loops is met all the same

static inline void
lap_begin(struct dp_worker *w)
{
	w->lap = 0;
	if (likely(w->lap_turn != 0)) {
		w->lap_turn--;
		return;
	}
	w->lap_turn = LAP_EVERY - 1;
	memset(w->lap_cycles, 0, sizeof(w->lap_cycles));
	w->lap_packets = 0;
	w->lap = rte_rdtsc();
}

// What was done since the last call was of that stage.
static inline void
lap(struct dp_worker *w, enum dp_stage stage)
{
	uint64_t now;

	if (likely(w->lap == 0))
		return;
	now = rte_rdtsc();
	w->lap_cycles[stage] += now - w->lap;
	w->lap = now;
}

// What is done between these two is of that stage, within whichever other one.
static inline uint64_t
lap_aside(const struct dp_worker *w)
{
	return likely(w->lap == 0) ? 0 : rte_rdtsc();
}

static inline void
lap_aside_end(struct dp_worker *w, enum dp_stage stage, uint64_t since)
{
	uint64_t took;

	if (likely(since == 0))
		return;
	took = rte_rdtsc() - since;
	w->lap_cycles[stage] += took;
	w->lap += took;
}

// A loop that found nothing tells nothing.
static inline void
lap_end(struct dp_worker *w)
{
	unsigned int i;

	if (likely(w->lap == 0))
		return;
	lap(w, DP_STAGE_REST);
	if (w->lap_packets != 0) {
		for (i = 0; i < DP_STAGES; i++)
			lcore_add(&w->counters.stage_cycles[i], w->lap_cycles[i]);
		lcore_add(&w->counters.stage_packets, w->lap_packets);
	}
	w->lap = 0;
}

#endif
