// SPDX-License-Identifier: BSD-3-Clause
#include "act/plain.h"

#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

#include "act/act.h"
#include "act/act_out.h"
#include "classify/entry.h"
#include "classify/report.h"
#include "out/output.h"

struct plain_set {
	uint64_t take; // a bit for each packet
	bool ticks;    // some of them are the first of their flow in this tick
	bool one_rule; // each has one, and no more
	bool one_out;  // all have the output of the first
	bool one_flow; // all have the entry of the first
};

// All of them, as it mostly is: the look-up told it without a branch for each packet. False: not
// all can be taken.
static inline bool
choose_all(const struct dp_burst *b, struct plain_set *set)
{
	const struct cache_alike *alike = &b->alike;
	const uint32_t first = b->entries[0]->hint, hints = alike->hint;

	set->take = UINT64_MAX >> (64 - b->n);
	set->ticks = alike->tick != 0;
	set->one_rule = ((hints | (first ^ ENTRY_RULED)) & (ENTRY_RULED | ENTRY_RULES)) == 0;
	set->one_out = (hints & ENTRY_OUT_MASK) == 0;
	set->one_flow = alike->one;
	return alike->gen == 0 && ((hints | (first ^ ENTRY_PLAIN)) & ENTRY_PLAIN) == 0;
}

// Which packets can be taken. Touches nothing.
static __attribute__((noinline)) struct plain_set
choose(const struct dp_worker *w, const struct dp_burst *b)
{
	struct plain_set set = {.take = 0};
	uint32_t ticks = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		const struct cache_entry *e = b->entries[i];

		if (e == NULL || e->gen != w->gen || !(e->hint & ENTRY_PLAIN))
			continue;
		ticks |= e->last_tick ^ w->tick;
		set.take |= 1ULL << i;
	}
	set.ticks = ticks != 0;
	return set;
}

// Cold: a flow that control was told of, or whose source the MAC table hears of, in a new tick.
static __attribute__((noinline)) void
tell(struct dp_worker *w, struct cache_entry *e, uint32_t last, const struct rte_mbuf *m)
{
	report_tick(w, e, last, m, DP_NO_DSCP);
}

#define LEN_MAX (1u << 24) // of a packet: what a burst adds to a counter has 31 bits

// What stays the same while a burst is counted: the counters that are written could be anywhere.
// Nothing that is called gets its address, so that it stays in registers.
struct counting {
	struct dp_worker *w;
	struct dp_count *rules;
	uint32_t tick;
#ifdef __SSE4_1__
	__m128i below; // the most that a packet's sums may be, but for the hint's
#endif
};

static __attribute__((noinline)) void
count_rules(const struct dp_worker *w, struct dp_count *rules, const struct cache_entry *e,
	uint32_t packets, uint32_t bytes)
{
	act_count_rules(rules, entry_program(w, e), packets, bytes);
}

// e's packet m is its first one in this tick, if it is: as report_new_tick.
static inline __attribute__((always_inline)) void
new_tick(const struct counting *c, struct cache_entry *e, const struct rte_mbuf *m, uint32_t look)
{
	uint32_t last = e->last_tick;

	e->rate = report_decayed(c->w, e->rate, c->tick - last);
	e->last_tick = c->tick;
	if (unlikely(report_passed(e, c->tick, last) >=
		     (e->hint & ENTRY_TOLD ? look : REPORT_MAC_TICKS)))
		tell(c->w, e, last, m);
}

static inline __attribute__((always_inline)) void
count_rate(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m, uint32_t bytes)
{
	const uint64_t rate = (uint64_t)e->rate + bytes;

	e->rate = (uint32_t)RTE_MIN(rate, (uint64_t)UINT32_MAX);
	if (unlikely(e->rate >= w->report_rate) && !(e->hint & ENTRY_TOLD))
		report_first(w, e, report_dscp(m));
}

// As report_packet, of so many packets of a flow, without what a new tick asks for.
static inline __attribute__((always_inline)) void
count_plainly(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m,
	uint32_t packets, uint32_t bytes)
{
	cache_count(e, w->cache_apart, packets, bytes);
	count_rate(w, e, m, bytes);
}

