// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ether.h>

#include "lap.h"
#include "out/handover.h"
#include "loop.h"
#include "obey.h"
#include "poll.h"
#include "resize_step.h"
#include "out/ring.h"
#include "takeover.h"
#include "tick.h"
#include "out/tx.h"

#define NAP_MIN_US 20
#define NAP_MAX_US 50
#define TIMER_SLACK_NS 1000 // the kernel's default of 50 us would double a nap

static void
adopt_outputs(struct dp_worker *w, const struct dp_snapshot *s)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct dp_vport *v = s->vport[i];
		struct lcore_out *o = &w->out[i];
		uint16_t q;

		memset(o, 0, sizeof(*o));
		w->storm_cost[i] = v != NULL && v->storm_pps != 0 ? w->dp->hz / v->storm_pps : 0;
		if (v == NULL || v->port == NULL)
			continue;
		o->port = v->port;
		o->mtu = v->mtu;
		o->far = v->port->nic == DP_NONE;
		o->max_len = v->mtu != 0 ? v->mtu + (uint32_t)RTE_ETHER_HDR_LEN : UINT32_MAX;
		q = v->port->txq_of_worker[w->id];
		if (q < v->port->n_txq && v->port->txq_owner[q] == w->id)
			o->own = &v->port->worker[w->id]->txbuf[q];
	}
}

static void
adopt(struct dp_worker *w, const struct dp_snapshot *s)
{
	w->snap = s;
	if (s->gen != w->snap_gen || w->gen == 0)
		w->gen++;
	w->snap_gen = s->gen;
	w->tx_hold = s->tx_hold_us * w->dp->us_cycles;
	w->move_at = 0;
	memset(w->rxq, 0, sizeof(w->rxq));
	adopt_outputs(w, s);
	takeover_adopt(w, s);
}

// The number is stored after the pointer and read before it: a number that is new promises a
// pointer that is at least as new, and an old one a grace period that has not begun.
static void
look_at_snapshot(struct dp_worker *w)
{
	uint64_t published;

	if (unlikely(w->n_dirty != 0)) { // held packets lead to ports of this snapshot
		if (atomic_load_explicit(&w->dp->published, memory_order_acquire) == w->adopted)
			return;
		tx_flush_all(w);
	}
	if (unlikely(!w->online)) {
		rte_rcu_qsbr_thread_online(w->dp->qsbr, w->id);
		w->online = true;
	}
	rte_rcu_qsbr_quiescent(w->dp->qsbr, w->id);
	published = atomic_load_explicit(&w->dp->published, memory_order_acquire);
	if (likely(published == w->adopted && w->snap != NULL))
		return;
	w->adopted = published;
	adopt(w, atomic_load_explicit(&w->dp->snapshot, memory_order_acquire));
}

void
dp_worker_offline(struct dp_worker *w)
{
	tx_flush_all(w);
	handover_tell(w);
	w->snap = NULL;
	w->online = false;
	rte_rcu_qsbr_thread_offline(w->dp->qsbr, w->id);
}

static bool
one_loop(struct dp_worker *w)
{
	uint64_t found = 0;

	lap_begin(w);
	look_at_snapshot(w);
	found += obey_orders(w);
	lap(w, DP_STAGE_REST);
	found += poll_queues(w);
	found += poll_inject(w);
	found += handover_take(w);
	lap(w, DP_STAGE_RECEIVE);
	// Before the rings: a flow may have come to one in this loop, behind what it sent directly.
	tx_loop_end(w);
	handover_tell(w);
	lap(w, DP_STAGE_TRANSMIT);
	if (w->n_scheds != 0)
		found += rings_serve(w);
	lap(w, DP_STAGE_RINGS);
	handover_flush(w);
	lap(w, DP_STAGE_TRANSMIT);
	lcore_free_flush(w);
	tick_loop(w);
	if (unlikely(w->resize.moving))
		found += resize_step(w);
	if (unlikely(w->leave.job != NULL))
		takeover_leave(w);
	obey_loop_end(w);
	lap_end(w);
	return found != 0;
}

// The cycle counter is read once in a loop, since that costs as much as a packet: what a loop took
// is counted when the next one begins.
static void
count_loop(struct dp_worker *w)
{
	uint64_t now = rte_rdtsc();
	uint64_t took = now - w->now;

	w->now = now;
	if (unlikely(!w->timed)) {
		w->timed = true;
		return;
	}
	lcore_add(&w->counters.total_cycles, took);
	if (w->busy)
		lcore_add(&w->counters.busy_cycles, took);
}

bool
dp_worker_once(struct dp_worker *w)
{
	if (unlikely(atomic_load_explicit(&w->dp->snapshot, memory_order_acquire) == NULL))
		return false;
	count_loop(w);
	w->busy = one_loop(w);
	lcore_add(&w->counters.loops, 1);
	if (!w->busy)
		lcore_add(&w->counters.empty_loops, 1);
	return w->busy;
}

static void
nap(struct dp_worker *w, uint64_t naps)
{
	uint64_t us = RTE_MIN(NAP_MIN_US + naps, (uint64_t)NAP_MAX_US);
	struct timespec ts = {.tv_nsec = (long)us * 1000};

	dp_worker_offline(w);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	lcore_add(&w->counters.naps, 1);
}

int
dp_worker_loop(void *worker)
{
	struct dp_worker *w = worker;
	uint64_t sleep_after = w->dp->cfg.sleep_after;

	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	while (!atomic_load_explicit(&w->dp->stop, memory_order_relaxed)) {
		if (dp_worker_once(w)) {
			w->empty = 0;
			continue;
		}
		w->empty++;
		if (sleep_after != 0 && w->empty > sleep_after)
			nap(w, w->empty - sleep_after);
	}
	dp_worker_offline(w);
	atomic_store_explicit(&w->ended, true, memory_order_release);
	return 0;
}
