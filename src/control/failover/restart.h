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
// A NIC that does not start then has failed: its standby takes over, as when the device is gone
// (failover.h). Rules are kept out of it, and it is tried again after pauses that double from 1 to
// 64 s, or at once by the same command; trial.h has what follows when it starts.
//
// Thread safety: owner thread only (control).

// -EBUSY, -ENODEV with the reason; else it is under way. One that did not start is tried here: 0 or
// what its driver says.
int restart_begin(struct control *c, uint16_t nic, struct sl_err *err);
void restart_run(struct control *c); // each tick
// Everything is on its way out of that NIC, for this.
bool restart_drains(const struct control *c, uint16_t nic);
// It did not start the last time.
bool restart_waits(const struct control *c, uint16_t nic);
// One that waits: why, for how long (s), and when it is tried again (s from now).
struct restart_wait {
	const char *why;
	double since_s, next_try_s;
};
void restart_wait_info(const struct control *c, uint16_t nic, struct restart_wait *out);
// Tries one that waits now. 0, or -errno with err: it still waits.
int restart_try(struct control *c, uint16_t nic, struct sl_err *err);
// -EINPROGRESS, or how the last one ended: 0, or -errno with its reason.
int restart_result(const struct control *c, uint16_t nic, struct sl_err *err);
void restart_fini(struct control *c);

#endif
