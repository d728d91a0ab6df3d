// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_IDPOOL_H
#define SLUICE_BASE_IDPOOL_H

#include <stdbool.h>
#include <stdint.h>

// Small integers with a generation, so that a stale handle is told from a live one. An id that was
// freed is used again only after all that were freed before it (first in, first out), and with its
// next generation. Cost: O(1) each; 8 bytes an id. Thread safety: owner thread only.

struct sl_idpool;

struct sl_id {
	uint32_t index;
	uint32_t gen; // 1 to gen_max, never 0
};

// Ids 0 to size-1; generations run from 1 to gen_max and wrap. NULL when out of memory, or when
// size or gen_max is 0, or size above 2^32 - 3.
struct sl_idpool *sl_idpool_new(uint32_t size, uint32_t gen_max);
void sl_idpool_free(struct sl_idpool *pool);
// -ENOSPC when all are taken.
int sl_idpool_take(struct sl_idpool *pool, struct sl_id *out);
// False when the id is not a live one (nothing happens then).
bool sl_idpool_put(struct sl_idpool *pool, struct sl_id id);
bool sl_idpool_live(const struct sl_idpool *pool, struct sl_id id);
uint32_t sl_idpool_used(const struct sl_idpool *pool);

#endif
