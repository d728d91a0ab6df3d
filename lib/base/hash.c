// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"

#include <string.h>

#include <bsd/stdlib.h>

uint64_t
sl_hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ 0xa0761d6478bd642fULL;
	uint64_t w[2];
	size_t left = len;

	for (; left >= sizeof(w); left -= sizeof(w), p += sizeof(w)) {
		memcpy(w, p, sizeof(w));
		h = sl_hash_mix(w[0] ^ h, w[1] ^ 0xe7037ed1a0b428dbULL ^ (seed >> 1));
	}
	if (left > 0) {
		memset(w, 0, sizeof(w));
		memcpy(w, p, left);
		h = sl_hash_mix(w[0] ^ h, w[1] ^ 0x8ebc6af09c88c6e3ULL ^ seed);
	}
	// The length tells "a" from "a\0".
	return sl_hash_mix(h ^ len, 0x589965cc75374cc3ULL);
}

uint64_t
sl_hash_seed(void)
{
	uint64_t seed;

	arc4random_buf(&seed, sizeof(seed)); // cannot fail: it ends the process without entropy
	return seed;
}
