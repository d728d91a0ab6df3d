// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_METERS_H
#define SLUICE_CONTROL_METERS_H

#include "state.h"

// The rates of ports, of VMs and of classes (rate_bps and burst_bytes in the configuration), as
// meters that all workers share. A packet that goes on takes its part of the meter of the port that
// it came in by, of that port's VM, and of its class; what is above one of them is dropped by name
// (datapath/drop.h). A meter lives as long as its rate is the same; one of another rate begins with
// what was taken of the burst before it, so that a change gives no burst away. Rates of rules:
// rule_book.h.
//
// Flows with a meter stay on the host: a NIC that carries a part of them would let that part pass
// beside the meter. Thread safety: owner thread only (control).

struct meters;

// Makes what the configuration in force says, for the snapshot that is being made. 0 or -ENOMEM.
// Before it nothing else of these may be called.
int meters_update(struct control *c);
// After the workers have ended.
void meters_free(struct control *c);
// NULL: no rate.
struct dp_meter *meters_port(const struct control *c, uint16_t vport);
struct dp_meter *meters_vm(const struct control *c, int16_t vm);
struct dp_meter *meters_class(const struct control *c, uint8_t cls);
// Those that the snapshot in force does not have any more are freed.
void meters_retire(struct control *c);
// What it takes for `rate`: the configured burst, or where that is 0 a tenth of a second, at least
// 64 KB. Bytes.
uint64_t meters_burst(uint64_t rate_bps, uint64_t burst_bytes);

#endif
