// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_EVICT_H
#define SLUICE_CONTROL_EVICT_H

#include "state.h"

// The rules of a NIC that is out of use. The brain has forgotten them (offload_nic_move); nothing
// hits them any more. They are destroyed behind, in batches, and their last counters are read
// before; those of a device that is gone stand as they were last read. One that the driver does not
// destroy is tried again until its NIC's ports are to stop (evict_give_up). Orders that its
// executor is at come back to nobody: what they made goes the same way.
//
// Thread safety: owner thread only (control).

struct evict;

int evict_new(struct evict **out);
void evict_free(struct evict *e);

// Takes all placements of the NIC out of the shadow table.
void evict_begin(struct control *c, uint16_t nic);
// The flow's placement (side in) that is on its way out of a NIC; NULL: there is none.
const struct placement *evict_of(const struct control *c, uint32_t flow);
// Goes on: gives a batch to each NIC that has none.
void evict_run(struct control *c);
void evict_answer(struct control *c, uint16_t nic, struct nic_job *job); // frees it
// What could not be destroyed is known to nobody from here on, rules ahead of traffic among it: the
// caller flushes the NIC. Returns how many; their last counters are unread. Nothing of the NIC is
// with its executor.
uint32_t evict_give_up(struct control *c, uint16_t nic);
// The same of the rules ahead of traffic only, as when the device is gone.
uint32_t evict_ahead(struct control *c, uint16_t nic);
// An answer that comes when its placement was taken out; false: it is not such a one. *queue: the
// mover's batch counts it, else it went straight to the executor.
bool evict_late(struct control *c, const struct nic_job *job, bool *queue);
// Rules of the NIC that are not destroyed yet, or whose answers are due.
uint32_t evict_left(const struct control *c, uint16_t nic);
// Rules of it whose last counters could not be read.
uint64_t evict_unread(const struct control *c, uint16_t nic);

#endif
