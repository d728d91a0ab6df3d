// SPDX-License-Identifier: BSD-3-Clause
#include "out/output.h"

#include <rte_ethdev.h>

#include "act/checksum.h"
#include "act/edit.h"
#include "out/handover.h"
#include "act/offload.h"
#include "out/ring.h"
#include "act/segment.h"
#include "out/tx.h"
#include "trace/trace.h"

// What is not put into a transmit buffer of this worker's straight away, and what is traced.
static __attribute__((noinline)) void
deliver_otherwise(struct dp_worker *w, struct dp_port *p, struct rte_mbuf *m, uint16_t origin,
	const struct output_way *way, uint16_t owner)
{
	struct dp_packet where = {.origin = origin,
		.target = way->vport,
		.txq = way->txq < p->n_txq ? way->txq : DP_TXQ_OWN,
		.cls = way->cls < p->n_classes ? way->cls : 0,
		.flags = way->ring ? DP_PKT_RING : 0};
	uint16_t queue = where.txq != DP_TXQ_OWN ? where.txq : p->txq_of_worker[w->id];

	if (way->traced && trace_output(w, p, m, &where, owner))
		return;
	if (owner != w->id)
		handover_put(w, owner, m, &where);
	else if (way->ring)
		ring_put(w, p, m, &where);
	else
		tx_add(w, &p->worker[w->id]->txbuf[queue], m, origin);
}

static void
deliver(struct dp_worker *w, struct dp_port *p, struct rte_mbuf *m, uint16_t origin,
	const struct output_way *way)
{
	uint16_t queue = way->txq < p->n_txq ? way->txq : p->txq_of_worker[w->id];
	uint16_t owner = w->id;

	if (way->ring)
		owner = p->sched_owner;
	else if (way->txq < p->n_txq)
		owner = p->txq_owner[queue];
	else if (queue == DP_NONE)
		owner = p->txq_owner[w->id % p->n_txq];
	if (unlikely(owner != w->id || way->ring || way->traced))
		deliver_otherwise(w, p, m, origin, way, owner);
	else
		tx_add(w, &p->worker[w->id]->txbuf[queue], m, origin);
}

// Segments are copies but for one, which stands for the packet itself.
static void
output_segments(struct dp_worker *w, struct dp_port *p, struct rte_mbuf *m, uint16_t origin,
	const struct output_way *way, bool sums)
{
	struct dp_vport_counters *from = &w->vports[lcore_origin(origin)];
	struct rte_mbuf *part;
	struct segment s;

	for (segment_start(&s, m, w->dp->cfg.copies); segment_more(&s);) {
		part = segment_next(&s);
		if (part == NULL)
			break;
		if (s.number > 1)
			lcore_add(&from->copies, 1);
		if (sums)
			checksum_pseudo(part, true);
		else
			checksum_l4(part);
		deliver(w, p, part, origin, way);
	}
	if (!segment_more(&s)) {
		lcore_free_later(w, m);
		return;
	}
	if (s.number > 0)
		lcore_add(&from->copies, 1);
	lcore_drop(w, m, origin, DP_DROP_NO_BUFFER);
}

static bool
make_one_piece(struct rte_mbuf **m, const struct dp_datapath_cfg *cfg)
{
	uint32_t room = rte_pktmbuf_data_room_size(cfg->copies) - RTE_PKTMBUF_HEADROOM;
	struct rte_mempool *pool = (*m)->pkt_len <= room ? cfg->copies : cfg->jumbo;

	return rte_pktmbuf_linearize(*m) == 0 || (pool != NULL && edit_own(m, (*m)->pkt_len, pool));
}

// The output takes it in one piece; what it cannot do of the request is done here.
static bool
finish(struct rte_mbuf **m, const struct dp_port *p, uint64_t can,
	const struct dp_datapath_cfg *cfg)
{
	struct rte_mempool *pool = cfg->copies;
	uint64_t l4 = (*m)->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	if (l4 != 0) {
		if (!edit_own(m, offload_l4(*m) + (*m)->l4_len, pool))
			return false;
		if ((*m)->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
			checksum_pseudo(*m, p->tso_sum_len);
			if (((*m)->ol_flags & RTE_MBUF_F_TX_IPV4) &&
				(can & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM))
				(*m)->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		} else if (can & (l4 == RTE_MBUF_F_TX_TCP_CKSUM ? RTE_ETH_TX_OFFLOAD_TCP_CKSUM
								: RTE_ETH_TX_OFFLOAD_UDP_CKSUM)) {
			checksum_pseudo(*m, true);
		} else {
			checksum_l4(*m);
		}
	}
	return (*m)->nb_segs == 1 || (can & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) ||
	       make_one_piece(m, cfg);
}

// mtu: longest IP packet.
static bool
fits(const struct rte_mbuf *m, uint16_t mtu)
{
	uint32_t l2;

	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return (uint32_t)m->l3_len + m->l4_len + m->tso_segsz <= mtu;
	edit_outer_vid(m, &l2);
	return m->pkt_len <= l2 + mtu;
}

void
output(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, const struct output_way *way)
{
	const struct lcore_out *o = &w->out[way->vport];
	struct rte_mempool *pool = w->dp->cfg.copies;
	struct dp_port *p = o->port;
	uint64_t can;

	if (p == NULL) {
		lcore_drop(w, m, origin, DP_DROP_NO_ATTACHMENT);
		return;
	}
	if (unlikely(m->pkt_len > o->max_len || (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)) &&
		o->mtu != 0 && !fits(m, o->mtu)) {
		lcore_drop(w, m, origin, DP_DROP_MTU);
		return;
	}
	if (unlikely((m->ol_flags & OFFLOAD_REQUESTS) || m->nb_segs > 1)) {
		can = atomic_load_explicit(&p->tx_offloads, memory_order_relaxed);
		if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && !(can & RTE_ETH_TX_OFFLOAD_TCP_TSO)) {
			if (!edit_own(&m, offload_l4(m) + m->l4_len, pool))
				lcore_drop(w, m, origin, DP_DROP_NO_BUFFER);
			else
				output_segments(w, p, m, origin, way,
					(can & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0);
			return;
		}
		if (!finish(&m, p, can, &w->dp->cfg)) {
			lcore_drop(w, m, origin, DP_DROP_NO_BUFFER);
			return;
		}
	}
	deliver(w, p, m, origin, way);
}

bool
output_way_empty(const struct dp_worker *w, const struct dp_port *p, uint16_t txq)
{
	uint16_t q = txq < p->n_txq ? txq : p->txq_of_worker[w->id];

	if (q >= p->n_txq)
		return handover_done(w, p->txq_owner[w->id % p->n_txq]);
	if (p->txq_owner[q] != w->id ? !handover_done(w, p->txq_owner[q])
				     : p->worker[w->id]->txbuf[q].n != 0)
		return false;
	return p->ops->tx_idle == NULL || p->ops->tx_idle(p, q);
}
