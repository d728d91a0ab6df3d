// SPDX-License-Identifier: BSD-3-Clause
#include "poll.h"

#include "act/act.h"
#include "act/offload.h"
#include "classify/classify.h"
#include "extend/extend.h"
#include "lap.h"
#include "look_over.h"
#include "port/tagged.h"
#include "takeover.h"
#include "trace/trace.h"

static void
drop_all(struct dp_worker *w, struct rte_mbuf **pkts, uint16_t n, uint16_t origin)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		lcore_drop(w, pkts[i], origin, DP_DROP_NO_RULE);
}

// The stages. b: n, origin below DP_VPORTS_MAX, pkts and what look_over says.
static void
handle(struct dp_worker *w, struct dp_burst *b)
{
	const struct dp_vport *v = w->snap->vport[b->origin];
	bool more;

	if (unlikely(w->tracing != NULL) && trace_split(w, b->pkts, b->n, b->origin))
		return;
	if (unlikely(v == NULL || v->sw >= w->snap->n_switches)) {
		drop_all(w, b->pkts, b->n, b->origin);
		return;
	}
	b->sw = v->sw;
	b->plain = b->one_segment && (b->flags & OFFLOAD_REQUESTS) == 0;
	lap(w, DP_STAGE_RECEIVE);
	more = classify(w, b);
	lap(w, DP_STAGE_CLASSIFY);
	if (more) {
		if (unlikely(w->tracing != NULL) && trace_rest(w, b))
			return;
		// A lane that takes the burst as a whole is none of theirs.
		if (unlikely(w->snap->sw[b->sw].ext != NULL) && !b->whole)
			extend_burst(w, b);
		act(w, b);
		classify_keep(w, b);
		lap(w, DP_STAGE_ACT);
	}
	lcore_free_flush(w);
}

static inline bool
tagged(const struct dp_worker *w, uint16_t origin)
{
	return w->snap->vport[origin] != NULL && w->snap->vport[origin]->tags != NULL;
}

static void
handle_received(struct dp_worker *w, const struct dp_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	const struct dp_port *p = q->port;
	struct dp_rxq_count *count = &p->worker[w->id]->rxq[q->queue];
	uint16_t origin = lcore_origin(p->vport);
	struct dp_vport_counters *from = &w->vports[origin];
	struct dp_burst *b = &w->burst;

	b->n = n;
	b->pkts = pkts;
	b->origin = origin;
	b->injected = false;
	w->lap_packets += n;
	// Packets with a lane's mark are sent unread.
	look_over(b, q->kind != DP_RXQ_ASSIGNED);
	b->marked = (b->common & RTE_MBUF_F_RX_FDIR_ID) != 0 && offload_asks_nothing(b->flags);
	b->raw = (b->flags & ~OFFLOAD_RX_KEEP) != 0 && p->rx_device_flags;
	// A lane that takes them as a whole has no use for the rest of what the device says.
	if (b->raw && b->marked && likely(w->tracing == NULL && !tagged(w, origin)))
		b->flags &= OFFLOAD_RX_KEEP;
	else if (b->raw)
		classify_take_flags(b);
	lcore_add(&from->received, n);
	lcore_add(&from->received_bytes, b->bytes);
	lcore_add(&count->packets, n);
	lcore_add(&count->bytes, b->bytes);
	if (unlikely(tagged(w, origin))) {
		n = tagged_take(w, w->snap->vport[origin]->tags, pkts, n, origin);
		if (n > 0)
			poll_handle(w, pkts, n, origin, false);
		return;
	}
	handle(w, b);
}

static inline uint16_t
receive(const struct dp_rxq *q, struct rte_mbuf **pkts)
{
	return q->port->ops->rx(q->port, q->queue, pkts, DP_BURST);
}

static void
back_off(struct dp_worker *w, struct lcore_rxq *state, uint16_t n)
{
	uint64_t us = w->dp->us_cycles;

	if (n != 0) {
		state->wait = 0;
		state->next = 0;
		return;
	}
	state->wait =
		(uint32_t)RTE_MIN(state->wait * 2 + us * POLL_WAIT_MIN_US, us * POLL_WAIT_MAX_US);
	state->next = w->now + state->wait;
}

// What a burst of a timed loop took, with its receive call.
static void
count_timed(const struct dp_worker *w, const struct dp_rxq *q, uint64_t since, uint16_t n)
{
	struct dp_rxq_count *count = &q->port->worker[w->id]->rxq[q->queue];

	lcore_add(&count->timed_packets, n);
	lcore_add(&count->timed_cycles, rte_rdtsc() - since);
}

