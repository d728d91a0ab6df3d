// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_REPORT_H
#define SLUICE_DATAPATH_REPORT_H

#include <rte_common.h>

#include "classify/entry.h"
#include "lcore.h"

// What a worker tells control of its flows, and the flows' rate.
//
// Idea: an entry's `rate` is a byte count that halves every 12 ticks, brought up to date at the
// first packet of each tick. A flow whose rate passes the snapshot's report_rate is reported at
// once, then at most every 6 ticks (100 ms) while it has packets; `flags` of its entry then holds
// 1 + the slot of what was told. Refuses: to report more than LCORE_REPORTS flows at a time.
// Thread safety: owner thread only.

#define REPORT_TICKS 6            // between two reports of a flow, 100 ms
#define REPORT_TICKS_LIGHT 60     // of one below the bar
#define REPORT_LOOK_LIGHT 16      // so often that is looked at: it costs two lines of memory
#define REPORT_LOOK_FAR 4         // the same of flows that come in by no NIC, above the bar
#define REPORT_MAC_TICKS 64       // about a second: so often the MAC table hears of a source
#define REPORT_NO_SLOT UINT16_MAX // flags: no slot was free, again at the next tick

void report_init(struct dp_worker *w);
// e's packet is its first one in this tick; ticks since the last one. Its rate has decayed.
void report_tick(struct dp_worker *w, struct cache_entry *e, uint32_t ticks, uint8_t dscp);
void report_first(struct dp_worker *w, struct cache_entry *e, uint8_t dscp);
// An entry leaves the cache (cache_evict_fn, ctx is the worker).
void report_gone(void *ctx, const struct cache_entry *e);
void report_mac(struct dp_worker *w, const struct flow_key *key, uint16_t vlan);
// Tells the MAC table that the source of key is in use, in the VLAN that its port puts it in.
void report_mac_used(struct dp_worker *w, const struct flow_key *key);

// What flows from a vport have to reach, for the burst that follows.
static inline void
report_bar(struct dp_worker *w, uint16_t origin)
{
	uint32_t bar = atomic_load_explicit(&w->dp->bar[origin], memory_order_relaxed);

	w->report_rate = RTE_MIN(bar, w->snap->report_rate);
}

// What is left of a rate after so many ticks.
static inline uint32_t
report_decayed(const struct dp_worker *w, uint32_t rate, uint32_t ticks)
{
	return (uint32_t)((uint64_t)rate * w->decay[RTE_MIN(ticks, LCORE_DECAY - 1u)] >> 31);
}

static inline void
report_new_tick(struct dp_worker *w, struct cache_entry *e, uint32_t ticks, uint8_t dscp)
{
	e->rate = report_decayed(w, e->rate, ticks);
	e->last_tick = w->tick;
	report_tick(w, e, ticks, dscp);
}

// What a report says of the packet's DSCP. m is still the worker's.
uint8_t report_dscp(const struct rte_mbuf *m);

// A packet of len bytes hit e; m NULL: it is gone, and its DSCP was dscp.
static inline void
report_packet(struct dp_worker *w, struct cache_entry *e, uint32_t len, const struct rte_mbuf *m,
	uint8_t dscp)
{
	uint32_t ticks = w->tick - e->last_tick;
	uint32_t rate;

	cache_count(e, w->cache_apart, 1, len);
	if (unlikely(ticks != 0))
		report_new_tick(w, e, ticks, m != NULL ? report_dscp(m) : dscp);
	rate = e->rate + len;
	e->rate = likely(rate >= len) ? rate : UINT32_MAX;
	if (unlikely(e->rate >= w->report_rate && !(e->hint & ENTRY_TOLD)))
		report_first(w, e, m != NULL ? report_dscp(m) : dscp);
}

#endif
