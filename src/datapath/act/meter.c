// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/meter.h"

#include "act/gcra.h"

void
dp_meter_init(struct dp_meter *m, uint64_t rate_bps, uint64_t burst_bytes, uint64_t hz)
{
	uint64_t cost = 0;

	// 1024 bytes are 8192 bits; 128 bits in between, as hz * 8192 passes 2^45.
	if (rate_bps != 0)
		cost = (uint64_t)((__uint128_t)hz * 8192 / rate_bps);
	atomic_store_explicit(&m->next, 0, memory_order_relaxed);
	m->cycles_per_kbyte = rate_bps != 0 && cost == 0 ? 1 : cost;
	m->burst_cycles = (uint64_t)((__uint128_t)m->cycles_per_kbyte * burst_bytes >> 10);
}

bool
dp_meter_take(struct dp_meter *m, uint32_t len, uint64_t now)
{
	if (m->cycles_per_kbyte == 0)
		return true;
	return meter_gcra(&m->next, m->cycles_per_kbyte * len >> 10, m->burst_cycles, now);
}
