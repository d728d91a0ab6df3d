// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_scan.h"

// Looking packets up, a burst at a time.

static bool
in_ranges(const struct emu_ranges *r, const union emu_key *k)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct emu_range *g = &r->range[i];
		const uint8_t *at = (const uint8_t *)k + g->at;
		uint32_t v = 0;

		for (unsigned int b = 0; b < g->size; b++)
			v = v << 8 | at[b];
		v &= g->mask;
		if (v < g->lo || v > g->hi)
			return false;
	}
	return true;
}

// True when no rule of s can come before the one found.
static bool
beaten(const struct emu_shape *s, const struct rte_flow *found)
{
	if (s->best != found->priority)
		return s->best > found->priority;
	return shape_rank(found->shape, s) < 0;
}

static bool
better(const struct rte_flow *f, const struct rte_flow *found)
{
	if (found == NULL || f->priority != found->priority)
		return found == NULL || f->priority < found->priority;
	return shape_rank(f->shape, found->shape) < 0;
}

// Looks pkt up in one shape, and keeps what it finds in *out if that is better.
static void
try_shape(const struct emu_rules *r, const struct emu_shape *s, const struct emu_pkt *pkt,
	struct rte_flow **out)
{
	uint32_t hash = hash_key(s, &pkt->key);
	struct rte_flow *f = NULL;

	if (tags_fit(r, hash))
		f = bucket_get(r, s, &pkt->key, hash);
	while (s->ranged && f != NULL && !in_ranges(f->ranges, &pkt->key))
		f = f->same;
	if (f != NULL && better(f, *out))
		*out = f;
}

static void
lookup_from(const struct emu_rules *r, const struct emu_table *t, uint32_t j,
	const struct emu_pkt *pkt, struct rte_flow **out)
{
	for (; j < t->n_shapes && (*out == NULL || !beaten(t->shapes[j], *out)); j++)
		try_shape(r, t->shapes[j], pkt, out);
}

// Computes the parts of terms that are not there yet.
static void
compute(struct emu_scan *c, uint64_t terms)
{
	for (terms &= ~c->terms; terms != 0; terms &= terms - 1) {
		unsigned int term = (unsigned int)__builtin_ctzll(terms);
		const struct emu_word w = c->t->terms[term].word;

		for (unsigned int i = 0; i < c->n; i++)
			c->part[term][i] =
				hash_part(c->pkts[i]->key.w[w.at] & w.mask, w.low, w.high);
		c->terms |= 1ULL << term;
	}
}

// What table_wide.c does, for any CPU.
static void
scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
	uint8_t open[EMU_SCAN_MAX]; // packets that have no match so far
	unsigned int n_open = 0;

	compute(c, terms);
	for (uint32_t left = c->open; left != 0; left &= left - 1)
		open[n_open++] = (uint8_t)__builtin_ctz(left);
	for (uint32_t j = from; j < to && n_open > 0; j++) {
		const struct emu_shape *s = c->t->shapes[j];
		unsigned int left = 0;

		for (unsigned int i = 0; i < n_open; i++) {
			uint8_t at = open[i];
			uint32_t hash = s->seed;

			for (unsigned int k = 0; k < s->n_words; k++)
				hash += c->part[s->term[k]][at];
			if (tags_fit(c->r, hash)) {
				rte_prefetch0(&c->r->buckets[hash & c->r->bucket_mask]);
				c->shape[at] = j;
				c->hash[at] = hash;
				c->open &= ~(1U << at);
			} else {
				open[left++] = at;
			}
		}
		n_open = left;
	}
}

// The rules that have the tags that fitted; they are fetched.
static void
places(struct emu_scan *c, uint32_t fitted)
{
	for (; fitted != 0; fitted &= fitted - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(fitted);
		uint32_t at = c->hash[i] & c->r->bucket_mask;
		uint32_t slots = tags_find(c->r->tags[at], c->hash[i]);

		c->place[i] = slots == 0 ? 0 : c->r->buckets[at].rule[__builtin_ctz(slots) / 8];
		emu_rule_fetch(rule_at(c->r, c->place[i]));
	}
}

