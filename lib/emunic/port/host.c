// SPDX-License-Identifier: BSD-3-Clause
#include "emunic.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "assign/groups.h"
#include "port/offload.h"
#include "port/port.h"
#include "eswitch/program.h"
#include "eswitch/rss_rule.h"
#include "eswitch/walk.h"

// The host side of the NIC: ingress rules, RSS, and the one copy that puts a packet into a buffer
// of its queue's own mempool.

static bool
mac_accepts(const struct emu_port *port, const uint8_t *dst)
{
	if (port->promiscuous || !port->pf)
		return true;
	if (dst[0] & 1) {
		static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

		if (port->all_multicast || memcmp(dst, broadcast, 6) == 0)
			return true;
		for (uint32_t i = 0; i < port->n_mcast; i++)
			if (memcmp(port->mcast[i].addr_bytes, dst, 6) == 0)
				return true;
		return false;
	}
	for (unsigned int i = 0; i < EMU_MAX_MACS; i++)
		if (memcmp(port->filter[i].addr_bytes, dst, 6) == 0)
			return true;
	return false;
}

static uint32_t
packet_type(const struct emu_pkt *p, bool stripped)
{
	uint16_t l = p->key.layers;
	unsigned int tags = !!(l & EMU_L_VLAN) + !!(l & EMU_L_VLAN2) - stripped;
	uint32_t t = tags == 2   ? RTE_PTYPE_L2_ETHER_QINQ
		     : tags == 1 ? RTE_PTYPE_L2_ETHER_VLAN
				 : RTE_PTYPE_L2_ETHER;

	if (l & EMU_L_IPV4)
		t |= RTE_PTYPE_L3_IPV4_EXT_UNKNOWN;
	else if (l & EMU_L_IPV6)
		t |= RTE_PTYPE_L3_IPV6_EXT_UNKNOWN;
	if (l & EMU_L_FRAG)
		t |= RTE_PTYPE_L4_FRAG;
	else if (l & EMU_L_TCP)
		t |= RTE_PTYPE_L4_TCP;
	else if (l & EMU_L_UDP)
		t |= RTE_PTYPE_L4_UDP;
	return t;
}

// Sets all that the application sees of a received packet besides its bytes, but for its outer tag,
// which moves there from them.
static void
set_metadata(const struct emu_rxq *q, const struct emu_pkt *p, struct rte_mbuf *m, uint64_t sums)
{
	const struct emu_port *port = q->port;
	uint64_t flags = sums;
	bool stripped = q->strip && emu_vlan_strip(&p->key, m);
	uint32_t hash;

	m->port = port->dev->data->port_id;
	m->packet_type = packet_type(p, stripped);
	if (stripped)
		flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	if (p->hashed) {
		m->hash.rss = p->hash;
		flags |= RTE_MBUF_F_RX_RSS_HASH;
	} else if (port->rss_on && emu_rss_hash(&port->rss, p, &hash)) {
		m->hash.rss = hash;
		flags |= RTE_MBUF_F_RX_RSS_HASH;
	}
	if (p->marked && !port->no_mark) {
		m->hash.fdir.hi = p->mark;
		flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
	} else if (p->flagged) {
		flags |= RTE_MBUF_F_RX_FDIR;
	}
	m->ol_flags = flags;
}

static bool
may_chain(const struct emu_rxq *q)
{
	return q->offloads & (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO);
}

// Copies p into m, a fresh buffer of the queue; p->m stays. False with the reason when it does not
// fit, is nonsense, or the mempool ends.
static bool
fill(struct emu_rxq *q, const struct emu_pkt *p, struct rte_mbuf *m, enum emu_drop *why)
{
	bool whole = p->gso; // given to the application as one LRO packet
	uint64_t sums;

	*why = EMU_DROP_RX_NOMBUF;
	if (p->m->nb_segs == 1 && p->m->pkt_len <= q->room) {
		memcpy(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(p->m, const void *),
			p->m->pkt_len);
		m->data_len = p->m->pkt_len;
		m->pkt_len = p->m->pkt_len;
	} else if (!emu_append(m, q->pool, p->m, 0, p->m->pkt_len)) {
		q->nombuf++;
		return false;
	}
	sums = emu_verify_sums(p, q->offloads);
	if (whole) {
		// The segments' checksums never existed; the stack may trust the data.
		sums &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
		sums |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
		m->tso_segsz = p->mss;
	} else if (p->l4_sum || p->ip_sum) {
		*why = EMU_DROP_BAD_OFFLOAD;
		if (m->data_len < p->l2_len + p->l3_len + p->l4_len || !emu_fill_sums(p, m))
			return false;
	}
	set_metadata(q, p, m, sums);
	return true;
}

