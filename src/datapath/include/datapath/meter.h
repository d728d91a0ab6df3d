// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_METER_H
#define SLUICE_DATAPATH_METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// A rate that several workers share: the time at which the bucket would be empty is one atomic
// word, moved by compare-and-swap (virtual scheduling, as the generic cell rate algorithm of ITU-T
// I.371). Thread safety: any thread.

struct dp_meter {
	_Atomic uint64_t next;     // cycles
	uint64_t cycles_per_kbyte; // 0: no limit
	uint64_t burst_cycles;
};

void dp_meter_init(struct dp_meter *m, uint64_t rate_bps, uint64_t burst_bytes, uint64_t hz);
bool dp_meter_take(struct dp_meter *m, uint32_t len, uint64_t now);

#endif
