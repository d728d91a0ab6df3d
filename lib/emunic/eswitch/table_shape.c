// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_shape.h"

#include <string.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "eswitch/table_lines.h"

static bool
shape_before(const struct emu_shape *a, const struct emu_shape *b)
{
	return a->best != b->best ? a->best < b->best : shape_rank(a, b) < 0;
}

static uint32_t
shape_index(const struct emu_table *t, const struct emu_shape *s)
{
	uint32_t i = 0;

	while (t->shapes[i] != s)
		i++;
	return i;
}

// Puts the shape at index i where its rank wants it, all others being in order.
static void
shape_settle(struct emu_table *t, uint32_t i)
{
	struct emu_shape *s = t->shapes[i];

	for (; i > 0 && shape_before(s, t->shapes[i - 1]); i--)
		t->shapes[i] = t->shapes[i - 1];
	for (; i + 1 < t->n_shapes && shape_before(t->shapes[i + 1], s); i++)
		t->shapes[i] = t->shapes[i + 1];
	t->shapes[i] = s;
}

// True when a match in shape j is final, whatever rule it is, and there is none behind its key.
static bool
is_final(const struct emu_table *t, uint32_t j)
{
	const struct emu_shape *s = t->shapes[j];

	return !s->ranged &&
	       (s->worst == s->best || j + 1 == t->n_shapes || s->worst < t->shapes[j + 1]->best);
}

// After a change of shapes, of their order, or of their best and worst.
static void
shapes_changed(const struct emu_rules *r, struct emu_table *t)
{
	t->shapes[t->n_shapes] = r->none;
	t->n_scan = 0;
	while (t->n_scan < t->n_shapes && !t->shapes[t->n_scan]->apart && is_final(t, t->n_scan))
		t->n_scan++;
	emu_clusters_settle(t);
}

// A multiplier of the hash (SplitMix64; Steele et al., OOPSLA 2014). The salt is the NIC's own, so
// that nobody can choose flows whose rules share a bucket.
static uint64_t
multiplier(const struct emu_rules *r, unsigned int i)
{
	uint64_t z = r->salt + (i + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) | 1;
}

struct emu_word
emu_word_make(const struct emu_rules *r, uint32_t at, uint64_t mask)
{
	return (struct emu_word){.mask = mask,
		.low = multiplier(r, 2 * at),
		.high = multiplier(r, 2 * at + 1),
		.at = at};
}

unsigned int
emu_term_get(struct emu_table *t, const struct emu_word *w)
{
	unsigned int empty = EMU_SCAN_TERMS;

	for (unsigned int i = 0; i < EMU_SCAN_TERMS; i++) {
		struct emu_term *e = &t->terms[i];

		if (e->users == 0) {
			empty = RTE_MIN(empty, i);
		} else if (e->word.at == w->at && e->word.mask == w->mask) {
			e->users++;
			return i;
		}
	}
	if (empty < EMU_SCAN_TERMS)
		t->terms[empty] = (struct emu_term){.word = *w, .users = 1};
	return empty;
}

static void
shape_put_terms(struct emu_table *t, struct emu_shape *s)
{
	for (uint64_t left = s->terms; left != 0; left &= left - 1)
		t->terms[__builtin_ctzll(left)].users--;
	s->terms = 0;
}

static void
shape_get_terms(struct emu_table *t, struct emu_shape *s)
{
	for (unsigned int i = 0; i < s->n_words && !s->apart; i++) {
		unsigned int term = emu_term_get(t, &s->word[i]);

		s->apart = term == EMU_SCAN_TERMS;
		s->term[i] = (uint8_t)term;
		if (!s->apart)
			s->terms |= 1ULL << term;
	}
	if (s->apart)
		shape_put_terms(t, s);
}

// Room for one shape more. False: there is no memory.
static bool
shapes_grow(struct emu_table *t)
{
	uint32_t max = t->max_shapes == 0 ? 16 : t->max_shapes * 2;
	void *p;

	if (t->terms == NULL)
		t->terms = rte_zmalloc("emunic terms", EMU_SCAN_TERMS * sizeof(*t->terms), 64);
	if (t->clusters == NULL)
		t->clusters =
			rte_zmalloc("emunic clusters", EMU_CLUSTERS * sizeof(*t->clusters), 64);
	if (t->terms == NULL || t->clusters == NULL)
		return false;
	if (t->n_shapes + 1 < t->max_shapes)
		return true;
	p = rte_realloc(t->shapes, max * sizeof(struct emu_shape *), 0);
	if (p == NULL)
		return false;
	t->shapes = p;
	t->max_shapes = max;
	return true;
}

