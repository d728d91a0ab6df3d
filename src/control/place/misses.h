// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MISSES_H
#define SLUICE_CONTROL_MISSES_H

#include <jansson.h>

#include "datapath/tag.h"
#include "state.h"

// Ports whose misses come through their VM (datapath/tag.h): the keys, and whether the NIC goes
// that way at the moment.
//
// A key is random and of one VF. The workers know it before the NIC uses it, and for a while after
// the NIC has another one, so that what is on its way in the guest is still taken. It is replaced
// after /offload/miss_key_s, and when the port moves to another VF. The rule that sends what misses
// the port's table to the representor goes when the NIC has the key (place/ahead_plan.c).
//
// Where the way is not to be had (the driver has none, the port has no VF, no vhost-user port of
// the VM is up) misses go to the representor, as ever, and `port show` says why.
// Thread safety: owner thread only (control).

struct misses;

int misses_new(struct control *c);
void misses_free(struct control *c);
// Brings the NICs' ways to what is wanted. Call every tick.
void misses_run(struct control *c);
// Do the misses of this vport come through its VM now?
bool misses_through(const struct control *c, uint16_t vport);
// The keys of a VM's VFs, for a snapshot, at most max. Returns how many.
uint16_t misses_keys(const struct control *c, int vm, struct dp_tag_key **out, uint16_t max);
// Frees what no worker can see any more. After each publish.
void misses_retire(struct control *c);
// Adds "miss" and, where that is not what is wanted, "miss_reason".
void misses_json(const struct control *c, const struct control_vport *v, json_t *out);

#endif
