// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_MAILBOX_H
#define EMUNIC_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "rte_pmd_emunic.h"
#include "port/rate.h"

struct emu_nic;
struct emu_side;
struct rte_mbuf;

// The mailbox from a VF to its PF. A guest sees virtio-net and has no register for it, so a message
// is a frame of its own (rte_pmd_emunic.h has its layout) that the NIC takes out at the VF's edge:
// it meets no rule and reaches nobody, and becomes an event RTE_ETH_EVENT_VF_MBOX of the PF, from
// EAL's interrupt thread, or is carried out by the NIC itself (port/vf_rss.h). The answer goes back
// to the VF as a frame of the same kind.
//
// A guest is hostile: a VF may send so many messages a second (mbox_rate=) and have so many
// waiting; what is above that, and what is no whole message, is dropped by name (mbox_flood,
// mbox_malformed). Frames that carry a message are consumed, answers are originated; the ledger has
// both. Thread safety: emu_mailbox_take under the gate; the events are EAL's interrupt thread's.

#define EMU_MBOX_WAITING 64 // messages of one NIC
#define EMU_MBOX_OF_VF 8    // of one VF, of these; and its burst

struct emu_mail {
	uint16_t side;
	uint8_t mac[6]; // of its sender
	uint16_t reply; // bytes of event.data that the answer has
	struct rte_pmd_emunic_mbox_event event;
};

struct emu_mailbox {
	struct emu_mail waiting[EMU_MBOX_WAITING]; // a ring
	uint16_t first, n;
	bool alarm_set;
	uint64_t consumed, originated;
};

// Of one VF.
struct emu_mail_slot {
	uint16_t waiting;
	uint32_t tokens;
	uint64_t at;       // TSC of the last refill
	uint64_t messages; // that became events
};

// Takes the messages out of n packets that a VF sent; returns how many are left in pkts.
uint16_t emu_mailbox_take(
	struct emu_nic *nic, struct emu_side *side, struct rte_mbuf **pkts, uint16_t n);

// No event comes after it, until it is started again; messages wait.
void emu_mailbox_stop(struct emu_nic *nic);
void emu_mailbox_start(struct emu_nic *nic); // under the gate

#endif