// Takes up to n buffers of the queue's mempool, whole bursts at a time where there are enough.
static unsigned int
take_buffers(struct emu_rxq *q, struct rte_mbuf **m, unsigned int n)
{
	unsigned int got = 0;

	if (n == 0 || rte_pktmbuf_alloc_bulk(q->pool, m, n) == 0)
		return n;
	while (got < n && (m[got] = rte_pktmbuf_alloc(q->pool)) != NULL)
		got++;
	emu_add(&q->nombuf, n - got);
	return got;
}

// Copies the packets that were staged for the queue into its buffers and puts them on its ring.
// All staged packets are freed at once, which costs their pool one access and not one for each.
static void
flush_queue(struct emu_nic *nic, struct emu_rxq *q)
{
	struct rte_mbuf *m[EMU_BURST], *old[EMU_BURST];
	unsigned int n = q->n_staged, fit, got, done = 0;

	q->n_staged = 0;
	if (n == 0)
		return;
	fit = RTE_MIN(n, rte_ring_free_count(q->ring));
	nic->drops[EMU_DROP_RX_MISSED] += n - fit;
	emu_add(&q->missed, n - fit);
	got = take_buffers(q, m, fit);
	nic->drops[EMU_DROP_RX_NOMBUF] += fit - got;
	for (unsigned int i = 0; i < got; i++) {
		enum emu_drop why;

		if (fill(q, q->staged[i], m[i], &why)) {
			m[done++] = m[i];
		} else {
			nic->drops[why]++;
			rte_pktmbuf_free(m[i]);
		}
	}
	for (unsigned int i = 0; i < n; i++)
		old[i] = q->staged[i]->m;
	rte_pktmbuf_free_bulk(old, n);
	rte_ring_sp_enqueue_bulk(q->ring, (void **)m, done, NULL);
	if (q->event_fd >= 0 && done > 0)
		emu_rxq_wake(q);
}

// A packet of many segments for a queue that wants them one by one.
static void
deliver_segments(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p)
{
	struct emu_segments s;
	unsigned int n = 0;

	emu_segments_init(&s, p);
	while (s.left > 0) {
		struct rte_mbuf *m = emu_segments_next(&s, q->pool);
		enum emu_drop why = EMU_DROPS;

		n++;
		if (m == NULL) {
			emu_add(&q->nombuf, 1);
			nic->drops[EMU_DROP_RX_NOMBUF]++;
			break;
		}
		set_metadata(q, p, m, emu_verify_sums(p, q->offloads));
		if (m->nb_segs > 1 && !may_chain(q)) {
			why = EMU_DROP_RX_TOO_LONG;
		} else if (rte_ring_sp_enqueue(q->ring, m) != 0) {
			why = EMU_DROP_RX_MISSED;
			emu_add(&q->missed, 1);
		}
		if (why != EMU_DROPS)
			emu_drop(nic, why, m);
	}
	if (q->event_fd >= 0)
		emu_rxq_wake(q);
	nic->copies += n - 1;
	rte_pktmbuf_free(p->m);
}

// The queue of this number for p, or NULL after p was dropped.
static struct emu_rxq *
queue_of(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p, uint16_t id)
{
	if (id >= port->n_rxq || port->rxq[id] == NULL || !port->rxq[id]->started) {
		emu_drop(nic, EMU_DROP_RX_QUEUE_STOPPED, p->m);
		return NULL;
	}
	if (emu_has_queue(nic->moods.stall_rx[port->slot], id)) {
		emu_drop(nic, EMU_DROP_RX_QUEUE_STALLED, p->m);
		return NULL;
	}
	return port->rxq[id];
}

// The queue that a rule says.
static uint16_t
queue_by_rule(const struct emu_port *port, struct emu_pkt *p, const struct emu_actions *act)
{
	uint16_t id;
	bool hashed;

	if (act->fate == EMU_FATE_QUEUE)
		return act->target;
	id = emu_rss_rule_queue(act->program->rss, &port->rss, p, &p->hash, &hashed);
	p->hashed = hashed;
	return id;
}

// Returns the queue for p, or NULL after it was dropped.
static struct emu_rxq *
pick_queue(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p)
{
	const struct emu_actions *act = p->rule != NULL ? &p->rule->act : NULL;
	enum emu_fate fate = act != NULL ? act->fate : EMU_FATE_NONE;
	uint16_t id = 0;
	uint32_t hash;

	if (fate == EMU_FATE_QUEUE || fate == EMU_FATE_RSS)
		return queue_of(nic, port, p, queue_by_rule(port, p, act));
	if (fate == EMU_FATE_GROUP)
		return queue_of(nic, port, p, emu_groups_pick(port, act->target, p));
	if (fate == EMU_FATE_DROP || port->isolated) {
		emu_drop(nic, fate == EMU_FATE_DROP ? EMU_DROP_RULE : EMU_DROP_ISOLATED, p->m);
		return NULL;
	}
	if (port->rss_on && emu_rss_hash(&port->rss, p, &hash))
		id = port->reta[hash % EMU_RETA_SIZE];
	return queue_of(nic, port, p, id);
}

