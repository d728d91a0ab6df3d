// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_random.h>
#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_vect.h>

#include "eswitch/table_lines.h"

int
emu_rules_init(struct emu_rules *r, uint32_t capacity, int socket)
{
	uint32_t main_buckets = rte_align32pow2(capacity);
	// Every chained bucket has a full one of its own before it.
	uint32_t overflow = capacity / BUCKET_SLOTS + 1;

	memset(r, 0, sizeof(*r));
	TAILQ_INIT(&r->free);
	r->capacity = capacity;
	r->salt = rte_rand();
	r->bucket_mask = main_buckets - 1;
	r->n_buckets = main_buckets + overflow;
	r->line_mask =
		main_buckets - 1; // of a full NIC, where locators differ, one in a million spills
	r->slots = rte_zmalloc_socket(
		"emunic rules", ((size_t)capacity + 1) * sizeof(*r->slots), 64, socket);
	r->buckets = rte_zmalloc_socket(
		"emunic buckets", r->n_buckets * sizeof(*r->buckets), 64, socket);
	r->tags = rte_zmalloc_socket("emunic tags", main_buckets * sizeof(*r->tags), 64, socket);
	r->chain = rte_malloc_socket("emunic chains", r->n_buckets * sizeof(*r->chain), 64, socket);
	r->lines = rte_zmalloc_socket(
		"emunic lines", ((size_t)r->line_mask + 1) * sizeof(*r->lines), 64, socket);
	r->none = rte_zmalloc_socket("emunic no shape", sizeof(*r->none), 64, socket);
	if (r->slots == NULL || r->buckets == NULL || r->tags == NULL || r->chain == NULL ||
		r->lines == NULL || r->none == NULL) {
		emu_rules_fini(r);
		return -ENOMEM;
	}
	emu_rule_none(r)->act.vf_queue = EMU_NO_QUEUE;
	emu_rule_none(r)->shape = r->none;
	emu_rule_settle(emu_rule_none(r));
	for (uint32_t i = 1; i <= capacity; i++)
		TAILQ_INSERT_TAIL(&r->free, &r->slots[i], list);
	for (uint32_t i = 0; i < main_buckets; i++)
		r->chain[i] = NO_BUCKET;
	for (uint32_t i = main_buckets; i < r->n_buckets; i++)
		r->chain[i] = i + 1 < r->n_buckets ? i + 1 : NO_BUCKET;
	r->free_overflow = main_buckets;
	// DPDK programmer's guide, "Vector registers": --force-max-simd-bitwidth, 256 unless told.
	r->wide = rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_256 && emu_wide_here();
	return 0;
}

void
emu_rules_fini(struct emu_rules *r)
{
	rte_free(r->slots);
	rte_free(r->buckets);
	rte_free(r->tags);
	rte_free(r->chain);
	rte_free(r->lines);
	rte_free(r->none);
	memset(r, 0, sizeof(*r));
}

// Shapes

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

static struct emu_shape *
shape_new(struct emu_rules *r, struct emu_table *t, const union emu_key *mask, bool ranged)
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

static struct emu_shape *
shape_find(const struct emu_table *t, const union emu_key *mask, bool ranged)
{
	for (uint32_t i = 0; i < t->n_shapes; i++)
		if (t->shapes[i]->ranged == ranged &&
			memcmp(&t->shapes[i]->mask, mask, sizeof(*mask)) == 0)
			return t->shapes[i];
	return NULL;
}

bool
emu_table_masks_full(
	const struct emu_rules *r, const struct emu_table *t, const struct emu_match *m)
{
	return r->max_masks > 0 && r->n_masks >= r->max_masks &&
	       shape_find(t, &m->mask, m->ranges.n > 0) == NULL;
}

static void
shape_free(struct emu_rules *r, struct emu_table *t, struct emu_shape *s)
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
shape_removed(const struct emu_rules *r, struct emu_table *t, struct emu_shape *s)
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

// Rules

// The rule's key as the shape has it.
static bool
same_key(const struct rte_flow *a, const struct rte_flow *b, const struct emu_shape *s)
{
	return memcmp(a->key, b->key, s->n_words * sizeof(a->key[0])) == 0;
}

// The first of the rules of the shape with the key of f.
static struct rte_flow *
first_like(const struct emu_rules *r, const struct emu_shape *s, const struct rte_flow *f)
{
	for (uint32_t at = f->hash & r->bucket_mask; at != NO_BUCKET; at = r->chain[at]) {
		const struct emu_bucket *b = &r->buckets[at];

		for (unsigned int i = 0; i < BUCKET_SLOTS && b->rule[i] != 0; i++) {
			struct rte_flow *g = rule_at(r, b->rule[i]);

			if (g->shape == s && g->hash == f->hash && same_key(f, g, s))
				return g;
		}
	}
	return NULL;
}

