// SPDX-License-Identifier: BSD-3-Clause
#include "classify/classify.h"

#include <string.h>

#include <rte_prefetch.h>

#include "act/offload.h"
#include "act/plain.h"
#include "classify/fields.h"
#include "classify/report.h"
#include "classify/store.h"
#include "lap.h"

#define BARE_REST 15 // bursts
#define SPECIAL_FLAGS (DP_PROG_RING | DP_PROG_HOST_RING | DP_PROG_LINGER)

// clang-format off
static const uint8_t in_order[64] = {
	 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
	48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
// clang-format on

// The stages of a look-up, over a burst or a part of it.
struct looked_up {
	struct rte_mbuf **pkts; // of those that are parsed
	uint16_t n;
	bool fault; // one of them has one
	bool all_hit;
	uint8_t faults[DP_BURST];
};

// Takes packets with a fault or an impossible request out of what goes on.
static __attribute__((noinline)) void
drop_faults(struct dp_worker *w, struct dp_burst *b, struct looked_up *l)
{
	static const uint8_t name[FLOW_FAULTS] = {
		[FLOW_FAULT_RUNT] = DP_DROP_RUNT,
		[FLOW_FAULT_VLAN] = DP_DROP_MALFORMED_VLAN,
		[FLOW_FAULT_ARP] = DP_DROP_MALFORMED_ARP,
		[FLOW_FAULT_IPV4] = DP_DROP_MALFORMED_IPV4,
		[FLOW_FAULT_IPV6] = DP_DROP_MALFORMED_IPV6,
		[FLOW_FAULT_IPV6_EXT] = DP_DROP_MALFORMED_IPV6_EXT,
		[FLOW_FAULT_L4] = DP_DROP_MALFORMED_L4,
	};
	uint16_t i, good = 0;

	for (i = 0; i < l->n; i++) {
		enum dp_drop why = DP_DROP_MALFORMED_OFFLOAD;
		struct rte_mbuf *m = l->pkts[i];

		if (l->faults[i] == FLOW_OK &&
			(!(m->ol_flags & OFFLOAD_REQUESTS) ||
				offload_settle(m, &b->keys[i], &b->offs[i]))) {
			b->keys[good] = b->keys[i];
			b->hashes[good] = b->hashes[i];
			b->entries[good] = b->entries[i];
			l->pkts[good] = m;
			b->at[good++] = b->at[i];
			continue;
		}
		if (l->faults[i] != FLOW_OK)
			why = name[l->faults[i]];
		b->prog[b->at[i]] = NULL;
		lcore_drop(w, m, b->origin, why);
	}
	l->n = good;
}

// Parse and look-up. What a stage prefetches arrives while it works on the other packets: stages
// over parts of a burst, in turns, took 3 cycles a packet more at one flow and 10 at a million.
static void
stages(struct dp_worker *w, struct dp_burst *b, struct looked_up *l)
{
	const struct dp_switch *sw = &w->snap->sw[b->sw];
	struct flow_offsets *offs = b->flags & OFFLOAD_REQUESTS ? b->offs : NULL;
	uint64_t hits;

	l->fault = flow_parse_burst(l->pkts, l->n, sw->id, b->origin, 0, b->keys, offs, l->faults);
	b->alike = (struct cache_alike){.tick = w->tick, .gen = w->gen};
	hits = cache_lookup_burst(w->cache, b->keys, l->n, b->hashes, b->entries, &b->alike);
	l->all_hit = hits == UINT64_MAX >> (64 - l->n);
}

// The keys alone: where decisions depend on fields the look-up is another one (fields.h).
static void
parse(struct dp_worker *w, struct dp_burst *b, struct looked_up *l)
{
	const struct dp_switch *sw = &w->snap->sw[b->sw];
	struct flow_offsets *offs = b->flags & OFFLOAD_REQUESTS ? b->offs : NULL;

	l->fault = flow_parse_burst(
		l->pkts, l->n, sw->id, b->origin, sw->fields, b->keys, offs, l->faults);
}

// Where rules read per-packet fields: a look-up by bare keys that will mostly do. Returns whether
// it did; else the packets are parsed with the fields.
static __attribute__((noinline)) bool
bare_stages(struct dp_worker *w, struct dp_burst *b, struct looked_up *l)
{
	if (w->bare_rest > 0) {
		w->bare_rest--;
	} else if (l->pkts == b->pkts && b->plain && w->tracing == NULL) {
		stages(w, b, l);
		if (!l->fault && l->all_hit && fields_none(w, b))
			return true;
		w->bare_rest = BARE_REST;
	}
	parse(w, b, l);
	return false;
}

// The packets that the quick way takes. True: that was all.
static inline bool
take_plain(struct dp_worker *w, struct dp_burst *b, const struct looked_up *l, bool all_or_none,
	uint64_t *done)
{
	if (unlikely(!b->plain || l->fault || l->pkts != b->pkts || w->tracing != NULL))
		return false;
	lap(w, DP_STAGE_CLASSIFY);
	*done = act_plain(w, b, l->all_hit, all_or_none);
	lap(w, DP_STAGE_ACT);
	if (unlikely(*done != UINT64_MAX >> (64 - b->n)))
		return false;
	lcore_add(&w->counters.hits, b->n);
	return true;
}

static void
set_special(struct dp_worker *w, struct dp_burst *b, uint16_t i, struct dp_program *prog,
	const struct flow_actions *direct)
{
	if (prog->flags & DP_PROG_LINGER)
		decide_linger(w, prog);
	b->by_ring[i] = (prog->flags & (DP_PROG_RING | DP_PROG_HOST_RING)) != 0;
	if (b->by_ring[i])
		b->path[i] = DP_PATH_RING;
	if (prog->kind == DP_PROG_GENERAL)
		b->list[i] = direct != NULL ? direct : dp_store_get(w->store, prog->actions);
}

// path and by_ring are 0 before.
static inline void
set_program(struct dp_worker *w, struct dp_burst *b, uint16_t i, struct dp_program *prog,
	const struct flow_actions *direct)
{
	b->prog[i] = prog;
	if (unlikely((prog->flags & SPECIAL_FLAGS) != 0 || prog->kind == DP_PROG_GENERAL))
		set_special(w, b, i, prog, direct);
}

struct dp_miss *
classify_miss(struct dp_worker *w, struct dp_burst *b, const struct flow_key *key, uint64_t hash,
	const struct rules_result *rules, const struct rte_mbuf *m)
{
	struct dp_miss *ms;
	bool keep;
	uint16_t j;

	for (j = 0; j < b->n_miss; j++) {
		ms = &b->miss[j];
		if (ms->hash == hash && ms->key != NULL && flow_key_equal(ms->key, key))
			return ms;
	}
	ms = &b->miss[b->n_miss++];
	keep = decide(w, key, rules, m, &ms->program, &ms->direct);
	ms->key = keep ? key : NULL;
	ms->hash = hash;
	ms->packets = 0;
	ms->bytes = 0;
	return ms;
}

static void
miss(struct dp_worker *w, struct dp_burst *b, uint16_t k, const struct rte_mbuf *m,
	const struct rules_result *rules)
{
	struct dp_miss *ms = classify_miss(w, b, &b->keys[k], b->hashes[k], rules, m);

	if (ms->packets++ == 0)
		ms->dscp = report_dscp(m);
	ms->bytes += m->pkt_len;
	set_program(w, b, b->at[k], &ms->program, ms->key != NULL ? NULL : &ms->direct);
}

static inline void
take_own(struct dp_worker *w, struct dp_burst *b, uint16_t i, struct cache_entry *e)
{
	struct dp_program *prog = entry_program(w, e);
	bool lingers = prog->flags & DP_PROG_LINGER;

	set_program(w, b, i, prog, NULL);
	if (unlikely(lingers))
		entry_changed(w, e);
}

// The rules have changed since the decision.
static void
stale(struct dp_worker *w, struct dp_burst *b, uint16_t k, const struct rte_mbuf *m)
{
	struct cache_entry *e = b->entries[k];
	struct dp_miss *ms = &b->miss[b->n_miss];

	lcore_add(&w->counters.stale, 1);
	if (likely(decide_again(w, e, m, &ms->program, &ms->direct))) {
		entry_set_program(w, e, &ms->program);
		e->gen = w->gen;
		take_own(w, b, b->at[k], e);
		return;
	}
	// Not to be stored: good for this packet, the entry stays stale.
	b->n_miss++;
	ms->key = NULL;
	set_program(w, b, b->at[k], &ms->program, &ms->direct);
}

// The flows' other halves are asked of packets that are not plain. Returns whether one has none.
static bool
prefetch_programs(const struct dp_worker *w, const struct dp_burst *b, uint16_t n)
{
	bool missing = false;
	uint16_t k;

	for (k = 0; k < n; k++) {
		rte_prefetch0(entry_more(w, b->entries[k])); // of NULL: does nothing
		missing |= b->entries[k] == NULL;
	}
	return missing;
}

// What the rules say of all keys that the cache does not have, in order. Returns how many.
static __attribute__((noinline)) uint16_t
ask_rules(struct dp_worker *w, const struct dp_burst *b, uint16_t n, struct rules_result *rules)
{
	const struct flow_key *keys[DP_BURST];
	uint16_t k, asked = 0;

	for (k = 0; k < n; k++)
		if (b->entries[k] == NULL)
			keys[asked++] = &b->keys[k];
	rules_lookup_burst(w->snap->sw[b->sw].rules, keys, asked, rules);
	return asked;
}

// Each packet but those of done gets the program of its entry, or of a decision.
static void
take_programs(struct dp_worker *w, struct dp_burst *b, const struct looked_up *l, uint64_t done)
{
	struct rules_result rules[DP_BURST];
	uint16_t hits = 0, asked = 0, told = 0;
	uint16_t k;

	if (prefetch_programs(w, b, l->n) && w->snap->sw[b->sw].fields == 0 &&
		w->snap->sw[b->sw].asks == 0)
		asked = ask_rules(w, b, l->n, rules);
	for (k = 0; k < l->n; k++) {
		struct cache_entry *e = b->entries[k];

		if (done & 1ULL << k) { // it may be gone already
			b->prog[b->at[k]] = NULL;
			hits++;
			continue;
		}
		if (unlikely(e == NULL)) {
			miss(w, b, k, l->pkts[k], told < asked ? &rules[told] : NULL);
			told++;
			continue;
		}
		hits++;
		report_packet(w, e, l->pkts[k]->pkt_len, l->pkts[k], DP_NO_DSCP);
		if (likely(e->gen == w->gen))
			take_own(w, b, b->at[k], e);
		else
			stale(w, b, k, l->pkts[k]);
	}
	lcore_add(&w->counters.hits, hits);
	lcore_add(&w->counters.misses, l->n - hits);
}

void
classify_take_flags(struct dp_burst *b)
{
	uint64_t flags = 0, common = UINT64_MAX;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		uint64_t one = offload_from_rx(b->pkts[i]->ol_flags);

		b->pkts[i]->ol_flags = one;
		flags |= one;
		common &= one;
	}
	b->flags = flags;
	b->common = common;
	b->raw = false;
}

