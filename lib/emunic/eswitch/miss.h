// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_MISS_H
#define EMUNIC_MISS_H

#include <stdbool.h>
#include <stdint.h>

#include "rte_pmd_emunic.h"
#include "rte_pmd_emunic_miss.h"

// The second way of a miss: through the VM. A packet that came from a VF and met no transfer rule,
// or that met none in the group that is that VF's, goes to that VF with a tag (its layout, and how
// a switch judges it, are in rte_pmd_emunic_miss.h) instead of to a host port. The tag is put on
// once the packet is whole: in segments, its checksums filled in. A VF that is down has no guest
// that could pass anything on, so its misses go to the host port. What a VF of this way sends with
// the tag's ethertype has been a miss before, and is dropped by name. Thread safety: under the
// NIC's gate.

struct emu_nic;
struct emu_pkt;
struct emu_side;

// Of one VF.
struct emu_miss {
	struct rte_pmd_emunic_vf_miss conf;
	uint64_t number; // of the last tag by this key
	uint64_t tagged;
};

// As rte_pmd_emunic_vf_miss_set; takes the gate.
int emu_miss_set(struct emu_nic *nic, uint16_t vf, const struct rte_pmd_emunic_vf_miss *conf,
	char *why, size_t why_len);

// The index of the side that a packet goes to that no rule decides; 0: to a host port, as ever.
uint16_t emu_miss_side(struct emu_nic *nic, const struct emu_pkt *p);

// Gives n packets to a VF with tags.
void emu_miss_deliver(
	struct emu_nic *nic, struct emu_side *side, struct emu_pkt **pkts, unsigned int n);

// True when p is a tagged frame that came back.
bool emu_miss_loops(const struct emu_nic *nic, const struct emu_pkt *p);

#endif
