// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_LCORE_H
#define SLUICE_DATAPATH_LCORE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "cache/cache.h"
#include "datapath/packet.h"
#include "datapath/worker.h"
#include "flow/parse.h"
#include "qos/account.h"

// What one worker owns, and what the workers share. Thread safety: struct dp_worker: owner thread
// only, but for the rings, the published pointer and the counters; struct dp_datapath: see each
// member.

#define LCORE_RXQ_MAX 1024  // queues of a plan whose polling can back off; others never do
#define LCORE_DIRTY_MAX 256 // transmit buffers with something in them
#define LCORE_SCHEDS_MAX DP_PORTS_MAX
#define LCORE_HANDOVER 1024 // packets in the ring between two workers
#define LCORE_ORDERS 1024
#define LCORE_EVENTS 8192
#define LCORE_INJECT 256
#define LCORE_REPORTS 65535 // flows that can be reported at a time, at most
#define LCORE_DECAY 384     // nothing is left of a rate after that many ticks, 32 half-lives
#define LCORE_ORIGINATED (DP_VPORTS_MAX - 1)

struct dp_store;   // store.h
struct dp_tracing; // datapath/trace.h

// An output as this worker reaches it, from the snapshot.
struct lcore_out {
	struct dp_port *port;
	struct dp_txbuf *own; // of the worker's own transmit queue, NULL: goes through another one
	uint32_t max_len;     // longest untagged frame
	uint16_t mtu;         // 0: no limit
	bool far;             // its port is on no NIC
};

// How a queue that had nothing is left alone for a while.
struct lcore_rxq {
	uint64_t next; // cycles: not before
	uint32_t wait; // cycles
};

// A flow that control was told about: what it was told.
struct lcore_report {
	uint64_t packets;
	uint64_t bytes;
	uint32_t tick; // free slots: the next free one
	uint32_t rate;
};

// Packets for another worker, gathered in one loop.
struct lcore_handover {
	uint16_t n;
	struct rte_mbuf *pkts[DP_BURST];
	uint64_t put; // all that ever went into the ring
};

// A queue that another worker takes over (takeover.h): what has to be gone before.
struct lcore_leave {
	struct dp_takeover *job;         // NULL: there is nothing to look for
	uint64_t number;                 // of the last one
	uint64_t handed[DP_WORKERS_MAX]; // to each of the others, up to then
	uint64_t sent[DP_VPORTS_MAX];    // by its outputs, up to then
	uint16_t vport, queue;           // the next to be seen empty
	uint8_t step;
};

// A decision that is not in the cache. It enters it after the burst was handled, so that no entry
// that the burst uses leaves meanwhile.
struct dp_miss {
	struct dp_program program;
	struct flow_actions direct; // GENERAL that could not be stored
	const struct flow_key *key; // NULL: not to be cached
	uint64_t hash;
	uint32_t packets; // 0: none yet, other packets of the flow have keys of their own
	uint32_t bytes;
	uint8_t dscp; // of its first packet, as in an event
};

// Another cache for the worker (datapath/resize.h).
struct lcore_resize {
	bool prepared; // control's: all this is in use
	// Control's; from the order until `over` the worker's, and then the one that was taken
	// over.
	struct cache *cache;
	bool moving;      // the worker's
	atomic_bool over; // the cache is control's again, to be freed
};

// One burst on its way through the stages, in the order of arrival.
struct dp_burst {
	uint16_t n;
	uint16_t origin;
	uint16_t sw;
	uint16_t n_miss;
	bool injected;    // originated, not received
	bool one_segment; // each packet is one segment
	bool plain;       // and none asks for an offload
	bool marked;      // each has a mark, and the device asks nothing of any
	bool raw;         // each still has the device's flags (`flags` and `common` are taken)
	bool whole;       // taken as a whole by lanes: all go the way of prog[0]. one_mark: that is
			  // the program of all; else prog[] holds each one's
	bool one_mark;    // hash.fdir.hi of all is the same, whether it is a mark or not
	bool one_buf_len; // of the packets' first segments
	uint64_t flags;   // of the packets, together
	uint64_t common;  // flags that all of them have
	uint32_t bytes;
	uint64_t mem;     // of their first segments
	uint32_t longest; // of the packets
	struct rte_mbuf **pkts;
	const struct dp_program *prog[DP_BURST];   // NULL: the packet is gone (dropped)
	const struct flow_actions *list[DP_BURST]; // GENERAL
	uint8_t path[DP_BURST];
	bool by_ring[DP_BURST];
	// Of the packets that are parsed, in order; at[]: their place in the burst.
	uint8_t at[DP_BURST];
	alignas(64) struct flow_key keys[DP_BURST];
	struct flow_offsets offs[DP_BURST];
	uint64_t hashes[DP_BURST];
	struct cache_entry *entries[DP_BURST];
	struct cache_alike alike;          // of the entries, when the look-up found all
	struct dp_miss miss[2 * DP_BURST]; // and those of the flows' first keys, see fields.h
	struct flow_key bare[DP_BURST];    // where decisions depend on fields: the keys without any
};

struct dp_worker {
	struct dp_datapath *dp;
	uint16_t id;
	unsigned lcore;
	int socket;
	int packet_at; // of struct dp_packet in an mbuf
	bool online;
	atomic_bool ended; // the loop: what it wrote may be read, and what it read freed

