// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_FLOW_CALLS_H
#define SLUICE_CONTROL_NIC_FLOW_CALLS_H

#include "nic/job.h"

// The rte_flow calls that a job stands for; they fill in its answer.
// Thread safety: owner thread only (the NIC's executor thread).

void nic_flow_validate(struct nic_job *job);
void nic_flow_create(struct nic_job *job);
void nic_flow_destroy(struct nic_job *job);
void nic_flow_count(struct nic_job *job);
void nic_flow_evict(struct nic_job *job);
// Destroys all rules that were created on the port.
void nic_flow_flush(uint16_t ethdev);

#endif
