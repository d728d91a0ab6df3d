// SPDX-License-Identifier: BSD-3-Clause
#include "out/ring.h"

#include "out/handover.h"

#define RING_ROUNDS 2 // bursts of one target in one loop

static void
held_changed(struct dp_port *p, uint8_t cls, int by)
{
	atomic_store_explicit(&p->ring_held[cls],
		atomic_load_explicit(&p->ring_held[cls], memory_order_relaxed) + (uint32_t)by,
		memory_order_release);
}

void
ring_put(struct dp_worker *w, struct dp_port *p, struct rte_mbuf *m, const struct dp_packet *where)
{
	*lcore_packet(w, m) = *where;
	if (!qos_sched_put(p->sched, where->cls, m, m->pkt_len)) {
		lcore_drop(w, m, where->origin, DP_DROP_RING_FULL);
		return;
	}
	lcore_add(&w->vports[lcore_origin(where->origin)].queued, 1);
	qos_account_charge(&w->accounts[lcore_origin(where->target)], 1, lcore_mem(m));
	held_changed(p, where->cls, 1);
	if (!p->sched_listed && w->n_scheds < LCORE_SCHEDS_MAX) {
		p->sched_listed = true;
		w->scheds[w->n_scheds++] = p;
	}
}

struct ring_note { // of a packet that tx may free
	uint16_t origin;
	uint32_t len;
	uint32_t mem;
};

static void
left_ring(struct dp_worker *w, struct dp_port *p, const struct ring_note *note, uint8_t cls)
{
	lcore_add(&w->vports[lcore_origin(note->origin)].dequeued, 1);
	qos_account_release(&w->accounts[lcore_origin(p->vport)], 1, note->mem);
	held_changed(p, cls, -1);
}

static void
count_sent(struct dp_worker *w, struct dp_port *p, const struct ring_note *note)
{
	struct dp_vport_counters *from = &w->vports[lcore_origin(note->origin)];
	struct dp_vport_counters *target = &w->vports[lcore_origin(p->vport)];
	struct dp_port_worker *pw = p->worker[w->id];

	lcore_add(&from->sent, 1);
	lcore_add(&from->sent_bytes, note->len);
	lcore_add(&target->delivered, 1);
	lcore_add(&target->delivered_bytes, note->len);
	lcore_add(&pw->tx_packets, 1);
	lcore_add(&pw->tx_bytes, note->len);
}

// One burst out of the rings of p. Returns how many moved.
static uint16_t
serve_burst(struct dp_worker *w, struct dp_port *p)
{
	struct ring_note note[DP_BURST];
	struct rte_mbuf *pkts[DP_BURST];
	uint8_t cls[DP_BURST];
	bool up = p->ops->link(p);
	uint16_t n, i, sent;

	n = qos_sched_get(p->sched, (void **)pkts, cls, DP_BURST);
	for (i = 0; i < n; i++) {
		note[i] = (struct ring_note){.origin = lcore_packet(w, pkts[i])->origin,
			.len = pkts[i]->pkt_len,
			.mem = lcore_mem(pkts[i])};
		if (unlikely(!up)) {
			left_ring(w, p, &note[i], cls[i]);
			lcore_drop(w, pkts[i], note[i].origin, DP_DROP_LINK_DOWN);
		}
	}
	if (n == 0 || !up)
		return n;
	sent = p->ops->tx(p, p->txq_of_worker[w->id], pkts, n);
	for (i = 0; i < sent; i++) {
		left_ring(w, p, &note[i], cls[i]);
		count_sent(w, p, &note[i]);
	}
	if (likely(sent == n))
		return n;
	if (p->ops->refused == NULL ||
		p->ops->refused(p, p->txq_of_worker[w->id]) != DP_DROP_GUEST_RING) {
		qos_sched_unget(p->sched, (void *const *)&pkts[sent], &cls[sent], n - sent);
		return sent;
	}
	for (i = sent; i < n; i++) { // nobody knows when it takes any
		left_ring(w, p, &note[i], cls[i]);
		lcore_drop(w, pkts[i], note[i].origin, DP_DROP_GUEST_RING);
	}
	return n;
}

uint32_t
rings_serve(struct dp_worker *w)
{
	uint32_t moved = 0;
	uint16_t i = 0;

	while (i < w->n_scheds) {
		struct dp_port *p = w->scheds[i];
		unsigned round;
		uint16_t n;

		for (round = 0; round < RING_ROUNDS; round++) {
			n = serve_burst(w, p);
			moved += n;
			if (n < DP_BURST)
				break;
		}
		if (qos_sched_held(p->sched) == 0) {
			p->sched_listed = false;
			w->scheds[i] = w->scheds[--w->n_scheds];
		} else {
			i++;
		}
	}
	return moved;
}

bool
ring_drained(const struct dp_worker *w, const struct dp_port *p, uint8_t cls)
{
	if (p->sched_owner != w->id && !handover_done(w, p->sched_owner))
		return false;
	cls = cls < p->n_classes ? cls : 0;
	return atomic_load_explicit(&p->ring_held[cls], memory_order_acquire) == 0;
}

void
ring_drain(struct dp_worker *w, struct dp_port *p)
{
	struct ring_note note;
	struct rte_mbuf *m;
	uint8_t cls;
	uint16_t i;

	if (p->sched_owner != w->id)
		return;
	while (qos_sched_get(p->sched, (void **)&m, &cls, 1) == 1) {
		note = (struct ring_note){
			.origin = lcore_packet(w, m)->origin, .mem = lcore_mem(m)};
		left_ring(w, p, &note, cls);
		lcore_drop(w, m, note.origin, DP_DROP_PORT_REMOVED);
	}
	for (i = 0; i < w->n_scheds; i++) {
		if (w->scheds[i] != p)
			continue;
		w->scheds[i] = w->scheds[--w->n_scheds];
		break;
	}
	p->sched_listed = false;
}