	const struct dp_snapshot *snap; // in force in this loop; NULL: none is used
	uint64_t adopted;               // its number, as dp_datapath.published
	uint32_t snap_gen;
	uint32_t gen;      // of this worker's decisions: moves with snap->gen and when the store of
			   // action lists starts anew
	bool store_full;   // to be started anew after the burst
	uint8_t bare_rest; // bursts until one is looked up by bare keys again (classify/fields.h)
	uint32_t tick;
	uint32_t report_rate;
	uint32_t decay[LCORE_DECAY]; // of a rate, by ticks, in 2^-31
	uint64_t now;                // cycles, at the start of the loop
	bool busy;                   // the last loop found something
	uint64_t lap;                // lap.h
	uint32_t lap_turn;
	uint32_t lap_packets;
	uint64_t lap_cycles[DP_STAGES];
	bool timed;         // `now` was read
	uint64_t next_tick; // cycles
	uint32_t expire_credit;
	uint32_t expire_per_tick;    // buckets
	uint64_t empty;              // loops in a row that found nothing
	uint16_t skip;               // of the plan: not polled yet, DP_NONE: none
	struct dp_takeover *awaited; // for that one
	struct lcore_leave leave;
	uint8_t move_mode;
	uint16_t move_at; // first assigned queue of the next loop's held read
	_Atomic uint32_t *move_done;

	struct dp_tracing *tracing; // datapath/trace.h; NULL: off
	struct cache *cache;
	ptrdiff_t cache_apart; // of its entries
	struct lcore_resize resize;
	struct dp_store *store;
	struct lcore_report *reports;
	uint32_t n_reports, reports_free, reports_used;
	uint32_t tell_tick;              // of what follows
	uint16_t tell_first, tell_again; // reports that this tick has room for
	uint16_t tell_wait;              // ticks between two reports of a flow, as they have room
	uint64_t evicted;

	struct dp_txbuf *dirty[LCORE_DIRTY_MAX];
	uint16_t n_dirty;
	bool untold;       // something in `taken`
	uint64_t tx_hold;  // cycles, 0: nothing is held
	uint64_t tx_until; // what is held goes then
	uint16_t n_freed;
	struct rte_mbuf *freed[DP_TXBUF];
	struct dp_port *scheds[LCORE_SCHEDS_MAX]; // whose rings hold something
	uint16_t n_scheds;
	struct lcore_out out[DP_VPORTS_MAX];
	uint64_t storm_cost[DP_VPORTS_MAX]; // cycles of a packet
	uint32_t *lane_drained;             // [DP_LANES_MAX]: version whose old way was seen empty
	struct lcore_rxq rxq[LCORE_RXQ_MAX];
	struct lcore_handover to[DP_WORKERS_MAX];
	uint32_t taken[DP_WORKERS_MAX]; // from each of the others, not told yet (handover_tell)
	struct dp_burst burst;
	struct rte_mbuf **held; // [LCORE_HELD][DP_BURST], of the move modes

	struct rte_ring *orders;
	struct rte_ring *events;
	struct rte_ring *inject;

	struct dp_worker_counters counters;
	struct dp_vport_counters *vports; // [DP_VPORTS_MAX]
	struct qos_account *accounts;     // [DP_VPORTS_MAX]
	struct dp_count *lanes;           // [DP_LANES_MAX]
	struct dp_count *_Atomic rules[DP_SWITCHES_MAX];
	uint32_t max_rules[DP_SWITCHES_MAX];
};

#define LCORE_HELD 64 // queues that a move mode reads ahead in one loop

// Packets from one worker to another. One producer, one consumer.
struct lcore_link {
	struct rte_ring *ring;
	// That the consumer has given to a device, or put into a ring, so far.
	alignas(64) _Atomic uint64_t done;
};

struct dp_datapath {
	struct dp_datapath_cfg cfg;
	_Atomic(const struct dp_snapshot *) snapshot;
	_Atomic uint64_t published; // how often
	struct rte_rcu_qsbr *qsbr;
	atomic_bool stop;
	bool running;
	uint64_t hz;
	uint64_t us_cycles;
	uint64_t tick_cycles;
	int packet_at;
	struct dp_worker *worker[DP_WORKERS_MAX];
	struct lcore_link link[DP_WORKERS_MAX][DP_WORKERS_MAX]; // [from][to]
	_Atomic uint64_t storm_next[DP_VPORTS_MAX];             // meter_gcra
	_Atomic uint32_t bar[DP_VPORTS_MAX];                    // dp_report_bar, by vport
};

static inline void
lcore_add(_Atomic uint64_t *counter, uint64_t n)
{
	qos_account_add(counter, n);
}

static inline uint16_t
lcore_origin(uint16_t origin)
{
	return origin < DP_VPORTS_MAX ? origin : LCORE_ORIGINATED;
}

// Buffer memory that a packet occupies.
static inline uint32_t
lcore_mem(const struct rte_mbuf *m)
{
	uint32_t mem = m->buf_len;

	while (unlikely((m = m->next) != NULL))
		mem += m->buf_len;
	return mem;
}

static inline struct dp_packet *
lcore_packet(const struct dp_worker *w, struct rte_mbuf *m)
{
	return dp_packet(m, w->packet_at);
}

// Frees what was dropped since, in bulk.
static inline void
lcore_free_flush(struct dp_worker *w)
{
	if (likely(w->n_freed == 0))
		return;
	rte_pktmbuf_free_bulk(w->freed, w->n_freed);
	w->n_freed = 0;
}

static inline void
lcore_free_later(struct dp_worker *w, struct rte_mbuf *m)
{
	w->freed[w->n_freed++] = m;
	if (unlikely(w->n_freed == DP_TXBUF))
		lcore_free_flush(w);
}

// The end of a packet here, with its name.
static inline void
lcore_drop(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, enum dp_drop why)
{
	lcore_add(&w->vports[lcore_origin(origin)].dropped[why], 1);
	lcore_free_later(w, m);
}

#endif
