// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_REPORT_H
#define SLUICE_DATAPATH_REPORT_H

#include <rte_common.h>

#include "classify/entry.h"
#include "datapath/mac.h"
#include "lcore.h"

// What a worker tells control of its flows, and the flows' rate.
//
// Problem: control wants the flows that could be worth a place in hardware, soon after they got
// busy, and how they go on while they compete. It wants nothing of what cannot be placed but to be
// able to say so, and hears a bounded number a second. What was told lies apart from what a packet
// of the flow touches: two lines of memory to look at it.
// Idea: an entry's `rate` is a byte count that halves every 12 ticks, brought up to date at the
// first packet of each tick. A flow whose rate passes the snapshot's report_rate is reported at
// once, and again every 6 ticks (100 ms) or when it has doubled, while it has packets; `flags` of
// its entry then holds 1 + the slot of what was told. Those below the bar, and those that neither
// come nor go by a NIC, are reported once a second, and not looked at before; each has its own
// phase in that second, so that it is no rush. A tick has room for so many first reports and so
// many others: the heaviest come first, since the first packets of a tick are mostly theirs. Who
// finds no room waits for the next tick, known by its hint; where told flows often find none, all
// of them are told less often, so that each has its turn. Refuses: to report more than
// LCORE_REPORTS flows at a time, half of which is kept for those on a NIC.
// Thread safety: owner thread only.

#define REPORT_TICKS 6        // between two reports of a flow, 100 ms
#define REPORT_TICKS_LIGHT 60 // of one below the bar; and what REPORT_TICKS grows to
#define REPORT_LOOK_LIGHT 16  // so often that is looked at
#define REPORT_LOOK_FAR 64    // the same of flows on no NIC: a power of two
#define REPORT_FIRST_MAX 4096 // first reports in a tick
#define REPORT_AGAIN_MAX 1024 // others in a tick

#define REPORT_RATE_MAX (1u << 31) // 7 GB/s and more

#define REPORT_MAC_TICKS DP_MAC_USED_TICKS // so often the MAC table hears of a source
static_assert(REPORT_LOOK_FAR >= REPORT_TICKS_LIGHT && REPORT_LOOK_FAR <= REPORT_MAC_TICKS,
	"what is looked at is due, and hears of its source");

void report_init(struct dp_worker *w);
// e's packet is its first one in this tick, and last is that of the one before. Its rate has
// decayed. m: the packet, or NULL when it is gone, and its DSCP was dscp.
void report_tick(struct dp_worker *w, struct cache_entry *e, uint32_t last,
	const struct rte_mbuf *m, uint8_t dscp);
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

// What is left of a rate after so many ticks. No more than REPORT_RATE_MAX: with what a tick's
// packets add it has room in 32 bits.
static inline uint32_t
report_decayed(const struct dp_worker *w, uint32_t rate, uint32_t ticks)
{
	uint64_t left = (uint64_t)rate * w->decay[RTE_MIN(ticks, LCORE_DECAY - 1u)] >> 31;

	return (uint32_t)RTE_MIN(left, (uint64_t)REPORT_RATE_MAX);
}

// The highest power of two of which a multiple of the flow's own lies between two ticks: what is
// done every so many ticks is done when this is as much.
static inline uint32_t
report_passed(const struct cache_entry *e, uint32_t now, uint32_t last)
{
	uint32_t phase = (uint32_t)((uintptr_t)e / sizeof(*e));

	return (now + phase) ^ (last + phase);
}

// How often a told flow of the burst is looked at that leaves by out, in ticks.
static inline uint32_t
report_look(const struct dp_worker *w, uint16_t out)
{
	return w->out[w->burst.origin].far && w->out[out].far ? REPORT_LOOK_FAR : 1;
}

static inline void
report_new_tick(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m, uint8_t dscp)
{
	uint32_t last = e->last_tick;

	e->rate = report_decayed(w, e->rate, w->tick - last);
	e->last_tick = w->tick;
	report_tick(w, e, last, m, dscp);
}

// What a report says of the packet's DSCP. m is still the worker's.
uint8_t report_dscp(const struct rte_mbuf *m);

// A packet of len bytes hit e; m NULL: it is gone, and its DSCP was dscp.
static inline void
report_packet(struct dp_worker *w, struct cache_entry *e, uint32_t len, const struct rte_mbuf *m,
	uint8_t dscp)
{
	uint32_t rate;

	cache_count(e, w->cache_apart, 1, len);
	if (unlikely(w->tick != e->last_tick))
		report_new_tick(w, e, m, dscp);
	rate = e->rate + len;
	e->rate = likely(rate >= len) ? rate : UINT32_MAX;
	if (unlikely(e->rate >= w->report_rate && !(e->hint & ENTRY_TOLD)))
		report_first(w, e, m != NULL ? report_dscp(m) : dscp);
}

#endif
