// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_LANDING_H
#define EMUNIC_LANDING_H

#include "emunic.h"

// Where packets land that come in at a side.
//
// Problem: a received packet lies in a buffer of its queue's own mempool, but which queue that is
// shows only after it is in the NIC: so it lands in a buffer of the NIC's and is copied. Idea: the
// receive queues of a port mostly share one mempool. While that is so, and a packet can go nowhere
// but to the port of its side, nor wait on its way (no transfer rule, no miss that goes to a VM,
// no late= on its wire), backends that make their packets (generator, replay) take that mempool's
// buffers at once, as a NIC writes into the buffers that it was given; rx.c then has nothing to
// copy. What lands otherwise, or is not for such a queue, is copied as ever. So a mempool's buffers
// are in its queues, or empty in a backend that gives them back when it is told; none is in the NIC
// when the queues are gone. What it refuses: mempools that are small, have small buffers, or are
// not for several threads. Thread safety: under the gate.

// A mempool of fewer buffers is the application's alone.
#define EMU_LANDING_BUFS 1024

// Whether several threads may take buffers of the mempool and give them back at once. One that is
// not so can be a queue's only where its application's thread is the NIC's too: firmware=inline.
bool emu_pool_is_shared(const struct rte_mempool *pool);

// After a change of the port's queues or of whether it is started. NULL is a port as well: that of
// a side that nobody represents.
void emu_landing_update(struct emu_nic *nic, struct emu_side *side);

// What the side's backend is to take now. No backend: nothing happens.
void emu_landing_choose(const struct emu_nic *nic, struct emu_side *side);
// A backend that is no side's any more gives back what it holds.
void emu_landing_end(struct emu_backend *b);

#endif
