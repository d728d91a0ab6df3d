// SPDX-License-Identifier: BSD-3-Clause
#include "wire.h"

#include <rte_cycles.h>
#include <rte_mbuf.h>

#define MILLION 1000000

void
emu_wire_seed(struct emu_nic *nic)
{
	for (unsigned int i = 0; i < EMU_MAX_WIRES; i++)
		nic->wires[i].rng.state = (uint64_t)nic->moods.seed + i;
}

static bool
chance(struct emu_wire *w, uint32_t of_a_million)
{
	return of_a_million > 0 && emu_rng_below(&w->rng, MILLION) < of_a_million;
}

// True when m goes on; *held is the place of one that waits.
static bool
pass(struct emu_nic *nic, struct emu_wire *w, struct rte_mbuf *m, struct rte_mbuf **held)
{
	if (chance(w, nic->moods.loss)) {
		emu_drop(nic, EMU_DROP_WIRE_LOSS, m);
		return false;
	}
	if (!chance(w, nic->moods.late) || *held != NULL)
		return true;
	*held = m;
	w->late++;
	w->held_until = rte_get_tsc_cycles() + rte_get_tsc_hz() / 1000 * EMU_LATE_MS;
	return false;
}

uint16_t
emu_wire_in(struct emu_nic *nic, struct emu_wire *w, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *came[EMU_BURST];
	uint16_t k = 0;

	if (nic->moods.loss == 0 && nic->moods.late == 0 && w->held_in == NULL)
		return n;
	memcpy(came, pkts, n * sizeof(came[0]));
	for (uint16_t i = 0; i < n; i++) {
		if (!pass(nic, w, came[i], &w->held_in))
			continue;
		pkts[k++] = came[i];
		if (w->held_in == NULL)
			continue;
		pkts[k++] = w->held_in;
		w->held_in = NULL;
	}
	return k;
}

bool
emu_wire_out(struct emu_nic *nic, struct emu_wire *w, struct rte_mbuf *m)
{
	return pass(nic, w, m, &w->held_out);
}

struct rte_mbuf *
emu_wire_follow(struct emu_wire *w)
{
	struct rte_mbuf *m = w->held_out;

	w->held_out = NULL;
	return m;
}

void
emu_wire_settle(struct emu_nic *nic, struct emu_side *side, bool all)
{
	struct emu_wire *w = side->wire;
	struct rte_mbuf *m = w->held_in;

	if (m == NULL && w->held_out == NULL)
		return;
	if (!all && rte_get_tsc_cycles() < w->held_until)
		return;
	if (w->held_out != NULL) {
		emu_side_add(side, emu_wire_follow(w));
		emu_side_flush(side);
	}
	if (m != NULL) {
		w->held_in = NULL;
		emu_switch(nic, side->index, false, &m, 1);
	}
}
