// SPDX-License-Identifier: BSD-3-Clause
#include "classify/fields.h"

#include <string.h>

#include "classify/classify.h"
#include "classify/report.h"

// Brings the bare entry up to date and tells which fields the flow's decisions depend on. Where
// that differs from packet to packet, or cannot be kept, it is all of them: the packet is not shown
// to the extensions that read it (m NULL) until it is decided on.
static uint32_t
fields_of(struct dp_worker *w, struct dp_burst *b, uint16_t k)
{
	const uint32_t all = w->snap->sw[b->sw].fields;
	struct cache_entry *e = b->entries[k];
	struct dp_program fresh;
	struct flow_actions direct;

	if (e == NULL) {
		struct dp_miss *ms = classify_miss(w, b, &b->bare[k], b->hashes[k], NULL, NULL);

		return ms->key != NULL ? ms->program.fields : all;
	}
	if (unlikely(e->gen != w->gen)) {
		lcore_add(&w->counters.stale, 1);
		if (!decide_again(w, e, NULL, &fresh, &direct))
			return all; // not to be stored, the entry stays stale
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

bool
fields_none(const struct dp_worker *w, const struct dp_burst *b)
{
	uint32_t hints = 0, gens = 0;
	uint16_t i;

	for (i = 0; i < b->n; i++) {
		hints |= b->entries[i]->hint;
		gens |= b->entries[i]->gen ^ w->gen; // decided anew it may depend on one
	}
	return (hints & ENTRY_FIELDS) == 0 && gens == 0;
}

// Leaves in a packet's key what its flow depends on. Returns whether that is anything it has: then
// its decision is another than that of its bare key. single: the switch's rules read one field, so
// that the entry's other half need not be touched.
static bool
depends(struct dp_worker *w, struct dp_burst *b, uint16_t k, bool single)
{
	const struct cache_entry *e = b->entries[k];

	if (likely(e != NULL && e->gen == w->gen)) {
		if (!(e->hint & ENTRY_FIELDS)) {
			b->keys[k] = b->bare[k];
			return false;
		}
		if (flow_key_equal(&b->keys[k], &b->bare[k]))
			return false; // it has none, whatever it depends on
		if (single)
			return true; // there is one that it can depend on, and the key has it
	}
	flow_key_keep(&b->keys[k], fields_of(w, b, k));
	return !flow_key_equal(&b->keys[k], &b->bare[k]);
}

static bool
look_up(struct dp_worker *w, struct dp_burst *b, uint16_t n)
{
	struct cache_entry *entries[DP_BURST];
	struct flow_key keys[DP_BURST];
	uint64_t hashes[DP_BURST];
	uint8_t at[DP_BURST];
	uint16_t k, again = 0;
	bool hit = true, single = __builtin_popcount(w->snap->sw[b->sw].fields) == 1;

	for (k = 0; k < n; k++) {
		b->bare[k] = b->keys[k];
		flow_key_keep(&b->bare[k], 0);
	}
	cache_lookup_burst(w->cache, b->bare, n, b->hashes, b->entries, NULL);
	for (k = 0; k < n; k++) {
		if (!depends(w, b, k, single)) {
			hit &= b->entries[k] != NULL;
			continue;
		}
		keep_alive(w, b->entries[k]);
		keys[again] = b->keys[k];
		at[again++] = (uint8_t)k;
	}
	if (again == 0)
		return hit;
	hit &= cache_lookup_burst(w->cache, keys, again, hashes, entries, NULL) ==
	       UINT64_MAX >> (64 - again);
	for (k = 0; k < again; k++) {
		b->hashes[at[k]] = hashes[k];
		b->entries[at[k]] = entries[k];
	}
	return hit;
}

// What the second look-up has come from the cache that is taken over can have something leave that
// the first one found. Both are made again until nothing comes: the keys are few. Decisions on keys
// that have no entry begin anew with them: there is room for those of one time.
static __attribute__((noinline)) bool
look_up_moving(struct dp_worker *w, struct dp_burst *b, uint16_t n)
{
	const uint16_t n_miss = b->n_miss;
	struct flow_key full[DP_BURST];
	uint32_t left;
	bool hit;

	memcpy(full, b->keys, n * sizeof(*full));
	do {
		left = cache_moving(w->cache);
		b->n_miss = n_miss;
		memcpy(b->keys, full, n * sizeof(*full));
		hit = look_up(w, b, n);
	} while (cache_moving(w->cache) != left);
	return hit;
}

bool
fields_lookup(struct dp_worker *w, struct dp_burst *b, uint16_t n)
{
	return unlikely(w->resize.moving) ? look_up_moving(w, b, n) : look_up(w, b, n);
}
