// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BENCH_PLACEMENT_RIVALS_H
#define SLUICE_BENCH_PLACEMENT_RIVALS_H

#include "placement_trace.h"

// What other ways of choosing reach on a trace: the share of all bytes that the NIC handles, or a
// negative number without memory. All but the clairvoyant one look at every packet, and use the NIC
// of placement_nic.h. Thread safety: owner thread only.

// A table without end: each flow goes in with its first packet and stays.
double rival_endless(const struct trace *t);
// The n heaviest flows of each 100 ms, known beforehand, at no cost.
double rival_clairvoyant(const struct trace *t, uint32_t n);
// First come, first served: a flow goes in with any packet for which there is room, and leaves when
// it was silent for 10 s (what OVS and dpservice do; they try a flow less often).
double rival_first_come(const struct trace *t, uint32_t n);
// The same, and every 3 s the flows in hardware with the lowest packet rates change places with
// those outside that have higher ones (OVS's rebalancing of offloaded flows).
double rival_pps_swap(const struct trace *t, uint32_t n);

#endif
