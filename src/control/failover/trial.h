// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_TRIAL_H
#define SLUICE_CONTROL_TRIAL_H

#include "state.h"

// A NIC that did not start again is lost to its pair like one whose device is gone, but for this:
// it is started on trial (restart.c says when). One that carries its ports, because it has no
// partner or none that could take over, has them back at once. One whose standby has them does not:
// its PF is started alone, is polled, and comes back as after a loss of its link, when that was up
// for recover_ms. A standby that starts stands by.
//
// Thread safety: owner thread only (control).

// It does not start, and has failed for that reason. Nothing for a NIC that has no partner.
void trial_failed(struct control *c, uint16_t nic, const char *why);
// May it be tried now? Not while it is being left, nor when a command took it out of use.
bool trial_may(const struct control *c, uint16_t nic);
// Do its vports wait for it? Else another NIC has them.
bool trial_carries(const struct control *c, uint16_t nic);
// Starts one that does not carry them. 0, or -errno with err, and it is stopped as before.
int trial_beside(struct control *c, uint16_t nic, struct sl_err *err);
// One that carries its vports has started, and has them.
void trial_works(struct control *c, uint16_t nic);

#endif
