// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TICK_H
#define SLUICE_DATAPATH_TICK_H

#include "lcore.h"

// What is done by time and not by packets: the worker's tick (DP_TICK_NS of the monotonic clock, so
// that all workers and control mean the same), the ageing of the cache a few buckets at a time, and
// the publishing of its statistics. Thread safety: owner thread only.

void tick_start(struct dp_worker *w);
// The cache has another size.
void tick_resized(struct dp_worker *w);
// Once per loop.
void tick_loop(struct dp_worker *w);
void tick_publish(struct dp_worker *w);

#endif
