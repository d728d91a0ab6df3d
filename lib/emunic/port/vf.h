// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_VF_H
#define EMUNIC_VF_H

#include <rte_pmd_emunic.h>

#include "emunic.h"

// The receive queues of a VF: as many as its guest has enabled (a vhost-user backend's queue
// pairs). A transfer rule chooses one by QUEUE behind REPRESENTED_PORT or PORT_ID; every other
// packet goes to one by RSS, over addresses and ports with the NIC's default key or as the VF's own
// driver has set it (port/vf_rss.h), through the VF's redirection table, by default over all queues
// alike; what RSS does not cover goes to queue 0. A queue that the guest has not enabled counts as
// none: such packets are spread. The choice travels to the backend in the mbuf
// (hash.txadapter.txq). Thread safety: under the gate.

// Puts the queue into p->vf_queue, which has what a rule chose.
void emu_vf_choose_queue(struct emu_nic *nic, struct emu_side *side, struct emu_pkt *p);

// Its receive queues, as rte_pmd_emunic_vf_queues has them.
uint16_t emu_vf_queues(
	const struct emu_side *side, struct rte_pmd_emunic_vf_queue *out, uint16_t n);

// Whether that receive queue stands still (stall=); ask where side->stalls.
bool emu_vf_stalled(const struct emu_nic *nic, const struct emu_side *side, uint16_t queue);

// Brings what stands still of the side in line with the moods, and with its backend.
void emu_vf_set_stalls(struct emu_nic *nic, struct emu_side *side);

// Sets the redirection table: n (at most EMU_VF_RETA) queues that are repeated over it; 0: the
// default.
void emu_vf_set_reta(struct emu_side *side, const uint16_t *queues, uint16_t n);

#endif
