// SPDX-License-Identifier: BSD-3-Clause
#include "qos/bucket.h"

#define TOKEN_BITS 16                       // of a byte
#define RATE_BITS 32                        // of a token
#define REFILL_MIN (1u << (TOKEN_BITS - 4)) // tokens; what is cut off is below 1/4096 of it
#define BURST_MIN 2000
#define BURST_MAX (1ULL << 40)
#define RATE_MIN 1000ULL
#define RATE_MAX 1000000000000ULL

static uint64_t
clamp(uint64_t value, uint64_t low, uint64_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

void
qos_bucket_init(
	struct qos_bucket *b, uint64_t rate_bps, uint64_t burst_bytes, uint64_t hz, uint64_t now)
{
	__uint128_t scaled = (__uint128_t)clamp(rate_bps, RATE_MIN, RATE_MAX)
			     << (TOKEN_BITS + RATE_BITS - 3);

	b->burst = clamp(burst_bytes, BURST_MIN, BURST_MAX) << TOKEN_BITS;
	b->tokens = b->burst;
	b->per_cycle = (uint64_t)(scaled / (hz > 0 ? hz : 1));
	b->last = now;
}

// Time that is too short for a sensible number of tokens is left for the next call, so that many
// calls in a row do not round the rate down.
static void
refill(struct qos_bucket *b, uint64_t now)
{
	__uint128_t gain;

	if ((int64_t)(now - b->last) <= 0)
		return;
	gain = ((__uint128_t)(now - b->last) * b->per_cycle) >> RATE_BITS;
	if (gain < REFILL_MIN)
		return;
	b->last = now;
	b->tokens = gain >= b->burst - b->tokens ? b->burst : b->tokens + (uint64_t)gain;
}

bool
qos_bucket_take(struct qos_bucket *b, uint32_t len, uint64_t now)
{
	uint64_t need = (uint64_t)len << TOKEN_BITS;

	refill(b, now);
	if (b->tokens >= need) {
		b->tokens -= need;
		return true;
	}
	if (b->tokens < b->burst)
		return false;
	// Longer than the burst, and the bucket is full: it passes, and the tokens that it lacks
	// put off the next refill.
	b->last = now + (uint64_t)(((__uint128_t)(need - b->tokens) << RATE_BITS) / b->per_cycle);
	b->tokens = 0;
	return true;
}
