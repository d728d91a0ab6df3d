// SPDX-License-Identifier: BSD-3-Clause
// Decayed rates. A flow keeps, for each of two half-lives, the sum of its bytes, each weighed by
// how often the half-life has passed since; sum * ln 2 / half-life is its rate. All sums decay by
// the same factor, so the order of two flows changes only when one of them has a packet: their rank
// is the logarithm of the sum, moved to one point in time.
#include <math.h>

#include "internal.h"

static double
decay(uint64_t from, uint64_t to, double half_s)
{
	return to > from ? exp2(-(double)(to - from) / 1e9 / half_s) : 1.0;
}

void
offload_traits_add(struct of_flow *f, uint64_t now, uint32_t packets, uint64_t bytes)
{
	f->fast = f->fast * decay(f->rate_ns, now, OF_FAST_S) + (double)bytes;
	f->slow = f->slow * decay(f->rate_ns, now, OF_SLOW_S) + (double)bytes;
	f->rate_ns = now;
	if (packets)
		f->last_ns = now;
}

static uint64_t
rate(double sum, uint64_t from, uint64_t now, double half_s)
{
	double bps = sum * decay(from, now, half_s) * M_LN2 / half_s * 8;

	return bps < 1e18 ? (uint64_t)bps : (uint64_t)1e18;
}

uint64_t
offload_rate_fast(const struct of_flow *f, uint64_t now)
{
	return rate(f->fast, f->rate_ns, now, OF_FAST_S);
}

uint64_t
offload_rate_slow(const struct of_flow *f, uint64_t now)
{
	return rate(f->slow, f->rate_ns, now, OF_SLOW_S);
}

uint64_t
offload_rate(const struct of_flow *f, uint64_t now)
{
	uint64_t fast = offload_rate_fast(f, now), slow = offload_rate_slow(f, now);

	return fast > slow ? fast : slow;
}

double
offload_rank(const struct of_flow *f)
{
	double sum = f->fast > 1e-6 ? f->fast : 1e-6;

	return log2(sum) + (double)f->rate_ns / 1e9 / OF_FAST_S + f->hint * OF_HINT_BONUS;
}