#ifdef __SSE4_1__
static_assert(offsetof(struct cache_entry, counts) % 16 == 0 &&
		      offsetof(struct cache_entry, packets) % 16 == 0 &&
		      offsetof(struct cache_entry, bytes) % 16 == 4 &&
		      offsetof(struct cache_entry, rate) % 16 == 8 &&
		      offsetof(struct cache_entry, hint) % 16 == 12 && ENTRY_TOLD == 1u << 31,
	"added to as one vector, of which the sign tells a flow that was told");

// Cold: low bits run over, or the rate passes the bar.
static __attribute__((noinline)) void
count_cold(struct dp_worker *w, struct cache_entry *e, const struct rte_mbuf *m, uint32_t packets,
	uint32_t bytes)
{
	count_plainly(w, e, m, packets, bytes);
}

// A bit for each set of signs (of packets, bytes, rate, hint) that count_cold is for: one of the
// first two, or the third without the fourth. The rate of a flow that was told may have its sign,
// and is far from more (REPORT_RATE_MAX).
#define COLD_SIGNS 0xeefeu

// In one step for all of them: packets: how many, in the first word.
static inline __attribute__((always_inline)) void
count_flow(const struct counting *c, struct cache_entry *e, const struct rte_mbuf *m,
	uint32_t packets, uint32_t bytes)
{
	const __m128i len = _mm_cvtsi32_si128((int)bytes);
	const __m128i more = _mm_add_epi32(
		_mm_cvtsi32_si128((int)packets), _mm_shuffle_epi32(len, _MM_SHUFFLE(1, 0, 0, 1)));
	__m128i *at = (__m128i *)&e->counts;
	const __m128i sum = _mm_add_epi32(_mm_load_si128(at), more);
	const __m128i high = _mm_or_si128(sum, _mm_cmpgt_epi32(sum, c->below));

	if (unlikely(COLD_SIGNS >> _mm_movemask_ps(_mm_castsi128_ps(high)) & 1))
		count_cold(c->w, e, m, packets, bytes);
	else
		_mm_store_si128(at, sum);
}
#else
static inline __attribute__((always_inline)) void
count_flow(const struct counting *c, struct cache_entry *e, const struct rte_mbuf *m,
	uint32_t packets, uint32_t bytes)
{
	count_plainly(c->w, e, m, packets, bytes);
}
#endif

// The same of the first packets in a tick. What is told counts them.
static inline __attribute__((always_inline)) void
count_first(const struct counting *c, struct cache_entry *e, const struct rte_mbuf *m,
	uint32_t packets, uint32_t bytes, uint32_t look)
{
	cache_count(e, c->w->cache_apart, packets, bytes);
	new_tick(c, e, m, look);
	count_rate(c->w, e, m, bytes);
}

// look: how often it is looked at when it is told (report_look).
static inline __attribute__((always_inline)) void
count(const struct counting *c, struct cache_entry *e, const struct rte_mbuf *m, uint32_t packets,
	uint32_t bytes, uint32_t look, bool ticking, bool one_rule)
{
	const uint32_t hint = e->hint;
	struct dp_count *rule;

	if (ticking && e->last_tick != c->tick)
		count_first(c, e, m, packets, bytes, look);
	else
		count_flow(c, e, m, packets, bytes);
	if (!one_rule && !(hint & ENTRY_RULED))
		return;
	if (!one_rule && unlikely(hint & ENTRY_RULES)) {
		count_rules(c->w, c->rules, e, packets, bytes);
		return;
	}
	rule = &c->rules[hint & ENTRY_RULE_MASK];
	lcore_add(&rule->packets, packets);
	lcore_add(&rule->bytes, bytes);
}

// Too long for the quick way, or the output is reached by another worker.
static __attribute__((noinline)) void
long_way(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, const struct dp_program *prog)
{
	struct output_way way = {.vport = prog->out, .txq = prog->txq, .cls = prog->cls};

	output(w, m, origin, &way);
}

static inline struct counting
counting(struct dp_worker *w, const struct dp_burst *b)
{
	struct counting c = {.w = w,
		.rules = atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed),
		.tick = w->tick};
#ifdef __SSE4_1__
	const int below = (int)RTE_MIN(w->report_rate - 1, (uint32_t)INT32_MAX);

	c.below = _mm_setr_epi32(INT32_MAX, INT32_MAX, w->report_rate == 0 ? -1 : below, INT32_MAX);
#endif
	return c;
}

