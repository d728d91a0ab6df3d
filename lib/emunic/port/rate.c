// SPDX-License-Identifier: BSD-3-Clause
#include "port/rate.h"

#include <rte_common.h>
#include <rte_cycles.h>

#define DEPTH_MS 5
#define BYTES_PER_MS(mbps) ((mbps)*UINT64_C(125))

void
emu_rate_set(struct emu_rate *r, uint32_t mbps)
{
	if (r->mbps == mbps)
		return;
	r->mbps = mbps;
	r->tokens = BYTES_PER_MS(mbps) * DEPTH_MS;
	r->at = rte_get_tsc_cycles();
}

bool
emu_rate_refill(struct emu_rate *r)
{
	const int64_t depth = BYTES_PER_MS(r->mbps) * DEPTH_MS;
	const uint64_t hz = rte_get_tsc_hz(), now = rte_get_tsc_cycles();
	uint64_t gone =
		RTE_MIN(now - r->at, hz); // more than a second overflows and is a full bucket
	uint64_t add = BYTES_PER_MS(r->mbps) * 1000 * gone / hz;

	// A time too short for a byte is kept for the next refill.
	if (add > 0) {
		r->tokens = RTE_MIN(r->tokens + (int64_t)add, depth);
		r->at = now;
	}
	return r->tokens > 0;
}
