// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "eswitch/table_index.h"

int
emu_rules_init(struct emu_rules *r, uint32_t capacity, int socket)
{
	uint32_t main_buckets = rte_align32pow2(capacity / 2 + 1);
	// Every chained bucket has a full one of its own before it.
	uint32_t overflow = capacity / BUCKET_SLOTS + 1;

	memset(r, 0, sizeof(*r));
	TAILQ_INIT(&r->free);
	r->capacity = capacity;
	r->bucket_mask = main_buckets - 1;
	r->n_buckets = main_buckets + overflow;
	r->slots = rte_zmalloc_socket("emunic rules", capacity * sizeof(*r->slots), 64, socket);
	r->buckets = rte_zmalloc_socket(
		"emunic buckets", r->n_buckets * sizeof(*r->buckets), 64, socket);
	r->tags = rte_zmalloc_socket("emunic tags", main_buckets * sizeof(*r->tags), 64, socket);
	if (r->slots == NULL || r->buckets == NULL || r->tags == NULL) {
		emu_rules_fini(r);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < capacity; i++)
		TAILQ_INSERT_TAIL(&r->free, &r->slots[i], list);
	for (uint32_t i = 0; i < main_buckets; i++)
		r->buckets[i].next = NO_BUCKET;
	for (uint32_t i = main_buckets; i < r->n_buckets; i++)
		r->buckets[i].next = i + 1 < r->n_buckets ? i + 1 : NO_BUCKET;
	r->free_overflow = main_buckets;
	return 0;
}

void
emu_rules_fini(struct emu_rules *r)
{
	rte_free(r->slots);
	rte_free(r->buckets);
	rte_free(r->tags);
	memset(r, 0, sizeof(*r));
}

// Buckets

static void
tags_update(struct emu_rules *r, uint32_t hash)
{
	uint32_t i = hash & r->bucket_mask;
	const struct emu_bucket *b = &r->buckets[i];
	uint64_t tags = b->next != NO_BUCKET ? TAG_CHAIN : 0;

	for (unsigned int slot = 0; slot < BUCKET_SLOTS && b->rule[slot] != NULL; slot++)
		tags |= tag_of((uint32_t)b->sig[slot] << 16) << (8 * slot);
	r->tags[i] = tags;
}

static bool
bucket_place(struct emu_rules *r, struct rte_flow *f)
{
	struct emu_bucket *b = &r->buckets[f->hash & r->bucket_mask];

	for (;;) {
		for (unsigned int i = 0; i < BUCKET_SLOTS; i++) {
			if (b->rule[i] != NULL)
				continue;
			b->rule[i] = f;
			b->sig[i] = signature(f->hash);
			return true;
		}
		if (b->next == NO_BUCKET)
			break;
		b = &r->buckets[b->next];
	}
	if (r->free_overflow == NO_BUCKET)
		return false;
	b->next = r->free_overflow;
	b = &r->buckets[b->next];
	r->free_overflow = b->next;
	b->next = NO_BUCKET;
	b->rule[0] = f;
	b->sig[0] = signature(f->hash);
	return true;
}

static bool
bucket_put(struct emu_rules *r, struct rte_flow *f)
{
	bool ok = bucket_place(r, f);

	tags_update(r, f->hash);
	return ok;
}

// The slot that holds f, and the bucket of it.
static struct emu_bucket *
bucket_find(struct emu_rules *r, const struct rte_flow *f, unsigned int *slot)
{
	struct emu_bucket *b = &r->buckets[f->hash & r->bucket_mask];

	for (;;) {
		for (unsigned int i = 0; i < BUCKET_SLOTS; i++) {
			if (b->rule[i] == f) {
				*slot = i;
				return b;
			}
		}
		b = &r->buckets[b->next];
	}
}

