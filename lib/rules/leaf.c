// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "tree.h"

#define UNITS 34 // of 16 bits in a key, and once more both ports, for their ranges
#define UNIT_SPORT 32
#define UNIT_DPORT 33

struct unit {
	uint16_t lo, span, mask;
};

static const struct unit any = {.lo = 0, .span = UINT16_MAX, .mask = UINT16_MAX};
static const struct unit never = {.lo = 1, .span = 0, .mask = 0};

// Where the high byte of a unit is in the key, and the low one: a prefix or a range is one of the
// number then. Of the fields in host order only exact values are usual, so their order is free.
static void
bytes_of(unsigned u, uint8_t *high, uint8_t *low)
{
	size_t at = 2 * (size_t)u;
	bool big = at < offsetof(struct flow_key, vlan);

	if (u == UNIT_SPORT || at == offsetof(struct flow_key, l4_src)) {
		at = offsetof(struct flow_key, l4_src);
		big = true;
	} else if (u == UNIT_DPORT || at == offsetof(struct flow_key, l4_dst)) {
		at = offsetof(struct flow_key, l4_dst);
		big = true;
	}
	*high = (uint8_t)(at + !big);
	*low = (uint8_t)(at + big);
}

static struct unit
of_range(const struct flow_range *r)
{
	if (r->lo > r->hi)
		return never;
	return (struct unit){.lo = r->lo, .span = r->hi - r->lo, .mask = UINT16_MAX};
}

static struct unit
of_mask(uint16_t key, uint16_t mask)
{
	uint16_t wild = (uint16_t)~mask;

	if ((wild & (wild + 1)) == 0)
		return (struct unit){.lo = key & mask, .span = wild, .mask = UINT16_MAX};
	return (struct unit){.lo = key & mask, .span = 0, .mask = mask};
}

static struct unit
unit_of(const struct rule *rule, unsigned u)
{
	const uint8_t *key = (const uint8_t *)rule->key, *mask = (const uint8_t *)rule->mask;
	uint8_t high, low;

	if (u == UNIT_SPORT)
		return of_range(&rule->sport);
	if (u == UNIT_DPORT)
		return of_range(&rule->dport);
	bytes_of(u, &high, &low);
	if ((rule->sport_only && low / 2 == offsetof(struct flow_key, l4_src) / 2) ||
		(rule->dport_only && low / 2 == offsetof(struct flow_key, l4_dst) / 2))
		return any; // the range says it
	return of_mask(
		(uint16_t)(key[high] << 8 | key[low]), (uint16_t)(mask[high] << 8 | mask[low]));
}

static bool
is_any(const struct unit *u)
{
	return u->lo == any.lo && u->span == any.span && u->mask == any.mask;
}

// Which units any of the entries looks at.
static unsigned
units_of(const struct rule *const *list, uint32_t n, uint8_t *units, bool *masked)
{
	unsigned count = 0;

	*masked = false;
	for (uint8_t u = 0; u < UNITS; u++) {
		bool looks = false;

		for (uint32_t i = 0; i < n; i++) {
			struct unit unit = unit_of(list[i], u);

			looks |= !is_any(&unit);
			*masked |= unit.mask != UINT16_MAX;
		}
		units[count] = u;
		count += looks;
	}
	return count;
}

static void
fill_part(struct rules_leaf *leaf, unsigned p, const struct rule *const *list, const uint8_t *units,
	unsigned count)
{
	struct rules_part *part = (void *)(leaf->part + (size_t)p * leaf->size);
	size_t rows = (size_t)leaf->n * RULES_UNITS;

	for (unsigned u = 0; u < RULES_UNITS; u++) {
		if (u < count)
			bytes_of(units[u], &part->at[2 * u + 1], &part->at[2 * u]);
		for (uint32_t i = 0; i < leaf->n; i++) {
			struct unit unit = u < count ? unit_of(list[i], units[u]) : any;
			uint16_t *row = &part->row[(size_t)i * RULES_UNITS + u];

			row[0] = unit.lo;
			row[rows] = unit.span;
			if (leaf->masked)
				row[2 * rows] = unit.mask;
		}
	}
}

rules_ref
rules_leaf_new(struct rules_mem *m, const struct rule *const *list, uint32_t n)
{
	struct rules_leaf *leaf;
	struct rules_hit *hit;
	uint8_t units[UNITS + 1];
	bool masked;
	unsigned count = units_of(list, n, units, &masked);
	unsigned parts = count > 0 ? (count + RULES_UNITS - 1) / RULES_UNITS : 1;
	size_t size = sizeof(struct rules_part) +
		      (size_t)n * RULES_UNITS * sizeof(uint16_t) * (masked ? 3 : 2);

	leaf = rules_mem_get(m, sizeof(*leaf) + parts * size + n * sizeof(*hit));
	if (leaf == NULL)
		return 0;
	leaf->best = list[0]->order;
	leaf->n = n;
	leaf->size = (uint32_t)size;
	leaf->hits = (uint32_t)(parts * size);
	leaf->parts = (uint8_t)parts;
	leaf->masked = masked;
	for (unsigned p = 0; p < parts; p++)
		fill_part(leaf, p, list, units + p * RULES_UNITS,
			count > p * RULES_UNITS ? count - p * RULES_UNITS : 0);
	hit = (void *)(leaf->part + parts * size);
	for (uint32_t i = 0; i < n; i++)
		hit[i] = (struct rules_hit){.order = list[i]->order, .rule = list[i]};
	return (rules_ref)leaf | 1;
}

uint32_t
rules_leaf_list(const struct rules_leaf *leaf, const struct rule **list)
{
	const struct rules_hit *hit = rules_hits_of(leaf);

	for (uint32_t i = 0; i < leaf->n; i++)
		list[i] = hit[i].rule;
	return leaf->n;
}
