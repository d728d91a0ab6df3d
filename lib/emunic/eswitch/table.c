// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_random.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_vect.h>

#include "eswitch/table_lines.h"
#include "eswitch/table_shape.h"

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

bool
emu_table_masks_full(
	const struct emu_rules *r, const struct emu_table *t, const struct emu_match *m)
{
	return r->max_masks > 0 && r->n_masks >= r->max_masks &&
	       emu_shape_find(t, &m->mask, m->ranges.n > 0) == NULL;
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
	s = emu_shape_find(t, &m->mask, m->ranges.n > 0);
	if (s == NULL && r->max_masks > 0 && r->n_masks >= r->max_masks)
		*err = EMLINK;
	else if (s == NULL)
		s = emu_shape_new(r, t, &m->mask, m->ranges.n > 0);
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
			emu_shape_free(r, t, s);
		return NULL;
	}
	t->n_rules++;
	r->n_rules++;
	r->made++;
	emu_shape_add(r, t, s, f);
	return f;
}

void
emu_table_del(struct emu_rules *r, struct emu_table *t, struct rte_flow *f)
{
	struct emu_shape *s = f->shape;

	rule_unlink(r, t, s, f);
	rte_free(f->ranges);
	f->ranges = NULL;
	t->n_rules--;
	r->n_rules--;
	emu_shape_del(r, t, s, f);
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
