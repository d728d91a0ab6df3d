// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_FAILOVER_H
#define SLUICE_CONTROL_FAILOVER_H

#include "state.h"

// NICs with a standby: when one fails, the other has its ports, its VFs and its rules.
//
// Problem: a NIC's link or the NIC itself is lost with thousands of flows in its hardware, and the
// VMs behind its VFs with it. Idea: rules name vports, and which NIC carries a vport is looked up
// in one place (carry.h), so that a switch-over changes a mapping and no rule. What fails:
//   1 the standby's ports are started (they stand still until then), the vports get devices there
//   2 the VMs' VFs move (vf_map.h); packets go by the host and the switch from here on
//   3 the brain puts the flows' rules into the standby, the heaviest first (offload_nic_move)
//   4 behind: what the failed NIC still holds is polled empty, its rules are destroyed and their
//     last counters read (evict.h), and when none is left its VFs' ports are stopped. Its PF runs
//     on where the driver can tell when the link is back.
// The way back, and a switch-over by command, are planned: first the brain takes all flows out of
// the NIC by its ordinary orders, then 1 and 2, where nothing is lost because the VF that a VM
// comes to holds what is for it, then 3, and the NIC that was left is polled empty before it is
// stopped. The way back begins when the link was up for recover_ms without a break. Cost: one walk
// over the known flows and one grace period of the workers; a rule as fast as the standby takes it.
// What it refuses to do: guess. A NIC has failed when its driver says that the link is down (after
// it was up, or for 10 s after a switch-over to it) or that the device is gone, or when an operator
// says so, or when it does not start again after its ports were stopped for a restart: that is as
// if the device were gone, but that it is tried again (restart.h, trial.h). A NIC that does not
// start when it is to be taken back costs the one that carries a drain once: from then on it is
// started on trial first, after pauses that double up to 64 s.
//
// Thread safety: owner thread only (control).

struct timeline; // failover/timeline.h

enum failover_state {
	FAILOVER_ACTIVE,     // carries its vports
	FAILOVER_STANDBY,    // ready, and stopped
	FAILOVER_FAILED,     // see why
	FAILOVER_RECOVERING, // its link is back, and has to stay
	FAILOVER_LEAVING     // flows are being taken out of it, or what it still holds
};

struct failover_info {
	const char *role; // "primary", "standby", "alone"
	int partner;      // index, -1: none
	enum failover_state state;
	const char *why;    // why it failed, "": it has not
	const char *advice; // what the operator can do, "": nothing
	double next_try_s;  // it did not start, and is tried again then; -1: no such thing
	double since_s;     // in this state
	uint32_t switches;  // of the pair, so far
	const struct timeline *times; // of the last one; NULL: there was none
	uint32_t flows;               // that it took along
	bool busy;                    // one is under way
};

int failover_new(struct control *c, struct sl_err *err); // when the NICs are open
void failover_fini(struct control *c);
// Looks at links and devices, and goes on with what is under way. Each tick, and when woken.
void failover_run(struct control *c);
// A driver says that the device is gone. False: it has no standby.
bool failover_gone(struct control *c, uint16_t nic, const char *text);

// Everything is on its way out of that NIC, to go to its standby or back, or for a restart of it.
bool failover_drains(const struct control *c, uint16_t nic);
// Rules of a NIC that was left are being put into another one.
bool failover_rushes(const struct control *c);
// The NIC that carries what is attached to that one.
uint16_t failover_carrier(const struct control *c, uint16_t nic);
void failover_info(const struct control *c, uint16_t nic, struct failover_info *out);
const char *failover_state_name(enum failover_state s);
// "nic0 failed 3 s ago (its link is down): on nic1/vf0 meanwhile", "" when all is as configured.
void failover_note(const struct control *c, uint16_t vport, char *buf, size_t len);

// By command. -EINVAL, -EBUSY, -EALREADY with the reason.
int failover_fail(struct control *c, uint16_t nic, struct sl_err *err);
int failover_recover(struct control *c, uint16_t nic, struct sl_err *err);

#endif
