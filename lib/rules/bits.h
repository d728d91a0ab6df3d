// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_BITS_H
#define SLUICE_RULES_BITS_H

#include <stdint.h>

#if defined(__BMI2__)
#include <immintrin.h>
#endif

// The bits of v that the mask has, side by side (PEXT). Thread safety: any thread.
static inline uint32_t
rules_take_bits(uint64_t v, uint64_t mask)
{
#if defined(__BMI2__)
	return (uint32_t)_pext_u64(v, mask);
#else
	uint32_t out = 0;

	for (unsigned i = 0; mask != 0; i++, mask &= mask - 1)
		out |= (uint32_t)(v >> __builtin_ctzll(mask) & 1) << i;
	return out;
#endif
}

#endif
