// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_index.h"

static void
set_tag(struct emu_rules *r, uint32_t bucket, unsigned int slot, uint32_t tag)
{
	uint32_t *tags = &r->tags[bucket];

	*tags = (*tags & ~(0xffU << 8 * slot)) | tag << 8 * slot;
}

static unsigned int
slots_used(const struct emu_bucket *b)
{
	unsigned int n = 0;

	while (n < BUCKET_SLOTS && b->rule[n] != 0)
		n++;
	return n;
}

bool
emu_bucket_put(struct emu_rules *r, const struct rte_flow *f)
{
	uint32_t first = f->hash & r->bucket_mask, at = first, more = r->free_overflow;
	unsigned int slot = slots_used(&r->buckets[at]);

	if (slot < BUCKET_SLOTS) {
		r->buckets[at].rule[slot] = place_of(r, f);
		set_tag(r, at, slot, tag_of(f->hash));
		return true;
	}
	while (slot == BUCKET_SLOTS && r->chain[at] != NO_BUCKET) {
		at = r->chain[at];
		slot = slots_used(&r->buckets[at]);
	}
	if (slot == BUCKET_SLOTS) {
		if (more == NO_BUCKET)
			return false;
		r->free_overflow = r->chain[more];
		r->chain[more] = NO_BUCKET;
		r->chain[at] = more;
		r->tags[first] |= TAG_CHAIN;
		at = more;
		slot = 0;
	}
	r->buckets[at].rule[slot] = place_of(r, f);
	return true;
}

// The bucket that holds f, and its slot.
static uint32_t
find(const struct emu_rules *r, const struct rte_flow *f, unsigned int *slot)
{
	uint32_t at = f->hash & r->bucket_mask, place = place_of(r, f);

	for (;; at = r->chain[at])
		for (*slot = 0; *slot < BUCKET_SLOTS; ++*slot)
			if (r->buckets[at].rule[*slot] == place)
				return at;
}

void
emu_bucket_swap(struct emu_rules *r, const struct rte_flow *f, const struct rte_flow *by)
{
	unsigned int slot;
	uint32_t at = find(r, f, &slot);

	r->buckets[at].rule[slot] = place_of(r, by);
}

// Takes f out and moves the last rule of the chain into its place.
void
emu_bucket_drop(struct emu_rules *r, const struct rte_flow *f)
{
	uint32_t first = f->hash & r->bucket_mask, at = first, before = first, hole, moved;
	bool chained = tags_chained(r->tags[first]);
	unsigned int slot, last;

	hole = find(r, f, &slot);
	while (chained && r->chain[at] != NO_BUCKET) {
		before = at;
		at = r->chain[at];
	}
	last = slots_used(&r->buckets[at]) - 1;
	moved = r->buckets[at].rule[last];
	r->buckets[hole].rule[slot] = moved;
	r->buckets[at].rule[last] = 0;
	if (!chained) {
		set_tag(r, first, slot, r->tags[first] >> 8 * last & 0xff);
		set_tag(r, first, last, 0);
		return;
	}
	if (last == 0) {
		r->chain[before] = NO_BUCKET;
		r->chain[at] = r->free_overflow;
		r->free_overflow = at;
	}
	for (unsigned int i = 0; i < BUCKET_SLOTS; i++)
		set_tag(r, first, i, tag_of(rule_at(r, r->buckets[first].rule[i])->hash));
	if (r->chain[first] != NO_BUCKET)
		r->tags[first] |= TAG_CHAIN;
}
