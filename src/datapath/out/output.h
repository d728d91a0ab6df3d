// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_OUTPUT_H
#define SLUICE_DATAPATH_OUTPUT_H

#include "lcore.h"

// The way out for every packet that the fast path (act.c) does not take: MTU, offload requests that
// the output cannot do, then by the target's ring, to another worker, or into a transmit buffer.
// Each packet ends in one of these or in a named drop. Thread safety: owner thread only.

struct output_way {
	uint16_t vport;
	uint16_t txq; // DP_TXQ_OWN or a queue of the port
	uint8_t cls;
	bool ring;
	bool traced; // as part of a burst of one (trace/trace.h)
};

void output(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, const struct output_way *way);

// Nothing that this worker sent by a transmit queue (DP_TXQ_OWN: its own) is on its way any more:
// not in a buffer, not with the worker that owns the queue, and not in the device, as far as that
// tells.
bool output_way_empty(const struct dp_worker *w, const struct dp_port *p, uint16_t txq);

#endif
