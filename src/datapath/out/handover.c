// SPDX-License-Identifier: BSD-3-Clause
#include "out/handover.h"

#include "out/ring.h"
#include "out/tx.h"

static void
flush_to(struct dp_worker *w, uint16_t to)
{
	struct lcore_handover *h = &w->to[to];
	struct rte_ring *ring = w->dp->link[w->id][to].ring;
	uint16_t room = (uint16_t)RTE_MIN((unsigned)h->n, rte_ring_free_count(ring));
	uint16_t i;

	// Counted before the other side can have them.
	for (i = 0; i < room; i++) {
		const struct dp_packet *where = lcore_packet(w, h->pkts[i]);

		lcore_add(&w->vports[lcore_origin(where->origin)].queued, 1);
		qos_account_charge(
			&w->accounts[lcore_origin(where->target)], 1, lcore_mem(h->pkts[i]));
	}
	rte_ring_sp_enqueue_bulk(ring, (void **)h->pkts, room, NULL);
	h->put += room;
	for (; i < h->n; i++)
		lcore_drop(
			w, h->pkts[i], lcore_packet(w, h->pkts[i])->origin, DP_DROP_HANDOVER_FULL);
	h->n = 0;
}

void
handover_put(struct dp_worker *w, uint16_t to, struct rte_mbuf *m, const struct dp_packet *where)
{
	struct lcore_handover *h = &w->to[to];

	*lcore_packet(w, m) = *where;
	h->pkts[h->n++] = m;
	if (h->n == DP_BURST)
		flush_to(w, to);
}

void
handover_flush(struct dp_worker *w)
{
	uint16_t i;

	for (i = 0; i < w->dp->cfg.n_workers; i++)
		if (w->to[i].n != 0)
			flush_to(w, i);
}

// This worker owns the packet's way out, as the port says at present.
static void
take_one(struct dp_worker *w, struct rte_mbuf *m)
{
	const struct dp_packet *where = lcore_packet(w, m);
	uint16_t target = lcore_origin(where->target);
	struct dp_port *p = w->out[target].port;
	uint16_t q;

	lcore_add(&w->vports[lcore_origin(where->origin)].dequeued, 1);
	qos_account_release(&w->accounts[target], 1, lcore_mem(m));
	if (unlikely(p == NULL)) {
		lcore_drop(w, m, where->origin, DP_DROP_PORT_REMOVED);
		return;
	}
	if (where->flags & DP_PKT_RING) {
		if (likely(p->sched_owner == w->id)) {
			ring_put(w, p, m, where);
			return;
		}
	} else {
		q = where->txq != DP_TXQ_OWN ? where->txq : p->txq_of_worker[w->id];
		if (likely(q < p->n_txq && p->txq_owner[q] == w->id)) {
			tx_add(w, &p->worker[w->id]->txbuf[q], m, where->origin);
			return;
		}
	}
	// The target has another port than when the packet was given.
	lcore_drop(w, m, where->origin, DP_DROP_PORT_REMOVED);
}

uint32_t
handover_take(struct dp_worker *w)
{
	struct rte_mbuf *pkts[DP_BURST];
	uint32_t all = 0;
	unsigned n, i;
	uint16_t from;

	for (from = 0; from < w->dp->cfg.n_workers; from++) {
		struct lcore_link *link = &w->dp->link[from][w->id];

		if (from == w->id || rte_ring_empty(link->ring))
			continue;
		n = rte_ring_sc_dequeue_burst(link->ring, (void **)pkts, DP_BURST, NULL);
		for (i = 0; i < n; i++)
			take_one(w, pkts[i]);
		w->taken[from] += n;
		all += n;
	}
	w->untold = w->untold || all != 0;
	return all;
}

void
handover_tell(struct dp_worker *w)
{
	uint16_t from;

	if (!w->untold || w->n_dirty != 0)
		return;
	for (from = 0; from < w->dp->cfg.n_workers; from++) {
		_Atomic uint64_t *done = &w->dp->link[from][w->id].done;

		if (w->taken[from] == 0)
			continue;
		atomic_store_explicit(done,
			atomic_load_explicit(done, memory_order_relaxed) + w->taken[from],
			memory_order_release);
		w->taken[from] = 0;
	}
	w->untold = false;
}

bool
handover_done(const struct dp_worker *w, uint16_t to)
{
	return atomic_load_explicit(&w->dp->link[w->id][to].done, memory_order_acquire) ==
		       w->to[to].put &&
	       w->to[to].n == 0;
}

void
handover_drop(struct dp_worker *w)
{
	struct rte_mbuf *m;
	uint16_t from;

	for (from = 0; from < w->dp->cfg.n_workers; from++) {
		struct lcore_link *link = &w->dp->link[from][w->id];

		while (link->ring != NULL && rte_ring_sc_dequeue(link->ring, (void **)&m) == 0) {
			const struct dp_packet *where = lcore_packet(w, m);
			uint16_t origin = lcore_origin(where->origin);

			lcore_add(&w->vports[origin].dequeued, 1);
			qos_account_release(
				&w->accounts[lcore_origin(where->target)], 1, lcore_mem(m));
			lcore_drop(w, m, origin, DP_DROP_PORT_REMOVED);
		}
	}
}
