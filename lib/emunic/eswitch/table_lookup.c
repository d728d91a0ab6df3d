// SPDX-License-Identifier: BSD-3-Clause
#include <rte_prefetch.h>

#include "eswitch/table_index.h"

// Looking packets up, a burst at a time.

#define LOOKUP_MAX 32

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
	uint32_t hash = hash_words(s, &pkt->key);
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

// True when a match in shape j is final, whatever rule it is, and there is none behind its key.
static bool
is_final(const struct emu_table *t, uint32_t j)
{
	const struct emu_shape *s = t->shapes[j];

	return !s->ranged &&
	       (s->worst == s->best || j + 1 == t->n_shapes || s->worst < t->shapes[j + 1]->best);
}

// A packet whose tags say that it matches in a shape; only reading the rule can tell.
struct candidate {
	uint32_t shape;
	uint32_t hash;
	uint8_t pkt;
	struct rte_flow *rule; // one in the bucket that has its signature
};

struct scan {
	const struct emu_rules *r;
	const struct emu_table *t;
	struct emu_pkt *const *pkts;
	unsigned int n_open, n_found;
	uint8_t open[LOOKUP_MAX]; // indices of packets that have no match so far
	struct candidate found[LOOKUP_MAX];
};

// Makes those of the open packets whose tags fit candidates of shape j.
static __rte_always_inline void
scan_n(struct scan *c, uint32_t j, unsigned int n_words)
{
	const struct emu_shape *s = c->t->shapes[j];
	const struct emu_rules *r = c->r;
	unsigned int left = 0;

	for (unsigned int i = 0; i < c->n_open; i++) {
		uint8_t at = c->open[i];
		uint32_t hash = hash_n(s, &c->pkts[at]->key, n_words);

		if (tags_fit(r, hash)) {
			rte_prefetch0(&r->buckets[hash & r->bucket_mask]);
			c->found[c->n_found++] = (struct candidate){j, hash, at, NULL};
		} else {
			c->open[left++] = at;
		}
	}
	c->n_open = left;
}

// The compiler unrolls what it knows the length of.
static void
scan(struct scan *c, uint32_t j)
{
	switch (c->t->shapes[j]->n_words) {
	case 2:
		scan_n(c, j, 2);
		break;
	case 3:
		scan_n(c, j, 3);
		break;
	case 4:
		scan_n(c, j, 4);
		break;
	case 5:
		scan_n(c, j, 5);
		break;
	default:
		scan_n(c, j, c->t->shapes[j]->n_words);
	}
}

// Reads the rules of all candidates, in steps that wait for memory together.
static void
settle(struct scan *c, struct rte_flow **out)
{
	for (unsigned int i = 0; i < c->n_found; i++) {
		struct candidate *d = &c->found[i];
		const struct emu_bucket *b = &c->r->buckets[d->hash & c->r->bucket_mask];

		for (unsigned int k = 0; k < BUCKET_SLOTS && d->rule == NULL; k++)
			if (b->sig[k] == signature(d->hash))
				d->rule = b->rule[k];
		if (d->rule == NULL)
			continue;
		rte_prefetch0(d->rule);
		rte_prefetch0((const char *)d->rule + 64);
		rte_prefetch0((const char *)d->rule + 128);
	}
	for (unsigned int i = 0; i < c->n_found; i++) {
		struct candidate *d = &c->found[i];
		const struct emu_shape *s = c->t->shapes[d->shape];
		const struct emu_pkt *pkt = c->pkts[d->pkt];

		if (d->rule != NULL && d->rule->shape == s && matches(s, &pkt->key, d->rule))
			out[d->pkt] = d->rule;
		else // another of the bucket, or none in this shape
			lookup_from(c->r, c->t, d->shape, pkt, &out[d->pkt]);
	}
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
		f = bucket_get(r, s, &pkt->key, hash_words(s, &pkt->key));
		// What stands behind it in its own chain need not be looked for.
		if (after->shape == s && f != NULL && matches(s, &pkt->key, after))
			f = after->same;
		while (f != NULL &&
			(!behind(f, after) || (s->ranged && !in_ranges(f->ranges, &pkt->key))))
			f = f->same;
		if (f != NULL && better(f, best))
			best = f;
	}
	return best;
}

void
emu_table_lookup(const struct emu_rules *r, const struct emu_table *t, struct emu_pkt *const *pkts,
	unsigned int n, struct rte_flow **out)
{
	struct scan c = {.r = r, .t = t, .pkts = pkts, .n_open = n};
	uint32_t j = 0;

	for (unsigned int i = 0; i < n; i++) {
		out[i] = NULL;
		c.open[i] = i;
	}
	for (; j < t->n_shapes && c.n_open > 0 && is_final(t, j); j++)
		scan(&c, j);
	// From the first shape on in which a match could still be beaten, one by one.
	for (unsigned int i = 0; i < c.n_open; i++)
		lookup_from(r, t, j, pkts[c.open[i]], &out[c.open[i]]);
	settle(&c, out);
}
