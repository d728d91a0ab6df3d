// SPDX-License-Identifier: BSD-3-Clause
#include "base/clock.h"

#include <time.h>

static uint64_t
monotonic_now(const struct sl_clock *clock)
{
	struct timespec ts;

	(void)clock;
	clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail: the clock exists, ts is ours
	return (uint64_t)ts.tv_sec * SL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t
manual_now(const struct sl_clock *clock)
{
	return clock->manual_ns;
}

struct sl_clock
sl_clock_monotonic(void)
{
	return (struct sl_clock){.now_ns = monotonic_now};
}

struct sl_clock
sl_clock_manual(uint64_t start_ns)
{
	return (struct sl_clock){.now_ns = manual_now, .manual_ns = start_ns};
}
