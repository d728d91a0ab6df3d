// SPDX-License-Identifier: BSD-3-Clause
#include "emunic.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "assign/groups.h"
#include "port/offload.h"
#include "port/port.h"
#include "port/rx.h"
#include "eswitch/program.h"
#include "eswitch/rss_rule.h"
#include "eswitch/walk.h"

// The host side of the NIC: filters, ingress rules and RSS on the way to a queue, and the bursts of
// the application.

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
			return !rte_is_zero_ether_addr(
				&port->filter[i]); // zero: no address is there
	return false;
}

// The queue of this number, or NULL when it takes nothing now.
static inline struct emu_rxq *
open_queue(const struct emu_nic *nic, const struct emu_port *port, uint16_t id)
{
	if (unlikely(id >= port->n_rxq || port->rxq[id] == NULL || !port->rxq[id]->started ||
		     emu_has_queue(nic->moods.stall_rx[port->slot], id)))
		return NULL;
	return port->rxq[id];
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
	const struct rte_flow *rule = p->rule;
	enum emu_fate fate = rule->fate;
	uint16_t id = 0;
	uint32_t hash;

	if (likely(fate == EMU_FATE_QUEUE))
		return queue_of(nic, port, p, rule->target);
	if (fate == EMU_FATE_RSS)
		return queue_of(nic, port, p, queue_by_rule(port, p, &rule->act));
	if (fate == EMU_FATE_GROUP)
		return queue_of(nic, port, p, emu_groups_pick(port, rule->target, p));
	if (fate == EMU_FATE_DROP || port->isolated) {
		emu_drop(nic, fate == EMU_FATE_DROP ? EMU_DROP_RULE : EMU_DROP_ISOLATED, p->m);
		return NULL;
	}
	if (port->rss_on && emu_rss_hash(&port->rss, p, &hash))
		id = port->reta[hash % EMU_RETA_SIZE];
	return queue_of(nic, port, p, id);
}

void
emu_host_queue(struct emu_nic *nic, struct emu_port *port, struct emu_pkt *p,
	const struct emu_actions *act)
{
	struct emu_rxq *q = queue_of(nic, port, p, queue_by_rule(port, p, act));

	if (q == NULL)
		return;
	emu_rx_stage(nic, q, p);
	emu_rx_flush(nic, q);
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

// What is staged goes to its queues. Returns how many queues are left with something: none.
static unsigned int
flush_queues(struct emu_nic *nic, struct emu_rxq **queues, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		emu_rx_flush(nic, queues[i]);
	return 0;
}

// A burst, each of whose packets goes to a queue that its rule names, or to queue 0 where it met
// none, as it is. False: it is no such burst, and nothing was done to it.
static bool
deliver_plain(
	struct emu_nic *nic, struct emu_port *port, struct emu_pkt *const *pkts, unsigned int n)
{
	struct emu_rxq *q[EMU_BURST];
	bool by_default = !port->rss_on && !port->isolated;

	for (unsigned int i = 0; i < n; i++) {
		const struct rte_flow *rule = pkts[i]->rule;
		bool named = (rule->fate == EMU_FATE_QUEUE) |
			     ((rule->fate == EMU_FATE_NONE) & by_default);

		q[i] = open_queue(nic, port, rule->target);
		if (unlikely(!named || q[i] == NULL || pkts[i]->split != NULL))
			return false;
	}
	return emu_rx_plain(nic, q, pkts, n);
}

// The ingress rules from a table on, then queues. Every packet is gone from pkts afterwards.
static void
pass_ingress(struct emu_nic *nic, struct emu_port *port, const struct emu_table *from,
	struct emu_pkt **pkts, unsigned int n)
{
	struct emu_rxq *queues[EMU_BURST];
	unsigned int n_queues = 0;

	n = emu_walk(nic, from, pkts, n);
	if (likely(deliver_plain(nic, port, pkts, n)))
		return;
	for (unsigned int i = 0; i < n; i++) {
		struct emu_rxq *q;

		if (unlikely(pkts[i]->split != NULL)) {
			// A segment lives no longer than its turn, and finds its queue's stage
			// empty: so it is in the ring when its turn ends.
			n_queues = flush_queues(nic, queues, n_queues);
			split(nic, port, pkts[i]);
			continue;
		}
		q = pick_queue(nic, port, pkts[i]);
		if (q == NULL)
			continue;
		emu_rx_stage(nic, q, pkts[i]);
		if (q->n_staged == 1)
			queues[n_queues++] = q;
	}
	flush_queues(nic, queues, n_queues);
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
	if (port->promiscuous && !port->vlan_filter) {
		pass_ingress(nic, port, &port->ingress, pkts, n);
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
