// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

// Seeded hashes of fixed-size keys. The seed is drawn at start, so that a peer cannot choose keys
// that collide. Mixing after the multiply-fold idea of wyhash (Wang Yi, public domain). Thread
// safety: any thread.

static inline uint64_t
sl_hash_mix(uint64_t a, uint64_t b)
{
	__uint128_t r = (__uint128_t)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

// Hash of n 64-bit words.
static inline uint64_t
sl_hash_words(const uint64_t *w, unsigned n, uint64_t seed)
{
	uint64_t h = seed ^ 0xa0761d6478bd642fULL;
	unsigned i;

	for (i = 0; i + 1 < n; i += 2)
		h = sl_hash_mix(w[i] ^ h, w[i + 1] ^ 0xe7037ed1a0b428dbULL ^ (seed >> 1));
	if (i < n)
		h = sl_hash_mix(w[i] ^ h, 0x8ebc6af09c88c6e3ULL ^ seed);
	return sl_hash_mix(h, 0x589965cc75374cc3ULL);
}

// Hash of any bytes (names).
uint64_t sl_hash_bytes(const void *data, size_t len, uint64_t seed);
// A seed from the system's random source.
uint64_t sl_hash_seed(void);

#endif