struct emu_shape *
emu_shape_new(struct emu_rules *r, struct emu_table *t, const union emu_key *mask, bool ranged)
{
	unsigned int words = 0;
	struct emu_shape *s;

	for (unsigned int at = 0; at < EMU_KEY_WORDS; at++)
		words += mask->w[at] != 0;
	if (!shapes_grow(t))
		return NULL;
	s = rte_zmalloc("emunic shape", sizeof(*s) + words * sizeof(s->word[0]), 64);
	if (s == NULL)
		return NULL;
	s->mask = *mask;
	s->ranged = ranged;
	for (unsigned int at = 0; at < EMU_KEY_WORDS; at++) {
		if (mask->w[at] == 0)
			continue;
		s->word[s->n_words++] = emu_word_make(r, at, mask->w[at]);
		s->bits += __builtin_popcountll(mask->w[at]);
	}
	for (unsigned int i = 0; i < SHAPE_COMPARED && i < s->n_words; i++) {
		s->compared[i] = s->word[i].mask;
		s->compared_at[i] = s->word[i].at;
	}
	s->seed = ++r->next_shape * 0x85ebca6bU;
	s->best = UINT32_MAX;
	TAILQ_INIT(&s->rules);
	shape_get_terms(t, s);
	emu_cluster_join(r, t, s);
	t->shapes[t->n_shapes++] = s;
	r->n_masks++;
	shape_settle(t, t->n_shapes - 1);
	return s;
}

struct emu_shape *
emu_shape_find(const struct emu_table *t, const union emu_key *mask, bool ranged)
{
	for (uint32_t i = 0; i < t->n_shapes; i++)
		if (t->shapes[i]->ranged == ranged &&
			memcmp(&t->shapes[i]->mask, mask, sizeof(*mask)) == 0)
			return t->shapes[i];
	return NULL;
}

void
emu_shape_free(struct emu_rules *r, struct emu_table *t, struct emu_shape *s)
{
	uint32_t i = shape_index(t, s);

	t->n_shapes--;
	r->n_masks--;
	memmove(&t->shapes[i], &t->shapes[i + 1], (t->n_shapes - i) * sizeof(t->shapes[0]));
	emu_cluster_leave(t, s);
	shape_put_terms(t, s);
	rte_free(s);
	shapes_changed(r, t);
}

// Makes best and worst exact again, but only after as many removals as there are rules left, so
// that a removal costs O(1) on the average. Until then they are too far apart, which costs a
// look-up its early end and nothing else.
static void
shape_tighten(const struct emu_rules *r, struct emu_table *t, struct emu_shape *s)
{
	const struct rte_flow *f;
	uint32_t best = UINT32_MAX, worst = 0;

	if (++s->removed < s->n_rules)
		return;
	TAILQ_FOREACH(f, &s->rules, in_shape)
	{
		best = RTE_MIN(best, f->priority);
		worst = RTE_MAX(worst, f->priority);
	}
	s->removed = 0;
	if (best == s->best && worst == s->worst)
		return;
	s->worst = worst;
	if (best != s->best) {
		s->best = best;
		shape_settle(t, shape_index(t, s));
	}
	shapes_changed(r, t);
}

void
emu_shape_add(struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f)
{
	TAILQ_INSERT_TAIL(&s->rules, f, in_shape);
	s->n_rules++;
	if (s->n_rules > 1 && f->priority <= s->worst && f->priority >= s->best)
		return;
	s->worst = RTE_MAX(s->worst, f->priority);
	s->best = RTE_MIN(s->best, f->priority);
	shape_settle(t, shape_index(t, s));
	shapes_changed(r, t);
}

void
emu_shape_del(struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f)
{
	TAILQ_REMOVE(&s->rules, f, in_shape);
	if (--s->n_rules == 0)
		emu_shape_free(r, t, s);
	else
		shape_tighten(r, t, s);
}
