// SPDX-License-Identifier: BSD-3-Clause
#include "act/act.h"

#include "datapath/meter.h"
#include "act/edit.h"
#include "act/general.h"
#include "act/gcra.h"
#include "act/offload.h"
#include "extend/extend.h"
#include "out/output.h"
#include "out/tx.h"

#define STORM_BURST_PART 10 // of a second's packets may come at once

// Neighbours with one program.
struct act_run {
	const struct dp_program *prog;
	uint32_t packets;
	uint32_t bytes;
};

struct act_places {
	uint32_t packets[DP_PATHS];
	uint32_t bytes[DP_PATHS];
};

static inline void
count_rules(struct dp_worker *w, uint16_t sw, const struct act_run *run)
{
	struct dp_count *rules = atomic_load_explicit(&w->rules[sw], memory_order_relaxed);
	unsigned i;

	if (unlikely(rules == NULL))
		return;
	for (i = 0; i < run->prog->n_rules; i++) {
		struct dp_count *c = &rules[run->prog->rule[i]];

		lcore_add(&c->packets, run->packets);
		lcore_add(&c->bytes, run->bytes);
	}
}

// Rates of the rules and the storm limit of the port. False: the packet was dropped.
static bool
within_limits(struct dp_worker *w, const struct dp_burst *b, const struct dp_program *prog,
	struct rte_mbuf *m)
{
	const struct dp_switch *sw = &w->snap->sw[b->sw];
	unsigned i;

	if (prog->flags & DP_PROG_STORM &&
		!meter_gcra(&w->dp->storm_next[b->origin], w->storm_cost[b->origin],
			w->dp->hz / STORM_BURST_PART, w->now)) {
		lcore_drop(w, m, b->origin, DP_DROP_STORM);
		return false;
	}
	if (!(prog->flags & DP_PROG_RATED) || sw->meters == NULL)
		return true;
	for (i = 0; i < prog->n_rules; i++) {
		if (!dp_meter_take(&sw->meters[prog->rule[i]], m->pkt_len, w->now)) {
			lcore_drop(w, m, b->origin, DP_DROP_RATE);
			return false;
		}
	}
	return true;
}

static __attribute__((noinline)) void
act_slow(struct dp_worker *w, struct dp_burst *b, uint16_t i)
{
	const struct dp_program *prog = b->prog[i];
	struct output_way way = {
		.vport = prog->out, .txq = prog->txq, .cls = prog->cls, .ring = b->by_ring[i]};
	struct rte_mbuf *m = b->pkts[i];
	struct sluice_ext_flow flow;

	if ((prog->flags & (DP_PROG_STORM | DP_PROG_RATED)) && !within_limits(w, b, prog, m))
		return;
	if (prog->kind == DP_PROG_GENERAL) {
		bool judged = unlikely(prog->flags & DP_PROG_EXT) && extend_several(w, b, i, &flow);

		general(w, m, b->origin, b->sw, b->list[i], &way, judged ? &flow : NULL);
		return;
	}
	if (!edit_vlan(&m, prog->vlan_op, prog->vlan, w->dp->cfg.copies))
		lcore_drop(w, m, b->origin, DP_DROP_NO_BUFFER);
	else
		output(w, m, b->origin, &way);
}

// The common case: one output, straight into a transmit buffer of this worker.
static inline bool
act_fast(struct dp_worker *w, const struct dp_burst *b, uint16_t i)
{
	const struct dp_program *prog = b->prog[i];
	struct rte_mbuf *m = b->pkts[i];
	const struct lcore_out *o;

	if (unlikely(prog->kind != DP_PROG_OUTPUT || prog->vlan_op != DP_VLAN_KEEP ||
		     (prog->flags & (DP_PROG_STORM | DP_PROG_RATED)) || b->by_ring[i] ||
		     prog->txq != DP_TXQ_OWN))
		return false;
	o = &w->out[prog->out];
	if (unlikely(o->own == NULL || m->pkt_len > o->max_len || m->nb_segs != 1 ||
		     (m->ol_flags & OFFLOAD_REQUESTS)))
		return false;
	tx_add(w, o->own, m, b->origin);
	return true;
}

void
act(struct dp_worker *w, struct dp_burst *b)
{
	struct dp_vport_counters *from = &w->vports[b->origin];
	struct act_places places = {0};
	struct act_run run = {0};
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct dp_program *prog = b->prog[i];
		uint32_t len;

		if (unlikely(prog == NULL))
			continue;
		len = b->pkts[i]->pkt_len;
		if (prog != run.prog) {
			if (run.prog != NULL)
				count_rules(w, b->sw, &run);
			run = (struct act_run){.prog = prog};
		}
		run.packets++;
		run.bytes += len;
		places.packets[b->path[i]]++;
		places.bytes[b->path[i]] += len;
		if (likely(act_fast(w, b, i)))
			continue;
		if (prog->kind == DP_PROG_DROP)
			lcore_drop(w, b->pkts[i], b->origin, prog->drop);
		else
			act_slow(w, b, i);
	}
	if (run.prog != NULL)
		count_rules(w, b->sw, &run);
	for (i = 0; i < DP_PATHS && !b->injected; i++) {
		if (places.packets[i] == 0)
			continue;
		lcore_add(&from->path_packets[i], places.packets[i]);
		lcore_add(&from->path_bytes[i], places.bytes[i]);
	}
}

void
act_traced(struct dp_worker *w, struct dp_burst *b, bool count)
{
	struct dp_count *rules = atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed);
	struct dp_vport_counters *from = &w->vports[b->origin];
	const struct dp_program *prog = b->prog[0];
	const uint32_t len = prog != NULL ? b->pkts[0]->pkt_len : 0;
	unsigned i;

	if (prog == NULL)
		return;
	for (i = 0; count && rules != NULL && i < prog->n_rules; i++) {
		lcore_add(&rules[prog->rule[i]].packets, 1);
		lcore_add(&rules[prog->rule[i]].bytes, len);
	}
	if (count && !b->injected) {
		lcore_add(&from->path_packets[b->path[0]], 1);
		lcore_add(&from->path_bytes[b->path[0]], len);
	}
	if (prog->kind == DP_PROG_DROP)
		lcore_drop(w, b->pkts[0], b->origin, prog->drop);
	else
		act_slow(w, b, 0);
}