// Links f among the rules with the same key, in order of priority, then of age. 0, ENOMEM or E2BIG.
static int
rule_link(struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f)
{
	struct rte_flow *first = NULL, *prev, *at;
	unsigned int n = 0;

	if (tags_fit(r, f->hash))
		first = first_like(r, s, f);
	if (first == NULL) {
		if (!emu_bucket_put(r, f))
			return ENOMEM;
		if (emu_line_put(r, f))
			emu_clusters_settle(t);
		return 0;
	}
	for (at = first; s->ranged && at != NULL; at = at->same)
		if (++n == EMU_MAX_SAME)
			return E2BIG;
	if (f->priority < first->priority) {
		emu_bucket_swap(r, first, f);
		emu_line_swap(r, first, f);
		f->same = first;
		return 0;
	}
	for (prev = first; prev->same != NULL && prev->same->priority <= f->priority;)
		prev = prev->same;
	f->same = prev->same;
	prev->same = f;
	return 0;
}

static void
rule_unlink(struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f)
{
	struct rte_flow *first = first_like(r, s, f);

	if (first != f) {
		while (first->same != f)
			first = first->same;
		first->same = f->same;
	} else if (f->same != NULL) {
		emu_bucket_swap(r, f, f->same);
		emu_line_swap(r, f, f->same);
	} else {
		emu_bucket_drop(r, f);
		if (emu_line_drop(r, f))
			emu_clusters_settle(t);
	}
}

// Makes the free slot f a rule of the shape; it is not linked yet. 0 or ENOMEM.
static int
rule_fill(struct rte_flow *f, struct emu_shape *s, const struct emu_match *m)
{
	memset(f, 0, sizeof(*f));
	f->shape = s;
	f->shape_id = s->seed;
	for (unsigned int i = 0; i < s->n_words; i++)
		f->key[i] = m->key.w[s->word[i].at] & s->word[i].mask;
	f->hash = hash_key(s, &m->key);
	if (m->ranges.n == 0)
		return 0;
	f->ranges = rte_malloc("emunic ranges", sizeof(*f->ranges), 0);
	if (f->ranges == NULL)
		return ENOMEM;
	*f->ranges = m->ranges;
	return 0;
}

struct rte_flow *
emu_table_add(struct emu_rules *r, struct emu_table *t, const struct emu_match *m,
	uint32_t priority, const struct emu_actions *act, int *err)
{
	struct rte_flow *f = TAILQ_FIRST(&r->free);
	struct emu_shape *s;

	*err = ENOSPC;
	if (f == NULL)
		return NULL;
	*err = ENOMEM;
	s = shape_find(t, &m->mask, m->ranges.n > 0);
	if (s == NULL && r->max_masks > 0 && r->n_masks >= r->max_masks)
		*err = EMLINK;
	else if (s == NULL)
		s = shape_new(r, t, &m->mask, m->ranges.n > 0);
	if (s == NULL)
		return NULL;
	TAILQ_REMOVE(&r->free, f, list);
	*err = rule_fill(f, s, m);
	f->table = t;
	f->priority = priority;
	f->seq = r->next_seq++;
	f->act = *act;
	emu_rule_settle(f);
	if (*err == 0)
		*err = rule_link(r, t, s, f);
	if (*err != 0) {
		rte_free(f->ranges);
		TAILQ_INSERT_HEAD(&r->free, f, list);
		if (s->n_rules == 0)
			shape_free(r, t, s);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->rules, f, in_shape);
	s->n_rules++;
	t->n_rules++;
	r->n_rules++;
	if (priority > s->worst || priority < s->best || s->n_rules == 1) {
		s->worst = RTE_MAX(s->worst, priority);
		s->best = RTE_MIN(s->best, priority);
		shape_settle(t, shape_index(t, s));
		shapes_changed(r, t);
	}
	return f;
}

void
emu_table_del(struct emu_rules *r, struct emu_table *t, struct rte_flow *f)
{
	struct emu_shape *s = f->shape;

	rule_unlink(r, t, s, f);
	rte_free(f->ranges);
	f->ranges = NULL;
	TAILQ_REMOVE(&s->rules, f, in_shape);
	s->n_rules--;
	t->n_rules--;
	r->n_rules--;
	if (s->n_rules == 0)
		shape_free(r, t, s);
	else
		shape_removed(r, t, s);
	TAILQ_INSERT_HEAD(&r->free, f, list);
}

void
emu_counter_read(struct emu_counter *c, uint64_t reading, bool live, bool reset, uint64_t *packets,
	uint64_t *bytes)
{
	bool all = live || c->reading != reading;

	*packets = all ? c->packets : c->read_packets;
	*bytes = all ? c->bytes : c->read_bytes;
	if (!reset)
		return;
	c->packets -= *packets;
	c->bytes -= *bytes;
	c->read_packets = 0;
	c->read_bytes = 0;
}

void
emu_rule_match(const struct rte_flow *f, struct emu_match *out)
{
	memset(out, 0, sizeof(*out));
	out->mask = f->shape->mask;
	for (unsigned int i = 0; i < f->shape->n_words; i++)
		out->key.w[f->shape->word[i].at] = f->key[i];
	if (f->ranges != NULL)
		out->ranges = *f->ranges;
}

void
emu_table_fini(struct emu_table *t)
{
	rte_free(t->shapes);
	rte_free(t->terms);
	rte_free(t->clusters);
	memset(t, 0, sizeof(*t));
}