static uint32_t
poll_each(struct dp_worker *w, const struct dp_worker_plan *plan)
{
	struct rte_mbuf *pkts[DP_BURST];
	bool rest = plan->n_rxq > POLL_ALWAYS, timed = w->lap != 0;
	uint64_t since = 0;
	uint32_t all = 0;
	uint16_t i, n;

	for (i = 0; i < plan->n_rxq; i++) {
		struct lcore_rxq *state = i < LCORE_RXQ_MAX ? &w->rxq[i] : NULL;

		if ((rest && state != NULL && state->next > w->now) || unlikely(i == w->skip))
			continue;
		if (unlikely(timed))
			since = rte_rdtsc();
		n = receive(&plan->rxq[i], pkts);
		if (rest && state != NULL)
			back_off(w, state, n);
		if (n == 0)
			continue;
		handle_received(w, &plan->rxq[i], pkts, n);
		if (unlikely(timed))
			count_timed(w, &plan->rxq[i], since, n);
		all += n;
	}
	return all;
}

static uint32_t
empty_queue(struct dp_worker *w, const struct dp_rxq *q)
{
	struct rte_mbuf *pkts[DP_BURST];
	uint32_t all = 0;
	unsigned i;
	uint16_t n;

	for (i = 0; i < POLL_EMPTY_BURSTS; i++) {
		n = receive(q, pkts);
		if (n == 0)
			break;
		handle_received(w, q, pkts, n);
		all += n;
	}
	return all;
}

// first: the kind of queue that flows go to. When there are more of it than can be held, the next
// loop goes on where this one stopped.
static uint32_t
poll_moving(struct dp_worker *w, const struct dp_worker_plan *plan, enum dp_rxq_kind first)
{
	uint16_t queue[LCORE_HELD], n[LCORE_HELD];
	uint16_t held = 0, i, at;
	uint32_t all = 0;

	for (i = 0; i < plan->n_rxq && held < LCORE_HELD; i++) {
		at = (uint16_t)((w->move_at + i) % plan->n_rxq);
		if (plan->rxq[at].kind != first || at == w->skip)
			continue;
		n[held] = receive(&plan->rxq[at], w->held + (size_t)held * DP_BURST);
		queue[held++] = at;
	}
	w->move_at = plan->n_rxq != 0 ? (uint16_t)((w->move_at + i) % plan->n_rxq) : 0;
	for (i = 0; i < plan->n_rxq; i++)
		if (plan->rxq[i].kind != first && i != w->skip)
			all += empty_queue(w, &plan->rxq[i]);
	for (i = 0; i < held; i++) {
		if (n[i] == 0)
			continue;
		handle_received(w, &plan->rxq[queue[i]], w->held + (size_t)i * DP_BURST, n[i]);
		all += n[i];
	}
	return all;
}

uint32_t
poll_queues(struct dp_worker *w)
{
	const struct dp_worker_plan *plan = &w->snap->plan[w->id];

	if (unlikely(w->awaited != NULL))
		takeover_look(w);
	switch (w->move_mode) {
	case DP_MOVE_IN:
		return poll_moving(w, plan, DP_RXQ_ASSIGNED);
	case DP_MOVE_OUT:
		return poll_moving(w, plan, DP_RXQ_DEFAULT);
	default:
		return poll_each(w, plan);
	}
}

uint32_t
poll_inject(struct dp_worker *w)
{
	uint32_t all = 0;
	struct rte_mbuf *m;
	uint16_t origin;

	if (likely(rte_ring_empty(w->inject)))
		return 0;
	while (all < DP_BURST && rte_ring_sc_dequeue(w->inject, (void **)&m) == 0) {
		origin = lcore_origin(lcore_packet(w, m)->origin);
		lcore_add(&w->vports[origin].originated, 1);
		m->ol_flags &= ~(uint64_t)RTE_MBUF_F_RX_FDIR_ID;
		poll_handle(w, &m, 1, origin, true);
		all++;
	}
	return all;
}

void
poll_handle(struct dp_worker *w, struct rte_mbuf **pkts, uint16_t n, uint16_t origin, bool injected)
{
	struct dp_burst *b = &w->burst;

	b->n = n;
	b->pkts = pkts;
	b->origin = origin;
	b->injected = injected;
	look_over(b, true);
	b->marked = false;
	b->raw = false;
	handle(w, b);
}
