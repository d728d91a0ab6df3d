// SPDX-License-Identifier: BSD-3-Clause
#include "act/act.h"

#include "act/act_out.h"

#include "datapath/meter.h"
#include "act/edit.h"
#include "act/general.h"
#include "act/gcra.h"
#include "act/offload.h"
#include "extend/extend.h"
#include "out/output.h"

#define STORM_BURST_PART 10 // of a second's packets may come at once

// What is counted for a burst: by place, `other` that are not software.
struct act_places {
	uint32_t packets[DP_PATHS];
	uint32_t bytes[DP_PATHS];
};

static bool
below_rate(struct dp_worker *w, const struct dp_burst *b, struct dp_meter *meter,
	struct rte_mbuf *m, bool count, enum dp_drop why)
{
	if (meter == NULL || dp_meter_take(meter, count ? m->pkt_len : 0, w->now))
		return true;
	lcore_drop(w, m, b->origin, why);
	return false;
}

// Of its rules, of the port, its VM, its class.
static bool
below_rates(struct dp_worker *w, const struct dp_burst *b, const struct dp_program *prog,
	struct rte_mbuf *m, bool count)
{
	const struct dp_snapshot *s = w->snap;
	const struct dp_switch *sw = &s->sw[b->sw];
	const struct dp_vport *from = s->vport[b->origin];
	unsigned i;

	for (i = 0; sw->meters != NULL && i < prog->n_rules; i++) {
		if (!below_rate(w, b, &sw->meters[prog->rule[i]], m, count, DP_DROP_RATE))
			return false;
	}
	if (from != NULL && (!below_rate(w, b, from->meter, m, count, DP_DROP_PORT_RATE) ||
				    !below_rate(w, b, from->vm_meter, m, count, DP_DROP_VM_RATE)))
		return false;
	return s->class_meters == NULL || prog->cls >= s->n_classes ||
	       below_rate(w, b, s->class_meters[prog->cls], m, count, DP_DROP_CLASS_RATE);
}

// Rates and the storm limit of the port. False: the packet was dropped. count: it
// takes its part of them; otherwise they only say whether they would let it pass.
static inline __attribute__((always_inline)) bool
within_limits(struct dp_worker *w, const struct dp_burst *b, const struct dp_program *prog,
	struct rte_mbuf *m, bool count)
{
	if (prog->flags & DP_PROG_STORM &&
		!meter_gcra(&w->dp->storm_next[b->origin], count ? w->storm_cost[b->origin] : 0,
			w->dp->hz / STORM_BURST_PART, w->now)) {
		lcore_drop(w, m, b->origin, DP_DROP_STORM);
		return false;
	}
	return !(prog->flags & DP_PROG_RATED) || below_rates(w, b, prog, m, count);
}

static inline __attribute__((always_inline)) void
carry_out(struct dp_worker *w, struct dp_burst *b, uint16_t i, bool count, bool traced)
{
	const struct dp_program *prog = b->prog[i];
	struct output_way way = {.vport = prog->out,
		.txq = prog->txq,
		.cls = prog->cls,
		.ring = b->by_ring[i],
		.traced = traced};
	struct rte_mbuf *m = b->pkts[i];
	struct sluice_ext_flow flow;

	if ((prog->flags & (DP_PROG_STORM | DP_PROG_RATED)) && !within_limits(w, b, prog, m, count))
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

static __attribute__((noinline)) void
act_slow(struct dp_worker *w, struct dp_burst *b, uint16_t i)
{
	carry_out(w, b, i, true, false);
}

// All packets of the burst have plain programs of one output.
static bool
act_whole(struct dp_worker *w, const struct dp_burst *b)
{
	struct dp_count *rules = atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed);
	struct dp_vport_counters *from = &w->vports[b->origin];
	const struct dp_program *prog = b->prog[0];
	const struct lcore_out *o = &w->out[prog->out];

	if (o->own == NULL || b->longest > o->max_len)
		return false;
	if (likely(rules != NULL)) {
		if (b->one_mark)
			act_count_rules(rules, prog, b->n, b->bytes);
		else
			for (uint16_t i = 0; i < b->n; i++)
				act_count_rules(rules, b->prog[i], 1, b->pkts[i]->pkt_len);
	}
	tx_add_burst(w, o->own, b->pkts, b->origin, b->n, b->bytes, b->mem);
	if (likely(!b->injected)) {
		lcore_add(&from->path_packets[b->path[0]], b->n);
		lcore_add(&from->path_bytes[b->path[0]], b->bytes);
	}
	return true;
}

// To be handled one by one after all.
static void
spread(struct dp_burst *b)
{
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		if (b->one_mark)
			b->prog[i] = b->prog[0];
		b->path[i] = b->path[0];
		b->by_ring[i] = false;
	}
}

static void
count_places(struct dp_worker *w, const struct dp_burst *b, const struct act_places *places)
{
	struct dp_vport_counters *from = &w->vports[b->origin];
	unsigned i;

	if (unlikely(b->injected))
		return;
	for (i = 0; i < DP_PATHS; i++) {
		if (places->packets[i] == 0)
			continue;
		lcore_add(&from->path_packets[i], places->packets[i]);
		lcore_add(&from->path_bytes[i], places->bytes[i]);
	}
}

static void
act_each(struct dp_worker *w, struct dp_burst *b)
{
	struct dp_count *rules = atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed);
	const bool simple = b->plain && rules != NULL;
	struct act_out out = {.vport = DP_NONE};
	struct act_places places = {0};
	uint32_t packets = 0, bytes = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct dp_program *prog = b->prog[i];
		struct rte_mbuf *m = b->pkts[i];
		uint32_t len;

		if (unlikely(prog == NULL))
			continue;
		len = m->pkt_len;
		if (unlikely(b->path[i] != DP_PATH_SOFTWARE)) {
			places.packets[b->path[i]]++;
			places.bytes[b->path[i]] += len;
		} else {
			packets++;
			bytes += len;
		}
		if (likely(rules != NULL))
			act_count_rules(rules, prog, 1, len);
		if (likely(simple && act_is_plain(prog) && !b->by_ring[i] &&
			    act_out_add(w, &out, b->origin, prog->out, m)))
			continue;
		act_out_close(w, &out, b->origin);
		if (prog->kind == DP_PROG_DROP)
			lcore_drop(w, m, b->origin, prog->drop);
		else
			act_slow(w, b, i);
	}
	act_out_close(w, &out, b->origin);
	places.packets[DP_PATH_SOFTWARE] = packets;
	places.bytes[DP_PATH_SOFTWARE] = bytes;
	count_places(w, b, &places);
}

void
act(struct dp_worker *w, struct dp_burst *b)
{
	if (b->whole) {
		if (likely(act_whole(w, b)))
			return;
		spread(b);
	}
	act_each(w, b);
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
		carry_out(w, b, 0, count, true);
}