// One by one: some of them, or to several outputs, or one may be too long.
static __attribute__((noinline)) void
take_each(struct dp_worker *w, struct dp_burst *b, uint64_t todo)
{
	const struct counting c = counting(w, b);
	struct act_out out = {.vport = DP_NONE};

	for (; todo != 0; todo &= todo - 1) {
		unsigned i = (unsigned)__builtin_ctzll(todo);
		struct cache_entry *e = b->entries[i];
		struct rte_mbuf *m = b->pkts[i];

		count(&c, e, m, 1, m->pkt_len, report_look(w, entry_out(e)), true, false);
		if (unlikely(!act_out_add(w, &out, b->origin, entry_out(e), m))) {
			act_out_close(w, &out, b->origin);
			long_way(w, m, b->origin, entry_program(w, e));
		}
	}
	act_out_close(w, &out, b->origin);
}

// Mostly some of a burst are the first of their flow in this tick: found without a branch, so that
// the others cost next to nothing.
static inline __attribute__((always_inline)) void
new_ticks(const struct counting *c, const struct dp_burst *b, uint32_t look)
{
	uint8_t late[DP_BURST];
	unsigned n = 0, i;

	for (i = 0; i < b->n; i++) {
		late[n] = (uint8_t)i;
		n += b->entries[i]->last_tick != c->tick;
	}
	for (i = 0; i < n; i++)
		new_tick(c, b->entries[late[i]], b->pkts[late[i]], look);
}

// All, and all to one output that can be reached straight away. What is compiled for one flow, or
// without ticks, is shorter.
static inline __attribute__((always_inline)) void
take_all(struct dp_worker *w, struct dp_burst *b, struct dp_txbuf *buf, bool ticking, bool one_rule,
	bool one_flow)
{
	const struct counting c = counting(w, b);
	struct rte_mbuf *const *pkts = b->pkts;
	const uint32_t look = report_look(w, entry_out(b->entries[0]));
	const uint16_t n = b->n;
	uint16_t i;

	if (ticking && !one_flow)
		new_ticks(&c, b, look);
	for (i = 0; !one_flow && i < n; i++)
		count(&c, b->entries[i], pkts[i], 1, pkts[i]->pkt_len, look, false, one_rule);
	if (one_flow)
		count(&c, b->entries[0], pkts[0], n, b->bytes, look, ticking, one_rule);
	tx_add_burst(w, buf, pkts, b->origin, n, b->bytes, b->mem);
}

static __attribute__((noinline)) void
take_all_ticking(struct dp_worker *w, struct dp_burst *b, struct dp_txbuf *buf)
{
	take_all(w, b, buf, true, true, false);
}

static __attribute__((noinline)) void
take_all_quick(struct dp_worker *w, struct dp_burst *b, struct dp_txbuf *buf)
{
	take_all(w, b, buf, false, true, false);
}

static __attribute__((noinline)) void
take_all_of_one(struct dp_worker *w, struct dp_burst *b, struct dp_txbuf *buf)
{
	take_all(w, b, buf, true, false, true);
}

static __attribute__((noinline)) void
take_all_ruled(struct dp_worker *w, struct dp_burst *b, struct dp_txbuf *buf)
{
	take_all(w, b, buf, true, false, false);
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
act_plain(struct dp_worker *w, struct dp_burst *b, bool all_hit, bool all_or_none)
{
	const struct lcore_out *o;
	struct plain_set set;

	if (unlikely(atomic_load_explicit(&w->rules[b->sw], memory_order_relaxed) == NULL ||
		     b->longest >= LEN_MAX))
		return 0;
	if (unlikely(!all_hit || !choose_all(b, &set))) {
		if (all_or_none)
			return 0;
		set = choose(w, b);
	}
	if (set.take == 0)
		return 0;
	// Before they go: what is sent is not looked at again.
	count_path(w, b, set.take);
	if (unlikely(!set.one_out)) {
		take_each(w, b, set.take);
		return set.take;
	}
	o = &w->out[entry_out(b->entries[0])];
	if (unlikely(o->own == NULL || b->longest > o->max_len))
		take_each(w, b, set.take);
	else if (set.one_flow)
		take_all_of_one(w, b, o->own);
	else if (unlikely(!set.one_rule))
		take_all_ruled(w, b, o->own);
	else if (set.ticks)
		take_all_ticking(w, b, o->own);
	else
		take_all_quick(w, b, o->own);
	return set.take;
}