// Takes f out and moves the last rule of the chain into its place.
static void
bucket_drop(struct emu_rules *r, const struct rte_flow *f)
{
	unsigned int slot, last = BUCKET_SLOTS - 1;
	struct emu_bucket *hole = bucket_find(r, f, &slot);
	struct emu_bucket *prev = NULL, *b = &r->buckets[f->hash & r->bucket_mask];

	while (b->next != NO_BUCKET) {
		prev = b;
		b = &r->buckets[b->next];
	}
	while (b->rule[last] == NULL)
		last--;
	hole->rule[slot] = b->rule[last];
	hole->sig[slot] = b->sig[last];
	b->rule[last] = NULL;
	if (last == 0 && prev != NULL) {
		uint32_t idx = prev->next;

		prev->next = NO_BUCKET;
		b->next = r->free_overflow;
		r->free_overflow = idx;
	}
	tags_update(r, f->hash);
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

static struct emu_shape *
shape_new(struct emu_rules *r, struct emu_table *t, const union emu_key *mask, bool ranged)
{
	struct emu_shape *s;

	if (t->n_shapes == t->max_shapes) {
		uint32_t max = t->max_shapes == 0 ? 16 : t->max_shapes * 2;
		void *p = rte_realloc(t->shapes, max * sizeof(struct emu_shape *), 0);

		if (p == NULL)
			return NULL;
		t->shapes = p;
		t->max_shapes = max;
	}
	s = rte_zmalloc("emunic shape", sizeof(*s), 64);
	if (s == NULL)
		return NULL;
	s->mask = *mask;
	s->ranged = ranged;
	for (unsigned int w = 0; w < EMU_KEY_WORDS; w++) {
		if (mask->w[w] == 0)
			continue;
		s->word[s->n_words++] = w;
		s->bits += __builtin_popcountll(mask->w[w]);
	}
	s->seed = ++r->next_shape * 0x85ebca6bU;
	s->best = UINT32_MAX;
	TAILQ_INIT(&s->rules);
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
	rte_free(s);
}

// Makes best and worst exact again, but only after as many removals as there are rules left, so
// that a removal costs O(1) on the average. Until then they are too far apart, which costs a
// look-up its early end and nothing else.
static void
shape_removed(struct emu_table *t, struct emu_shape *s)
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
	s->worst = worst;
	if (best == s->best)
		return;
	s->best = best;
	shape_settle(t, shape_index(t, s));
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
	const struct emu_bucket *b = &r->buckets[f->hash & r->bucket_mask];

	for (;;) {
		for (unsigned int i = 0; i < BUCKET_SLOTS; i++) {
			struct rte_flow *g = b->rule[i];

			if (g != NULL && g->hash == f->hash && g->shape == s && same_key(f, g, s))
				return g;
		}
		if (b->next == NO_BUCKET)
			return NULL;
		b = &r->buckets[b->next];
	}
}

// Links f among the rules with the same key, in order of priority, then of age. 0, ENOMEM or E2BIG.
static int
rule_link(struct emu_rules *r, struct emu_shape *s, struct rte_flow *f)
{
	struct rte_flow *first = first_like(r, s, f), *prev, *at;
	struct emu_bucket *b;
	unsigned int slot, n = 0;

	if (first == NULL)
		return bucket_put(r, f) ? 0 : ENOMEM;
	for (at = first; s->ranged && at != NULL; at = at->same)
		if (++n == EMU_MAX_SAME)
			return E2BIG;
	if (f->priority < first->priority) {
		b = bucket_find(r, first, &slot);
		b->rule[slot] = f;
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
rule_unlink(struct emu_rules *r, struct emu_shape *s, struct rte_flow *f)
{
	struct rte_flow *first = first_like(r, s, f);
	struct emu_bucket *b;
	unsigned int slot;

	if (first != f) {
		while (first->same != f)
			first = first->same;
		first->same = f->same;
	} else if (f->same != NULL) {
		b = bucket_find(r, f, &slot);
		b->rule[slot] = f->same;
	} else {
		bucket_drop(r, f);
	}
}

// Makes the free slot f a rule of the shape; it is not linked yet. 0 or ENOMEM.
static int
rule_fill(struct rte_flow *f, struct emu_shape *s, const struct emu_match *m)
{
	union emu_key k;

	memset(f, 0, sizeof(*f));
	f->shape = s;
	for (unsigned int i = 0; i < s->n_words; i++) {
		unsigned int w = s->word[i];

		k.w[w] = m->key.w[w];
		f->key[i] = m->key.w[w] & s->mask.w[w];
	}
	f->hash = hash_words(s, &k);
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
	if (*err == 0)
		*err = rule_link(r, s, f);
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
	s->worst = RTE_MAX(s->worst, priority);
	if (priority < s->best) {
		s->best = priority;
		shape_settle(t, shape_index(t, s));
	}
	return f;
}

void
emu_table_del(struct emu_rules *r, struct emu_table *t, struct rte_flow *f)
{
	struct emu_shape *s = f->shape;

	rule_unlink(r, s, f);
	rte_free(f->ranges);
	f->ranges = NULL;
	TAILQ_REMOVE(&s->rules, f, in_shape);
	s->n_rules--;
	t->n_rules--;
	r->n_rules--;
	if (s->n_rules == 0)
		shape_free(r, t, s);
	else
		shape_removed(t, s);
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
		out->key.w[f->shape->word[i]] = f->key[i];
	if (f->ranges != NULL)
		out->ranges = *f->ranges;
}

void
emu_table_fini(struct emu_table *t)
{
	rte_free(t->shapes);
	memset(t, 0, sizeof(*t));
}
