// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_LANDING_H
#define EMUNIC_LANDING_H

#include "emunic.h"

// Where packets land that come in at a side.
//
// Problem: a received packet lies in a buffer of its queue's own mempool, but which queue that is
// shows only after it is in the NIC: so it lands in a buffer of the NIC's and is copied. Idea: the
// receive queues of a port mostly share one mempool. While that is so, and no rule of the switch
// can take a packet anywhere but to the port of its side, backends that make their packets
// (generator, replay, vhost-user) take that mempool's buffers at once, as a NIC writes into the
// buffers that it was given; rx.c then has nothing to copy. What lands otherwise, or is not for
// such a queue, is copied as ever. What it refuses: mempools that are small, have small buffers, or
// are not for several threads; and the last of any mempool, which is the application's
// (emu_landing). Thread safety: under the gate.

// A mempool of fewer buffers is the application's alone.
#define EMU_LANDING_BUFS 1024

// After a change of the port's queues or of whether it is started. NULL is a port as well: that of
// a side that nobody represents.
void emu_landing_update(struct emu_nic *nic, struct emu_side *side);

// What the side's backend is to take now. No backend: nothing happens.
void emu_landing_choose(const struct emu_nic *nic, struct emu_side *side);

#endif
