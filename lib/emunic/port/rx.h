// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RX_H
#define EMUNIC_RX_H

#include "emunic.h"

// Packets into a receive queue: the one copy that puts them into buffers of its own mempool, what
// the application is told beside their bytes, and its ring.
//
// A burst takes its buffers at once and is copied in its own order, so that the CPU can foresee all
// of it but which queue is whose; where that cannot be done, its packets are staged at their
// queues, and each of these takes its buffers and its places in the ring at once. The NIC's own
// buffers that are done with are spent: they are given back at the end of the burst, so that their
// pool, which has no cache for the firmware's thread, is asked once. Thread safety: under the gate;
// the ring's other end is the application's thread.

// Once for each NIC.
void emu_rx_init(struct emu_nic *nic);
// Behind all that is staged for the queue. p belongs to the queue.
void emu_rx_stage_odd(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p);
// Brings what is staged to the application.
void emu_rx_flush(struct emu_nic *nic, struct emu_rxq *q);
// A whole burst, q[i] being the queue of pkts[i], of which nothing is staged. False, and nothing
// was done, unless each packet fits one buffer as it is, all queues have the same mempool, and
// there is room in it and in them.
bool emu_rx_plain(
	struct emu_nic *nic, struct emu_rxq *const *q, struct emu_pkt *const *pkts, unsigned int n);
// Gives spent buffers back.
void emu_spent_free(struct emu_nic *nic);

static inline void
emu_rx_stage(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p)
{
	if (unlikely(p->gso || p->m->pkt_len > q->room))
		emu_rx_stage_odd(nic, q, p);
	else
		q->staged[q->n_staged++] = p;
}

#endif
