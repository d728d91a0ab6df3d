// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CACHE_LOOKUP_WIDE_H
#define SLUICE_CACHE_LOOKUP_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "cache_impl.h"

// The stages of a look-up for CPUs with AVX-512, where a key is one register: half the
// instructions, the same results. Thread safety: owner thread only.

// Does this CPU have it?
bool lookup_wide_here(void);

// Only where lookup_wide_here().
// Returns a word in which CACHE_L3_MORE is set when it is in a key's l3.
// at: the first bucket of each.
uint32_t lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n,
	uint64_t *hashes, const struct cache_bucket **at);
// Returns a bit for each packet whose candidate, if any, is in the second bucket.
uint64_t lookup_wide_find(const struct cache *c, const uint64_t *hashes,
	const struct cache_bucket *const *at, uint16_t n, struct cache_entry **out);
// A bit for each candidate that is not it, IPv6 left out (cache_key_far). alike: of all, when there
// is no IPv6 among them.
uint64_t lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e,
	struct cache_alike *alike);

#endif
