// SPDX-License-Identifier: BSD-3-Clause
#include "classify/classify.h"

#include <string.h>

#include "act/offload.h"
#include "classify/fields.h"
#include "classify/report.h"
#include "classify/store.h"

// Takes packets with a fault or an impossible request out of what goes on. Returns how many do.
static __attribute__((noinline)) uint16_t
drop_faults(struct dp_worker *w, struct dp_burst *b, struct rte_mbuf **pkts, uint16_t n,
	const uint8_t *faults)
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

	for (i = 0; i < n; i++) {
		enum dp_drop why = DP_DROP_MALFORMED_OFFLOAD;

		if (faults[i] == FLOW_OK &&
			(!(pkts[i]->ol_flags & OFFLOAD_REQUESTS) ||
				offload_settle(pkts[i], &b->keys[i], &b->offs[i]))) {
			b->keys[good] = b->keys[i];
			pkts[good] = pkts[i];
			b->at[good++] = b->at[i];
			continue;
		}
		if (faults[i] != FLOW_OK)
			why = name[faults[i]];
		b->prog[b->at[i]] = NULL;
		lcore_drop(w, pkts[i], b->origin, why);
	}
	return good;
}

static uint16_t
parse(struct dp_worker *w, struct dp_burst *b, struct rte_mbuf **pkts, uint16_t n, uint64_t flags)
{
	uint8_t faults[DP_BURST];
	uint8_t any = 0;
	uint16_t i;

	flow_parse_burst(pkts, n, w->snap->sw[b->sw].id, b->origin, w->snap->sw[b->sw].fields,
		b->keys, b->offs, faults);
	for (i = 0; i < n; i++)
		any |= faults[i];
	if (unlikely(any != FLOW_OK || (flags & OFFLOAD_REQUESTS)))
		n = drop_faults(w, b, pkts, n, faults);
	return n;
}

static inline void
set_program(struct dp_worker *w, struct dp_burst *b, uint16_t i, struct dp_program *prog,
	const struct flow_actions *direct)
{
	b->prog[i] = prog;
	if (unlikely(prog->flags & DP_PROG_LINGER))
		decide_linger(w, prog);
	b->by_ring[i] = (prog->flags & (DP_PROG_RING | DP_PROG_HOST_RING)) != 0;
	b->path[i] = b->by_ring[i] ? DP_PATH_RING : DP_PATH_SOFTWARE;
	if (unlikely(prog->kind == DP_PROG_GENERAL))
		b->list[i] = direct != NULL ? direct : dp_store_get(w->store, prog->actions);
}

struct dp_miss *
classify_miss(struct dp_worker *w, struct dp_burst *b, const struct flow_key *key, uint64_t hash,
	const struct rules_result *rules)
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
	keep = decide(w, key, rules, &ms->program, &ms->direct);
	ms->key = keep ? key : NULL;
	ms->hash = hash;
	ms->packets = 0;
	ms->bytes = 0;
	return ms;
}

static void
miss(struct dp_worker *w, struct dp_burst *b, uint16_t k, uint32_t len,
	const struct rules_result *rules)
{
	struct dp_miss *ms = classify_miss(w, b, &b->keys[k], b->hashes[k], rules);

	ms->packets++;
	ms->bytes += len;
	set_program(w, b, b->at[k], &ms->program, ms->key != NULL ? NULL : &ms->direct);
}

// The rules have changed since the decision.
static void
stale(struct dp_worker *w, struct dp_burst *b, uint16_t k)
{
	struct cache_entry *e = b->entries[k];
	struct dp_miss *ms = &b->miss[b->n_miss];
	struct dp_program *prog = (void *)e->value;

	lcore_add(&w->counters.stale, 1);
	if (likely(decide_again(w, e, &ms->program, &ms->direct))) {
		*prog = ms->program;
		e->gen = w->gen;
		set_program(w, b, b->at[k], prog, NULL);
		return;
	}
	// Not to be stored: good for this packet, the entry stays stale.
	b->n_miss++;
	ms->key = NULL;
	set_program(w, b, b->at[k], &ms->program, &ms->direct);
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

static void
lookup(struct dp_worker *w, struct dp_burst *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct rules_result rules[DP_BURST];
	uint16_t hits = 0, asked = 0, told = 0;
	uint16_t k;

	report_bar(w, b->origin);
	if (unlikely(w->snap->sw[b->sw].fields != 0))
		fields_lookup(w, b, n);
	else if (unlikely(cache_lookup_burst(w->cache, b->keys, n, b->hashes, b->entries) !=
			  (1ULL << n) - 1))
		asked = ask_rules(w, b, n, rules);
	for (k = 0; k < n; k++) {
		struct cache_entry *e = b->entries[k];
		uint32_t len = pkts[k]->pkt_len;

		if (unlikely(e == NULL)) {
			miss(w, b, k, len, told < asked ? &rules[told] : NULL);
			told++;
			continue;
		}
		hits++;
		report_packet(w, e, len);
		if (likely(e->gen == w->gen))
			set_program(w, b, b->at[k], (void *)e->value, NULL);
		else
			stale(w, b, k);
	}
	lcore_add(&w->counters.hits, hits);
	lcore_add(&w->counters.misses, n - hits);
}

void
classify(struct dp_worker *w, struct dp_burst *b)
{
	struct rte_mbuf *rest[DP_BURST];
	uint64_t flags = 0;
	uint16_t i, n = b->n;

	b->n_miss = 0;
	for (i = 0; i < b->n; i++) {
		flags |= b->pkts[i]->ol_flags;
		rest[i] = b->pkts[i];
		b->at[i] = (uint8_t)i;
	}
	if (unlikely(flags & RTE_MBUF_F_RX_FDIR_ID))
		n = lane_split(w, b, rest);
	if (n == 0)
		return;
	n = parse(w, b, rest, n, flags);
	lookup(w, b, rest, n);
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
		memcpy(e->value, &ms->program, sizeof(ms->program));
		e->gen = w->gen;
		if (ms->packets == 0)
			continue;
		e->packets = ms->packets - 1;
		report_packet(w, e, ms->bytes);
		lcore_add(&w->counters.flows_seen, 1);
	}
	if (unlikely(w->store_full)) {
		w->store_full = false;
		if (dp_store_restart(w->store, w->tick))
			w->gen++;
	}
}
