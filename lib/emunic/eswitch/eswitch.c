// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include <rte_flow.h>
#include <rte_mbuf.h>

#include "port/offload.h"
#include "port/port.h"
#include "port/rx.h"
#include "eswitch/program.h"
#include "port/vf.h"
#include "eswitch/walk.h"
#include "wire.h"

#define SPLIT_BURST 8

// The embedded switch: parse, transfer rules, else the way between a side and the host port that
// represents it. Sides get packets with all that they cannot finish themselves already done.

void
emu_drop(struct emu_nic *nic, enum emu_drop why, struct rte_mbuf *m)
{
	nic->drops[why]++;
	rte_pktmbuf_free(m);
}

bool
emu_side_up(const struct emu_side *side)
{
	return side->backend != NULL && !side->admin_down && !side->pulled &&
	       side->backend->ops->link(side->backend);
}

void
emu_side_flush(struct emu_side *side)
{
	unsigned int n = side->n_out, sent;
	bool several = side->n_queues > 1;
	uint64_t bytes = 0;

	if (n == 0)
		return;
	side->n_out = 0;
	if (!emu_side_up(side)) {
		side->drop_down += n;
		rte_pktmbuf_free_bulk(side->out, n);
		return;
	}
	// What is taken is gone, and may be any of them: what is left over is at the end.
	for (unsigned int i = 0; i < n; i++) {
		bytes += side->out[i]->pkt_len;
		if (several)
			side->queue_packets[side->out[i]->hash.txadapter.txq % EMU_MAX_VF_QUEUES]++;
	}
	sent = side->backend->ops->tx(side->backend, side->out, n);
	for (unsigned int i = sent; i < n; i++) {
		bytes -= side->out[i]->pkt_len;
		if (several)
			side->queue_packets[side->out[i]->hash.txadapter.txq % EMU_MAX_VF_QUEUES]--;
	}
	side->tx_packets += sent;
	side->tx_bytes += bytes;
	if (sent < n) {
		side->drop_full += n - sent;
		rte_pktmbuf_free_bulk(&side->out[sent], n - sent);
	}
}

void
emu_side_add(struct emu_side *side, struct rte_mbuf *m)
{
	side->out[side->n_out++] = m;
	if (side->n_out == EMU_BURST)
		emu_side_flush(side);
}

void
emu_side_push(struct emu_nic *nic, struct emu_side *side, struct rte_mbuf *m)
{
	if (side->wire == NULL) {
		emu_side_add(side, m);
		return;
	}
	if (!emu_wire_out(nic, side->wire, m))
		return;
	emu_side_add(side, m);
	m = emu_wire_follow(side->wire);
	if (m != NULL)
		emu_side_add(side, m);
}

static void
push_segments(struct emu_nic *nic, struct emu_side *side, struct emu_pkt *p)
{
	struct emu_segments s;
	unsigned int n = 0;

	emu_segments_init(&s, p);
	while (s.left > 0) {
		struct rte_mbuf *m = emu_segments_next(&s, nic->pool);

		n++;
		if (m == NULL) {
			nic->drops[EMU_DROP_NO_BUFFER]++;
			break;
		}
		m->hash.txadapter.txq = p->vf_queue;
		emu_side_push(nic, side, m);
	}
	nic->copies += n - 1;
	rte_pktmbuf_free(p->m);
}

static void
to_side(struct emu_nic *nic, struct emu_side *side, struct emu_pkt *p)
{
	bool takes = side->backend != NULL && side->backend->ops->takes_offloads(side->backend);
	bool ok;

	if (!p->gso && p->m->pkt_len > (uint32_t)side->mtu + EMU_L2_OVERHEAD) {
		emu_drop(nic, EMU_DROP_MTU, p->m);
		return;
	}
	emu_vf_choose_queue(nic, side, p);
	if (unlikely(side->stalls) && emu_vf_stalled(nic, side, p->vf_queue)) {
		emu_drop(nic, EMU_DROP_VF_QUEUE_STALLED, p->m);
		return;
	}
	if (p->gso && !takes) {
		push_segments(nic, side, p);
		return;
	}
	if (p->l4_sum || p->ip_sum) {
		if (!emu_own(p, nic->pool, p->l2_len + p->l3_len + p->l4_len, 0)) {
			emu_drop(nic, EMU_DROP_NO_BUFFER, p->m);
			return;
		}
		ok = p->l4_sum && takes ? emu_leave_sums(p, p->m) : emu_fill_sums(p, p->m);
		if (!ok) {
			emu_drop(nic, EMU_DROP_BAD_OFFLOAD, p->m);
			return;
		}
	}
	if (!(p->l4_sum && takes))
		p->m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	p->m->hash.txadapter.txq = p->vf_queue;
	emu_side_push(nic, side, p->m);
}

