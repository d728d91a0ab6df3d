// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_COST_H
#define SLUICE_CONTROL_NIC_COST_H

#include <stdint.h>

// What insertions of a NIC cost: how long the driver takes for one, and how many a second there are
// of late. Times go into buckets that are a quarter of an octave wide (error at most 9 %); after
// 4096 of them all are halved, so that it speaks of the last few thousand.
// Thread safety: owner thread only (control).

#define NIC_COST_BUCKETS 128 // from a microsecond to an hour

struct nic_cost {
	uint32_t bucket[NIC_COST_BUCKETS];
	uint32_t n;
	double rate; // decayed count, half-life a second
	uint64_t rate_ns;
	uint64_t last_ns;  // when the last one was answered
	uint64_t total_ns; // of all of them
};

void nic_cost_add(struct nic_cost *c, uint64_t took_ns, uint64_t now);
// The time that percent of the insertions took at most; 0: there were none.
uint32_t nic_cost_us(const struct nic_cost *c, unsigned percent);
uint32_t nic_cost_rate(const struct nic_cost *c, uint64_t now); // a second

#endif
