// SPDX-License-Identifier: BSD-3-Clause
#include "out/tx.h"

#include "lap.h"

// Drops what was not taken, with its origin; takes it off the runs.
static void
drop_rest(struct dp_worker *w, struct dp_txbuf *b, uint16_t sent, enum dp_drop why)
{
	uint16_t i = b->n;
	uint16_t r = b->n_runs;

	while (i > sent) {
		struct dp_txrun *run = &b->run[r - 1];
		struct rte_mbuf *m = b->pkts[--i];

		run->n--;
		run->bytes -= m->pkt_len;
		lcore_drop(w, m, run->origin, why);
		if (run->n == 0)
			r--;
	}
	b->n_runs = r;
}

static void
count_sent(struct dp_worker *w, const struct dp_txbuf *b)
{
	struct dp_port_worker *pw = b->port->worker[w->id];
	struct dp_vport_counters *target = &w->vports[lcore_origin(b->port->vport)];
	uint64_t packets = 0, bytes = 0;
	uint16_t r;

	for (r = 0; r < b->n_runs; r++) {
		const struct dp_txrun *run = &b->run[r];
		struct dp_vport_counters *from = &w->vports[lcore_origin(run->origin)];

		lcore_add(&from->sent, run->n);
		lcore_add(&from->sent_bytes, run->bytes);
		packets += run->n;
		bytes += run->bytes;
	}
	lcore_add(&target->delivered, packets);
	lcore_add(&target->delivered_bytes, bytes);
	lcore_add(&pw->tx_packets, packets);
	lcore_add(&pw->tx_bytes, bytes);
}

void
tx_flush(struct dp_worker *w, struct dp_txbuf *b)
{
	struct dp_port *p = b->port;
	struct qos_account *account = &w->accounts[lcore_origin(p->vport)];
	enum dp_drop why = DP_DROP_TX_FULL;
	uint64_t since = lap_aside(w); // a full buffer goes while others are still filled
	uint16_t sent = 0;

	if (b->n == 0)
		return;
	qos_account_charge(account, b->n, b->mem);
	if (likely(p->ops->link(p))) {
		sent = p->ops->tx(p, b->queue, b->pkts, b->n);
		if (unlikely(sent < b->n))
			sent += p->ops->tx(p, b->queue, b->pkts + sent, b->n - sent);
		if (unlikely(sent < b->n) && p->ops->refused != NULL)
			why = p->ops->refused(p, b->queue);
	} else {
		why = DP_DROP_LINK_DOWN;
	}
	if (unlikely(sent < b->n))
		drop_rest(w, b, sent, why);
	qos_account_release(account, b->n, b->mem);
	count_sent(w, b);
	b->n = 0;
	b->n_runs = 0;
	b->mem = 0;
	lap_aside_end(w, DP_STAGE_TRANSMIT, since);
}

void
tx_flush_all(struct dp_worker *w)
{
	uint16_t i;

	for (i = 0; i < w->n_dirty; i++)
		tx_flush(w, w->dirty[i]);
	w->n_dirty = 0;
}

// Those with enough in them; the others stay.
static void
flush_full(struct dp_worker *w)
{
	uint16_t i, kept = 0;

	for (i = 0; i < w->n_dirty; i++) {
		struct dp_txbuf *b = w->dirty[i];

		if (b->n >= TX_ENOUGH)
			tx_flush(w, b);
		else if (b->n != 0)
			w->dirty[kept++] = b;
	}
	w->n_dirty = kept;
}

void
tx_loop_end(struct dp_worker *w)
{
	if (w->n_dirty == 0)
		return;
	// What a ring gives must not overtake what went to its target directly, nor a flow itself
	// while it, or its queue, moves.
	if (likely(w->tx_hold == 0) || w->now >= w->tx_until || w->n_scheds != 0 ||
		w->move_mode != DP_MOVE_NONE || w->snap->takeover != NULL)
		tx_flush_all(w);
	else
		flush_full(w);
}
