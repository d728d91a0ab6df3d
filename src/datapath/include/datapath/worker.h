// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_WORKER_H
#define SLUICE_DATAPATH_WORKER_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "datapath/drop.h"
#include "datapath/event.h"
#include "datapath/limits.h"
#include "datapath/order.h"
#include "datapath/snapshot.h"
#include "qos/account.h"

// The workers: poll loops on lcores. While packets flow a worker takes no lock, allocates no heap,
// logs nothing and makes no system call; after `sleep_after` empty polls it naps for 20 to 50 us.
//
// One loop: quiescent state, snapshot, orders, receive queues (lanes; parse, cache, rules, act),
// hand-overs from other workers, rings, transmit, and once per tick the ageing of a slice of the
// cache. Thread safety: owner thread only, which is control's; counters
// may be read by any thread.

#define DP_TICK_NS 16777216ULL // 2^24 ns, about 17 ms: the unit of last_tick and of idle_ticks

// The decayed byte count of a flow that sends bps all the time: it halves every 12 ticks (0.2 s).
static inline uint32_t
dp_report_rate(uint64_t bps)
{
	uint64_t bytes = bps / 1000 * 290 / 8; // 12 ticks / ln 2 = 0.290 s

	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

struct dp_datapath; // all workers and what they share

// The decayed byte count from which on flows from a vport are reported, when it is below the
// snapshot's report_rate. In force with the next burst; UINT32_MAX at first. One writer.
void dp_report_bar(struct dp_datapath *dp, uint16_t vport, uint32_t bytes);

struct dp_datapath_cfg {
	uint16_t n_workers;
	unsigned lcore[DP_WORKERS_MAX];
	uint32_t flows;       // cache entries of each worker
	uint32_t sleep_after; // 0: never
	uint64_t seed;
	struct rte_mempool *copies; // for floods, segments and what sluice originates
	struct rte_mempool
		*jumbo; // for outputs that take a large frame in one piece only; may be NULL
	void (*waits)(void *ctx); // is called again and again while workers are waited for; or NULL
	void *waits_ctx;
};

// Counters of one worker and one vport, by origin: the ledger's lines. Written by the worker
// (relaxed), read by control.
struct dp_vport_counters {
	alignas(64) _Atomic uint64_t received;
	_Atomic uint64_t received_bytes;
	_Atomic uint64_t originated;
	_Atomic uint64_t copies;
	_Atomic uint64_t consumed;
	_Atomic uint64_t sent; // packets that came from this vport and were sent to another
	_Atomic uint64_t sent_bytes;
	_Atomic uint64_t delivered; // packets sent to this vport
	_Atomic uint64_t delivered_bytes;
	_Atomic uint64_t queued;   // put into a hand-over ring or a target's ring by this worker
	_Atomic uint64_t dequeued; // taken out of one by this worker; held = sum of the difference
	_Atomic uint64_t dropped[DP_DROP_COUNT];
	_Atomic uint64_t path_packets[DP_PATHS]; // received, by place (eswitch stays 0 here), but
						 // for what was dropped before it had one
	_Atomic uint64_t path_bytes[DP_PATHS];
};

struct dp_count {
	_Atomic uint64_t packets;
	_Atomic uint64_t bytes;
};

// What a worker spends its cycles on.
enum dp_stage {
	DP_STAGE_RECEIVE,  // taking bursts from queues
	DP_STAGE_CLASSIFY, // marks, keys, cache, rules
	DP_STAGE_ACT, // actions, counters of flows and rules, extensions, what enters the cache
	DP_STAGE_TRANSMIT, // giving what was gathered to devices and to other workers
	DP_STAGE_RINGS,    // software rings: scheduling
	DP_STAGE_REST,     // orders, the tick, freeing buffers
	DP_STAGES
};
const char *dp_stage_name(enum dp_stage stage);

struct dp_worker_counters {
	_Atomic uint64_t loops, empty_loops, naps;
	_Atomic uint64_t busy_cycles, total_cycles;
	_Atomic uint64_t hits, misses, stale, lane_hits, lane_stale;
	_Atomic uint64_t flows_seen; // cache inserts
	_Atomic uint64_t events_lost;
	_Atomic uint64_t uncached;     // decisions that could not be stored
	_Atomic uint32_t flows;        // in the cache now
	_Atomic uint32_t cache_size;   // that it is for
	_Atomic uint32_t moving;       // of those flows: still in the cache that it takes over
	_Atomic uint64_t cache_memory; // bytes, with those of that one
	_Atomic uint64_t evicted;
	_Atomic uint64_t over_budget; // flows that a full cache did not take, each time they asked
	// Of the loops with packets that were timed, one in 61: they tell proportions, and what a
	// packet costs.
	_Atomic uint64_t stage_cycles[DP_STAGES];
	_Atomic uint64_t stage_packets;
};

int dp_new(const struct dp_datapath_cfg *cfg, struct dp_datapath **out, struct sl_err *err);
// Launches the loops with the first snapshot. dp_stop ends them and waits.
int dp_start(struct dp_datapath *dp, const struct dp_snapshot *first, struct sl_err *err);
void dp_stop(struct dp_datapath *dp);
void dp_free(
	struct dp_datapath *dp); // after dp_stop; packets that are held are dropped by name first

// Swaps the snapshot (release) and waits until no worker uses the old one, which is returned to the
// caller to free.
const struct dp_snapshot *dp_publish(struct dp_datapath *dp, const struct dp_snapshot *next);

// Waits until no worker uses what was unpublished before the call (lanes, parts of a snapshot).
void dp_synchronize(struct dp_datapath *dp);

// false: the ring is full, try later.
bool dp_order_put(struct dp_datapath *dp, uint16_t worker, const struct dp_order *order);
// Up to n events of all workers. Returns the number.
unsigned dp_events_get(struct dp_datapath *dp, struct dp_event *out, unsigned n);
// Puts a packet on its way as if vport `origin` had sent it (probes, router legs later): any time,
// from control only. Counted as originated. False: full, the packet stays the caller's.
bool dp_inject(struct dp_datapath *dp, uint16_t worker, struct rte_mbuf *m, uint16_t origin);

uint16_t dp_workers(const struct dp_datapath *dp);
unsigned dp_worker_lcore(const struct dp_datapath *dp, uint16_t worker);
const struct dp_worker_counters *dp_worker_counters(const struct dp_datapath *dp, uint16_t worker);
// [DP_VPORTS_MAX]; index DP_VPORTS_MAX - 1 is never a vport and holds what has no vport
// (originated).
const struct dp_vport_counters *dp_vport_counters(const struct dp_datapath *dp, uint16_t worker);
const struct qos_account *dp_accounts(
	const struct dp_datapath *dp, uint16_t worker); // [DP_VPORTS_MAX], by target
const struct dp_count *dp_lane_counts(
	const struct dp_datapath *dp, uint16_t worker); // [DP_LANES_MAX]
// Rule counters of the switch with index sw: [max_rules] of the snapshot.
const struct dp_count *dp_rule_counts(const struct dp_datapath *dp, uint16_t worker, uint16_t sw);
// Makes the rule counters of a switch (before it is first published), zeroes those of one rule id
// (when it is deleted).
int dp_rule_counts_new(struct dp_datapath *dp, uint16_t sw, uint32_t max_rules);
void dp_rule_counts_reset(struct dp_datapath *dp, uint16_t sw, uint32_t rule);
// Packets inside: counted in the hand-over rings and in the rings of the ports of the snapshot.
// Exact when workers are at a burst boundary and nothing moves; then it equals the sum of queued
// less dequeued.
uint64_t dp_held(const struct dp_datapath *dp);

#endif
