// SPDX-License-Identifier: BSD-3-Clause
#include "takeover.h"

#include <rte_cycles.h>

enum { STEP_HANDED, STEP_RINGS, STEP_OTHERS, STEP_ASKED, STEP_SENT, STEP_END };

static uint32_t
state_of(const struct dp_takeover *t)
{
	return atomic_load_explicit(&t->state, memory_order_acquire);
}

static uint64_t
sent_by(const struct dp_worker *w, uint16_t vport)
{
	const struct dp_port *p = w->out[vport].port;

	return p == NULL
		       ? 0
		       : atomic_load_explicit(&p->worker[w->id]->tx_packets, memory_order_relaxed);
}

static void
note_sent(struct dp_worker *w)
{
	uint16_t i;

	w->leave.vport = w->leave.queue = 0;
	for (i = 0; i < DP_VPORTS_MAX; i++)
		w->leave.sent[i] = sent_by(w, i);
}

// Between two loops: nothing is gathered for anybody.
static void
begin(struct dp_worker *w, struct dp_takeover *t)
{
	struct lcore_leave *l = &w->leave;
	uint16_t i;

	l->job = t;
	l->number = t->number;
	l->step = t->from == w->id ? STEP_HANDED : STEP_ASKED;
	if (t->from != w->id)
		return;
	for (i = 0; i < w->dp->cfg.n_workers; i++)
		l->handed[i] = w->to[i].put;
	note_sent(w);
	atomic_store_explicit(&t->begun, rte_rdtsc(), memory_order_relaxed);
}

void
takeover_adopt(struct dp_worker *w, const struct dp_snapshot *s)
{
	const struct dp_worker_plan *plan = &s->plan[w->id];
	struct dp_takeover *t = s->takeover;
	uint16_t i;

	w->skip = DP_NONE;
	w->awaited = NULL;
	if (t == NULL)
		w->leave.job = NULL;
	else if (t->to != w->id && w->leave.number != t->number)
		begin(w, t);
	if (t == NULL || t->to != w->id)
		return;
	w->leave.job = NULL;
	for (i = 0; i < plan->n_rxq; i++) {
		if (plan->rxq[i].port != t->port || plan->rxq[i].queue != t->queue)
			continue;
		w->skip = i;
		w->awaited = t;
		takeover_look(w);
		return;
	}
}

void
takeover_look(struct dp_worker *w)
{
	struct dp_takeover *t = w->awaited;

	if (state_of(t) != DP_TAKEOVER_LEFT)
		return;
	w->skip = DP_NONE;
	w->awaited = NULL;
	if (atomic_load_explicit(&t->ended, memory_order_relaxed) == 0)
		atomic_store_explicit(&t->ended, rte_rdtsc(), memory_order_release);
}

static bool
others_handled(const struct dp_worker *w)
{
	uint16_t i;

	for (i = 0; i < w->dp->cfg.n_workers; i++)
		if (i != w->id && atomic_load_explicit(&w->dp->link[w->id][i].done,
					  memory_order_acquire) < w->leave.handed[i])
			return false;
	return true;
}

// Goes on with the next output each time that one was seen empty.
static bool
rings_empty(struct dp_worker *w)
{
	struct lcore_leave *l = &w->leave;
	uint8_t cls;

	for (; l->vport < DP_VPORTS_MAX; l->vport++) {
		const struct dp_port *p = w->out[l->vport].port;

		for (cls = 0; p != NULL && cls < p->n_classes; cls++)
			if (atomic_load_explicit(&p->ring_held[cls], memory_order_acquire) != 0)
				return false;
	}
	l->vport = 0;
	return true;
}

static bool
queue_sent(const struct dp_worker *w, const struct dp_port *p, uint16_t vport, uint16_t q)
{
	bool only = w->dp->cfg.n_workers >= p->n_txq; // queue of this port that is its own

	if (p->txq_owner[q] != w->id || p->ops->tx_idle == NULL || p->ops->tx_idle(p, q))
		return true;
	return only && p->tx_desc != 0 && sent_by(w, vport) - w->leave.sent[vport] >= p->tx_desc;
}

static bool
all_sent(struct dp_worker *w)
{
	struct lcore_leave *l = &w->leave;

	for (; l->vport < DP_VPORTS_MAX; l->vport++, l->queue = 0) {
		const struct dp_port *p = w->out[l->vport].port;

		for (; p != NULL && l->queue < p->n_txq; l->queue++)
			if (!queue_sent(w, p, l->vport, l->queue))
				return false;
	}
	return true;
}

// Some output has several transmit queues and none for this worker: its packets went into the one
// of another worker.
static bool
sends_through_others(const struct dp_worker *w)
{
	uint16_t i;

	for (i = 0; i < DP_VPORTS_MAX; i++)
		if (w->out[i].port != NULL && w->out[i].port->n_txq > 1 &&
			w->out[i].port->txq_of_worker[w->id] == DP_NONE)
			return true;
	return false;
}

static bool
others_sent(const struct dp_worker *w, struct dp_takeover *t)
{
	if (w->dp->cfg.n_workers < 3 || !(t->rings || sends_through_others(w)))
		return true;
	atomic_store_explicit(&t->asked, 1, memory_order_release);
	return atomic_load_explicit(&t->answered, memory_order_acquire) ==
	       w->dp->cfg.n_workers - 2u;
}

void
takeover_leave(struct dp_worker *w)
{
	struct lcore_leave *l = &w->leave;
	struct dp_takeover *t = l->job;
	uint32_t waits = DP_TAKEOVER_WAITS;

	if (l->step == STEP_HANDED && others_handled(w))
		l->step = t->rings ? STEP_RINGS : STEP_OTHERS;
	if (l->step == STEP_RINGS && rings_empty(w)) {
		note_sent(w); // what lay there was given to devices since
		l->step = STEP_OTHERS;
	}
	if (l->step == STEP_OTHERS && others_sent(w, t))
		l->step = STEP_SENT;
	if (l->step == STEP_ASKED && atomic_load_explicit(&t->asked, memory_order_acquire) != 0) {
		note_sent(w);
		l->step = STEP_SENT;
	}
	if (l->step == STEP_SENT && all_sent(w))
		l->step = STEP_END;
	if (l->step != STEP_END)
		return;
	// Control may have called it off: then the queue is this worker's again.
	if (t->from == w->id)
		atomic_compare_exchange_strong_explicit(&t->state, &waits, DP_TAKEOVER_LEFT,
			memory_order_release, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&t->answered, 1, memory_order_release);
	l->job = NULL;
}