bool
emu_next_segment(struct emu_nic *nic, struct emu_segments *s, struct emu_pkt *out)
{
	struct rte_mbuf *m;

	if (s->left == 0)
		return false;
	nic->copies += s->index > 0;
	m = emu_segments_next(s, nic->pool);
	if (m == NULL) {
		nic->drops[EMU_DROP_NO_BUFFER]++;
		return false;
	}
	*out = *s->p;
	out->m = m;
	out->gso = out->l4_sum = out->ip_sum = 0;
	return true;
}

// Where a packet goes: a side, a host port, or a VF as a miss.
#define TO_SIDE(i) (i)
#define TO_HOST(i) (EMU_MAX_PORTS + (i))
#define TO_VM(i) (2 * EMU_MAX_PORTS + (i))
#define TO_NOWHERE UINT16_MAX

static uint16_t
decide(struct emu_nic *nic, struct emu_pkt *p)
{
	const struct rte_flow *rule = p->rule;
	uint16_t self = p->key.port, vm;

	// Whatever the rules say of it: a miss that its VM sends back is handled once.
	if (unlikely(nic->misses_to_vm > 0) && emu_miss_loops(nic, p)) {
		emu_drop(nic, EMU_DROP_MISS_LOOP, p->m);
		return TO_NOWHERE;
	}
	switch (rule->fate) {
	case EMU_FATE_DROP:
		emu_drop(nic, EMU_DROP_RULE, p->m);
		return TO_NOWHERE;
	case EMU_FATE_SIDE:
		nic->eswitch_packets++;
		nic->eswitch_bytes += p->m->pkt_len;
		p->vf_queue = rule->plain ? EMU_NO_QUEUE : rule->act.vf_queue;
		return TO_SIDE(rule->target);
	case EMU_FATE_HOST:
		p->steered = true;
		return TO_HOST(rule->target);
	default:
		vm = unlikely(nic->misses_to_vm > 0) ? emu_miss_side(nic, p) : 0;
		if (vm != 0)
			return TO_VM(vm);
		return p->key.layers & EMU_L_HOST ? TO_SIDE(self) : TO_HOST(self);
	}
}

// What the application wrote beside a packet that it sends (rte_flow_dynf_metadata_register).
static uint32_t
sent_meta(struct rte_mbuf *m)
{
	if (!rte_flow_dynf_metadata_avail() || !(m->ol_flags & RTE_MBUF_DYNFLAG_TX_METADATA))
		return 0;
	return rte_flow_dynf_metadata_get(m);
}

// Parses what came and drops what cannot go on; returns how many are left in pkts.
static unsigned int
take_in(struct emu_nic *nic, uint16_t port, bool host, struct rte_mbuf **mbufs, unsigned int n,
	struct emu_pkt **pkts)
{
	uint32_t max = nic->sides[port].mtu + EMU_L2_OVERHEAD;
	unsigned int k = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct emu_pkt *p = &nic->work[k];

		if (i + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 4], void *));
		p->m = mbufs[i];
		p->after = NULL;
		p->meta = host ? sent_meta(p->m) : 0;
		memset((char *)p + EMU_PKT_FRESH, 0, EMU_PKT_KNOWN - EMU_PKT_FRESH);
		p->vf_queue = EMU_NO_QUEUE;
		if (host && (p->m->ol_flags & RTE_MBUF_F_TX_VLAN) && !emu_vlan_insert(nic, &p->m))
			emu_drop(nic, EMU_DROP_NO_BUFFER, p->m);
		else if (!emu_parse(p, port, host))
			emu_drop(nic, EMU_DROP_MALFORMED, p->m);
		else if (emu_offload_asked(p->m) && !emu_offload_read(p, host))
			emu_drop(nic, EMU_DROP_BAD_OFFLOAD, p->m);
		else if (!p->gso && p->m->pkt_len > max)
			emu_drop(nic, EMU_DROP_MTU, p->m);
		else
			pkts[k++] = p;
	}
	return k;
}

