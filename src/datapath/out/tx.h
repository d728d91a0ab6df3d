// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TX_H
#define SLUICE_DATAPATH_TX_H

#include "lcore.h"

// Transmit buffers: packets of one poll for one (port, queue), sent together. What the device does
// not take at once and at a second try is dropped by name. Thread safety: owner thread only.

void tx_flush(struct dp_worker *w, struct dp_txbuf *b);
void tx_flush_all(struct dp_worker *w);

static inline void
tx_add(struct dp_worker *w, struct dp_txbuf *b, struct rte_mbuf *m, uint16_t origin)
{
	struct dp_txrun *run;

	if (b->n == 0) {
		if (unlikely(w->n_dirty == LCORE_DIRTY_MAX))
			tx_flush_all(w);
		w->dirty[w->n_dirty++] = b;
	}
	run = b->run + b->n_runs;
	if (b->n_runs == 0 || (run - 1)->origin != origin)
		*run = (struct dp_txrun){.origin = origin};
	else
		run--;
	b->n_runs = (uint16_t)(run - b->run + 1);
	run->n++;
	run->bytes += m->pkt_len;
	b->mem += likely(m->nb_segs == 1) ? m->buf_len : lcore_mem(m);
	b->pkts[b->n++] = m;
	if (unlikely(b->n == DP_TXBUF)) {
		tx_flush(w, b);
	}
}

#endif
