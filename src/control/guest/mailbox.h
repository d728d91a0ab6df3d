// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MAILBOX_H
#define SLUICE_CONTROL_MAILBOX_H

#include "state.h"

// Hints by the mailbox of a VF: the guest needs nothing but its network device. On the emulated NIC
// a message is an in-band frame that the NIC takes out at the VF's edge (rte_pmd_emunic.h); it
// becomes RTE_ETH_EVENT_VF_MBOX of the PF, in EAL's interrupt thread. That thread only looks at the
// form and puts it into a bounded queue; control does the rest, with the checks, the names and the
// rate of the VM's hint socket. The VF is told 0 when its message was taken in hand, EBUSY when the
// queue is full, EINVAL when it is no message of ours. What became of it is asked with
// MAILBOX_OUTCOME, whose data is the id of that message (4 bytes, network order): EAGAIN as long as
// control has not looked at it, ENOENT when it is not known (any more), 0 when the hint is in
// force, EPERM when all flows that it matches are on ports that follow no hints, else why it was
// refused: EINVAL (its match, or a port in it that is not the VM's), ENOENT (nothing to take back),
// ENOSPC, EBUSY (too many changes a second). An accepted hint is in `vm show`, a refused one in the
// log (debug).
//
// A message: type MAILBOX_RAISE, MAILBOX_LOWER or MAILBOX_CLEAR, the data is the match as text,
// without a NUL. Other drivers' events have another form and are left alone.
// Thread safety: owner thread only (control).

#define MAILBOX_RAISE 1
#define MAILBOX_LOWER 2
#define MAILBOX_CLEAR 3
#define MAILBOX_OUTCOME 4

int mailbox_new(struct control *c); // after the NICs
void mailbox_fini(struct control *c);
void mailbox_poll(struct control *c);

#endif
