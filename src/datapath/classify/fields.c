// SPDX-License-Identifier: BSD-3-Clause
#include "classify/fields.h"

#include "classify/classify.h"
#include "classify/report.h"

// Brings the bare entry up to date and tells which fields the flow's decisions depend on.
static uint32_t
fields_of(struct dp_worker *w, struct dp_burst *b, uint16_t k)
{
	struct cache_entry *e = b->entries[k];
	struct dp_program fresh;
	struct flow_actions direct;

	if (e == NULL)
		return classify_miss(w, b, &b->bare[k], b->hashes[k], NULL)->program.fields;
	if (unlikely(e->gen != w->gen)) {
		lcore_add(&w->counters.stale, 1);
		if (!decide_again(w, e, &fresh, &direct))
			return fresh.fields; // not to be stored, the entry stays stale
		entry_set_program(w, e, &fresh);
		e->gen = w->gen;
	}
	return entry_program(w, e)->fields;
}

// The bare entry is in use, though packets have their own.
static void
keep_alive(struct dp_worker *w, struct cache_entry *e)
{
	if (e != NULL && e->last_tick != w->tick)
		report_new_tick(w, e, NULL, DP_NO_DSCP);
}

void
fields_lookup(struct dp_worker *w, struct dp_burst *b, uint16_t n)
{
	struct cache_entry *entries[DP_BURST];
	struct flow_key keys[DP_BURST];
	uint64_t hashes[DP_BURST];
	uint8_t at[DP_BURST];
	uint16_t k, again = 0;

	for (k = 0; k < n; k++) {
		b->bare[k] = b->keys[k];
		flow_key_keep(&b->bare[k], 0);
	}
	cache_lookup_burst(w->cache, b->bare, n, b->hashes, b->entries);
	for (k = 0; k < n; k++) {
		flow_key_keep(&b->keys[k], fields_of(w, b, k));
		if (flow_key_equal(&b->keys[k], &b->bare[k]))
			continue;
		keep_alive(w, b->entries[k]);
		keys[again] = b->keys[k];
		at[again++] = (uint8_t)k;
	}
	if (again == 0)
		return;
	cache_lookup_burst(w->cache, keys, again, hashes, entries);
	for (k = 0; k < again; k++) {
		b->hashes[at[k]] = hashes[k];
		b->entries[at[k]] = entries[k];
	}
}
