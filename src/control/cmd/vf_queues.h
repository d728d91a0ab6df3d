// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_VF_QUEUES_H
#define SLUICE_CONTROL_VF_QUEUES_H

#include "state.h"

// The queues of VFs themselves, behind their representors: the guest enables them, so that they are
// asked for when somebody wants to see them. Where a driver cannot tell, there are none in the
// accounts. Thread safety: owner thread only (control).

// Brings the accounts of all NICs' VFs up to date.
void vf_queues_refresh(struct control *c);
// Packets that went to each queue of the VF behind that port of the NIC; 0 where it is not known.
void vf_queues_packets(
	const struct control *c, uint16_t nic, uint16_t port, uint64_t *packets, uint16_t n);

#endif
