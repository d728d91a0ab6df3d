// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_POLL_H
#define SLUICE_DATAPATH_POLL_H

#include "lcore.h"

// The receive side of a loop: which queue is read when, and what was read goes through the stages.
//
// Of many queues only those with traffic cost: one that had nothing is left alone for a while that
// doubles up to 50 us (not in a plan of POLL_ALWAYS queues or less). While flows move between
// queues (order.h) no packet of a flow may be overtaken: the queues of the kind that flows go to
// are read first, once, and held; those of the kind that they leave are then emptied; then what is
// held is handled. Thread safety: owner thread only.

#define POLL_ALWAYS 4
#define POLL_WAIT_MAX_US 50
#define POLL_WAIT_MIN_US 1
#define POLL_EMPTY_BURSTS                                                                          \
	512 // a queue that never gets empty is read so often at most: more than
	    // any queue holds

// Returns the number of packets.
uint32_t poll_queues(struct dp_worker *w);
// What was read, or injected, goes through the stages. n at most DP_BURST, origin below
// DP_VPORTS_MAX.
void poll_handle(
	struct dp_worker *w, struct rte_mbuf **pkts, uint16_t n, uint16_t origin, bool injected);
// What control injected.
uint32_t poll_inject(struct dp_worker *w);

#endif
