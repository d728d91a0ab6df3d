// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MACS_H
#define SLUICE_CONTROL_MACS_H

#include "state.h"

// MAC learning: what workers saw becomes a table per switch, bounded (mac_limit) and aged
// (mac_age_s). A learned address is in force after the next publish; many are gathered into one (at
// most one publish every 5 ms). Thread safety: owner thread only (control).

int macs_new(struct control *c);
void macs_fini(struct control *c);

// An event of a worker.
void macs_learn(struct control *c, const struct dp_event *ev);
// Ages; true when tables changed and a publish is due.
bool macs_tick(struct control *c);
// A placed flow has carried packets that no worker looked up: its source MAC is in use.
void macs_touch(struct control *c, const struct flow_key *key);
// Forgets: all of the switch (vport, vlan -1), of a vport, of a VLAN. Returns how many.
uint32_t macs_flush(struct control *c, uint16_t sw, int vport, int vlan);

// The table for a snapshot (built anew when something changed). Lives until macs_retire after the
// publish that left it.
const struct dp_mac_table *macs_table(struct control *c, uint16_t sw);
// The snapshots before the one in force are gone: frees the tables that only they used.
void macs_retire(struct control *c);

struct mac_info {
	const uint8_t *addr;
	uint16_t vlan, vport;
	uint32_t age_s;
};
typedef void (*macs_fn)(void *ctx, const struct mac_info *info);
void macs_each(struct control *c, uint16_t sw, macs_fn fn, void *ctx);
uint64_t macs_refused(const struct control *c, uint16_t sw); // above the limit

#endif
