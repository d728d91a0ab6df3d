// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_MAC_H
#define SLUICE_DATAPATH_MAC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// MAC table of one switch as workers see it: immutable but for the time of last use. Control learns
// (from events), ages, limits, and publishes a new table at most every few milliseconds. Thread
// safety: one writer, many readers under RCU; `used` is written by any worker (relaxed).

#define DP_MAC_USED_TICKS 64 // about a second: a worker says so often that an address is in use

struct dp_mac {
	uint8_t addr[6];
	uint16_t vlan; // VID, 0: untagged
	uint16_t vport;
	_Atomic uint32_t *used; // tick when its use was said last; outlives the table
};

struct dp_mac_table;

// Builds a table of n entries (copied). NULL when out of memory.
struct dp_mac_table *dp_mac_table_new(const struct dp_mac *macs, uint32_t n, uint64_t seed);
void dp_mac_table_free(struct dp_mac_table *t);
const struct dp_mac *dp_mac_find(
	const struct dp_mac_table *t, const uint8_t addr[6], uint16_t vlan);

#endif
