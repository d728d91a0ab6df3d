// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_HANDOVER_H
#define SLUICE_DATAPATH_HANDOVER_H

#include "lcore.h"

// Packets for an output that another worker owns: one ring per pair of workers. Thread safety:
// owner thread only (the rings have one producer and one consumer each).

// Gathers m for worker `to`; where goes into the packet.
void handover_put(
	struct dp_worker *w, uint16_t to, struct rte_mbuf *m, const struct dp_packet *where);
// Puts what was gathered into the rings.
void handover_flush(struct dp_worker *w);
// Takes what others put, and sends it on. Returns the number of packets.
uint32_t handover_take(struct dp_worker *w);
// Tells the others that all that was taken from them is with devices or in rings: at the end of a
// loop, and where nothing waits for transmission any more.
void handover_tell(struct dp_worker *w);
// Has worker `to` handled all that this one ever gave it?
bool handover_done(const struct dp_worker *w, uint16_t to);
// Drops all that is in the rings to this worker (the workers are stopped).
void handover_drop(struct dp_worker *w);

#endif
