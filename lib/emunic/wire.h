// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_WIRE_H
#define EMUNIC_WIRE_H

#include "emunic.h"

// What a wire does to packets on their way in and out: loss, and lateness, by chance
// (mood/moods.h, loss= and late=). One seeded sequence decides over both directions, so that the
// same packets in the same order meet the same fate.
//
// A late packet waits for the one behind it in its direction, and follows it; when none comes
// within EMU_LATE_MS it goes on alone. One packet a direction waits at most, and it counts as held.
// Thread safety: under the gate.

#define EMU_LATE_MS 1

// Starts the sequence anew.
void emu_wire_seed(struct emu_nic *nic);

// Bursts of the wire are at most so long, so that one that waited has room behind them.
static inline uint16_t
emu_wire_burst(const struct emu_nic *nic, const struct emu_wire *w)
{
	return EMU_BURST - (nic->moods.late > 0 || w->held_in != NULL);
}

// Takes n packets that came in, lets the wire have its way, and returns how many go on in pkts,
// which has room for EMU_BURST.
uint16_t emu_wire_in(struct emu_nic *nic, struct emu_wire *w, struct rte_mbuf **pkts, uint16_t n);

// True when m goes out now. Else the wire has taken it.
bool emu_wire_out(struct emu_nic *nic, struct emu_wire *w, struct rte_mbuf *m);
// The one that waited for what has just gone out, or NULL.
struct rte_mbuf *emu_wire_follow(struct emu_wire *w);

// Lets those go on that have waited long enough at the side; all: without regard to that.
void emu_wire_settle(struct emu_nic *nic, struct emu_side *side, bool all);

#endif
