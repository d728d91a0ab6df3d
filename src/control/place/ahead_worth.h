// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_AHEAD_WORTH_H
#define SLUICE_CONTROL_AHEAD_WORTH_H

#include "place/ahead_internal.h"

// Which of the switch's rules are ahead of traffic, where a NIC has not room for all of them and
// for its flows: what offload/pays.h says of their counters, a few times a second.
// What class rules send to a VF stays whatever it carries: the operator has asked for it.
// Thread safety: owner thread only (control).

// Those of a port's steps that do not pay are the host's.
void ahead_worth_filter(const struct control *c, uint16_t vport, struct ahead_list *list);
// Judges by the notes of the plan in force. room: entries that the rules may have. True: what pays
// has changed, and a new plan is to be made.
bool ahead_worth_judge(struct control *c, uint16_t nic, uint32_t room);
// The same when it is due.
bool ahead_worth_run(struct control *c, uint16_t nic, uint32_t room);

#endif
