// SPDX-License-Identifier: BSD-3-Clause
#include "tick.h"

#include "base/clock.h"

#define SWEEP_TICKS 64   // the whole cache is looked at in that time
#define SWEEP_BUCKETS 32 // of one loop
#define BUCKET_WAYS 4    // entries of a bucket at the usual load, rounded down

static void
read_clock(struct dp_worker *w)
{
	struct sl_clock clock = sl_clock_monotonic();
	uint64_t ns = sl_now(&clock);

	w->tick = (uint32_t)(ns / DP_TICK_NS);
	// The rest of this tick; the cycle counter only says when to look at the clock again.
	w->next_tick = w->now + (uint64_t)((__uint128_t)w->dp->tick_cycles *
					   (DP_TICK_NS - ns % DP_TICK_NS) / DP_TICK_NS);
}

void
tick_resized(struct dp_worker *w)
{
	struct cache_stats stats;

	cache_stats_get(w->cache, &stats);
	w->expire_per_tick = stats.size / (BUCKET_WAYS * SWEEP_TICKS) + 1;
}

void
tick_start(struct dp_worker *w)
{
	tick_resized(w);
	read_clock(w);
}

void
tick_publish(struct dp_worker *w)
{
	struct cache_stats stats;

	cache_stats_get(w->cache, &stats);
	atomic_store_explicit(&w->counters.flows, stats.used, memory_order_relaxed);
	atomic_store_explicit(&w->counters.evicted, w->evicted, memory_order_relaxed);
	atomic_store_explicit(&w->counters.cache_size, stats.size, memory_order_relaxed);
	atomic_store_explicit(&w->counters.cache_memory, stats.memory, memory_order_relaxed);
	atomic_store_explicit(&w->counters.moving, cache_moving(w->cache), memory_order_relaxed);
	atomic_store_explicit(&w->counters.over_budget, stats.refused, memory_order_relaxed);
}

void
tick_loop(struct dp_worker *w)
{
	uint32_t n;

	if (unlikely(w->now >= w->next_tick)) {
		read_clock(w);
		w->expire_credit = w->expire_per_tick;
		cache_budget(w->cache,
			w->snap->insert_tokens != 0 ? w->snap->insert_tokens : CACHE_NO_BUDGET);
		tick_publish(w);
	}
	if (w->expire_credit == 0)
		return;
	n = RTE_MIN(w->expire_credit, (uint32_t)SWEEP_BUCKETS);
	w->expire_credit -= n;
	if (w->snap->idle_ticks != 0)
		cache_expire(w->cache, w->tick, w->snap->idle_ticks, n);
}
