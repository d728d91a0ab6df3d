// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TAGGED_H
#define SLUICE_DATAPATH_TAGGED_H

#include "lcore.h"

// Tagged misses among what a guest handed in (datapath/tag.h). Thread safety: owner thread only
// (the worker).

// Takes the tagged ones out of n packets (at most DP_BURST) that were received from vport `from`,
// and handles them as packets of their origin. Returns how many are left, in order, at the front.
uint16_t tagged_take(struct dp_worker *w, const struct dp_tags *tags, struct rte_mbuf **pkts,
	uint16_t n, uint16_t from);

#endif
