// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PLACEMENT_SLUICE_H
#define SLUICE_BENCH_PLACEMENT_SLUICE_H

#include "placement_ahead.h"
#include "placement_trace.h"

// sluice's own way of choosing on a trace, on simulated time: a worker's flow cache and its
// reporting (src/datapath/report.h), its event ring, control's brain with the configuration's
// defaults and its tick (lib/offload), and the NIC of placement_nic.h, whose counters are read
// where the brain asks, 1 ms later. Packets of a flow whose rule is in force do not reach the
// worker. EAL must be initialised. Thread safety: owner thread only.

// What a byte was before that the NIC did not handle.
enum sluice_lost {
	SLUICE_LOST_FIRST,   // in the first packet of its flow
	SLUICE_LOST_UNTOLD,  // later, and control did not know the flow: not reported, or not heard
	SLUICE_LOST_LIGHT,   // control found the flow not worth an entry
	SLUICE_LOST_WAITS,   // it was to have an entry, and was not given to the NIC yet
	SLUICE_LOST_NIC,     // the NIC had the order
	SLUICE_LOST_FULL,    // other flows had the entries
	SLUICE_LOST_EVICTED, // its flow had had an entry
	SLUICE_LOST
};

struct sluice_result {
	double share;   // of all bytes that the NIC handles
	uint32_t rules; // that could be ahead of traffic
	double lost[SLUICE_LOST];
	double moves_per_s;      // insertions
	double events_per_s;     // reports of the worker
	double counters_per_s;   // counters read
	double decisions_us_p99; // processor time of a tick of control in which something happened
};

// 0, or -1 with a sentence on stderr.
int sluice_run(const struct trace *t, uint32_t entries, uint16_t queues,
	const struct ahead_setup *ahead, struct sluice_result *out);

#endif
