// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_RING_H
#define SLUICE_DATAPATH_RING_H

#include "lcore.h"

// The rings of the targets (qos/sched.h), as the worker that serves them uses them. What the device
// does not take stays in its ring, so a stuck target fills its own rings only. Thread safety: owner
// thread only.

// m is charged to its target until the device took it. where goes into the packet.
void ring_put(
	struct dp_worker *w, struct dp_port *p, struct rte_mbuf *m, const struct dp_packet *where);
// Sends from all rings that hold something. Returns the number of packets that moved.
uint32_t rings_serve(struct dp_worker *w);
// Has everything that this worker gave to the ring of (p, cls) been sent?
bool ring_drained(const struct dp_worker *w, const struct dp_port *p, uint8_t cls);
// Drops by name all that this worker holds for p, and forgets p.
void ring_drain(struct dp_worker *w, struct dp_port *p);

#endif
