// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_GCRA_H
#define SLUICE_DATAPATH_GCRA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The step of the generic cell rate algorithm (ITU-T I.371, virtual scheduling): *next is when the
// bucket will be empty again; a packet that costs `cost` cycles passes unless that lies more than
// `burst` cycles ahead. Cost: one compare-and-swap for each packet that passes. Thread safety: any
// thread.

static inline bool
meter_gcra(_Atomic uint64_t *next, uint64_t cost, uint64_t burst, uint64_t now)
{
	uint64_t old = atomic_load_explicit(next, memory_order_relaxed);
	uint64_t from;

	do {
		from = old > now ? old : now;
		if (from - now > burst)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		next, &old, from + cost, memory_order_relaxed, memory_order_relaxed));
	return true;
}

#endif
