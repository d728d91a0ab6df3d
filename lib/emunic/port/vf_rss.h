// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_VF_RSS_H
#define EMUNIC_VF_RSS_H

#include <stdint.h>

#include "port/mailbox.h"

// RSS of a VF as its own driver sets it: key, types and redirection table. A VF that has set none
// has the NIC's default key and all types.
//
// A guest sees virtio-net, whose RSS commands end in its hypervisor, so its driver says it by the
// mailbox (rte_pmd_emunic.h), as VFs of hardware do. The guest is hostile: a request that is not
// whole, or names what is not there, is answered with an errno and changes nothing; a VF changes
// nobody's but its own. Thread safety: any thread, not under the
// gate unless a function says so.

// Sets the types (RTE_ETH_RSS_*), and the key unless it is NULL. 0, -EINVAL: types that the NIC
// does not know; -ENOMEM.
int emu_vf_rss_set(struct emu_nic *nic, struct emu_side *side, uint64_t types, const uint8_t *key);
// What is in force; key has room for 40 bytes.
void emu_vf_rss_get(
	struct emu_nic *nic, const struct emu_side *side, uint64_t *types, uint8_t *key);

// What was set at a VF goes to another one, of another NIC maybe, whose own is forgotten; the VF
// that it leaves has the default again. For a guest that goes there with all that it set. Under the
// gates of both NICs.
void emu_vf_rss_move(struct emu_side *from, struct emu_side *to);

// The queues that the redirection table was set to; queues has room for EMU_VF_RETA. Returns how
// many, 0: none, the default.
uint16_t emu_vf_reta_get(struct emu_nic *nic, const struct emu_side *side, uint16_t *queues);

// Carries out a message that is for the NIC itself, and leaves the answer and its data in it.
void emu_vf_rss_mail(struct emu_nic *nic, struct emu_mail *mail);

#endif