// Holds all packets against the shapes at the front of the table.
static void
scan_all(struct emu_scan *c)
{
	const struct emu_table *t = c->t;
	const uint32_t all = c->open;

	if (c->r->wide && t->lined)
		emu_wide_lines(c);
	for (uint32_t from = 0; c->open != 0 && from < t->n_scan; from += EMU_SCAN_STEP) {
		uint32_t to = RTE_MIN(from + EMU_SCAN_STEP, t->n_scan);
		uint64_t terms = 0;

		for (uint32_t j = from; j < to; j++)
			terms |= c->r->wide && t->shapes[j]->lined ? 0 : t->shapes[j]->terms;
		if (c->r->wide)
			emu_wide_scan(c, from, to, terms);
		else
			scan(c, from, to, terms);
	}
	places(c, all & ~c->open);
}

// True when f comes behind g in the order of the table.
static bool
behind(const struct rte_flow *f, const struct rte_flow *g)
{
	if (f->priority != g->priority)
		return f->priority > g->priority;
	return f->shape == g->shape ? f->seq > g->seq : shape_rank(g->shape, f->shape) < 0;
}

struct rte_flow *
emu_table_next(const struct emu_rules *r, const struct emu_table *t, const struct emu_pkt *pkt,
	const struct rte_flow *after)
{
	struct rte_flow *best = NULL;

	for (uint32_t j = 0; j < t->n_shapes; j++) {
		const struct emu_shape *s = t->shapes[j];
		struct rte_flow *f;

		if (best != NULL && beaten(s, best))
			break;
		if (s->worst < after->priority)
			continue;
		f = bucket_get(r, s, &pkt->key, hash_key(s, &pkt->key));
		// What stands behind it in its own chain need not be looked for.
		if (after->shape == s && f != NULL && matches(s, &pkt->key, after))
			f = after->same;
		while (f != NULL &&
			(!behind(f, after) || (s->ranged && !in_ranges(f->ranges, &pkt->key))))
			f = f->same;
		if (f != NULL && better(f, best))
			best = f;
	}
	return best != NULL ? best : emu_rule_none(r);
}

// The best rule for the packet among those of the shapes from number j on, or that of none.
static struct rte_flow *
lookup_one(
	const struct emu_rules *r, const struct emu_table *t, uint32_t j, const struct emu_pkt *pkt)
{
	struct rte_flow *found = NULL;

	lookup_from(r, t, j, pkt, &found);
	return found != NULL ? found : emu_rule_none(r);
}

void
emu_table_lookup(const struct emu_rules *r, const struct emu_table *t, struct emu_pkt *const *pkts,
	unsigned int n, struct rte_flow **out)
{
	struct emu_scan c;

	if (t->n_shapes == 0) {
		for (unsigned int i = 0; i < n; i++)
			out[i] = emu_rule_none(r);
		return;
	}
	c.r = r;
	c.t = t;
	c.pkts = pkts;
	c.n = n;
	c.words = 0;
	c.terms = 0;
	c.open = n < EMU_SCAN_MAX ? (1U << n) - 1 : UINT32_MAX;
	for (unsigned int i = 0; i < EMU_SCAN_MAX; i++) {
		c.shape[i] = t->n_scan;
		c.hash[i] = 0;
		c.place[i] = 0;
	}
	scan_all(&c);
	for (unsigned int i = 0; i < n; i++) {
		const struct emu_shape *s = t->shapes[c.shape[i]];

		out[i] = rule_at(r, c.place[i]);

		// Else another of the bucket, or none in this shape; or of the shapes behind.
		if (unlikely(out[i]->shape_id != s->seed) ||
			unlikely(!matches(s, &pkts[i]->key, out[i])))
			out[i] = lookup_one(r, t, c.shape[i], pkts[i]);
	}
}
