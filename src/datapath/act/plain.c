// SPDX-License-Identifier: BSD-3-Clause
#include "act/plain.h"

#include "act/act.h"
#include "act/act_out.h"
#include "classify/report.h"
#include "out/output.h"

struct plain_set {
	uint64_t take; // a bit for each packet
	bool ticks;    // some of them are the first of their flow in this tick
};

static inline const struct dp_program *
program(const struct cache_entry *e)
{
	return (const void *)e->value;
}

// Which packets can be taken. Touches nothing.
static struct plain_set
choose(const struct dp_worker *w, const struct dp_burst *b)
{
	struct plain_set set = {.take = 0};
	uint32_t ticks = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct cache_entry *e = b->entries[i];

		if (unlikely(e == NULL || e->gen != w->gen || !act_is_plain(program(e))))
			continue;
		ticks |= e->last_tick ^ w->tick;
		set.take |= 1ULL << i;
	}
	set.ticks = ticks != 0;
	return set;
}

// Cold: a flow that control was told of, or whose source the MAC table hears of, in a new tick.
static __attribute__((noinline)) void
tell(struct dp_worker *w, struct cache_entry *e, uint32_t ticks, const struct rte_mbuf *m)
{
	report_tick(w, e, ticks, report_dscp(m));
}

// As report_packet.
static inline void
count(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m, bool ticking)
{
	uint32_t tick = w->tick, last = e->last_tick, rate = e->rate, len = m->pkt_len;

	e->packets++;
	e->bytes += len;
	if (ticking) {
		e->rate = rate = report_decayed(w, rate, tick - last);
		e->last_tick = tick;
		if (unlikely((tick ^ last) >= REPORT_MAC_TICKS || e->flags != 0) && tick != last)
			tell(w, e, tick - last, m);
	}
	rate += len;
	e->rate = likely(rate >= len) ? rate : UINT32_MAX;
	if (unlikely(rate >= w->report_rate) && e->flags == 0)
		report_first(w, e, report_dscp(m));
}

// Too long for the quick way, or the output is reached by another worker.
static __attribute__((noinline)) void
long_way(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, const struct dp_program *prog)
{
	struct output_way way = {.vport = prog->out, .txq = prog->txq, .cls = prog->cls};

	output(w, m, origin, &way);
}

static inline __attribute__((always_inline)) void
take(struct dp_worker *w, struct dp_burst *b, struct plain_set set, bool ticking, bool all)
{
	struct dp_count *rules = atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed);
	struct act_out out = {.vport = DP_NONE};
	uint16_t origin = b->origin;
	uint16_t i, n = b->n;

	for (i = 0; i < n; i++) {
		struct cache_entry *e = b->entries[i];
		struct rte_mbuf *m = b->pkts[i];
		const struct dp_program *prog;

		if (!all && !(set.take & 1ULL << i))
			continue;
		prog = program(e);
		count(w, e, m, ticking);
		act_count_rules(rules, prog, 1, m->pkt_len);
		if (unlikely(!act_out_add(w, &out, origin, prog->out, m))) {
			act_out_close(w, &out, origin);
			long_way(w, m, origin, prog);
		}
	}
	act_out_close(w, &out, origin);
}

static __attribute__((noinline)) void
take_some(struct dp_worker *w, struct dp_burst *b, struct plain_set set)
{
	take(w, b, set, true, false);
}

static __attribute__((noinline)) void
take_all_ticking(struct dp_worker *w, struct dp_burst *b, struct plain_set set)
{
	take(w, b, set, true, true);
}

static __attribute__((noinline)) void
take_all(struct dp_worker *w, struct dp_burst *b, struct plain_set set)
{
	take(w, b, set, false, true);
}

static void
count_path(struct dp_worker *w, const struct dp_burst *b, uint64_t taken)
{
	struct dp_vport_counters *from = &w->vports[b->origin];
	uint32_t bytes = b->bytes;
	uint16_t i;

	if (unlikely(b->injected))
		return;
	for (i = 0; i < b->n && taken != UINT64_MAX >> (64 - b->n); i++)
		if (!(taken & 1ULL << i))
			bytes -= b->pkts[i]->pkt_len;
	lcore_add(&from->path_packets[DP_PATH_SOFTWARE], (uint64_t)__builtin_popcountll(taken));
	lcore_add(&from->path_bytes[DP_PATH_SOFTWARE], bytes);
}

uint64_t
act_plain(struct dp_worker *w, struct dp_burst *b)
{
	struct plain_set set;

	if (unlikely(atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed) == NULL))
		return 0;
	set = choose(w, b);
	if (set.take == 0)
		return 0;
	// Before they go: what is sent is not looked at again.
	count_path(w, b, set.take);
	if (unlikely(set.take != UINT64_MAX >> (64 - b->n)))
		take_some(w, b, set);
	else if (set.ticks)
		take_all_ticking(w, b, set);
	else
		take_all(w, b, set);
	return set.take;
}
