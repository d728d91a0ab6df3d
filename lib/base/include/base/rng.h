// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_RNG_H
#define SLUICE_BASE_RNG_H

#include <stdint.h>

// Seeded pseudo-random numbers (splitmix64, Steele et al. 2014): for sampling and for tests that
// can be repeated. Not for secrets. Thread safety: owner thread only.

struct sl_rng {
	uint64_t state;
};

static inline uint64_t
sl_rng_next(struct sl_rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

// 0 to below-1; below must be above 0.
static inline uint32_t
sl_rng_below(struct sl_rng *rng, uint32_t below)
{
	return (uint32_t)(((sl_rng_next(rng) >> 32) * below) >> 32);
}

#endif
