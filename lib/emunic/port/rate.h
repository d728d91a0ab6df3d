// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RATE_H
#define EMUNIC_RATE_H

#include <stdbool.h>
#include <stdint.h>

// A shaper: what is above its rate waits where it is, nothing is lost. It is a token bucket of 5 ms
// that may be overdrawn by one burst: who is in debt waits until it is paid back, so that over time
// the rate holds exactly and packets of any size pass. Rates count the bytes of frames, without
// preamble, gap and FCS.
// Source: the token bucket of RFC 2697, section 3, with deficit. rte_meter colours packets, after
// they were taken; a shaper must know before.
// Thread safety: under the NIC's gate.

struct emu_rate {
	uint32_t mbps;  // 0: no limit
	int64_t tokens; // bytes; below zero: debt
	uint64_t at;    // TSC of the last refill
};

// Changes the limit. The bucket is full then.
void emu_rate_set(struct emu_rate *r, uint32_t mbps);

// True when something may be sent now.
bool emu_rate_refill(struct emu_rate *r);

static inline bool
emu_rate_ready(struct emu_rate *r)
{
	return r->mbps == 0 || emu_rate_refill(r);
}

static inline void
emu_rate_take(struct emu_rate *r, uint64_t bytes)
{
	if (r->mbps > 0)
		r->tokens -= (int64_t)bytes;
}

#endif