bool
classify(struct dp_worker *w, struct dp_burst *b)
{
	struct rte_mbuf *rest[DP_BURST];
	struct looked_up l;
	bool looked_up = true;
	uint64_t done = 0;

	l.pkts = b->pkts;
	l.n = b->n;
	l.fault = false;
	b->n_miss = 0;
	b->whole = false;
	report_bar(w, b->origin);
	if (unlikely(b->flags & RTE_MBUF_F_RX_FDIR_ID)) {
		if (w->tracing == NULL && lane_whole(w, b))
			return true;
		if (b->raw)
			classify_take_flags(b);
		l.pkts = rest;
		l.n = lane_split(w, b, rest);
		if (l.n == 0)
			return true;
	}
	if (likely(w->snap->sw[b->sw].fields == 0))
		stages(w, b, &l);
	else
		looked_up = bare_stages(w, b, &l);
	if (likely(looked_up) && likely(take_plain(w, b, &l, false, &done)))
		return false;
	if (likely(l.pkts == b->pkts)) {
		memcpy(b->at, in_order, sizeof(b->at));
		memset(b->path, DP_PATH_SOFTWARE, sizeof(b->path));
		memset(b->by_ring, 0, sizeof(b->by_ring));
	}
	if (unlikely(l.fault || (b->flags & OFFLOAD_REQUESTS))) {
		if (l.pkts == b->pkts) { // which stays as it is
			memcpy(rest, b->pkts, sizeof(*rest) * b->n);
			l.pkts = rest;
		}
		drop_faults(w, b, &l);
	}
	if (unlikely(!looked_up)) {
		l.all_hit = fields_lookup(w, b, l.n);
		// Packets of a flow may be in several entries; what is to be kept is so later.
		if (l.all_hit && b->n_miss == 0 && !w->store_full) {
			b->alike = (struct cache_alike){.tick = w->tick, .gen = w->gen};
			cache_compare(b->entries, l.n, &b->alike);
			if (take_plain(w, b, &l, true, &done))
				return false;
		}
	}
	take_programs(w, b, &l, done);
	return true;
}

void
classify_keep(struct dp_worker *w, struct dp_burst *b)
{
	uint16_t i;

	for (i = 0; i < b->n_miss; i++) {
		const struct dp_miss *ms = &b->miss[i];
		struct cache_entry *e;

		if (ms->key == NULL)
			continue;
		e = cache_insert(w->cache, ms->key, ms->hash, w->tick);
		if (unlikely(e == NULL))
			continue; // decided anew with its next packet
		entry_set_program(w, e, &ms->program);
		e->gen = w->gen;
		if (ms->packets == 0)
			continue;
		e->packets = ms->packets - 1;
		report_packet(w, e, ms->bytes, NULL, ms->dscp);
		lcore_add(&w->counters.flows_seen, 1);
	}
	if (unlikely(w->store_full)) {
		w->store_full = false;
		if (dp_store_restart(w->store, w->tick))
			w->gen++;
	}
}
