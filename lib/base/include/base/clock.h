// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

// A replaceable clock: real time in the product, set by hand in tests and in the trace simulator.
// Thread safety: any thread for the monotonic clock; owner thread only for a manual one.

struct sl_clock {
	uint64_t (*now_ns)(const struct sl_clock *clock); // never goes back; its zero means nothing
	uint64_t manual_ns;                               // for sl_clock_manual
};

#define SL_NS_PER_US 1000ULL
#define SL_NS_PER_MS 1000000ULL
#define SL_NS_PER_S 1000000000ULL

struct sl_clock sl_clock_monotonic(void);
struct sl_clock sl_clock_manual(uint64_t start_ns);

static inline uint64_t
sl_now(const struct sl_clock *clock)
{
	return clock->now_ns(clock);
}

#endif
