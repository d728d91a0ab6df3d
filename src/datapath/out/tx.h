// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TX_H
#define SLUICE_DATAPATH_TX_H

#include <string.h>

#include "lcore.h"

// Transmit buffers: packets for one (port, queue), sent together. What the device does not take at
// once and at a second try is dropped by name.
//
// What a poll gave is sent at its end. Where traffic is thin that is a packet or two, each for the
// price of a doorbell or of a guest's notification: with a time to hold (snapshot.tx_hold_us) the
// buffers gather over polls, until one has TX_ENOUGH or the oldest packet has waited that long;
// then all are sent. Held packets lead to ports of the snapshot, so that none is held when the
// worker says that it uses no old one: before a new snapshot, a nap and the end all are sent, and a
// grace period takes as long as the time to hold at most. Thread safety: owner thread only.

#define TX_ENOUGH (DP_TXBUF / 2)

void tx_flush(struct dp_worker *w, struct dp_txbuf *b);
void tx_flush_all(struct dp_worker *w);
// Sends what is not to be held any longer.
void tx_loop_end(struct dp_worker *w);

// n packets of one origin were put behind those of b, which has room for them: bytes of them, mem
// of buffer memory.
static inline void
tx_added(struct dp_worker *w, struct dp_txbuf *b, uint16_t origin, uint16_t n, uint32_t bytes,
	uint64_t mem)
{
	struct dp_txrun *run;

	if (b->n == 0) {
		if (unlikely(w->n_dirty == LCORE_DIRTY_MAX))
			tx_flush_all(w);
		if (w->n_dirty == 0)
			w->tx_until = w->now + w->tx_hold;
		w->dirty[w->n_dirty++] = b;
	}
	run = b->run + b->n_runs;
	if (b->n_runs == 0 || (run - 1)->origin != origin)
		*run = (struct dp_txrun){.origin = origin};
	else
		run--;
	b->n_runs = (uint16_t)(run - b->run + 1);
	run->n = (uint16_t)(run->n + n);
	run->bytes += bytes;
	b->mem += mem;
	b->n = (uint16_t)(b->n + n);
	if (unlikely(b->n == DP_TXBUF))
		tx_flush(w, b);
}

static inline void
tx_add(struct dp_worker *w, struct dp_txbuf *b, struct rte_mbuf *m, uint16_t origin)
{
	b->pkts[b->n] = m;
	tx_added(w, b, origin, 1, m->pkt_len, likely(m->nb_segs == 1) ? m->buf_len : lcore_mem(m));
}

// n (at most DP_TXBUF) packets of one origin, as tx_added.
static inline void
tx_add_burst(struct dp_worker *w, struct dp_txbuf *b, struct rte_mbuf *const *pkts, uint16_t origin,
	uint16_t n, uint32_t bytes, uint64_t mem)
{
	if (unlikely(n > DP_TXBUF - b->n))
		tx_flush(w, b);
	memcpy(b->pkts + b->n, pkts, sizeof(*pkts) * n);
	tx_added(w, b, origin, n, bytes, mem);
}

#endif
