// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_PROBE_H
#define SLUICE_CONTROL_NIC_PROBE_H

#include "nic/nic.h"

// What a NIC takes, asked of its driver at start (drivers differ, their documents too): a rule to a
// queue with MARK, and a transfer rule to another port; then tried with packets (nic/trial.h),
// since a rule that is accepted may do nothing. Sets nic->mark, nic->eswitch and nic->tried, and
// logs what is missing, in the driver's words. Waits for the executor, at most a few seconds.
// Before the workers poll the NIC. init only.
void nic_probe(struct nic *nic, struct sl_log *log);

#endif
