// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_PROBE_H
#define SLUICE_CONTROL_NIC_PROBE_H

#include "nic/nic.h"

// What a NIC takes, asked of its driver at start (drivers differ, their documents too): a rule to a
// queue with MARK, and a transfer rule to another port. Sets nic->mark and nic->eswitch and logs
// what is missing, in the driver's words. Waits for the executor, at most a few seconds. init only.
void nic_probe(struct nic *nic, struct sl_log *log);

#endif
