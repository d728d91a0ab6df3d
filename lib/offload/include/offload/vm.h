// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_VM_H
#define SLUICE_OFFLOAD_VM_H

#include <stdint.h>

#include "offload/offload.h"

// How hardware is divided among VMs: what a VM is guaranteed of queues, table entries and
// insertions, and the most that it may have.
//
// Problem: one VM with many heavy flows takes all queues and entries; fixed parts for each VM lie
// idle. Idea: what is guaranteed is lent as long as its VM does not want it. A flow of a VM that
// has less than its guarantee stands before all others that wait; when nothing is free, who is
// worth least of those that have more than their own guarantee leaves for it, worth more or not.
// What a VM has within its guarantee is taken by no other VM's flow. A limit that falls is brought
// about by the next rounds, the flows that are worth least first.
// Cost: some comparisons for flows of VMs that have limits, none for the others.
// What it refuses to do: cut off what is under way. An insertion that was ordered is made.
//
// A flow's entry is charged to the VM that it goes to, else to the one that it comes from. A
// receive queue alone is charged to the VM that the flow goes to, a transmit queue alone to the one
// that it comes from. What a port is allowed (offload_decision.vm_max_*) holds beside this.
// Thread safety: owner thread only (control).

struct offload_vm_limits {
	uint32_t min_queues, max_queues; // alone, of all NICs; max 0: no limit
	uint32_t min_entries,
		max_entries; // min: of each NIC that it uses; max: of all; 0: no limit
	uint32_t min_inserts, max_inserts; // rules a second that are made for it; max 0: no limit
};

struct offload_vm_info {
	struct offload_vm_limits limits;
	uint32_t queues, entries;
	uint32_t entries_on[OFFLOAD_NICS_MAX];
	uint32_t inserts; // a second, of late
};

// In force from the next round on. -EINVAL: a minimum is above its maximum, or no VM.
int offload_vm_set(struct offload *o, uint16_t vm, const struct offload_vm_limits *limits);
void offload_vm_get(const struct offload *o, uint16_t vm, struct offload_vm_info *out);
// The known flows that come from a VM or go to it, each once.
void offload_vm_each(const struct offload *o, uint16_t vm, offload_flow_fn fn, void *ctx);

#endif
