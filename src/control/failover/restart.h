// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_RESTART_H
#define SLUICE_CONTROL_RESTART_H

#include "state.h"

// A NIC's ports are stopped and started again, by command: for a driver that needs it (after a
// reset of the device, a firmware update, a change of its link's settings).
//
// Problem: when a port stops many drivers lose its rules, and no API tells which (DPDK programmer's
// guide, "Flow API", rules and port state; RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP is a promise of few).
// Idea: what is on the NIC is taken out by the brain's ordinary orders first, with its last
// counters read; then the workers let go of the ports, they stop and start; then the rules are made
// anew from what the brain and the rules of the switch know (nothing has to come to the host for
// it), the heaviest first. Cost: its flows are on the host meanwhile; packets that arrive while it
// stands still are lost by name. What it refuses to do: stop a port whose driver does not let go of
// the rules: after 10 s all is as before, with an error.
//
// Thread safety: owner thread only (control).

// -EBUSY, -ENODEV with the reason; else it is under way.
int restart_begin(struct control *c, uint16_t nic, struct sl_err *err);
void restart_run(struct control *c); // each tick
// Everything is on its way out of that NIC, for this.
bool restart_drains(const struct control *c, uint16_t nic);
// -EINPROGRESS, or how the last one ended: 0, or -errno with its reason.
int restart_result(const struct control *c, uint16_t nic, struct sl_err *err);
void restart_fini(struct control *c);

#endif