static void
hand_over(struct emu_nic *nic, struct emu_pkt **pkts, unsigned int n, uint16_t dest)
{
	if (unlikely(dest >= TO_VM(0))) {
		emu_miss_deliver(nic, &nic->sides[dest - TO_VM(0)], pkts, n);
		return;
	}
	if (dest >= TO_HOST(0)) {
		emu_host_deliver(nic, nic->ports[dest - TO_HOST(0)], pkts, n);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		to_side(nic, &nic->sides[dest], pkts[i]);
	emu_side_flush(&nic->sides[dest]);
}

// Takes n packets to where they go, those of one target together and in order.
static void
deliver(struct emu_nic *nic, struct emu_pkt **pkts, uint16_t *to, unsigned int n)
{
	struct emu_pkt *same[EMU_BURST];

	for (unsigned int i = 0; i < n; i++) {
		uint16_t dest = to[i];
		unsigned int k = 0;

		if (dest == TO_NOWHERE)
			continue;
		for (unsigned int j = i; j < n; j++) {
			if (to[j] != dest)
				continue;
			to[j] = TO_NOWHERE;
			same[k++] = pkts[j];
		}
		hand_over(nic, same, k, dest);
	}
}

void
emu_switch_out(struct emu_nic *nic, struct emu_pkt *p, const struct emu_actions *act)
{
	bool side = act->fate == EMU_FATE_SIDE;
	uint16_t to = side ? TO_SIDE(act->target) : TO_HOST(act->target);

	if (side) {
		nic->eswitch_packets++;
		nic->eswitch_bytes += p->m->pkt_len;
	}
	p->vf_queue = act->vf_queue;
	p->steered = !side;
	deliver(nic, &p, &to, 1);
}

// One of the two domains that a packet passes in the switch, from a table on.
typedef void (*domain_fn)(
	struct emu_nic *nic, const struct emu_table *from, struct emu_pkt **pkts, unsigned int n);

// Lets each segment of p go on where p could not.
static void
split(struct emu_nic *nic, domain_fn domain, struct emu_pkt *p)
{
	struct emu_pkt segment[SPLIT_BURST], *pkts[SPLIT_BURST];
	const struct emu_table *from = p->split;
	struct emu_segments s;
	unsigned int n;

	emu_segments_init(&s, p);
	do {
		for (n = 0; n < SPLIT_BURST && emu_next_segment(nic, &s, &segment[n]); n++)
			pkts[n] = &segment[n];
		domain(nic, from, pkts, n);
	} while (n == SPLIT_BURST);
	rte_pktmbuf_free(p->m);
}

static void
pass_transfer(
	struct emu_nic *nic, const struct emu_table *from, struct emu_pkt **pkts, unsigned int n)
{
	uint16_t to[EMU_BURST];
	unsigned int done = 0;

	if (from->n_rules == 0 && nic->misses_to_vm == 0 && n > 0) { // all go one way
		pkts[0]->rule = emu_rule_none(&nic->rules);
		hand_over(nic, pkts, n, decide(nic, pkts[0]));
		return;
	}
	n = emu_walk(nic, from, pkts, n);
	for (unsigned int i = 0; i < n; i++) {
		if (likely(pkts[i]->split == NULL)) {
			to[i] = decide(nic, pkts[i]);
			continue;
		}
		deliver(nic, &pkts[done], &to[done], i - done); // those before it stay before it
		split(nic, pass_transfer, pkts[i]);
		done = i + 1;
	}
	deliver(nic, &pkts[done], &to[done], n - done);
}

// The rules of the port that the packets were sent by, then those of the switch.
static void
pass_egress(
	struct emu_nic *nic, const struct emu_table *from, struct emu_pkt **pkts, unsigned int n)
{
	unsigned int k = 0;

	n = emu_walk(nic, from, pkts, n);
	for (unsigned int i = 0; i < n; i++) {
		struct emu_pkt *p = pkts[i];

		if (unlikely(p->split != NULL)) {
			pass_transfer(nic, &nic->transfer, pkts, k);
			k = 0;
			split(nic, pass_egress, p);
		} else if (p->rule->fate == EMU_FATE_DROP) {
			emu_drop(nic, EMU_DROP_RULE, p->m);
		} else {
			pkts[k++] = p;
		}
	}
	pass_transfer(nic, &nic->transfer, pkts, k);
}

void
emu_switch(struct emu_nic *nic, uint16_t port, bool host, struct rte_mbuf **mbufs, unsigned int n)
{
	struct emu_pkt *pkts[EMU_BURST];
	const struct emu_port *from = nic->ports[port];

	if (nic->moods.counter_lag > 0)
		emu_nic_read_counters(nic);
	n = take_in(nic, port, host, mbufs, n, pkts);
	if (n == 0)
		return;
	if (host && from != NULL && from->egress.n_rules > 0)
		pass_egress(nic, &from->egress, pkts, n);
	else
		pass_transfer(nic, &nic->transfer, pkts, n);
	if (nic->n_spent > 0)
		emu_spent_free(nic);
}
