// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_TRIAL_H
#define SLUICE_CONTROL_NIC_TRIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "nic/job.h"

// Proves with packets what a driver said yes to.
//
// Problem: some drivers accept rules that then do nothing, and nothing in their interface tells.
// Idea: two rules that only frames of ethertype 0x88B5 (IEEE 802, "local experimental") between two
// MAC addresses of our own can hit. The way is a transfer rule from the port representor `from` to
// the port representor `to`; the steering rule sends what arrives at `to` to an assigned queue with
// a MARK. A few frames are sent out of `from`; where they come out, and what the rules' counters
// say, tells which of the two works. Neither rule leads to a VF or the wire. Where the driver has
// no such way (the transfer rule is refused) nothing is sent, and what it said has to do.
// Cost: two rules and three frames for a NIC, at most half a second where they get lost.
//
// Runs before the workers poll, since it uses queues of theirs: it takes a turn at the traffic,
// and one that comes too late for that does not (nic_trial_stop).
// Thread safety: owner thread only (the NIC's executor, then control), but for the turn.

enum nic_trial_verdict {
	NIC_TRIAL_NONE,    // not tried: see why
	NIC_TRIAL_WORKS,   // a frame came the whole way
	NIC_TRIAL_REFUSED, // the driver refused the rule
	NIC_TRIAL_DEAD,    // accepted, and does nothing
	NIC_TRIAL_NO_MARK, // steering: the frame came without its MARK
};

struct nic_trial {
	// What to do; filled in before the job is given.
	uint16_t from, to; // ethdevs
	uint16_t queue;    // of `to`, assigned
	uint16_t defaults; // queues of `to` below this take what no rule steers
	uint32_t mark;
	struct rte_mempool *pool; // for frames of `from`
	struct nic_job way, steer;
	atomic_int turn;
	// What came of it.
	enum nic_trial_verdict way_works, steer_works;
	char why[96]; // the driver's words, or ours
	uint32_t originated, consumed, dropped;
};

// Fills in the rules. 0 or -errno.
int nic_trial_init(struct nic_trial *t, struct sl_err *err);
// The executor's part (job->trial).
void nic_trial_run(struct nic_job *job);
// Control's, when it does not want to wait any longer: returns when no frame is sent or received
// any more; the job is freed when it comes back.
void nic_trial_stop(struct nic_trial *t);

#endif