static void
stage(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p)
{
	if (p->gso && !(q->offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)) {
		flush_queue(nic, q); // those before it stay before it
		deliver_segments(nic, q, p);
	} else if (p->m->pkt_len > q->room && !may_chain(q)) {
		emu_drop(nic, EMU_DROP_RX_TOO_LONG, p->m);
	} else {
		q->staged[q->n_staged++] = p;
	}
}

void
emu_host_queue(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p,
	const struct emu_actions *act)
{
	struct emu_rxq *q = queue_of(nic, port, p, queue_by_rule(port, p, act));

	if (q == NULL)
		return;
	stage(nic, q, p);
	flush_queue(nic, q);
}

static void pass_ingress(struct emu_nic *nic, struct emu_port *port, const struct emu_table *from,
	struct emu_pkt **pkts, unsigned int n);

// Lets each segment of p go on where p could not. What is staged of them goes to its queue at once,
// behind all that was staged before.
static void
split(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p)
{
	struct emu_pkt segment, *one = &segment;
	struct emu_segments s;

	emu_segments_init(&s, p);
	while (emu_next_segment(nic, &s, &segment)) {
		one = &segment;
		pass_ingress(nic, port, p->split, &one, 1);
	}
	rte_pktmbuf_free(p->m);
}

// The ingress rules from a table on, then queues. Every packet is gone from pkts afterwards.
static void
pass_ingress(struct emu_nic *nic, struct emu_port *port, const struct emu_table *from,
	struct emu_pkt **pkts, unsigned int n)
{
	struct emu_rxq *queues[EMU_BURST];

	n = emu_walk(nic, from, pkts, n);
	for (unsigned int i = 0; i < n; i++) {
		queues[i] = NULL;
		if (unlikely(pkts[i]->split != NULL)) {
			split(nic, port, pkts[i]);
			continue;
		}
		queues[i] = pick_queue(nic, port, pkts[i]);
		if (queues[i] != NULL)
			stage(nic, queues[i], pkts[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		if (queues[i] != NULL)
			flush_queue(nic, queues[i]);
}

void
emu_host_deliver(struct emu_nic *nic, struct emu_port *port, struct emu_pkt **pkts, unsigned int n)
{
	unsigned int k = 0;

	if (port == NULL || !port->started) {
		for (unsigned int i = 0; i < n; i++)
			emu_drop(nic, EMU_DROP_HOST_STOPPED, pkts[i]->m);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!pkts[i]->steered && !mac_accepts(port, pkts[i]->key.dst))
			emu_drop(nic, EMU_DROP_MAC_FILTER, pkts[i]->m);
		else if (!pkts[i]->steered && !emu_vlan_accepts(port, &pkts[i]->key))
			emu_drop(nic, EMU_DROP_VLAN_FILTER, pkts[i]->m);
		else
			pkts[k++] = pkts[i];
	}
	pass_ingress(nic, port, &port->ingress, pkts, k);
}

static inline void
poke(struct emu_nic *nic)
{
	if (__atomic_load_n(&nic->run_inline, __ATOMIC_RELAXED) &&
		rte_eal_process_type() == RTE_PROC_PRIMARY)
		emu_firmware_inline(nic);
}

uint16_t
emu_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n)
{
	struct emu_rxq *q = rxq;
	uint64_t bytes = 0;

	poke(q->port->nic);
	n = rte_ring_sc_dequeue_burst(q->ring, (void **)pkts, n, NULL);
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	emu_add(&q->packets, n);
	emu_add(&q->bytes, bytes);
	return n;
}

uint16_t
emu_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n)
{
	struct emu_txq *q = txq;
	uint64_t bytes = 0;

	if (unlikely(!__atomic_load_n(&q->started, __ATOMIC_RELAXED)))
		return 0;
	n = RTE_MIN(n, rte_ring_free_count(q->ring));
	if (n > 0) {
		for (uint16_t i = 0; i < n; i++)
			bytes += pkts[i]->pkt_len;
		// Counted first, so that the ledger never shows more sent than received.
		emu_add(&q->packets, n);
		emu_add(&q->bytes, bytes);
		rte_ring_sp_enqueue_bulk(q->ring, (void **)pkts, n, NULL);
	}
	poke(q->port->nic);
	return n;
}
